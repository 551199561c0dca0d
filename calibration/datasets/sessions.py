"""Recordings of rtbold's own sessions that had measured BOLD.

A calibration's scan has its BOLD in a table beside the XDF. A run with ``--truth`` has
it in its event log, numbered as its source counts. Both say which volume a row is.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rtbold.calibration.datasets.choices import Ground
from rtbold.calibration.datasets.found import (
    Found,
    LeftOutScan,
    entities,
    files_below,
    safe_name,
)
from rtbold.calibration.datasets.sources import ScanSource
from rtbold.calibration.inputs.choices import Pairing
from rtbold.errors import ConfigError, DataFileError
from rtbold.record import EVENTS_NAME, SETTINGS_NAME, read_lines, session_parts
from rtbold.session import read_settings

_TABLE: Final = "_bold.tsv"


def is_sessions(root: Path) -> bool:
    """Whether a folder holds recordings of rtbold's own."""
    return next(_logs(root), None) is not None


def _logs(root: Path) -> Iterator[Path]:
    return (path for path in files_below(root) if path.name == EVENTS_NAME)


def find_sessions(ground: Ground) -> Found:
    """Return the recorded runs that had measured BOLD.

    Raises
    ------
    ConfigError : there is no recording.
    """
    folders = sorted(log.parent for log in _logs(ground.root))
    if not folders:
        raise ConfigError(
            f"{ground.root} holds no recording of rtbold ({EVENTS_NAME}), expected "
            "folders that rtbold run --record wrote. Correct root."
        )
    sources, left_out = [], []
    for folder in folders:
        try:
            sources.append(_source(ground.root, folder))
        except DataFileError as error:
            left_out.append(LeftOutScan(safe_name(folder.name), str(error)))
    return Found(tuple(sources), tuple(left_out))


def _source(root: Path, folder: Path) -> ScanSource:
    """Return the scan of one run.

    Raises
    ------
    DataFileError : it was recorded in parts, or measured nothing.
    """
    parts = session_parts(folder)
    if len(parts) != 1:
        raise DataFileError(
            f"{folder.name} has {len(parts)} XDFs, expected one: a part that follows "
            "another has lost its connection. Leave the run out"
        )
    (xdf,) = parts
    said = {**entities(folder.name), **entities(xdf.stem)}
    subject = said.get("sub") or entities(folder.relative_to(root).parts[0]).get("sub")
    if subject is None:
        raise DataFileError(
            f"{folder.name} says no subject (sub-...), expected a folder as rtbold run "
            "--record names it. Rename it, or list the scan with its files"
        )
    log = _Log(folder / EVENTS_NAME)
    bold, first = _bold(folder, xdf, log)
    return ScanSource(
        name=safe_name(xdf.stem.removesuffix("_eeg")),
        subject=subject,
        session=said.get("ses", "1"),
        eeg=xdf,
        bold=bold,
        stream=log.stream,
        unit=log.header.get("unit"),
        trigger_channel=log.header.get("trigger_channel"),
        pairing=Pairing(numbered_from=first),
    )


class _Log:
    """What an event log says of the session, without its samples."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: dict[str, str | None] = {}
        self.stream: str | None = None  # name of the EEG's
        self.measured = False
        for line in read_lines(path):
            kind = line["type"]
            if kind == "header":
                self.header = line
            elif kind == "stream" and self.stream is None:
                self.stream = line.get("description", {}).get("name")
            elif kind == "measured":
                self.measured = True
                break


def _bold(folder: Path, xdf: Path, log: _Log) -> tuple[Path, int]:
    """Return where the measured BOLD is, and the number of its volume 0."""
    table = xdf.with_name(f"{xdf.stem.removesuffix('_eeg')}{_TABLE}")
    if table.is_file():
        return table, 0
    if not log.measured:
        raise DataFileError(
            f"{folder.name} measured no BOLD, expected a run with --truth or the scan "
            "of a calibration. Leave it out, or list it with its table"
        )
    if not (folder / SETTINGS_NAME).is_file():
        return log.path, 0
    return log.path, read_settings(folder).run.truth_first
