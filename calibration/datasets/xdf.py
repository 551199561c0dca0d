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
    files_below,
    glob_below,
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
    return any(map(_is_foreign, files_below(root)))


def _is_foreign(path: Path) -> bool:
    log = path.with_name(EVENTS_NAME)
    return path.suffix.lower() == ".xdf" and not log.is_file()


def find_xdf(ground: Ground, choice: XdfChoice = _DEFAULT) -> Found:
    """Return a scan for each XDF whose subject is known.

    Raises
    ------
    ConfigError : there is no XDF, or a pattern is none.
    """
    files = sorted(filter(_is_foreign, glob_below(ground.root, choice.files, "files")))
    if not files:
        raise ConfigError(
            f"{ground.root} holds no file that fits {choice.files!r}, expected XDFs "
            "with EEG and a stream of BOLD. Correct root, or files in [xdf]."
        )
    whose = _Whose(choice)
    sources, left_out = [], []
    for path in files:
        place = path.relative_to(ground.root)
        subject, session = whose(place)
        name = _name(place)
        if not is_there(path):
            left_out.append(LeftOutScan(name, not_fetched(path)))
        elif subject is None:
            left_out.append(LeftOutScan(name, f"{place} {_NOBODY}"))
        else:
            bold = _stream(path, choice.bold_stream)
            sources.append(
                ScanSource(
                    name=name, subject=subject, session=session, eeg=path, bold=bold
                )
            )
    return Found(tuple(sources), tuple(left_out))


_NOBODY: Final = (
    "says no subject (sub-...), expected one so that nobody is on both sides of a "
    "split. Give subject in [xdf]: a pattern such as '(?P<subject>[^/]+)/'"
)


class _Whose:
    """Says whose a file is, by patterns of the description or by its name."""

    def __init__(self, choice: XdfChoice) -> None:
        self._subject = _pattern("subject", choice.subject)
        self._session = _pattern("session", choice.session)

    def __call__(self, place: Path) -> tuple[str | None, str]:
        """Return subject and session; None: nobody says whose it is."""
        said = entities(place.stem)
        subject = _said(self._subject, "subject", place) or said.get("sub")
        session = _said(self._session, "session", place) or said.get("ses", "1")
        return subject, session


def _name(place: Path) -> str:
    """Return a scan's name: the file's where it says whose it is, else of the path."""
    stem = place.stem.removesuffix("_eeg")
    if "sub" in entities(stem):
        return safe_name(stem)
    return safe_name("_".join([*place.parent.parts, stem]))


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
