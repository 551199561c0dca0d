"""What can be refused of a calibration before anything slow is imported or computed."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtbold.calibration.inputs.bold_paths import (
    IMAGE,
    TEXT,
    check_bold_path,
    lacks_atlas,
    split_part,
)
from rtbold.errors import ConfigError, DataFileError
from rtbold.text import did_you_mean

if TYPE_CHECKING:
    from rtbold.calibration.settings import CalibrationSettings, ScanFiles

_SHOWN: Final = 12  # ROIs in a message


def check_paths(
    eeg: Path, bold: str, *, atlas: Path | None = None, others: Sequence[Path] = ()
) -> None:
    """Refuse files that are not there.

    Parameters
    ----------
    others : confounds, other subjects' EEG.

    Raises
    ------
    DataFileError : names the first that is missing.
    ConfigError : the BOLD is an image, and no atlas was given.
    """
    path, _ = check_bold_path(bold)
    for file, what in ((eeg, "a recording of EEG"), *((o, "a file") for o in others)):
        if not file.exists():
            raise DataFileError(
                f"there is no file {str(file)!r}, expected {what}. Check the path."
            )
    if not path.name.lower().endswith(IMAGE):
        return
    if atlas is None:
        raise lacks_atlas(path)
    if not atlas.is_file():
        raise DataFileError(
            f"there is no file {str(atlas)!r}, expected a NIfTI image. Check the path."
        )


def check_target(
    settings: "CalibrationSettings", name: str, rois: Sequence[str]
) -> None:
    """Refuse a target or contrast of ROIs that the BOLD has not, and a missing one.

    Parameters
    ----------
    name : of the BOLD's file.

    Raises
    ------
    ConfigError : says which there are.
    """
    from rtbold.calibration.inputs.bold_series import plain_name
    from rtbold.calibration.settings import OTHERS

    listed = ", ".join(rois[:_SHOWN])
    if len(rois) > _SHOWN:
        listed += f", ... ({len(rois)} in all)"
    wanted = list(settings.contrast) or [settings.target or ""]
    if not any(wanted):
        if len(rois) > 1:
            raise ConfigError(
                f"no target was given, and {name} has {len(rois)} ROIs: {listed}. Say "
                f"which one will be fed back, such as --target {rois[0]!r}, or give "
                "--contrast."
            )
        return
    shared = {OTHERS} if len(rois) > len(wanted) - 1 else set()
    missing = [
        roi for roi in wanted if plain_name(roi) not in rois and roi not in shared
    ]
    if missing:
        hint = did_you_mean(map(plain_name, missing), rois)
        raise ConfigError(
            f"the target needs {', '.join(missing)}, but the BOLD has {listed}.{hint} "
            "Correct --target or --contrast (and --roi)."
        )


def check_quick_target(settings: "CalibrationSettings") -> None:
    """Look for the target in a table of text, which is read at once.

    Raises
    ------
    DataFileError : the table cannot be read.
    ConfigError : as `check_target`.
    """
    files: ScanFiles = settings.scan
    path, _ = split_part(files.bold)
    if path.name.lower().endswith(TEXT):
        from rtbold.calibration.inputs.bold import read_bold

        bold = read_bold(files.bold, columns=files.rois or None)
        check_target(settings, bold.name, bold.rois)
