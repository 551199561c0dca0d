"""Read a MAT file in a process of its own: scipy's reader can crash on damaged ones.

python -m rtbold.calibration.inputs.mat5 FILE.mat OUT.npz
"""

import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from rtbold.errors import DataFileError
from rtbold.files import why_child_failed

LIMIT_S: Final = 300.0
MEMORY_BYTES: Final = 8 << 30


def in_child(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays of numbers in a MAT file of version 4 to 7.2, by name.

    The second names what else it holds, with its size and its class in MATLAB's words.

    Raises
    ------
    DataFileError : it is none, or the reader did not survive it.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "held.npz"
        words = ["-m", __name__, str(path.resolve()), str(out)]
        if why := why_child_failed(words, limit_s=LIMIT_S):
            raise _unreadable(path, why)
        with np.load(out, allow_pickle=False) as arrays:
            names = arrays["names"].tolist()
            held = {name: arrays[f"arr_{i}"] for i, name in enumerate(names)}
            return held, dict(arrays["others"].reshape(-1, 2).tolist())


def _unreadable(path: Path, why: str) -> DataFileError:
    return DataFileError(
        f"{path.name} cannot be read as MAT ({why}), expected a file that MATLAB "
        "saved. Save it again."
    )


def main(source: str, out: str) -> None:
    """Write the arrays of numbers in `source` as NPZ, and what else it holds."""
    from scipy.io import loadmat, whosmat

    with suppress(ImportError):  # Windows has no such limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    held = loadmat(source, appendmat=False, verify_compressed_data_integrity=True)
    kinds = {name: (shape, kind) for name, shape, kind in whosmat(source, False)}
    arrays = {
        name: array
        for name, array in held.items()
        if getattr(getattr(array, "dtype", None), "kind", "") in "fiu"
        and kinds.get(name, ((), "char"))[1] not in ("logical", "char", "sparse")
    }
    others = [
        (name, f"{'x'.join(map(str, shape))} {kind}{_fields(held.get(name))}")
        for name, (shape, kind) in kinds.items()
        if name not in arrays
    ]
    np.savez(
        out, *arrays.values(), names=np.array(list(arrays), dtype=str),
        others=np.array(others, dtype=str),
    )  # fmt: skip


def _fields(item: object) -> str:
    names = getattr(getattr(item, "dtype", None), "names", None)
    return f" of {', '.join(names)}" if names else ""


if __name__ == "__main__":
    main(*sys.argv[1:])
