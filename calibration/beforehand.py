"""What can be refused of a calibration before anything slow is imported or computed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
_SIGNS: Final = "+-*\"'"  # of a contrast; a name has them at most in quotes


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
    settings : of `with_target`.
    name : of the BOLD's file.

    Raises
    ------
    ConfigError : says which there are.
    """
    from rtbold.calibration.inputs.bold_series import plain_name

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
    missing = [roi for roi in wanted if plain_name(roi) not in rois]
    if missing:
        hint = did_you_mean(map(plain_name, missing), rois)
        raise ConfigError(
            f"the target needs {', '.join(missing)}, but the BOLD has {listed}.{hint} "
            "Correct --target or --contrast (and --roi)."
        )


def with_target(
    settings: "CalibrationSettings", name: str, rois: Sequence[str]
) -> "CalibrationSettings":
    """Return settings whose ``--target`` is a ROI or the name of a contrast of ROIs.

    Parameters
    ----------
    name : of the BOLD's file.

    Raises
    ------
    ConfigError : the contrast cannot be read, or names what the BOLD has not.
    """
    target, weights = target_of(
        settings.target or "", settings.contrast, rois, of=f"{name} has"
    )
    return replace(settings, target=target or None, contrast=weights)


def target_of(
    target: str, contrast: Mapping[str, float], rois: Sequence[str], *, of: str
) -> tuple[str, dict[str, float]]:
    """Return a target's name and the weight of each ROI in it; none: it is one ROI.

    A contrast that was written out, a group of ROIs, ``Global`` and, in ``contrast``,
    ``others`` become weights.

    Parameters
    ----------
    of : who has these ROIs, for messages.

    Raises
    ------
    ConfigError : what was written out cannot be read, or names what is no ROI.
    """
    from rtbold.calibration.inputs.bold_series import plain_name
    from rtbold.calibration.settings import whole_contrast
    from rtbold.feedback import group_of, parse_target, written

    text = plain_name(target)
    if contrast:
        weights = {plain_name(roi): weight for roi, weight in contrast.items()}
        return text, whole_contrast(weights, rois)
    is_written = any(sign in text for sign in _SIGNS) or group_of(text, rois)
    if not text or text in rois or not is_written:
        return text, {}
    weights = parse_target(text, rois, of=of)
    if list(weights.values()) == [1.0]:
        return next(iter(weights)), {}
    return written(text), weights


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
        written_out = with_target(settings, bold.name, bold.rois)
        check_target(written_out, bold.name, bold.rois)
