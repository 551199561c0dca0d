"""The script of `rtbold fake`: which value is published when. Pure but for reading."""

import csv
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from rtbold.errors import DataFileError
from rtbold.messages import ChannelState, Reason, Status
from rtbold.publish.wire import StreamState

COLUMNS = ("t_s", "value", "status")
DEFAULT_TR_S = 2.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the messages beside one prediction show."""

    reasons: tuple[Reason, ...] = ()
    bad: tuple[tuple[int, ChannelState], ...] = ()  # number of the channel
    n_lost: int = 0  # EEG samples that are missing just before the row, at 200 Hz
    stream: StreamState = "running"
    trigger: Literal["volume", "missed", "double", "waiting"] = "volume"
    unlikeness: float = 0.6
    alertness: float = 0.8  # 0 to 1: how much alpha there is, and how little theta
    silent: Literal["no", "predictions", "all"] = "no"


USUAL: dict[Status, Circumstances] = {
    "ok": Circumstances(),
    "degraded": Circumstances(
        reasons=("channel_flat", "interpolated"), bad=((3, "flat"),)
    ),
    "invalid": Circumstances(reasons=("no_data",), stream="stalled"),
    "warmup": Circumstances(reasons=("warmup",)),
    "paused": Circumstances(reasons=("operator_pause",)),
}


@dataclass(frozen=True, slots=True)
class ScriptRow:
    """One prediction; `value` is None unless status is ok or degraded."""

    t_s: float  # since the start of the script
    value: float | None
    status: Status
    around: Circumstances = field(default_factory=Circumstances)


def read_script(path: Path) -> tuple[ScriptRow, ...]:
    """Read a CSV with the columns t_s, value, status.

    Raises
    ------
    DataFileError : it cannot be read, or a cell is wrong; names line and column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataFileError(f"cannot read the script {path}: {error}") from error
    if not lines or tuple(cell.strip() for cell in lines[0]) != COLUMNS:
        came = ",".join(lines[0]) if lines else "an empty file"
        raise DataFileError(
            f"{path}, line 1: header is {came!r}, expected {','.join(COLUMNS)}."
        )
    rows: list[ScriptRow] = []
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        after_s = rows[-1].t_s if rows else -math.inf
        rows.append(_row(f"{path}, line {number}", cells, after_s))
    if not rows:
        raise DataFileError(f"{path} has a header and no rows; expected at least one.")
    return tuple(rows)


def repeated(rows: tuple[ScriptRow, ...], tr_s: float) -> Iterator[ScriptRow]:
    """Yield `rows` again and again, a TR between the last and the first."""
    length_s = rows[-1].t_s + tr_s
    for lap in itertools.count():
        for row in rows:
            yield replace(row, t_s=row.t_s + lap * length_s)


def script_tr_s(rows: tuple[ScriptRow, ...]) -> float:
    """Return the median step of `rows`, which is the TR that the feed declares."""
    steps = sorted(b.t_s - a.t_s for a, b in itertools.pairwise(rows))
    return steps[len(steps) // 2] if steps else DEFAULT_TR_S


def _row(where: str, cells: list[str], after_s: float) -> ScriptRow:
    if len(cells) != len(COLUMNS):
        raise DataFileError(
            f"{where}: {len(cells)} cells, expected {','.join(COLUMNS)}."
        )
    t_text, value_text, status_text = (cell.strip() for cell in cells)
    t_s = _number(f"{where}, column t_s", t_text)
    if t_s < 0 or t_s <= after_s:
        raise DataFileError(
            f"{where}, column t_s: {t_s:g} does not come after {max(after_s, 0):g}; "
            "expected seconds from the start, growing from line to line."
        )
    status = _status(f"{where}, column status", status_text)
    value = _value(f"{where}, column value", value_text, status)
    return ScriptRow(t_s, value, status, USUAL[status])


def _status(where: str, text: str) -> Status:
    for status in get_args(Status):
        if text == status:
            known: Status = status
            return known
    raise DataFileError(
        f"{where}: {text!r}, expected one of {', '.join(get_args(Status))}."
    )


def _value(where: str, text: str, status: Status) -> float | None:
    if status in ("ok", "degraded"):
        return _number(where, text)
    if text:
        raise DataFileError(
            f"{where}: {text!r}, but a prediction that is {status} has no value. "
            "Leave the cell empty."
        )
    return None


def _number(where: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataFileError(f"{where}: {text!r}, expected a finite number.")
    return number
