"""What the two gauges show: where the mark is, the limit, a word and why. Pure."""

import math
from dataclasses import dataclass
from typing import Final, Literal

from rtbold.gui.state.vigilance import FALL, Vigilance
from rtbold.gui.state.words import likeness_words

Role = Literal["ok", "degraded", "invalid", "muted"]

VIGILANCE_REACH: Final = math.log(4)  # of the log-ratio, at the ends of the bar
LIKENESS_REACH: Final = 2.0

SYMBOLS: Final[dict[Role, str]] = {
    "ok": "●", "degraded": "▲", "invalid": "■", "muted": "◌",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GaugeReading:
    """One gauge; places are shares of the bar's length."""

    title: str
    word: str
    why: str
    role: Role
    mark: float | None  # None: not known
    limit: float
    beyond: Literal["left", "right"]  # on which side of the limit it is not well
    ends: tuple[str, str]


def vigilance_reading(vigilance: Vigilance) -> GaugeReading:
    """Return the gauge of the indicator of drowsiness."""
    roles: dict[str, Role] = {"awake": "ok", "drowsy?": "degraded"}
    value, limit = vigilance.value, vigilance.limit
    return GaugeReading(
        title="Vigilance",
        word=vigilance.word,
        why=vigilance.why,
        role=roles.get(vigilance.word, "muted"),
        mark=None if value is None else _share(value, VIGILANCE_REACH),
        limit=_share(-FALL if limit is None else limit, VIGILANCE_REACH),
        beyond="left",
        ends=("¼ of the start", "4 times"),
    )


def likeness_reading(unlikeness: float | None) -> GaugeReading:
    """Return the gauge of how unlike the calibration's EEG the newest EEG is."""
    roles: dict[str, Role] = {"ok": "ok", "near": "degraded", "beyond": "invalid"}
    words = likeness_words(unlikeness)
    mark = None
    if unlikeness is not None:
        mark = min(1.0, max(0.0, unlikeness / LIKENESS_REACH))
    return GaugeReading(
        title="Likeness",
        word=words.word,
        why=words.why,
        role=roles.get(words.level, "muted"),
        mark=mark,
        limit=1 / LIKENESS_REACH,
        beyond="right",
        ends=("like it", "twice the limit"),
    )


def _share(value: float, reach: float) -> float:
    return min(1.0, max(0.0, 0.5 + value / (2 * reach)))
