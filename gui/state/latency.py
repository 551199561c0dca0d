"""Where the milliseconds go, from the newest EEG sample to the pixel. Pure, bounded."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
import numpy as np
from msgspec import UNSET

from rtbold.gui.state.received import FeedbackValue
from rtbold.publish import Quality

Stage = Literal[
    "upstream", "filter", "arrive", "acquire", "prepare", "infer", "publish", "age",
    "feed", "draw",
]  # fmt: skip
STAGES: Final[tuple[Stage, ...]] = (
    "upstream", "filter", "arrive", "acquire", "prepare", "infer", "publish", "age",
    "feed", "draw",
)  # fmt: skip
MOST_KEPT: Final = 4000  # more than two hours at TR 2.1 s
MOST_UNPAINTED: Final = 16
_OF_AGE: Final = ("acquire", "prepare", "infer", "publish")


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Milliseconds of one stage; None where it is not known."""

    last: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    most: float | None = None
    n: int = 0


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One line of the sum from brain event to pixel."""

    stage: str  # in words
    ms: float | None  # median; None: unknown
    note: str


def trigger_row(quality: Quality | None) -> BudgetRow:
    """Return how late the newest trigger came; it is no part of the sum."""
    told_ms = quality.trigger_lag_ms if quality else None
    lag_ms = None if told_ms is UNSET else told_ms
    notes = ("from the newest trigger's own time to the session", "unknown: none came")
    return BudgetRow("trigger", lag_ms, notes[lag_ms is None])


class LatencyBook:
    """Times per stage, over the newest usable predictions.

    ``age`` is from the end of the EEG window to publication; ``filter`` is the part of
    it that no other stage has: waiting for the samples after the window that the filter
    to 200 Hz needs.
    """

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._ms: dict[Stage, deque[float]] = {
            stage: deque(maxlen=most) for stage in STAGES
        }
        self._last: dict[Stage, float | None] = dict.fromkeys(STAGES)
        self._unpainted: dict[int, float] = {}  # seq -> when it came
        self.version = 0

    def take(self, fb: FeedbackValue, offset_s: float) -> None:
        """Note one prediction as it came; a re-sent one says nothing about times.

        Parameters
        ----------
        offset_s : from the publisher's clock to this one's; infinite: not known.
        """
        if fb.replayed:
            return
        self.version += 1
        self._unpainted[fb.seq] = fb.t_received_s
        while len(self._unpainted) > MOST_UNPAINTED:
            del self._unpainted[next(iter(self._unpainted))]
        if not fb.usable:
            return
        stages = msgspec.structs.asdict(fb.latency_ms)
        for stage in ("upstream", "arrive", *_OF_AGE):
            self._note(stage, stages.get(stage))
        self._note("age", fb.age_ms)
        parts = [stages.get(stage) for stage in _OF_AGE]
        known = None not in parts
        spent_ms = sum(part for part in parts if part is not None)
        self._note("filter", max(0.0, fb.age_ms - spent_ms) if known else None)
        feed_s = fb.t_received_s - fb.t_lsl - offset_s
        self._note("feed", max(0.0, 1000 * feed_s) if math.isfinite(feed_s) else None)

    def painted(self, seq: int, now_s: float) -> None:
        """Note that the view has drawn prediction `seq`; only the first time counts."""
        came_s = self._unpainted.pop(seq, None)
        if came_s is not None:
            self._note("draw", 1000 * (now_s - came_s))
            self.version += 1

    def times(self, stage: Stage, newest: int | None = None) -> StageTimes:
        """Return the times of `stage`, over the `newest` predictions or all kept."""
        kept = self._ms[stage]
        ms = np.array(kept if newest is None else list(kept)[-newest:])
        if not len(ms):
            return StageTimes()
        p50, p95, p99, most = np.percentile(ms, (50, 95, 99, 100)).tolist()
        return StageTimes(self._last[stage], p50, p95, p99, most, len(ms))

    def budget(self) -> tuple[BudgetRow, ...]:
        """Return the sum from brain event to pixel, the total last."""
        rows = tuple(self._row(*line) for line in _BUDGET)
        known = [row.ms for row in rows if row.ms is not None]
        unknown = [row.stage for row in rows if row.ms is None]
        note = f"at least: unknown are {', '.join(unknown)}" if unknown else "all known"
        total = sum(known) if known else None
        return (
            *rows,
            BudgetRow("sum", total, note),
            BudgetRow("BOLD itself", None, BOLD_NOTE),
        )

    def _row(
        self, stage: Stage | None, words: str, notes: tuple[str, str]
    ) -> BudgetRow:
        ms = None if stage is None else self.times(stage, newest=100).p50
        return BudgetRow(words, ms, notes[ms is None])

    def _note(self, stage: Stage, ms: float | None) -> None:
        self._last[stage] = ms
        if ms is not None and math.isfinite(ms):
            self._ms[stage].append(ms)


BOLD_NOTE: Final = (
    "no delay of ours: BOLD follows the brain by about 5 s, and the model predicts the "
    "BOLD of the named volume from the EEG before it. Add nothing."
)
_NOT_YET: Final = "unknown: no prediction yet"
_BUDGET: Final[tuple[tuple[Stage | None, str, tuple[str, str]], ...]] = (
    (
        "upstream",
        "cleaning software",
        (
            "as measured and given on the Set-up page",
            "unknown: the how-to “Measure the cleaning delay” says how to measure it",
        ),
    ),
    (
        "filter",
        "filter",
        ("the filter to 200 Hz waits for samples after the window", _NOT_YET),
    ),
    (
        "acquire",
        "acquisition",
        ("from the sample's time to the loop, network and chunks included", _NOT_YET),
    ),
    ("prepare", "window", ("16 s of EEG are cut out and judged", _NOT_YET)),
    ("infer", "model", ("the model's own time", _NOT_YET)),
    ("publish", "publication", ("handing over to the feed", _NOT_YET)),
    (
        "feed",
        "feed",
        ("to this window's program, beyond that of the quickest heartbeat", _NOT_YET),
    ),
    ("draw", "drawing", ("until it was drawn here", _NOT_YET)),
    (
        None,
        "screen",
        ("", "unknown: put a photodiode on the flipping square and measure it"),
    ),
)
