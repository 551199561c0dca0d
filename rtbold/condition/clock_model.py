"""From stamps to a line: which stamps to believe, and a robust fit through them."""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rtbold.messages import FloatArray

IntArray = NDArray[np.int64]
FIT_ROUNDS = 8
HUBER = 1.345  # in standard deviations: 95 % efficient on Gaussian noise
SLOPE_PRIOR = 1e-2  # sd of (true period / nominal - 1) before any data
JITTER_FLOOR_S = 1e-3  # a few stamps may agree by chance
SLOPE_LIMIT = 0.5
SCALE_FLOOR_S = 1e-6  # below what stamps resolve


@dataclass(frozen=True, slots=True)
class ClockModel:
    """Time as a linear function of sample count."""

    count: float
    t_s: float
    period_s: float

    def time_of(self, count: float) -> float:
        """Return the time of sample `count`."""
        return self.t_s + (count - self.count) * self.period_s

    def times_of(self, counts: IntArray) -> FloatArray:
        """Return the times of many samples, bit for bit those of `time_of`."""
        since = np.asarray(counts - self.count, np.float64)
        return self.t_s + since * self.period_s

    def shifted(self, seconds: float) -> "ClockModel":
        """Return the line `seconds` later."""
        return ClockModel(self.count, self.t_s + seconds, self.period_s)


@dataclass(frozen=True, slots=True)
class Run:
    """A run of equal stamps, mostly of one sample."""

    start: int  # count of its first sample
    end: int  # of its last
    stamp_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """Samples whose stamps can be believed: the last of each run of equal stamps."""

    starts: IntArray  # (n,), counts of the first samples of the runs
    ends: IntArray  # (n,), of their last samples
    stamps_s: FloatArray  # (n,), their stamps

    def runs(self) -> Iterator[Run]:
        """Return the runs one by one."""
        starts, ends = self.starts.tolist(), self.ends.tolist()
        for row in zip(starts, ends, self.stamps_s.tolist(), strict=True):
            yield Run(*row)


class StampRuns:
    """Reduce stamps to those that say when a sample was taken.

    A sender that hands over a burst sample by sample stamps all of it with the moment
    of sending. Only the last sample of such a run was taken then; the earlier ones
    were only sent then. In a regular stream each sample is a run of its own.

    A run is known to have ended when the next sample is seen, so the newest sample is
    never an observation yet. Runs are cut at `longest_n`, or frozen stamps would never
    be noticed.

    Parameters
    ----------
    rate_hz : nominal; stamps closer than half a period belong to one run.
    longest_n : samples at which a run is cut.
    """

    def __init__(self, rate_hz: float, longest_n: int) -> None:
        self._same_s = 0.5 / rate_hz
        self._longest_n = longest_n
        self._run_start = 0
        self._previous_s = np.array([np.nan])

    def __call__(self, stamps_s: FloatArray, count: int) -> Observations:
        """Return the runs that ended before the last of these samples.

        Parameters
        ----------
        count : of the first of them; 0 for the first of all.
        """
        stamps = np.concatenate([self._previous_s, stamps_s])
        if not np.isfinite(stamps_s).all():
            stamps = np.where(np.isfinite(stamps), stamps, np.nan)
        first = count - 1  # count of stamps[0]
        apart = np.abs(np.diff(stamps)) >= self._same_s  # False beside a NaN
        ends = np.flatnonzero(apart) + first
        last = first + len(stamps_s)
        self._previous_s = stamps[-1:]
        long = np.max(np.diff(ends), initial=0) > self._longest_n
        if long or self._overdue(ends, last):
            ends = self._cut(ends, last)
        starts = np.concatenate([[self._run_start], ends + 1])
        self._run_start = int(starts[-1])
        ended = Observations(starts[:-1], ends, stamps[ends - first])
        return self._believable(ended)

    def _overdue(self, ends: IntArray, last: int) -> bool:
        head = int(ends[0]) if len(ends) else last - 1
        tail = int(ends[-1]) + 1 if len(ends) else self._run_start
        longest = max(head + 1 - self._run_start, last - tail)
        return longest >= self._longest_n

    def _cut(self, ends: IntArray, last: int) -> IntArray:
        cut: list[int] = []
        start = self._run_start
        for end in [*ends.tolist(), last]:
            while start + self._longest_n <= end:
                start += self._longest_n
                cut.append(start - 1)
            if end < last:
                cut.append(end)
                start = end + 1
        return np.array(cut, np.int64)

    @staticmethod
    def _believable(seen: Observations) -> Observations:
        finite = np.isfinite(seen.stamps_s)
        if finite.all():
            return seen
        return Observations(
            seen.starts[finite], seen.ends[finite], seen.stamps_s[finite]
        )


def _weighted_line(
    span_s: FloatArray, excess_s: FloatArray, weights: FloatArray, *, stiffness: float
) -> tuple[float, float]:
    """Return level at span 0 and slope by least squares, the slope shrunk."""
    total = weights.sum()
    mean_span = (weights * span_s).sum() / total
    mean_excess = (weights * excess_s).sum() / total
    centred = weights * (span_s - mean_span)
    slope = (centred * excess_s).sum() / ((centred * span_s).sum() + stiffness)
    slope = min(max(float(slope), -SLOPE_LIMIT), SLOPE_LIMIT)
    return float(mean_excess - slope * mean_span), slope


def fit_clock_model(
    counts: IntArray, stamps_s: FloatArray, *, expected: ClockModel
) -> tuple[ClockModel, FloatArray]:
    """Fit a line that single late stamps do not move (Huber's loss, slope shrunk).

    Sums run over fresh arrays of given length without BLAS, so that equal input gives
    equal bits.

    Parameters
    ----------
    counts, stamps_s : (n,), at least one.
    expected : a line with the nominal period, anchored where the result shall be. Its
        slope is the prior (sd 1 %), which rules while there is little data.

    Returns
    -------
    The line, and the residuals of the stamps (n,) in seconds.
    """
    span_s: FloatArray = np.asarray(counts - expected.count, np.float64)
    span_s *= expected.period_s
    excess_s = stamps_s - expected.times_of(counts)
    weights = np.ones(len(counts))
    scale_s = JITTER_FLOOR_S
    for _ in range(FIT_ROUNDS):
        stiffness = (max(scale_s, JITTER_FLOOR_S) / SLOPE_PRIOR) ** 2
        level_s, slope = _weighted_line(span_s, excess_s, weights, stiffness=stiffness)
        residuals = excess_s - (level_s + slope * span_s)
        sizes = np.maximum(np.abs(residuals), SCALE_FLOOR_S)
        scale_s = 1.4826 * float(np.median(sizes))
        weights = np.minimum(1.0, HUBER * scale_s / sizes)
    period_s = expected.period_s * (1 + slope)
    return ClockModel(expected.count, expected.t_s + level_s, period_s), residuals


class History:
    """The newest believable stamps, thinned by position.

    Parameters
    ----------
    bucket_n : at most one stamp is kept of so many samples.
    window_n : samples after which a stamp is forgotten.
    """

    def __init__(self, bucket_n: int, window_n: int) -> None:
        self._bucket_n = bucket_n
        self._window_n = window_n
        self.clear()

    def clear(self) -> None:
        """Forget all stamps."""
        self._counts: list[IntArray] = [np.empty(0, np.int64)]
        self._stamps: list[FloatArray] = [np.empty(0)]
        self._last_bucket = -1

    def add(self, counts: IntArray, stamps_s: FloatArray) -> None:
        """Keep the first stamp of each bucket of positions."""
        if len(counts) == 0:
            return
        buckets = counts // self._bucket_n
        first = np.diff(buckets, prepend=self._last_bucket) > 0
        self._last_bucket = int(buckets[-1])
        self._counts.append(counts[first])
        self._stamps.append(stamps_s[first])

    def before(self, count: int) -> tuple[IntArray, FloatArray]:
        """Return counts and stamps of the window that ends at `count`."""
        counts, stamps_s = np.concatenate(self._counts), np.concatenate(self._stamps)
        kept = counts >= count - self._window_n
        counts, stamps_s = counts[kept], stamps_s[kept]
        self._counts, self._stamps = [counts], [stamps_s]
        return counts, stamps_s

    def between(self, first: int, end: int) -> tuple[IntArray, FloatArray]:
        """Return counts and stamps of the samples [first, end)."""
        counts, stamps_s = np.concatenate(self._counts), np.concatenate(self._stamps)
        kept = (counts >= first) & (counts < end)
        return counts[kept], stamps_s[kept]

    def shift(self, count: int, seconds: float) -> None:
        """Move the stamps from `count` on by `seconds`."""
        for counts, stamps_s in zip(self._counts, self._stamps, strict=True):
            stamps_s[counts >= count] += seconds

    def shift_before(self, count: int, seconds: float) -> None:
        """Move the stamps before `count` by `seconds`."""
        for counts, stamps_s in zip(self._counts, self._stamps, strict=True):
            stamps_s[counts < count] += seconds


LEVELS_KEPT = 64  # seconds of them: a window, and time to ask about it
LEVELS_NEEDED = 6  # to know how much they vary by chance
BY_CHANCE = 8.0  # standard deviations that the levels of a window span by chance
CHANCE_ADDS = 4.0  # standard deviations that chance adds to what they span


class StampLevels:
    """How far the stamps are from counting at the nominal rate, second by second.

    A line that is fitted to ten seconds needs some of them to see samples lost one by
    one, and forgets them ten seconds later; a window of 16 s holds them longer. The
    level of a second is the median of stamp minus count at the nominal rate: samples
    that were lost let it rise, for good. So the levels of a window's own seconds tell
    what was lost in it, and no other second.

    Parameters
    ----------
    rate_hz : nominal.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._levels: deque[tuple[int, float]] = deque(maxlen=LEVELS_KEPT)

    def clear(self) -> None:
        """Forget all levels: after a gap no window holds a sample from before."""
        self._levels.clear()

    def add(self, end: int, counts: IntArray, stamps_s: FloatArray) -> None:
        """Keep the level of the second that ends before count `end`."""
        if len(counts):
            self._levels.append((end, self._level_s(counts, stamps_s)))

    def span_s(self, first: int, counts: IntArray, stamps_s: FloatArray) -> float:
        """Return by how much the levels of a window differ; 0: no more than by chance.

        What chance adds to it is taken off: stamps that vary let a clock look further
        off than it is.

        Parameters
        ----------
        first : count of the window's first sample.
        counts, stamps_s : of its newest second.
        """
        levels = [level_s for end, level_s in self._levels if end > first]
        if len(levels) < LEVELS_NEEDED:
            return 0.0
        bends = np.diff(levels, n=2)  # what a steady loss adds is no bend
        chance_s = 1.4826 * float(np.median(np.abs(bends))) / math.sqrt(6)
        if len(counts):
            levels.append(self._level_s(counts, stamps_s))
        span_s = max(levels) - min(levels)
        by_chance = span_s <= BY_CHANCE * chance_s
        return 0.0 if by_chance else span_s - CHANCE_ADDS * chance_s

    def _level_s(self, counts: IntArray, stamps_s: FloatArray) -> float:
        return float(np.median(stamps_s - counts / self._rate_hz))


# What arrival times tell: the kind of a jump, and the offset of a foreign clock.

JumpKind = Literal["gap", "step"]
SmallJumpKind = Literal["short_gap", "short_step", "taken_back"]


@dataclass(frozen=True, slots=True)
class Jump:
    """A place where stamps left the line and stayed away.

    It takes a second sample to tell a jump from a single bad stamp, so the jump may
    have begun in an earlier chunk. A small one is told as soon, before it is sure that
    the stamps stay away: if they return at once, it is taken back.
    """

    source_index: int  # of the first sample after the jump
    kind: JumpKind | SmallJumpKind
    seconds: float  # forward is positive
    n_missing: int  # samples at nominal rate; 0 for a step


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where a chunk lies in the count, and when it came."""

    first: int
    last: int
    t_arrived_s: float  # NaN: unknown

    def lag_s(self, count: int, t_s: float, *, period_s: float) -> float:
        """Return the age of the newest sample if sample `count` was taken at `t_s`."""
        return self.t_arrived_s - (t_s + (self.last - count) * period_s)


class ArrivalLags:
    """Tell a gap from a step of the stamps by how late chunks usually come.

    Stamps that run ahead of the arrivals have stepped. The reference is the smallest
    lag of the last 10 to 20 s: one slow chunk does not spoil it.

    Parameters
    ----------
    tolerance_s : by which lags may differ, and by half of a jump at most: after a gap
        samples come as late as before, after a step sooner by all of it.
    backlog_s : a lag above it is old data, and no reference.
    """

    def __init__(self, tolerance_s: float, backlog_s: float) -> None:
        self._tolerance_s = tolerance_s
        self._backlog_s = backlog_s
        self._smallest_s = np.inf
        self._smallest_before_s = np.inf
        self._watched_s = np.nan
        self._smallest_since_s = np.inf

    def add(self, lag_s: float) -> None:
        """Note the age of the newest sample of a chunk; NaN is ignored."""
        if lag_s < self._smallest_s:
            self._smallest_s = lag_s
        if lag_s < self._smallest_since_s:
            self._smallest_since_s = lag_s

    def turn(self) -> None:
        """Begin the next 10 s."""
        self._smallest_before_s, self._smallest_s = self._smallest_s, np.inf

    @property
    def usual_s(self) -> float:
        """Return the smallest lag of the last 10 to 20 s; infinite if unknown."""
        return min(self._smallest_s, self._smallest_before_s)

    def late(self, lag_s: float) -> bool:
        """Return whether a lag is beyond what is usual; False if nothing is known."""
        return lag_s > self.usual_s + self._tolerance_s

    def watch(self) -> None:
        """Begin to compare lags with what is usual now."""
        self._watched_s = self.usual_s if self._known else np.nan
        self._smallest_since_s = np.inf

    @property
    def stays_late_s(self) -> float:
        """Return by how much no chunk since `watch` was less late than usual.

        0 within the tolerance. A network that was slow for a moment catches up;
        samples that are missing do not come back.
        """
        late_s = float(self._smallest_since_s - self._watched_s)
        return late_s if self._tolerance_s < late_s < np.inf else 0.0

    def classify(self, seconds: float, lag_s: float) -> JumpKind:
        """Return the kind of a jump.

        Parameters
        ----------
        seconds : by which the stamps jumped.
        lag_s : age of the newest sample if the stamps after the jump are right; NaN
            where arrivals are unknown (a file): forward is then a gap.
        """
        tolerance_s = min(self._tolerance_s, abs(seconds) / 2)
        soonest_s = (self.usual_s if self._known else 0.0) - tolerance_s
        return "gap" if seconds > 0 and not lag_s < soonest_s else "step"

    @property
    def _known(self) -> bool:
        return self.usual_s <= self._backlog_s


class SmallJumps:
    """Notice stamps that leave the line by less than a jump, at the second sample.

    A sender that is held up once stamps one chunk late, and is back on the line with
    the next. So what is noticed is taken back if the stamps return soon.

    Parameters
    ----------
    soon_n : samples within which the stamps may return.
    """

    def __init__(self, soon_n: int) -> None:
        self._soon_n = soon_n
        self.bound_s = np.inf  # a smaller residual is noise
        self.clear()

    def clear(self) -> None:
        """Forget what was seen."""
        self._off: tuple[int, float] | None = None  # the last run: start, residual
        self.noticed: Jump | None = None  # named by count

    def quiet(self, residuals_s: FloatArray) -> bool:
        """Return whether runs with these residuals would change nothing."""
        idle = self._off is None and self.noticed is None
        return idle and bool((np.abs(residuals_s) <= self.bound_s).all())

    def takes_back(self, run: Run, residual_s: float) -> Jump | None:
        """Return what was noticed if this run is back on the line, and forget it."""
        noticed = self.noticed
        if noticed is None or abs(residual_s) > self.bound_s / 2:
            return None
        self.clear()
        soon = run.end - noticed.source_index <= self._soon_n
        return noticed if soon else None

    def begins(self, run: Run, residual_s: float) -> tuple[int, float] | None:
        """Return count and size of a small jump that this run makes certain."""
        before, self._off = self._off, None
        if self.noticed is not None or not abs(residual_s) > self.bound_s:
            return None
        if before is not None and before[1] * residual_s > 0:
            return before[0], min(before[1], residual_s, key=abs)
        if run.end > run.start:
            return run.start, residual_s
        self._off = run.start, residual_s
        return None
