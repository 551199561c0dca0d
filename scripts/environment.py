"""Make a virtual environment with rtbold in it; used by demo.py and test.py.

Plain Python, standard library only: it runs before anything is installed.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)


def require_python() -> None:
    """Stop with a plain sentence on a Python that is too old."""
    if sys.version_info < OLDEST:
        came = ".".join(map(str, sys.version_info[:3]))
        sys.exit(
            f"This is Python {came}; rtbold needs 3.11 or newer. "
            "Run the same command with a newer python, for example python3.12."
        )


def python_of(folder: Path) -> Path:
    """Return the interpreter inside the virtual environment `folder`."""
    if os.name == "nt":
        return folder / "Scripts" / "python.exe"
    return folder / "bin" / "python"


def fingerprint(extras: str) -> str:
    """Return what the environment depends on, as a hash."""
    parts = [extras.encode(), sys.version.encode(), str(ROOT).encode()]
    parts += [
        (ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def prepare(name: str, extras: str = "") -> Path:
    """Create or reuse ``.venvs/NAME`` and return its interpreter.

    The stamp is written last, so an interrupted installation is done again.
    """
    folder = ROOT / ".venvs" / name
    python = python_of(folder)
    stamp = folder / "installed.sha256"
    wanted = fingerprint(extras)
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    if not python.exists():
        print(f"Creating the virtual environment {folder} ...", flush=True)
        venv.create(folder, with_pip=True)
    target = f"{ROOT}[{extras}]" if extras else str(ROOT)
    print(f"Installing rtbold{f'[{extras}]' if extras else ''} ...", flush=True)
    command = [python, "-m", "pip", "install", "--quiet", "-e", target]
    command += ["-c", ROOT / "constraints.txt"]
    # Under its former name an earlier checkout would stay beside it
    former = [python, "-m", "pip", "uninstall", "--quiet", "--yes", "rtbold"]
    subprocess.run(former, check=False, stderr=subprocess.DEVNULL)
    finished = subprocess.run(command, check=False)
    if finished.returncode:
        sys.exit(
            "The installation failed; pip's own message is above. rtbold needs PyPI "
            "(or a mirror set in pip's configuration). Mend that and run this again."
        )
    stamp.write_text(wanted)
    return python
