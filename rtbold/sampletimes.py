"""The time of each sample, fixed when it came.

The sample clock's line is refitted every second. A sample keeps the time that the line
gave it when it came: so its time never depends on when somebody asks.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

LINES_KEPT = 120  # two minutes of one-second lines


@dataclass(frozen=True, slots=True)
class _Piece:
    position: int  # of the first sample on it
    t_s: float  # its time
    period_s: float


class SampleTimes:
    """Positions to times and back, by one straight piece per second of samples."""

    def __init__(self) -> None:
        self._pieces: deque[_Piece] = deque(maxlen=LINES_KEPT)

    def __bool__(self) -> bool:
        return bool(self._pieces)

    @property
    def period_s(self) -> float:
        """Seconds per sample on the newest piece."""
        return self._pieces[-1].period_s

    def add(self, position: int, t_s: float, period_s: float) -> None:
        """Let samples from `position` on lie on a new piece; NaN is no time."""
        if math.isfinite(t_s) and math.isfinite(period_s):
            self._pieces.append(_Piece(position, t_s, period_s))

    def time_of(self, position: float) -> float:
        """Return the time of a position; beyond the newest piece extrapolated."""
        piece = self._find(lambda piece: piece.position <= position)
        return piece.t_s + (position - piece.position) * piece.period_s

    def position_at(self, t_s: float) -> float:
        """Return the fractional position at a time."""
        piece = self._find(lambda piece: piece.t_s <= t_s)
        return piece.position + (t_s - piece.t_s) / piece.period_s

    def _find(self, holds: Callable[[_Piece], bool]) -> _Piece:
        for piece in reversed(self._pieces):
            if holds(piece):
                return piece
        return self._pieces[0]
