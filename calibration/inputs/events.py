"""The blocks of a task during a scan: a table of events, as BIDS has it."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from rtbold.disk import read_file
from rtbold.errors import DataFileError
from rtbold.truth import BoolArray

RESPONSE_S: Final = 5.0  # by which BOLD follows a block
_COLUMNS: Final = ("onset", "duration", "trial_type")
_MAX_BYTES: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Event:
    """One block."""

    name: str
    onset_s: float  # from the first volume
    duration_s: float


def read_events(path: Path) -> tuple[Event, ...]:
    """Return the blocks of a table with tabs: onset, duration and trial_type.

    Other columns are not read. A block without a kind ("n/a") is left out.

    Raises
    ------
    DataFileError : it cannot be read, lacks a column, or holds what is no time.
    """
    try:
        text = read_file(path, at_most_bytes=_MAX_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataFileError(
            f"{path} cannot be read as a table of events: {error}. Expected text in "
            "UTF-8 with tabs."
        ) from error
    table = csv.DictReader(io.StringIO(text), delimiter="\t")
    missing = [name for name in _COLUMNS if name not in (table.fieldnames or ())]
    if missing:
        raise DataFileError(
            f"{path} has the columns {', '.join(table.fieldnames or ()) or 'none'}, "
            f"expected {', '.join(_COLUMNS)} (missing: {', '.join(missing)}) with tabs "
            "between, as BIDS has them."
        )
    found = [_event(row, path, line) for line, row in enumerate(table, 2)]
    return tuple(event for event in found if event.name not in ("", "n/a"))


def conditions_of(
    events: Sequence[Event], n_volumes: int, tr_s: float
) -> dict[str, BoolArray]:
    """Return, by kind of block, which volumes show it: 5 s later, as BOLD does."""
    onsets_s = np.arange(n_volumes) * tr_s - RESPONSE_S
    found: dict[str, BoolArray] = {}
    for event in events:
        end_s = event.onset_s + event.duration_s
        inside = (onsets_s >= event.onset_s) & (onsets_s < end_s)
        before = found.get(event.name, np.zeros(n_volumes, dtype=bool))
        found[event.name] = np.asarray(before | inside)
    return found


def _event(row: dict[str, str], path: Path, line: int) -> Event:
    onset_s, duration_s = (_seconds(row.get(name)) for name in _COLUMNS[:2])
    if onset_s is None or duration_s is None or duration_s < 0:
        raise DataFileError(
            f"line {line} of {path} has onset {row.get('onset')!r} and duration "
            f"{row.get('duration')!r}, expected seconds from the first volume, and how "
            "long. Correct the line."
        )
    return Event((row.get("trial_type") or "").strip(), onset_s, duration_s)


def _seconds(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
