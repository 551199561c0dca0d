"""Whether a library survives a file: a process of its own reads it first.

Libraries in C crash on bytes that were changed, or never come back. Nothing in this
process can stop them then.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

LIMIT_S: Final = 120.0  # Python alone takes many seconds to start on a full machine
LEAST_BYTES_A_SECOND: Final = 1e6
MEMORY_BYTES: Final = 8 << 30
_BEFORE: Final = f"""
import sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES}, {MEMORY_BYTES}))
except ImportError:
    pass  # Windows has no such limit
try:
"""
_AFTER: Final = """
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""
HDF5: Final = """
    import h5py
    def read(_, item):
        if isinstance(item, h5py.Dataset):
            item[()]
    with h5py.File(sys.argv[1], "r") as file:
        file.visititems(read)
"""
MAT5: Final = """
    from scipy.io import loadmat
    loadmat(sys.argv[1], simplify_cells=True, verify_compressed_data_integrity=True)
"""


def why_not_hdf5(path: Path) -> str:
    """Return why a file of HDF5 cannot be read; empty: it can."""
    return why_not(path, HDF5)


def why_not(path: Path, reading: str, *, limit_s: float | None = None) -> str:
    """Return why a file cannot be read; empty: a process of its own has read it.

    Parameters
    ----------
    reading : Python that reads the file `sys.argv[1]`: `HDF5` or `MAT5`.
    limit_s : after so long the reader hangs; None: by the size of the file.
    """
    if limit_s is None:
        limit_s = LIMIT_S + path.stat().st_size / LEAST_BYTES_A_SECOND
    return why_child_failed(
        ["-c", _BEFORE + reading + _AFTER, str(path.resolve())], limit_s=limit_s
    )


def why_child_failed(words: Sequence[str], *, limit_s: float) -> str:
    """Run Python with these words; return why it failed, empty if it did not."""
    command = [sys.executable, *words]
    try:
        tried = subprocess.run(
            command, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it took over {limit_s:g} s"
    if not tried.returncode:
        return ""
    said = tried.stderr.strip().splitlines()
    return said[-1] if said else "its reader crashed"
