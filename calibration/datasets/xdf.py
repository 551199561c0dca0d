"""XDF files with EEG, markers and measured ROIs of one scan each.

The ROIs are an LSL stream of type BOLD: one sample a volume, its first channel the
number of the volume. Names of LabRecorder (``sub-P01_ses-S01_task-rest_run-001``) say
whose a file is; other names need a pattern.
"""

import re
from pathlib import Path
from typing import Final

from rtbold.calibration.datasets.choices import Ground, XdfChoice
from rtbold.calibration.datasets.found import (
    Found,
    LeftOutScan,
    entities,
    is_there,
    not_fetched,
    safe_name,
)
from rtbold.calibration.datasets.sources import ScanSource
from rtbold.errors import ConfigError
from rtbold.record import EVENTS_NAME

_DEFAULT: Final = XdfChoice()


def is_xdf(root: Path) -> bool:
    """Whether a folder holds XDFs that no session of rtbold wrote."""
    return any(_foreign(root, _DEFAULT.files))


def _foreign(root: Path, pattern: str) -> list[Path]:
    found = (path for path in root.glob(pattern) if path.suffix.lower() == ".xdf")
    return sorted(p for p in found if not p.with_name(EVENTS_NAME).is_file())


def find_xdf(ground: Ground, choice: XdfChoice = _DEFAULT) -> Found:
    """Return a scan for each XDF whose subject is known.

    Raises
    ------
    ConfigError : there is no XDF, or a pattern is none.
    """
    files = _foreign(ground.root, choice.files)
    if not files:
        raise ConfigError(
            f"{ground.root} holds no file that fits {choice.files!r}, expected XDFs "
            "with EEG and a stream of BOLD. Correct root, or files in [xdf]."
        )
    whose = {key: _pattern(key, getattr(choice, key)) for key in ("subject", "session")}
    sources, left_out = [], []
    for path in files:
        place = path.relative_to(ground.root)
        said = entities(path.stem)
        subject = _said(whose["subject"], "subject", place) or said.get("sub")
        session = _said(whose["session"], "session", place) or said.get("ses", "1")
        name = safe_name(place.with_suffix("").name)
        if not is_there(path):
            left_out.append(LeftOutScan(name, not_fetched(path)))
        elif subject is None:
            left_out.append(
                LeftOutScan(
                    name,
                    f"{place} says no subject (sub-...), expected one so that nobody "
                    "is on both sides of a split. Give subject in [xdf]: a pattern "
                    "such as '(?P<subject>[^/]+)/'",
                )
            )
        else:
            sources.append(
                ScanSource(
                    name=name.removesuffix("_eeg"),
                    subject=subject,
                    session=session,
                    eeg=path,
                    bold=_stream(path, choice.bold_stream),
                )
            )
    return Found(tuple(sources), tuple(left_out))


def _stream(path: Path, name: str | None) -> Path:
    return path if name is None else path.with_name(f"{path.name}:{name}")


def _pattern(key: str, text: str | None) -> re.Pattern[str] | None:
    if text is None:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ConfigError(
            f"{key} in [xdf] is {text!r}, which is no regular expression ({error}). "
            "Correct it."
        ) from error
    if key not in pattern.groupindex:
        raise ConfigError(
            f"{key} in [xdf] is {text!r}, expected a group (?P<{key}>...) in it. Add "
            "one."
        )
    return pattern


def _said(pattern: re.Pattern[str] | None, key: str, place: Path) -> str | None:
    found = pattern.search(place.as_posix()) if pattern else None
    return safe_name(found[key]) if found and found[key] else None
