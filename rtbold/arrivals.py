"""What arrival times tell: the kind of a jump, and the offset of a foreign clock."""

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rtbold.messages import FloatArray

JumpKind = Literal["gap", "step"]


@dataclass(frozen=True, slots=True)
class Jump:
    """A place where stamps left the line and stayed away.

    `position` does not know of a `skip` or `rebase` after the push. It takes a second
    sample to tell a jump from a single bad stamp, so `offset` may be negative: the
    jump began in an earlier chunk.
    """

    position: int  # of the first sample after the jump
    offset: int  # the same within the chunk pushed
    kind: JumpKind
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


class Arrivals:
    """Tell a gap from a step of the stamps by how late chunks usually come.

    Stamps that run ahead of the arrivals have stepped. The yardstick is the smallest
    lag of the last 10 to 20 s: one slow chunk does not spoil it.

    Parameters
    ----------
    tolerance_s : by which lags may differ.
    backlog_s : a lag above it is old data, and no yardstick.
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
        soonest_s = (self.usual_s if self._known else 0.0) - self._tolerance_s
        return "gap" if seconds > 0 and not lag_s < soonest_s else "step"

    @property
    def _known(self) -> bool:
        return self.usual_s <= self._backlog_s


class ForeignClock:
    """Align stamps of another clock (Unix time) by the running minimum of the lag.

    The offset is the smallest (arrival - stamp) of the last minute. It contains the
    shortest transport time, which nothing can tell from a clock difference.

    Parameters
    ----------
    bucket_s : length of one window of minima.
    n_buckets : how many are kept.
    """

    def __init__(self, bucket_s: float = 5.0, n_buckets: int = 12) -> None:
        self._bucket_s = bucket_s
        self._minima: deque[float] = deque(maxlen=n_buckets)
        self._bucket_end_s = -np.inf

    def push(self, stamps_s: FloatArray, t_arrived_s: float) -> None:
        """Take in the raw stamps of a chunk and when it came."""
        stamps_s = stamps_s[np.isfinite(stamps_s)]
        if len(stamps_s) == 0:
            return
        lag_s = t_arrived_s - float(stamps_s.max())
        if t_arrived_s >= self._bucket_end_s:
            self._bucket_end_s = t_arrived_s + self._bucket_s
            self._minima.append(lag_s)
        elif lag_s < self._minima[-1]:
            self._minima[-1] = lag_s

    @property
    def offset_s(self) -> float:
        """Return what to add to raw stamps; NaN before the first chunk."""
        return min(self._minima, default=np.nan)

    @property
    def uncertainty_s(self) -> float:
        """Return the spread of the windows' minima; infinite before the second one.

        The window in progress is left out: its minimum is not found yet.
        """
        whole = list(self._minima)[:-1]
        return max(whole) - min(whole) if len(whole) > 1 else np.inf
