"""Which triggers are volumes: the grid that they keep, their TR, their slices. Pure.

True triggers lie on a grid, early or late by some milliseconds, and now and then one is
missing. What lies elsewhere is noise on a cable, or another grid: one trigger cannot
say which, the next ones can. Nothing here knows of ticks.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Literal

from rtbold.messages import TR_TOLERANCE

JITTER_S = 0.015  # between two triggers, each early or late by some milliseconds


@dataclass(frozen=True, slots=True)
class Lock:
    """The newest volume trigger: what later volumes are extrapolated from."""

    t_s: float
    volume: int  # from 0 at the first trigger of the run, dummies included


PHASES_KEPT = 5  # triggers


class Grid:
    """Where the volumes of one run lie.

    The time of a volume is extrapolated from its newest trigger. Whether a trigger is
    on the grid is judged by the median of the newest ones, so that a trigger that was
    early itself does not make a stray of the next.

    Parameters
    ----------
    times_s : of the run's first triggers, a TR apart.
    first : volume of the first of them.
    tr_s : nominal.
    jitter_s : by which a trigger may be early or late.
    bridged : volumes in a row that may lack a trigger.
    """

    def __init__(
        self,
        times_s: Sequence[float],
        first: int,
        *,
        tr_s: float,
        jitter_s: float,
        bridged: int,
    ) -> None:
        self._tr_s = tr_s
        self._jitter_s = jitter_s
        self._bridged = bridged
        self._phases_s: deque[float] = deque(maxlen=PHASES_KEPT)
        self._spread_s: deque[float] = deque(maxlen=PHASES_KEPT)  # and nearly on it
        self._n_triggers = 0
        for volume, t_s in enumerate(times_s, start=first):
            self.add(t_s, volume)

    def add(self, t_s: float, volume: int) -> None:
        """Take the trigger of a volume."""
        self.lock = Lock(t_s, volume)
        for phases_s in (self._phases_s, self._spread_s):
            phases_s.append(t_s - volume * self._tr_s)
        self._n_triggers += 1

    @property
    def confirmed(self) -> bool:
        """Whether a second trigger has shown that the first was no stray one."""
        return self._n_triggers > 1

    def time_of(self, volume: int) -> float:
        """Return the time of a volume, from the newest trigger on."""
        return self.lock.t_s + (volume - self.lock.volume) * self._tr_s

    def volume_at(self, t_s: float, *, in_train: bool = False) -> int | None:
        """Return the volume whose trigger this can be; None: it is off the grid.

        Once so many have been missed that the grid may be lost, its own jitter counts
        too: it may have made those too early or late to be known.

        Parameters
        ----------
        in_train : it ends a train off the grid whose intervals are all the TR, which
            is another grid and no jitter.
        """
        volume, off_s = self._nearest(t_s)
        near_s = self._jitter_s
        lost = self.n_missed(t_s) > self._bridged
        if self.confirmed and lost and not in_train:
            near_s += min(max(self._spread_s) - min(self._spread_s), near_s)
        return volume if abs(off_s) <= near_s else None

    def note(self, t_s: float) -> None:
        """Remember of a trigger off the grid that it was nearly on it."""
        volume, off_s = self._nearest(t_s)
        if abs(off_s) <= 2 * self._jitter_s:
            self._spread_s.append(t_s - volume * self._tr_s)

    def _nearest(self, t_s: float) -> tuple[int, float]:
        """Return the nearest volume, and by how much `t_s` is later than it."""
        since_s = t_s - median(self._phases_s)
        volume = math.floor(since_s / self._tr_s + 0.5)
        return volume, since_s - volume * self._tr_s

    def n_missed(self, t_s: float) -> int:
        """Return how many volumes have had no trigger when one comes at `t_s`."""
        since_s = t_s - self._jitter_s - median(self._phases_s)
        return max(0, math.floor(since_s / self._tr_s) - self.lock.volume)

    def shift(self, seconds: float) -> None:
        """Follow a change of clock."""
        self.lock = replace(self.lock, t_s=self.lock.t_s + seconds)
        for phases_s in (self._phases_s, self._spread_s):
            for at, phase_s in enumerate(phases_s):
                phases_s[at] = phase_s + seconds


HELD_MOST = 64  # triggers
LEAST_EVEN = 3  # triggers


class HeldTriggers:
    """Triggers off the grid: nothing was made of them, for they may be stray.

    Parameters
    ----------
    tr_s : nominal.
    jitter_s : by which a trigger may be early or late.
    """

    def __init__(self, tr_s: float, jitter_s: float) -> None:
        self._tr_s = tr_s
        self._jitter_s = jitter_s
        self._times_s: deque[float] = deque(maxlen=HELD_MOST)

    def hold(self, t_s: float) -> None:
        """Keep one more."""
        self._times_s.append(t_s)

    def forget(self, until_s: float = math.inf) -> None:
        """Give those up that are not newer: the grid has gone on without them."""
        kept = [t_s for t_s in self._times_s if t_s > until_s]
        self._times_s.clear()
        self._times_s.extend(kept)

    def train_to(self, t_s: float) -> list[float]:
        """Return the held ones, a TR apart each, that end in `t_s`; it is the last."""
        return self._train(t_s, self._jitter_s)

    def are_train(self, t_s: float) -> bool:
        """Return whether they end in `t_s` too evenly to be jitter."""
        return len(self._train(t_s, JITTER_S)) >= LEAST_EVEN

    def _train(self, t_s: float, jitter_s: float) -> list[float]:
        train = [t_s]
        for held_s in sorted(self._times_s, reverse=True):
            if abs(train[0] - held_s - self._tr_s) <= jitter_s:
                train.insert(0, held_s)
        return train

    def shift(self, seconds: float) -> None:
        """Follow a change of clock."""
        moved = [t_s + seconds for t_s in self._times_s]
        self._times_s.clear()
        self._times_s.extend(moved)


# Another TR than the session's: seen in the intervals.

INTERVALS_KEPT = 64
LEAST_AT_START = 3  # intervals that agree, where the TR has never been right
LEAST_LATER = 2  # the same once it has
LEAST_OF_MULTIPLES = 3  # the same where triggers may just be missing
CONFIRMED_AT = 4  # intervals that agree, over two volumes: no stray ones make these
MANY_TR = 0.3  # of a TR: intervals below this come in bursts, one of which is no TR
AGREEMENT = 0.02  # of an interval, by which two of one train may differ


@dataclass(frozen=True, slots=True)
class OtherTr:
    """The triggers come at another interval than the TR."""

    interval_s: float
    n: int  # intervals that agree
    is_multiple: bool  # of the TR: it changed, or triggers are missing regularly
    confirmed: bool  # no stray or missing triggers can look like it


class TrWatch:
    """Whether triggers keep the TR.

    At the start of a run three intervals must agree with each other. Once the TR was
    right, two are enough if the grid missed a trigger meanwhile: together they are
    further off than jitter can move two triggers. Whole multiples of the TR need three,
    because missing triggers look the same.

    Parameters
    ----------
    tr_s : nominal.
    tolerance : share of it by which a measured interval may differ.
    jitter_s : by which a trigger may be early or late.
    """

    def __init__(self, tr_s: float, tolerance: float, jitter_s: float) -> None:
        self._tr_s = tr_s
        self._tolerance = tolerance
        self._jitter_s = jitter_s
        self._times_s: deque[float] = deque(maxlen=INTERVALS_KEPT + 1)
        self._has_fitted = False  # this train
        self.has_ever_fitted = False

    def restart(self, times_s: Iterable[float] = ()) -> None:
        """Begin with the first triggers of a train."""
        self._times_s.clear()
        self._has_fitted = False
        for t_s in times_s:
            self.add(t_s)

    def add(self, t_s: float) -> None:
        """Note the next trigger; one that bounces, or is older, says nothing."""
        if self._times_s and t_s - self._times_s[-1] <= self._jitter_s:
            return
        self._times_s.append(t_s)
        if len(self._times_s) > 1 and self._is_tr(self._intervals_s()[-1]):
            self._has_fitted = self.has_ever_fitted = True

    def shift(self, seconds: float) -> None:
        """Follow a change of clock."""
        for at, t_s in enumerate(self._times_s):
            self._times_s[at] = t_s + seconds

    def other_tr(self, *, missed: bool) -> OtherTr | None:
        """Return the interval that the triggers keep, as soon as it is sure.

        Ask when a volume is due, not before: stray ones between two volumes may come
        at any interval.

        Parameters
        ----------
        missed : a volume has had no trigger since the newest that was on the grid.
        """
        intervals_s = self._intervals_s()
        if not intervals_s:
            return None
        if not self._has_fitted:
            return self._at_start(intervals_s)
        return self._later(intervals_s, missed=missed)

    @property
    def newest_in_tr(self) -> list[float]:
        """Return the newest three triggers if both intervals are the TR, else none."""
        ends = self._intervals_s()[-2:]
        if len(ends) < 2 or not all(self._is_tr(x) for x in ends):
            return []
        off_s = abs(sum(ends) / 2 - self._tr_s)
        within = off_s <= self._tolerance * self._tr_s
        return list(self._times_s)[-3:] if within else []

    def _intervals_s(self) -> list[float]:
        return [b - a for a, b in pairwise(self._times_s)]

    def _is_tr(self, interval_s: float, n: int = 1) -> bool:
        near_s = max(JITTER_S, self._tolerance * n * self._tr_s)
        return abs(interval_s - n * self._tr_s) <= near_s

    def _n_of(self, interval_s: float) -> int:
        return max(1, math.floor(interval_s / self._tr_s + 0.5))

    def _at_start(self, intervals_s: list[float]) -> OtherTr | None:
        """Return the mean of the newest intervals, where the TR was never right."""
        near_s = max(JITTER_S, TR_TOLERANCE * intervals_s[-1])
        streak = self._streak(intervals_s, near_s)
        mean_s = sum(streak) / len(streak)
        fits = abs(mean_s / self._tr_s - 1) <= self._tolerance
        if fits or len(streak) < LEAST_AT_START:
            return None
        if mean_s < MANY_TR * self._tr_s and not self._is_long(streak):
            return None
        n = self._n_of(mean_s)
        return self._found(streak, is_multiple=n > 1 and self._is_tr(mean_s, n))

    def _later(self, intervals_s: list[float], *, missed: bool) -> OtherTr | None:
        """Return the mean of the newest ones, as far back as they agree."""
        near_s = max(2 * JITTER_S, AGREEMENT * intervals_s[-1])
        streak = self._streak(intervals_s, near_s)
        m, mean_s = len(streak), sum(streak) / len(streak)
        n = self._n_of(mean_s)
        if self._is_tr(mean_s, n):
            enough = n > 1 and m >= LEAST_OF_MULTIPLES
            return self._found(streak, is_multiple=True) if enough else None
        off_s = m * abs(mean_s - n * self._tr_s)
        least = LEAST_LATER if missed else LEAST_LATER + 1
        burst = mean_s < MANY_TR * self._tr_s and not self._is_long(streak)
        if m < least or off_s <= 2 * self._jitter_s or (burst and not missed):
            return None
        return self._found(streak, is_multiple=False)

    def _found(self, streak: list[float], *, is_multiple: bool) -> OtherTr:
        mean_s, n = sum(streak) / len(streak), len(streak)
        sure = n >= CONFIRMED_AT and self._is_long(streak)
        return OtherTr(mean_s, n, is_multiple=is_multiple, confirmed=sure)

    def _is_long(self, streak: list[float]) -> bool:
        """Return whether intervals fill two volumes."""
        return sum(streak) >= 2 * self._tr_s - self._jitter_s

    @staticmethod
    def _streak(intervals_s: list[float], near_s: float) -> list[float]:
        """Return the newest intervals, as far back as they agree with the last."""
        differ = (abs(x - intervals_s[-1]) > near_s for x in reversed(intervals_s))
        n = next((k for k, other in enumerate(differ) if other), len(intervals_s))
        return intervals_s[-n:]


# Slices: several triggers a volume.

SLICES_JUDGED = 8
MOST_STRAYS = 4  # of these; more, and the slices keep another spacing or phase
SILENCE_TR = 1.5  # without any slice: the next one is the first of a run
MOST_JITTER = 0.25  # of the spacing


class SliceCounter:
    """Find the first trigger of each volume among slice triggers.

    Slices are counted by time, so that a missing, doubled or stray trigger does not
    shift the volumes after it. They are taken to be evenly spaced. Once they are not,
    nobody knows which slice is a volume's first, until a silence.

    Parameters
    ----------
    every : triggers per volume; 1 lets every trigger through.
    tr_s : of a volume.
    jitter : share of the spacing by which a trigger may be early or late.
    """

    def __init__(self, every: int, tr_s: float, jitter: float) -> None:
        self._every = every
        self._tr_s = tr_s
        self._spacing_s = tr_s / every
        jitter_s = max(JITTER_S, jitter * self._spacing_s)
        self._jitter_s = min(jitter_s, MOST_JITTER * self._spacing_s)
        self._intervals_s: deque[float] = deque(maxlen=SLICES_JUDGED)
        self._strays: deque[bool] = deque(maxlen=SLICES_JUDGED)
        self.restart()

    def restart(self) -> None:
        """Take the next trigger as the first slice of a volume."""
        self._on_grid_s = math.nan  # the newest slice
        self._newest_s = math.nan  # the newest trigger
        self._slice = 0
        self._strays.clear()
        self._intervals_s.clear()
        self.lost = False  # nobody knows which slice is a volume's first

    def shift(self, seconds: float) -> None:
        """Follow a change of clock."""
        self._on_grid_s += seconds
        self._newest_s += seconds

    @property
    def other_tr(self) -> OtherTr:
        """Return what the newest intervals say of the TR, once the slices are lost."""
        newest_s = list(self._intervals_s)[-MOST_STRAYS:]
        volume_s = self._every * median(newest_s or [self._spacing_s])
        return OtherTr(volume_s, len(newest_s), is_multiple=False, confirmed=True)

    def kind(self, t_s: float) -> Literal["volume", "slice", "double"]:
        """Return what the next trigger is; a stray one counts as a double."""
        if self._every == 1:
            return "volume"
        if t_s - self._newest_s > SILENCE_TR * self._tr_s:
            self.restart()
        if math.isnan(self._newest_s):
            self._on_grid_s = self._newest_s = t_s
            return "volume"
        since_s = t_s - self._on_grid_s
        if since_s <= self._jitter_s:  # it bounces, or is older
            return "double"
        self._intervals_s.append(t_s - self._newest_s)
        self._newest_s = t_s
        if not self._is_slice(since_s) or self.lost:
            return "double"
        self._on_grid_s = t_s
        return "volume" if self._slice % self._every == 0 else "slice"

    def _is_slice(self, since_s: float) -> bool:
        """Return whether a trigger is a slice; count it if so."""
        n = math.floor(since_s / self._spacing_s + 0.5)
        stray = n == 0 or abs(since_s - n * self._spacing_s) > self._jitter_s
        self._strays.append(stray)
        self.lost |= sum(self._strays) >= MOST_STRAYS
        if not stray:
            self._slice += n
        return not stray
