"""What a fake session does when: one line of things that fall due. Pure."""

import heapq
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from rtbold.sim.fake_prediction import delays
from rtbold.sim.fake_script import USUAL, ScriptRow

EEG_EVERY_S: Final = 0.1
VIEWS_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Due:
    """One thing to do at `t_s`, seconds of the script since its start."""

    t_s: float
    what: Literal["row", "prediction", "eeg", "views", "end"]
    index: int  # of the row, or of the eeg and the views
    row: ScriptRow


def timeline(rows: Iterable[ScriptRow]) -> Iterator[Due]:
    """Yield what falls due, in order; nothing follows the "end".

    A row begins with its trigger; its prediction comes some tens of milliseconds later.
    """
    return heapq.merge(
        _of_rows(rows),
        _every(EEG_EVERY_S, "eeg"),
        _every(VIEWS_EVERY_S, "views"),
        key=lambda due: due.t_s,
    )


def _of_rows(rows: Iterable[ScriptRow]) -> Iterator[Due]:
    predicted_s = 0.0
    for index, row in enumerate(rows):
        # a script may have rows closer than a prediction takes: order is kept
        begun_s = max(row.t_s, predicted_s)
        predicted_s = begun_s + delays(index).total_s
        yield Due(begun_s, "row", index, row)
        yield Due(predicted_s, "prediction", index, row)
    yield Due(predicted_s, "end", 0, _NO_ROW)


def _every(step_s: float, what: Literal["eeg", "views"]) -> Iterator[Due]:
    for index in itertools.count():
        yield Due(index * step_s, what, index, _NO_ROW)


_NO_ROW: Final = ScriptRow(0.0, None, "warmup", USUAL["warmup"])
