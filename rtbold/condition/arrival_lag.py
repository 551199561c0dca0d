"""Whether samples arrive when their times say: what tells of samples lost by a sender.

A sender that stamps by counting hides its losses: the stamps go on as if nothing was
missing, and from then on every sample is taken for an older one. Only the arrivals
tell. The lag of a chunk is its arrival minus the time of its newest sample: transport,
and what the sender and the network held it up. Its smallest value is steady for hours.
"""

import math
from collections import deque
from dataclasses import dataclass

LEARNED_S = 16.0  # of samples: one window. Then the usual lag stands
BEGUN_S = 4.0  # of samples, from whose smallest lag on a fall counts
STEADY_S = 0.02  # by which the smallest lags of two windows may differ
BACKLOG_S = 1.0  # a lag above it is old data, and nothing to learn from
LAG_TOLERANCE_S = 0.1  # by which the smallest lag may differ from the usual one
SECONDS_KEPT = 48  # of smallest lags: a window, and time to ask about it
RISE_OVER_S = 4  # of samples whose smallest lag is that of a rise
BURSTS_KEPT_S = 32  # how long a late part of a burst is remembered
BURSTS_THAT_ARE_USUAL = 3  # so many late parts within that are this stream's manner


@dataclass(slots=True)
class _Second:
    """One second of samples, by source index."""

    number: int
    end: int  # source index after the newest sample of the chunks seen in it
    smallest_s: float


class LagWatch:
    """Compare the smallest lag of the arrivals with the one that is usual.

    The usual lag is the smallest of the first 16 s of samples that were no backlog, and
    stands from then on, so that small losses add up. A chunk whose lag is within the
    tolerance of it is a proof: no sample up to then is late for good.

    A lag that rises is believed at once, at the first chunk that is later than this
    stream's chunks ever are (a sender whose bursts come in parts has late parts all the
    time, each soon followed by a proof). What is within that manner is believed once no
    proof came for a window. It ends with the next proof.

    A lag that falls needs no second chunk: nothing arrives sooner by chance. It falls
    from the smallest lag of the first 4 s, so that stamps that run fast from the start
    are seen; or, if the lag fell within the first window only (the start was slow),
    from the usual one.

    Parameters
    ----------
    rate_hz : nominal rate of the stream.
    tolerance_s : by which the smallest lag may differ from the usual one.
    aligned : the stream's clock is aligned by the smallest lag itself (Unix time), so
        the usual one is 0.
    """

    def __init__(
        self,
        rate_hz: float,
        *,
        tolerance_s: float = LAG_TOLERANCE_S,
        aligned: bool = False,
    ) -> None:
        self._second_n = max(round(rate_hz), 1)
        self._window_n = round(LEARNED_S * rate_hz)
        self._tolerance_s = tolerance_s
        self._usual_s = 0.0 if aligned else math.inf
        self._falls_from_s = self._usual_s
        self._n_learned = 0
        self._last_n = 0 if aligned else 2 * self._window_n
        self._second_window_s = math.inf  # its smallest lag
        self._bursts: deque[tuple[int, float]] = deque()  # second, largest lag
        self.restart(0)

    def restart(self, source_index: int) -> None:
        """Forget the samples, not what is usual: the same sender goes on.

        Parameters
        ----------
        source_index : of the next sample.
        """
        self._seconds: deque[_Second] = deque(maxlen=SECONDS_KEPT)
        self._end = source_index
        self._proven()

    def _proven(self) -> None:
        """Begin to gather what comes after a proof."""
        self._n_unproven = 0
        # Of the chunks since the last proof
        self._since: deque[_Second] = deque(maxlen=RISE_OVER_S)
        self._largest_s = -math.inf
        self._suspect = False

    @property
    def usual_s(self) -> float | None:
        """The smallest lag of the stream's beginning; None: not known yet."""
        return self._usual_s if math.isfinite(self._usual_s) else None

    @property
    def lag_s(self) -> float | None:
        """The smallest lag of the newest one to two seconds of samples; None: none."""
        newest = list(self._seconds)[-2:]
        return min((second.smallest_s for second in newest), default=None)

    def note(self, lag_s: float, source_end: int) -> None:
        """Take the lag of a chunk; NaN: its arrival is unknown.

        Parameters
        ----------
        lag_s : arrival minus the time of the chunk's newest sample.
        source_end : one past the newest sample that is in.
        """
        n = max(source_end - self._end, 0)
        self._end = source_end
        if math.isnan(lag_s):
            return
        self._keep(self._seconds, lag_s, source_end)
        self._learn(lag_s, n)
        if lag_s <= self._usual_s + self._tolerance_s:
            self._commit()
            self._proven()
            return
        self._n_unproven += n
        self._keep(self._since, lag_s, source_end)
        self._largest_s = max(self._largest_s, lag_s)
        too_long = self._n_unproven >= self._window_n
        self._suspect |= too_long or lag_s > self._latest_usual_s()

    def _keep(self, seconds: deque[_Second], lag_s: float, source_end: int) -> None:
        number = source_end // self._second_n
        newest = seconds[-1] if seconds else None
        if newest is None or newest.number != number:
            seconds.append(_Second(number, source_end, lag_s))
            return
        newest.end = source_end
        newest.smallest_s = min(newest.smallest_s, lag_s)

    def _learn(self, lag_s: float, n: int) -> None:
        if self._n_learned >= self._last_n or abs(lag_s) > BACKLOG_S:
            return
        if self._n_learned < BEGUN_S * self._second_n:
            self._falls_from_s = min(self._falls_from_s, lag_s)
        if self._n_learned < self._window_n:
            self._usual_s = min(self._usual_s, lag_s)
        else:
            self._second_window_s = min(self._second_window_s, lag_s)
        self._n_learned += n
        steady = abs(self._second_window_s - self._usual_s) < STEADY_S
        if self._n_learned >= self._last_n and steady:
            self._falls_from_s = self._usual_s

    def _commit(self) -> None:
        """Remember how late chunks came that were soon followed by a proof."""
        second = self._end // self._second_n
        while self._bursts and self._bursts[0][0] < second - BURSTS_KEPT_S:
            self._bursts.popleft()
        if self._largest_s == -math.inf:
            return
        largest_s = self._largest_s
        if self._bursts and self._bursts[-1][0] == second:
            largest_s = max(self._bursts.pop()[1], largest_s)
        self._bursts.append((second, largest_s))

    def _latest_usual_s(self) -> float:
        """Return the lag that no chunk of this stream's manner exceeds."""
        bound_s = self._usual_s + self._tolerance_s
        if len(self._bursts) < BURSTS_THAT_ARE_USUAL:
            return bound_s
        late = sorted((lag_s for _, lag_s in self._bursts), reverse=True)
        return max(bound_s, late[BURSTS_THAT_ARE_USUAL - 1] + self._tolerance_s)

    def shift(self, seconds: float) -> None:
        """Let the lags follow an alignment that moved; the usual one stays 0."""
        for second in (*self._seconds, *self._since):
            second.smallest_s += seconds
        self._largest_s += seconds

    def change_s(self, source_first: int) -> float:
        """Return by how much the lag differs from the usual one; 0 within tolerance.

        Parameters
        ----------
        source_first : of a window that ends with the newest sample. A rise counts as
            long as it lasts; a fall as long as a sample of it is in the window.
        """
        if self.usual_s is None:
            return 0.0
        fall_s = self._falls_from_s - self._smallest_since(source_first)
        if self._tolerance_s < fall_s < math.inf:
            return -fall_s
        if not self._suspect:
            return 0.0
        return min(second.smallest_s for second in self._since) - self._usual_s

    def lead_s(self, source_first: int) -> float:
        """Return by how much samples came before their own time; 0: none did.

        Parameters
        ----------
        source_first : of a window that ends with the newest sample.
        """
        return max(-self._smallest_since(source_first), 0.0)

    def _smallest_since(self, source_first: int) -> float:
        return min(
            (s.smallest_s for s in self._seconds if s.end > source_first),
            default=math.inf,
        )
