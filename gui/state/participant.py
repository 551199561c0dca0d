"""What the participant sees: one level, or nothing. Pure; time is an argument."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal, Protocol

from msgspec import UNSET, UnsetType

from rtbold.publish import Phase

RESTING = ("rest", "baseline", "break")  # tasks of blocks with a cross
LONGEST_INSTRUCTION = 300  # characters that fit
GLIDE_S = 0.25  # time constant of the optional smoothing: most of a step within 0.6 s
TRACE_S = 60.0  # on the plain trace
TRACE_STEP_S = 0.1
HOLE_S = 1.0  # without a frame
TRACE_POINTS = 1000  # more than 60 s of them


def rests(phase: Phase | None, lsl_now_s: float | None) -> bool:
    """Return whether the protocol rests now."""
    if phase is None or lsl_now_s is None:
        return False
    if phase.task is not UNSET and not phase.stopped:  # of a protocol: it says when
        return phase.task in RESTING
    if not phase.t_on <= lsl_now_s < (phase.t_off_planned or math.inf):
        return False
    return phase.run_type == "rest" or phase.name.casefold() == "rest"


def instruction(phase: Phase | None) -> str:
    """Return what the participant is told now; empty: nothing."""
    if phase is None or phase.stopped is True or phase.instruction is UNSET:
        return ""
    over = phase.block == 0 and phase.name != "waiting"
    return "" if over else " ".join(phase.instruction.split())[:LONGEST_INSTRUCTION]


class Shown(Protocol):
    """The part of the operator's `ShownValue` that a participant may see."""

    @property
    def kind(self) -> Literal["value", "hold", "neutral"]:
        """By the rule for apps: a value, the last one held for a TR, or nothing."""

    @property
    def z(self) -> float | None:
        """Against the model's baseline; None: the model has no scale."""

    @property
    def flips(self) -> int:
        """Updates so far."""

    @property
    def share(self) -> float | UnsetType | None:
        """From 0 to 1 as the session limits it; None: nothing; UNSET: no range."""


@dataclass(frozen=True, slots=True)
class ParticipantView:
    """What to draw now."""

    level: float | None  # 0 (lowest) to 1; None: neutral
    lit: bool  # the photodiode's square
    rest: bool = False  # the protocol rests: no value, a cross where one is wanted
    words: str = ""  # the protocol's instruction


class ParticipantLevel:
    """Turns shown values into levels.

    Parameters
    ----------
    limit_z : z at the upper end of the scale; minus it at the lower.
    smooth : glide to a new value; neutral comes at once all the same.
    down : a higher value is drawn lower.
    """

    def __init__(
        self, limit_z: float = 3.0, *, smooth: bool = False, down: bool = False
    ) -> None:
        self.limit_z, self.smooth, self.down = limit_z, smooth, down
        self.ranged = False  # the session has a range: no goal in z fits it
        self._flips, self._lit = 0, False
        self._level: float | None = None
        self._last_s = -math.inf
        self._trace: deque[tuple[float, float | None]] = deque(maxlen=TRACE_POINTS)

    def set_scale(self, limit_z: float, *, smooth: bool, down: bool = False) -> None:
        """Take another range; what was drawn on the old one is forgotten."""
        if (limit_z, down) != (self.limit_z, self.down):
            self._level = None
            self._trace.clear()
        self.limit_z, self.smooth, self.down = limit_z, smooth, down

    def level_of(self, z: float) -> float:
        """Return where a value stands, 0 (lowest) to 1, by range and direction."""
        clipped = min(self.limit_z, max(-self.limit_z, z))
        level = 0.5 + 0.5 * clipped / self.limit_z
        return 1 - level if self.down else level

    def neutral(self) -> ParticipantView:
        """Return what to draw where nothing is known; the past is forgotten."""
        self._level = None
        self._trace.clear()
        return ParticipantView(None, self._lit)

    def take(
        self, shown: Shown, now_s: float, *, rest: bool = False, words: str = ""
    ) -> ParticipantView:
        """Return what to draw at `now_s`; call it once per frame.

        The square flips once for each frame in which an update is shown for the first
        time: two that came between two frames are one change of the screen.
        """
        if shown.kind != "neutral" and shown.flips != self._flips:
            self._flips, self._lit = shown.flips, not self._lit
        self._level = self._next(None if rest else self._wanted(shown), now_s)
        self._last_s = now_s
        if not self._trace or now_s - self._trace[-1][0] >= TRACE_STEP_S:
            self._trace.append((now_s, self._level))
        while self._trace and now_s - self._trace[0][0] > TRACE_S:
            self._trace.popleft()
        return ParticipantView(self._level, self._lit, rest, words)

    def trace(self, now_s: float) -> list[tuple[float, float | None]]:
        """Return (seconds ago, level) of the last minute, oldest first."""
        points: list[tuple[float, float | None]] = []
        last_s = math.inf
        for t_s, level in self._trace:
            if t_s - last_s > HOLE_S:  # the window stood still: nobody saw a line there
                points.append((now_s - last_s, None))
            points.append((now_s - t_s, level))
            last_s = t_s
        return points

    def _wanted(self, shown: Shown) -> float | None:
        if shown.kind != "neutral":
            self.ranged = shown.share is not UNSET
        if shown.kind != "neutral" and shown.share is not UNSET:
            return self._of_range(shown.share)
        if shown.kind == "neutral" or shown.z is None or not math.isfinite(shown.z):
            return None
        return self.level_of(shown.z)

    def _of_range(self, share: float | None) -> float | None:
        """Return the level of a value that the session has limited already."""
        if share is None or not 0 <= share <= 1:
            return None
        return 1 - share if self.down else share

    def _next(self, wanted: float | None, now_s: float) -> float | None:
        if wanted is None or self._level is None or not self.smooth:
            return wanted
        kept = math.exp(-max(0.0, now_s - self._last_s) / GLIDE_S)
        return wanted + (self._level - wanted) * kept
