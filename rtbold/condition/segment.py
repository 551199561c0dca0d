"""What is known about the samples since the filters last started."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from rtbold.condition.conditioner import Resampler

LINES_KEPT = 120  # two minutes of one-second lines


@dataclass(frozen=True, slots=True)
class _Piece:
    index: int  # of the first sample on it
    t_s: float  # its time
    period_s: float


class SampleTimes:
    """Index of a sample to time and back, by one straight piece per second of samples.

    The sample clock's line is refitted every second. A sample keeps the time that the
    line gave it when it came: so its time never depends on when somebody asks.
    """

    def __init__(self) -> None:
        self._pieces: deque[_Piece] = deque(maxlen=LINES_KEPT)

    def __bool__(self) -> bool:
        return bool(self._pieces)

    @property
    def period_s(self) -> float:
        """Seconds per sample on the newest piece."""
        return self._pieces[-1].period_s

    def add(self, index: int, t_s: float, period_s: float) -> None:
        """Let samples from `index` on lie on a new piece; NaN is no time."""
        if math.isfinite(t_s) and math.isfinite(period_s):
            self._pieces.append(_Piece(index, t_s, period_s))

    def time_of(self, index: float) -> float:
        """Return the time of a sample; beyond the newest piece extrapolated."""
        piece = self._find(lambda piece: piece.index <= index)
        return piece.t_s + (index - piece.index) * piece.period_s

    def index_at(self, t_s: float) -> float:
        """Return the fractional index at a time."""
        piece = self._find(lambda piece: piece.t_s <= t_s)
        return piece.index + (t_s - piece.t_s) / piece.period_s

    def _find(self, holds: Callable[[_Piece], bool]) -> _Piece:
        for piece in reversed(self._pieces):
            if holds(piece):
                return piece
        return self._pieces[0]


ARRIVALS_KEPT = 4096
STEPS_KEPT = 16
# A sample this close before T (in samples) counts as the sample at T, which is out.
AT_TRIGGER_SAMPLES = 1e-3


class Segment:
    """Times, arrivals, bridges and steps of the samples between two gaps.

    Samples have two indices. `source_index` counts the stream's samples over the whole
    session, lost and bridged ones included; `index_200hz` counts conditioned samples
    since the filters started, so that 0 lies at `source_first`.

    Parameters
    ----------
    source_first : source index of the first sample.
    resampler : knows which source samples a conditioned one stands for and needs.
    """

    def __init__(self, source_first: int, resampler: Resampler) -> None:
        self.source_first = source_first
        self.source_end = source_first  # of the next sample
        self._resampler = resampler
        # Counted from `source_first`: a fraction keeps its bits in a long session.
        self._times = SampleTimes()
        self._bridges: deque[tuple[int, int]] = deque(maxlen=ARRIVALS_KEPT)
        self._steps: deque[int] = deque(maxlen=STEPS_KEPT)
        self._short_gaps: deque[int] = deque(maxlen=STEPS_KEPT)
        self._arrivals: deque[tuple[int, float]] = deque(maxlen=ARRIVALS_KEPT)

    @property
    def n_source(self) -> int:
        """Source samples since the filters started."""
        return self.source_end - self.source_first

    @property
    def timed(self) -> bool:
        """Whether its samples have times."""
        return bool(self._times)

    @property
    def period_s(self) -> float:
        """Seconds per sample, by the newest line."""
        return self._times.period_s

    @property
    def newest_s(self) -> float | None:
        """Time of the newest sample; None before the first."""
        known = self.n_source > 0 and self.timed
        return self.time_of(self.source_end - 1) if known else None

    def advance(self, n: int, t_arrived_s: float) -> None:
        """Note that `n` samples arrived at `t_arrived_s`."""
        self._arrivals.append((self.source_end, t_arrived_s))
        self.source_end += n

    def note_line(self, t_s: float, period_s: float) -> None:
        """Let the samples from the next one on lie on a new line; NaN is none."""
        self._times.add(self.n_source, t_s, period_s)

    def note_bridge(self, n: int) -> None:
        """Note that the next `n` samples are a straight line."""
        self._bridges.append((self.source_end, n))

    def note_step(self, ahead: int) -> None:
        """Note that the stamps step `ahead` samples from now."""
        self._steps.append(self.source_end + ahead)

    def note_short_gap(self, source_index: int) -> None:
        """Note that a few samples are missing before this one, and nobody filled in."""
        self._short_gaps.append(source_index)

    def take_back(self, source_index: int) -> bool:
        """Forget a step or a short gap before this sample; return whether a step."""
        if source_index in self._short_gaps:
            self._short_gaps.remove(source_index)
        if source_index not in self._steps:
            return False
        self._steps.remove(source_index)
        return True

    def time_of(self, source_index: int) -> float:
        """Return the time of a sample, on the stream's clock."""
        return self._times.time_of(source_index - self.source_first)

    def time_of_200hz(self, index_200hz: int) -> float:
        """Return the time of a conditioned sample, on the stream's clock."""
        return self._times.time_of(self._resampler.source_position(index_200hz))

    def first_at(self, t_s: float) -> int:
        """Return the source index of the first sample at or after `t_s`."""
        since = math.ceil(self._times.index_at(t_s) - AT_TRIGGER_SAMPLES)
        return self.source_first + since

    def end_200hz(self, source_end: int) -> int:
        """Return the index after the conditioned samples of those before a sample."""
        n_source = max(source_end - self.source_first, 0)
        return math.ceil(n_source / self._resampler.source_position(1))

    def needed(self, index_200hz: int) -> int:
        """Return the index of the last source sample that a conditioned one needs."""
        return self.source_first + self._resampler.needed(index_200hz)

    def arrival_of(self, source_index: int) -> float | None:
        """Return when the chunk with this sample arrived; None if long ago."""
        for begin, t_arrived_s in reversed(self._arrivals):
            if begin <= source_index:
                return t_arrived_s
        return None

    def n_bridged(self, source_first: int, source_end: int) -> int:
        """Return how many of these samples were bridged."""
        return sum(
            max(min(at + n, source_end) - max(at, source_first), 0)
            for at, n in self._bridges
        )

    def stepped(self, source_first: int, source_end: int) -> bool:
        """Return whether the stamps stepped within these samples."""
        return any(source_first <= at < source_end for at in self._steps)

    def short_gap(self, source_first: int, source_end: int) -> bool:
        """Return whether a short gap that was not filled in lies within these."""
        return any(source_first <= at < source_end for at in self._short_gaps)
