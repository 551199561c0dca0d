"""What is known about the samples since the filters last started."""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rtbold.condition import Amplitude, ChannelFlag, ChannelMonitor
from rtbold.electrodes import canonical
from rtbold.messages import WINDOW_S, WINDOW_SAMPLES

# The time of each sample, fixed when it came.
#
# The sample clock's line is refitted every second. A sample keeps the time that the
# line
# gave it when it came: so its time never depends on when somebody asks.

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


ARRIVALS_KEPT = 4096
STEPS_KEPT = 16
# A sample this close before T (in samples) counts as the sample at T, which is out.
AT_TRIGGER_SAMPLES = 1e-3


@dataclass(frozen=True, slots=True)
class WindowSpan:
    """Where the window of one tick lies."""

    first: int  # conditioned sample; negative: the filters started too late for it
    end: int
    source_first: int  # source index of the first and one past the last sample whose
    source_end: int  # time lies in the window
    position_first: int
    position_end: int
    whole: bool  # all of its conditioned samples are still, or already, there


@dataclass(frozen=True, slots=True)
class SpanFacts:
    """What happened to the samples of one window."""

    bad: Mapping[str, frozenset[ChannelFlag]]  # EEG channels, by canonical name
    amplitude: Amplitude
    bridged_share: float
    stepped: bool
    t_needed_s: float  # time of the last sample needed, on the stream's clock
    t_needed_arrived_s: float | None


class Segment:
    """Times, arrivals, bridges and steps of the samples between two gaps.

    A *position* counts the segment's samples, bridged ones included.

    Parameters
    ----------
    source_index : of the first sample.
    per_output : source samples per conditioned sample.
    """

    def __init__(self, source_index: int, per_output: float) -> None:
        self.source_index = source_index
        self.position = 0  # of the next sample
        self.times = SampleTimes()
        self._per_output = per_output
        self._bridges: deque[tuple[int, int]] = deque(maxlen=ARRIVALS_KEPT)
        self._steps: deque[int] = deque(maxlen=STEPS_KEPT)
        self._arrivals: deque[tuple[int, float]] = deque(maxlen=ARRIVALS_KEPT)

    @property
    def next_source(self) -> int:
        """Source index of the next sample."""
        return self.source_index + self.position

    @property
    def newest_s(self) -> float | None:
        """Time of the newest sample; None before the first."""
        known = self.position > 0 and bool(self.times)
        return self.times.time_of(self.position - 1) if known else None

    def advance(self, n: int, t_arrived_s: float) -> None:
        """Count `n` samples that arrived at `t_arrived_s`."""
        self._arrivals.append((self.position, t_arrived_s))
        self.position += n

    def note_bridge(self, n: int) -> None:
        """Note that the next `n` samples are a straight line."""
        self._bridges.append((self.position, n))

    def note_step(self, ahead: int) -> None:
        """Note that the stamps step `ahead` samples from now."""
        self._steps.append(self.position + ahead)

    def arrival_of(self, position: int) -> float | None:
        """Return when the chunk with this sample arrived; None if long ago."""
        for begin, t_arrived_s in reversed(self._arrivals):
            if begin <= position:
                return t_arrived_s
        return None

    def span(
        self, t_end_s: float, *, oldest: int, n_conditioned: int
    ) -> WindowSpan | None:
        """Return where the window before `t_end_s` lies; None: not yet complete.

        Parameters
        ----------
        oldest, n_conditioned : conditioned samples [oldest, n_conditioned) are kept.
        """
        if not self.times:
            return None
        position_end = self._first_at(t_end_s)
        end = math.ceil(max(position_end, 0) / self._per_output)
        if end > n_conditioned:
            return None
        first = end - WINDOW_SAMPLES
        position_first = self._first_at(t_end_s - WINDOW_S)
        if first >= 0:  # a full window can begin less than a grid step before sample 0
            position_first = max(position_first, 0)
        return WindowSpan(
            first=first,
            end=end,
            source_first=self.source_index + position_first,
            source_end=self.source_index + position_end,
            position_first=position_first,
            position_end=position_end,
            whole=first >= oldest,
        )

    def _first_at(self, t_s: float) -> int:
        """Return the position of the first sample at or after `t_s`."""
        return math.ceil(self.times.position_at(t_s) - AT_TRIGGER_SAMPLES)

    def bridged_since(self, position: int) -> int:
        """Return how many samples from `position` on were bridged."""
        return self._bridged(position, self.position)

    def bridged_share(self, span: WindowSpan) -> float:
        """Return the share of the window's samples that were bridged."""
        n = span.position_end - span.position_first
        return self._bridged(span.position_first, span.position_end) / n if n else 0.0

    def stepped(self, span: WindowSpan) -> bool:
        """Return whether the stamps stepped within the window."""
        return any(span.position_first <= at < span.position_end for at in self._steps)

    def _bridged(self, begin: int, end: int) -> int:
        return sum(max(min(at + n, end) - max(at, begin), 0) for at, n in self._bridges)


def judged(
    monitor: ChannelMonitor, names: tuple[str, ...], span: WindowSpan, *, before_n: int
) -> tuple[Mapping[str, frozenset[ChannelFlag]], Amplitude]:
    """Return the bad ones among the channels `names`, and the head's amplitude.

    Parameters
    ----------
    before_n : source samples before the window that count too.
    """
    if not span.whole:
        return {}, "unknown"
    begin = max(span.source_first - before_n, monitor.oldest_index)
    found = monitor.bad_between(begin, span.source_end)
    by_name = {canonical(label): flags for label, flags in found.items()}
    bad = {name: by_name[name] for name in names if name in by_name}
    return bad, monitor.amplitude_between(begin, span.source_end)
