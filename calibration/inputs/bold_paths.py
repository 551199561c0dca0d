"""Files of measured BOLD by their names: which format, which part. Reads nothing."""

from pathlib import Path
from typing import Final

from rtbold.errors import ConfigError, DataFileError

TEXT: Final = (".tsv", ".csv", ".txt")
PICKLE: Final = (".pkl", ".pickle")
IMAGE: Final = (".nii", ".nii.gz")
_WITHIN: Final = (".mat", ".xdf")  # FILE.mat:NAME and FILE.xdf:NAME name a part
LOG: Final = ".jsonl"  # the event log of a session, with what its source measured
FORMATS: Final = (*TEXT, ".npy", ".mat", *PICKLE, *IMAGE, ".xdf", LOG)


def split_part(text: str) -> tuple[Path, str | None]:
    """Cut ``FILE.mat:NAME`` in two; a drive letter's colon is not behind a suffix."""
    for suffix in _WITHIN:
        at = text.lower().rfind(f"{suffix}:")
        if at >= 0:
            end = at + len(suffix)
            return Path(text[:end]), text[end + 1 :]
    return Path(text), None


def check_bold_path(text: str | Path) -> tuple[Path, str | None]:
    """Return the path of measured BOLD, and the part of the file that is named.

    Raises
    ------
    DataFileError : there is no such file, it is empty, or of no known format.
    """
    path, part = split_part(str(text))
    if not path.is_file():
        raise DataFileError(
            f"there is no file {str(path)!r}, expected measured BOLD. Check the path."
        )
    if path.stat().st_size == 0:
        raise DataFileError(
            f"{path.name} is empty (0 bytes), expected measured BOLD. Copy it again."
        )
    if not path.name.lower().endswith(FORMATS):
        raise DataFileError(
            f"{path.name} ends in {path.suffix or 'nothing'!r}, expected one of "
            f"{', '.join(FORMATS)}. Export the series as TSV."
        )
    return path, part


def lacks_atlas(path: Path) -> ConfigError:
    """Return what is said of an image without an atlas."""
    return ConfigError(
        f"{path.name} is an image, expected an atlas with it that says where the ROIs "
        "are. Give one: --atlas FILE.nii.gz"
    )
