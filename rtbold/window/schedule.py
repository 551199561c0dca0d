"""Which volume is due when: triggers lock the TR grid, or a free run counts it out."""

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import Literal

from rtbold.clock import LONGEST_BACKLOG_S
from rtbold.errors import ConfigError
from rtbold.messages import TR_TOLERANCE, Reason, Tick

# Parts of the schedule: the triggers' spacing, slices in a volume, a beat, counts.

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


ScheduleMode = Literal["trigger", "free_run"]
ScheduleState = Literal[
    "waiting", "dummies", "locked", "flywheel", "triggers_lost", "free_run"
]
LONGEST_TR_S = 20.0
CLOCK_BACK_S = 60.0  # a tick further ahead than this means another clock


@dataclass(frozen=True)
class ScheduleSettings:
    """How ticks follow the scanner."""

    tr_s: float
    mode: ScheduleMode = "trigger"
    dummy_volumes: int = 0
    trigger_every: int = 1  # triggers per volume, evenly spaced (slice triggers)
    wait_s: float = 0.1  # for a late trigger; the filters' delay if that is longer
    max_flywheel: int = 2  # volumes in a row without a trigger
    double_fraction: float = 0.5  # of a TR; a trigger sooner than this is a double
    tr_tolerance: float = TR_TOLERANCE
    new_run_after_s: float = 30.0  # a longer pause of the triggers ends the run
    phase_tolerance: float = 0.1  # of a TR; further off the old grid is a new run
    max_lead_s: float = 1.0  # by which a trigger may be ahead of its arrival
    max_lag_s: float = LONGEST_BACKLOG_S

    def __post_init__(self) -> None:
        """Refuse what contradicts itself, or looks like milliseconds."""
        if not 0 < self.tr_s <= LONGEST_TR_S:
            raise ConfigError(
                f"tr_s is {self.tr_s!r}, expected seconds in (0, {LONGEST_TR_S:g}]; "
                "2100 looks like milliseconds, give 2.1"
            )
        if self.dummy_volumes < 0 or self.trigger_every < 1 or self.max_flywheel < 0:
            raise ConfigError(
                f"dummy_volumes is {self.dummy_volumes}, trigger_every "
                f"{self.trigger_every}, max_flywheel {self.max_flywheel}; expected at "
                "least 0, 1 and 0"
            )
        if self.mode == "free_run" and (self.dummy_volumes or self.trigger_every > 1):
            raise ConfigError(
                "dummy volumes or slice triggers were given for a free run, which "
                "hears no triggers; leave them out, or name a trigger stream"
            )
        if not 0 <= self.wait_s < math.inf:
            raise ConfigError(f"wait_s is {self.wait_s!r}, expected seconds from 0 up")


class Schedule:
    """The TR grid: one tick for each volume, never two.

    Locked to triggers, volume k is at its trigger's own time. Without one it is at the
    newest trigger's time plus a whole number of nominal TRs (no smoothing: at most two
    TRs are bridged, over which jitter is not worth a model). A trigger that comes
    after its volume's tick moves the phase and makes no second tick.

    When the triggers come back after a pause, volumes are counted by time if the pause
    was short (`new_run_after_s`) and the trigger lies on the old grid; then only
    triggers were lost and the index still pairs with the scanner's volumes. Otherwise,
    and always with slice triggers, a new run begins: dummies and index start anew. A
    run split in two is seen; an index that is off by one is not.

    Times are on this machine's LSL clock and come as arguments.
    """

    def __init__(self, settings: ScheduleSettings) -> None:
        self._settings = settings
        self._lock: Lock | None = None
        self._ticked = -1  # newest volume that had its tick
        self._free_start_s: float | None = None
        self._beat = Beat(settings.tr_s)
        self._pauses: tuple[Reason, ...] = ()
        self._counts = ScheduleCounts()
        self._spacing = TriggerSpacing(settings.tr_s, settings.tr_tolerance)
        self._slices = SliceCounter(
            settings.trigger_every, settings.tr_s, settings.double_fraction
        )
        self._trigger_lag_s = math.nan

    @property
    def counts(self) -> ScheduleCounts:
        """Return the counters of the session."""
        missed = self._counts.n_missed + self._n_open()
        return replace(self._counts, n_missed=missed)

    @property
    def tr_mismatch(self) -> float | None:
        """Return the triggers' own TR in seconds if it differs by too much.

        Known after three intervals that agree with each other.
        """
        return self._spacing.mismatch_s

    @property
    def trigger_lag_s(self) -> float:
        """Return how long after its time the newest trigger arrived; NaN: none yet."""
        return self._trigger_lag_s

    @property
    def state(self) -> ScheduleState:
        """Return what the grid rests on."""
        if self._settings.mode == "free_run":
            return "waiting" if self._free_start_s is None else "free_run"
        if self._lock is None:
            return "waiting"
        n_without = self._ticked - self._lock.volume
        if n_without > self._settings.max_flywheel:
            return "triggers_lost"
        if n_without > 0:
            return "flywheel"
        in_dummies = self._lock.volume < self._settings.dummy_volumes
        return "dummies" if in_dummies else "locked"

    @property
    def next_due_s(self) -> float | None:
        """Return the time of the next tick; None while nothing is known."""
        if self._lock is None and self._free_start_s is None:
            return self._beat.due_s
        return self._time_of(self._ticked + 1)

    def pause(self, reason: Reason = "operator_pause") -> None:
        """Mark all ticks as paused; volumes are counted on."""
        if reason not in self._pauses:
            self._pauses = (*self._pauses, reason)

    def resume(self, reason: Reason = "operator_pause") -> None:
        """Take a `pause` back."""
        self._pauses = tuple(kept for kept in self._pauses if kept != reason)

    def first_sample(self, t_s: float) -> None:
        """Start the free run at the first good sample; later calls change nothing."""
        if self._settings.mode == "free_run" and self._free_start_s is None:
            self._free_start_s = t_s

    def trigger(self, t_s: float, t_arrived_s: float) -> list[Tick]:
        """Take in a trigger; return the ticks that it makes due.

        Parameters
        ----------
        t_s : the trigger's time, corrected.
        t_arrived_s : when it came; NaN: unknown. Only tells what cannot be.
        """
        if self._settings.mode == "free_run":
            return []
        self._count(n_triggers=1)
        self._trigger_lag_s = lag_s = t_arrived_s - t_s
        too_far = lag_s < -self._settings.max_lead_s or lag_s > self._settings.max_lag_s
        if too_far or not math.isfinite(t_s):
            self._count(n_implausible=1)
            return []
        if self._lock and self._n_after_lock(t_s) > self._settings.max_flywheel + 1:
            self._slices.restart()
        kind = self._slices.kind(t_s)
        if kind == "volume":
            return self._volume_trigger(t_s)
        self._count(n_double=int(kind == "double"))
        return []

    def shift(self, seconds: float) -> None:
        """Follow a change of clock: add `seconds` to every time that is remembered."""
        if self._lock is not None:
            self._lock = replace(self._lock, t_s=self._lock.t_s + seconds)
        if self._free_start_s is not None:
            self._free_start_s += seconds
        self._slices.shift(seconds)
        self._spacing.shift(seconds)
        self._beat.restart()

    def passed(self, now_s: float) -> list[Tick]:
        """Return the ticks that are due because time went by; NaN: time is unknown."""
        if not math.isfinite(now_s):
            return []
        if self.state != "waiting":
            self._check_clock(now_s)
        if self.state == "waiting":
            free = self._settings.mode == "free_run"
            reason: Reason = "no_data" if free else "waiting_for_scanner"
            return [self._paused_tick(t_s, reason) for t_s in self._beat(now_s)]
        wait_s = 0.0 if self._lock is None else self._settings.wait_s
        ticks = []
        while now_s >= self._time_of(self._ticked + 1) + wait_s:
            ticks.append(self._next_without_trigger())
        return ticks

    def _check_clock(self, now_s: float) -> None:
        """Give the grid up if `now_s` cannot be on the clock of its times."""
        ahead_s = now_s - self._time_of(self._ticked + 1)
        if -CLOCK_BACK_S <= ahead_s <= self._settings.max_lag_s:
            return
        if self._free_start_s is not None:  # the count goes on from now
            self._free_start_s += ahead_s
            return
        self._count(n_missed=self._n_open())
        self._lock = None
        self._slices.restart()
        self._beat.restart()

    def _count(self, **more: int) -> None:
        counts = self._counts
        sums = {name: getattr(counts, name) + n for name, n in more.items()}
        self._counts = replace(counts, **sums)

    def _n_open(self) -> int:
        """Return the volumes since the newest trigger, up to the one that paused."""
        if self._lock is None:
            return 0
        return min(
            max(0, self._ticked - self._lock.volume), self._settings.max_flywheel + 1
        )

    def _time_of(self, volume: int) -> float:
        if self._lock is None:
            return (self._free_start_s or 0.0) + volume * self._settings.tr_s
        return self._lock.t_s + (volume - self._lock.volume) * self._settings.tr_s

    @property
    def _lock_s(self) -> float:
        return math.nan if self._lock is None else self._lock.t_s

    def _n_after_lock(self, t_s: float) -> int:
        """Return how many volumes after the newest trigger `t_s` is, at least one."""
        since_s = t_s - self._lock_s
        return max(1, math.floor(since_s / self._settings.tr_s + 0.5))

    def _volume_trigger(self, t_s: float) -> list[Tick]:
        self._spacing.add(t_s)
        lock = self._lock
        stepped_back = self.state == "triggers_lost" and t_s < self._lock_s
        if lock is None or stepped_back:
            return self._start_run(t_s)
        if t_s - lock.t_s < self._settings.double_fraction * self._settings.tr_s:
            self._count(n_double=1)
            return []
        n = self._n_after_lock(t_s)
        if n > self._settings.max_flywheel + 1 and not self._same_run(t_s, n):
            return self._start_run(t_s)
        volume = lock.volume + n
        ticks = []
        while self._ticked + 1 < min(
            volume, lock.volume + self._settings.max_flywheel + 1
        ):
            ticks.append(self._next_without_trigger())
        late = volume <= self._ticked
        self._count(n_missed=n - 1, n_late=int(late))
        self._lock = Lock(t_s, volume)
        return ticks if late else [*ticks, self._locked_tick(volume)]

    def _same_run(self, t_s: float, n: int) -> bool:
        """Return whether triggers were lost while the scanner went on."""
        settings = self._settings
        since_s = t_s - self._lock_s
        off_s = abs(since_s - n * settings.tr_s)
        on_grid = off_s <= settings.phase_tolerance * settings.tr_s
        counted = settings.trigger_every == 1
        return on_grid and counted and since_s <= settings.new_run_after_s

    def _start_run(self, t_s: float) -> list[Tick]:
        self._count(n_runs=1, n_missed=self._n_open())
        self._spacing.restart(t_s)
        self._lock = Lock(t_s, 0)
        return [self._locked_tick(0)]

    def _locked_tick(self, volume: int) -> Tick:
        self._ticked = volume
        return self._tick(volume, locked=True)

    def _next_without_trigger(self) -> Tick:
        self._ticked += 1
        if self._lock is None:
            return self._tick(self._ticked, locked=False)
        if self._ticked - self._lock.volume > self._settings.max_flywheel:
            t_s = self._time_of(self._ticked)
            return self._paused_tick(t_s, "triggers_lost")
        self._count(n_flywheel=1)
        return self._tick(self._ticked, locked=False)

    def _tick(self, volume: int, *, locked: bool) -> Tick:
        t_s = self._time_of(volume)
        index = volume - self._settings.dummy_volumes
        if index < 0:
            self._count(n_dummies=1)
            return self._paused_tick(t_s, "waiting_for_scanner")
        return Tick(index, t_s, locked, self._pauses)

    def _paused_tick(self, t_s: float, reason: Reason) -> Tick:
        return Tick(None, t_s, False, (reason, *self._pauses))


# How the schedule took a trigger: what the feed says of it.

TriggerKind = Literal["volume", "dummy", "double", "late"]


@dataclass(frozen=True, slots=True)
class TriggerNote:
    """How the schedule took the newest trigger."""

    kind: TriggerKind
    volume_index: int | None
    t_local_s: float


def trigger_kind(
    before: ScheduleCounts, after: ScheduleCounts, ticks: list[Tick]
) -> TriggerKind:
    """Return what a trigger turned out to be, from what it changed."""
    if after.n_double > before.n_double:
        return "double"
    if after.n_dummies > before.n_dummies:
        return "dummy"
    return "volume" if ticks else "late"
