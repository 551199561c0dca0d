"""Parts of the schedule: the triggers' spacing, slices in a volume, a beat, counts."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal

from rtbold.clock import LONGEST_BACKLOG_S
from rtbold.messages import TR_TOLERANCE

SPACING_MEMORY = 8  # intervals
JITTER_S = 0.015  # between two triggers, each early or late by some milliseconds


@dataclass(frozen=True, slots=True)
class ScheduleCounts:
    """What happened to the triggers so far."""

    n_triggers: int = 0  # all that came
    n_double: int = 0  # ignored: too soon after the last one, or older than it
    n_late: int = 0  # came after their volume's tick had to go without them
    n_flywheel: int = 0  # ticks at an extrapolated time
    n_implausible: int = 0  # ignored: times that cannot be, judged by the arrival
    n_missed: int = 0  # volumes without a trigger; not counted on while it pauses
    n_dummies: int = 0  # of all runs
    n_runs: int = 0  # trains of triggers


@dataclass(frozen=True, slots=True)
class Lock:
    """The newest volume trigger: what later volumes are extrapolated from."""

    t_s: float
    volume: int  # from 0 at the first trigger of the run, dummies included


class Beat:
    """Moments at the TR while there is no grid yet; begins at the first time given.

    Parameters
    ----------
    tr_s : between two of them.
    """

    def __init__(self, tr_s: float) -> None:
        self._tr_s = tr_s
        self.restart()

    def restart(self) -> None:
        """Begin anew at the next time given."""
        self.due_s: float | None = None

    def __call__(self, now_s: float) -> list[float]:
        """Return the moments that are due; anew from `now_s` if the clock changed."""
        due_s = now_s if self.due_s is None else self.due_s
        if not -LONGEST_BACKLOG_S <= due_s - now_s <= 2 * self._tr_s:
            due_s = now_s
        due = []
        while due_s <= now_s:
            due.append(due_s)
            due_s += self._tr_s
        self.due_s = due_s
        return due


class TriggerSpacing:
    """Measure the interval of volume triggers, doubles and missing ones aside.

    Parameters
    ----------
    tr_s : nominal.
    tolerance : share of it by which the measured interval may differ.
    """

    def __init__(self, tr_s: float, tolerance: float) -> None:
        self._tr_s = tr_s
        self._tolerance = tolerance
        self._last_s = math.nan
        self._intervals_s: deque[float] = deque(maxlen=SPACING_MEMORY)

    def restart(self, t_s: float) -> None:
        """Begin with the first trigger of a train."""
        self._last_s = t_s
        self._intervals_s.clear()

    def shift(self, seconds: float) -> None:
        """Follow a change of clock."""
        self._last_s += seconds

    def add(self, t_s: float) -> None:
        """Note the next trigger."""
        if not math.isnan(self._last_s):
            self._intervals_s.append(t_s - self._last_s)
        self._last_s = t_s

    @property
    def measured_s(self) -> float | None:
        """Return the mean of the intervals that agree with the median of all.

        None until three do, or while fewer than half do.
        """
        if len(self._intervals_s) < 3:
            return None
        ordered = sorted(self._intervals_s)
        median_s = ordered[len(ordered) // 2]
        near_s = max(JITTER_S, TR_TOLERANCE * median_s)
        agree = [x for x in ordered if abs(x - median_s) <= near_s]
        if len(agree) < max(3, len(ordered) / 2):
            return None
        return sum(agree) / len(agree)

    @property
    def mismatch_s(self) -> float | None:
        """Return the measured interval if it is not the nominal one."""
        measured_s = self.measured_s
        if measured_s is None:
            return None
        off = abs(measured_s / self._tr_s - 1)
        return measured_s if off > self._tolerance else None


class SliceCounter:
    """Find the first trigger of each volume among slice triggers.

    Slices are counted by time, so that a missing or doubled trigger does not shift the
    volumes after it. They are taken to be evenly spaced.

    Parameters
    ----------
    every : triggers per volume; 1 lets every trigger through.
    tr_s : of a volume.
    double_fraction : share of the spacing below which a trigger is a double.
    """

    def __init__(self, every: int, tr_s: float, double_fraction: float) -> None:
        self._every = every
        self._spacing_s = tr_s / every
        self._double_s = double_fraction * self._spacing_s
        self.restart()

    def restart(self) -> None:
        """Take the next trigger as the first slice of a volume."""
        self._last_s: float | None = None
        self._slice = 0

    def shift(self, seconds: float) -> None:
        """Follow a change of clock."""
        if self._last_s is not None:
            self._last_s += seconds

    def kind(self, t_s: float) -> Literal["volume", "slice", "double"]:
        """Return what the next trigger is."""
        if self._every == 1:
            return "volume"
        if self._last_s is not None:
            since_s = t_s - self._last_s
            if since_s < self._double_s:
                return "double"
            self._slice += max(1, math.floor(since_s / self._spacing_s + 0.5))
        self._last_s = t_s
        return "volume" if self._slice % self._every == 0 else "slice"
