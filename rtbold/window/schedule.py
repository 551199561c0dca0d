"""Which volume is due when: triggers lock the TR grid, or a free run counts it out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rtbold.clock import LONGEST_BACKLOG_S
from rtbold.errors import ConfigError
from rtbold.messages import TR_TOLERANCE, Reason, Tick
from rtbold.window.triggers import (
    JITTER_S,
    Grid,
    HeldTriggers,
    OtherTr,
    SliceCounter,
    TrWatch,
)

# Parts of the schedule: counts, and a beat while there is no grid.


@dataclass(frozen=True, slots=True)
class ScheduleCounts:
    """What happened to the triggers so far."""

    n_triggers: int = 0  # all that came
    n_double: int = 0  # ignored: too soon after the last one, or older than it
    n_stray: int = 0  # ignored: later than that and off the grid, or at another TR
    n_late: int = 0  # came after their volume's tick had to go without them
    n_flywheel: int = 0  # ticks at an extrapolated time
    n_implausible: int = 0  # ignored: times that cannot be, judged by the arrival
    n_missed: int = 0  # volumes without a trigger; not counted on while it pauses
    n_dummies: int = 0  # of all runs
    n_runs: int = 0  # trains of triggers


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


ScheduleMode = Literal["trigger", "free_run"]
ScheduleState = Literal[
    "waiting", "dummies", "locked", "flywheel", "triggers_lost", "tr_changed",
    "free_run",
]  # fmt: skip
LONGEST_TR_S = 20.0
SAME_S = 1e-6  # a trigger that is as far off as it may be is not too far by rounding
FOLLOWS_CLOSELY = 1.5  # TRs: with a longer silence before it, a trigger may begin a run
GOES_ON_AFTER = 3  # volumes that follow each other on a grid that was given up
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
    phase_tolerance: float = 0.05  # of a TR; a trigger further off the grid is held
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

    A trigger off the grid is held, and no volume. Up to two triggers may be missing in
    a row, so the grid stands until a third has not come. Only then have the held ones
    shown another grid. If they lack no volume since the old one (a pause of less than a
    TR), its count goes on.

    When the triggers come back after a pause, volumes are counted by time if the pause
    was short (`new_run_after_s`) and the trigger lies on the old grid; then only
    triggers were lost and the index still pairs with the scanner's volumes. Otherwise,
    and always with slice triggers, a new run begins: dummies and index start anew. A
    run split in two is seen; an index that is off by one is not.

    If the triggers keep another interval than the TR, ticks are paused (`tr_changed`)
    until two intervals are the TR again.

    Times are on this machine's LSL clock and come as arguments.
    """

    def __init__(self, settings: ScheduleSettings) -> None:
        tr_s = settings.tr_s
        self._settings = settings
        self._jitter_s = max(JITTER_S, settings.phase_tolerance * tr_s) + SAME_S
        self._grid: Grid | None = None
        self._before: Grid | None = None  # of the run before one trigger began another
        self._n_open_before = 0
        self._held = HeldTriggers(tr_s, self._jitter_s)
        self._ticked = -1  # newest volume that had its tick
        self._free_start_s: float | None = None
        self._beat = Beat(tr_s)
        self._pauses: tuple[Reason, ...] = ()
        self._counts = ScheduleCounts()
        self._watch = TrWatch(tr_s, settings.tr_tolerance, self._jitter_s)
        self._other_tr: OtherTr | None = None
        self._n_in_a_row = 0  # volumes of the old grid meanwhile
        self._slices = SliceCounter(
            settings.trigger_every, tr_s, settings.phase_tolerance
        )
        self._newest_s = math.nan  # trigger, of whatever kind
        self._trigger_lag_s = math.nan
        self._running_since_s = -math.inf

    @property
    def counts(self) -> ScheduleCounts:
        """Return the counters of the session."""
        missed = self._counts.n_missed + self._n_open()
        return replace(self._counts, n_missed=missed)

    @property
    def tr_mismatch(self) -> float | None:
        """Return the triggers' own TR in seconds if it is another one, once sure."""
        return None if self._other_tr is None else self._other_tr.interval_s

    @property
    def tr_was_right(self) -> bool:
        """Return whether two triggers of this session were a TR apart."""
        return self._watch.has_ever_fitted

    @property
    def running_since_s(self) -> float:
        """Return since when the scanner has run without a pause.

        The first trigger of the run, or the first after a pause inside it. Before a
        first trigger, and in a free run, it is minus infinity.
        """
        return self._running_since_s

    @property
    def trigger_lag_s(self) -> float:
        """Return how long after its time the newest trigger arrived; NaN: none yet."""
        return self._trigger_lag_s

    @property
    def state(self) -> ScheduleState:
        """Return what the grid rests on."""
        if self._settings.mode == "free_run":
            return "waiting" if self._free_start_s is None else "free_run"
        if self._grid is None:
            return "waiting"
        if self._other_tr is not None:
            return "tr_changed"
        n_without = self._ticked - self._grid.lock.volume
        if n_without > self._settings.max_flywheel:
            return "triggers_lost"
        if n_without > 0:
            return "flywheel"
        in_dummies = self._grid.lock.volume < self._settings.dummy_volumes
        return "dummies" if in_dummies else "locked"

    @property
    def next_due_s(self) -> float | None:
        """Return the time of the next tick; None while nothing is known."""
        if self._grid is None and self._free_start_s is None:
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
        silent = self._is_silent(t_s)
        kind = self._slices.kind(t_s)
        if kind == "volume":
            ticks = self._volume_trigger(t_s, silent=silent)
        else:
            ticks = []
            self._count(n_double=int(kind == "double"))
            if self._slices.lost and self._other_tr is None:
                self._other_tr = self._slices.other_tr
        self._newest_s = t_s
        return ticks

    def shift(self, seconds: float) -> None:
        """Follow a change of clock: add `seconds` to every time that is remembered."""
        for grid in (self._grid, self._before):
            if grid is not None:
                grid.shift(seconds)
        if self._free_start_s is not None:
            self._free_start_s += seconds
        self._held.shift(seconds)
        self._slices.shift(seconds)
        self._watch.shift(seconds)
        self._newest_s += seconds
        self._running_since_s += seconds
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
        wait_s = 0.0 if self._grid is None else self._settings.wait_s
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
        self._grid = self._before = self._other_tr = None
        self._held.forget()
        self._slices.restart()
        self._beat.restart()

    def _count(self, **more: int) -> None:
        counts = self._counts
        sums = {name: getattr(counts, name) + n for name, n in more.items()}
        self._counts = replace(counts, **sums)

    def _n_open(self) -> int:
        """Return the volumes since the newest trigger, up to the one that paused."""
        if self._grid is None:
            return 0
        n_without = max(0, self._ticked - self._grid.lock.volume)
        return min(n_without, self._settings.max_flywheel + 1)

    def _time_of(self, volume: int) -> float:
        if self._grid is None:
            return (self._free_start_s or 0.0) + volume * self._settings.tr_s
        return self._grid.time_of(volume)

    def _is_silent(self, t_s: float) -> bool:
        """Return whether triggers had stopped when one comes at `t_s`, or a tick is."""
        every_s = max(self._settings.tr_s, self.tr_mismatch or 0.0)
        bridged_s = (self._settings.max_flywheel + 1) * every_s
        return t_s - self._newest_s > bridged_s + self._jitter_s

    # What a volume trigger is

    def _volume_trigger(self, t_s: float, *, silent: bool) -> list[Tick]:
        grid = self._grid
        if grid is None or self._starts_anew(t_s, grid, silent=silent):
            return self._start_run([t_s])
        since_s = t_s - grid.lock.t_s
        if since_s <= self._jitter_s:  # it bounces, or is older
            self._count(n_double=1)
            return []
        self._watch.add(t_s)
        if self._other_tr is not None and (times_s := self._watch.newest_in_tr):
            return self._back_in_tr(times_s, grid)
        self._look_at_tr(t_s, grid)
        if self._is_another_train:
            return self._at_another_tr(t_s, grid)
        return self._place(t_s, grid)

    def _place(self, t_s: float, grid: Grid) -> list[Tick]:
        """Take a trigger by where it lies on the grid."""
        volume = grid.volume_at(t_s, in_train=self._held.are_train(t_s))
        if volume is None or volume <= grid.lock.volume:
            return self._off_grid(t_s, grid)
        lost = volume - grid.lock.volume > self._settings.max_flywheel + 1
        if lost and not self._same_run(t_s, grid):
            return self._start_run([t_s])
        return self._accept(t_s, volume, grid)

    def _starts_anew(self, t_s: float, grid: Grid, *, silent: bool) -> bool:
        """Return whether a trigger follows on nothing that is known."""
        if self._other_tr is not None:
            return silent
        return self.state == "triggers_lost" and t_s < grid.lock.t_s  # stepped back

    def _accept(self, t_s: float, volume: int, grid: Grid) -> list[Tick]:
        """Take the trigger of a volume of this run."""
        n = volume - grid.lock.volume
        bridged = self._settings.max_flywheel + 1
        ticks = self._without_triggers(min(volume, grid.lock.volume + bridged))
        late = volume <= self._ticked
        self._count(n_missed=n - 1, n_late=int(late))
        grid.add(t_s, volume)
        self._held.forget(t_s)
        if n > bridged:
            self._running_since_s = t_s
        return ticks if late else [*ticks, self._locked_tick(volume)]

    def _same_run(self, t_s: float, grid: Grid) -> bool:
        """Return whether triggers were lost while the scanner went on."""
        since_s = t_s - grid.lock.t_s
        counted = self._settings.trigger_every == 1 and grid.confirmed
        return counted and 0 < since_s <= self._settings.new_run_after_s

    def _start_run(self, times_s: Sequence[float]) -> list[Tick]:
        """Begin a run with its first triggers; only the newest makes a tick."""
        n_open = self._n_open()
        self._count(n_runs=1, n_missed=n_open)
        if self._grid is None or self._grid.confirmed:
            self._before, self._n_open_before = self._grid, n_open
        self._set_grid(times_s, first=0)
        self._watch.restart(times_s)
        return [self._locked_tick(len(times_s) - 1)]

    def _set_grid(self, times_s: Sequence[float], *, first: int) -> None:
        self._grid = Grid(
            times_s,
            first,
            tr_s=self._settings.tr_s,
            jitter_s=self._jitter_s,
            bridged=self._settings.max_flywheel,
        )
        self._held.forget()
        self._other_tr = None
        self._running_since_s = times_s[0]

    # Triggers off the grid

    def _off_grid(self, t_s: float, grid: Grid) -> list[Tick]:
        """Hold a trigger that is of no volume, until there is no grid any more."""
        before = self._before
        if before is not None and not grid.confirmed and self._same_run(t_s, before):
            volume = before.volume_at(t_s)
            if volume is not None:  # what began this run was a stray trigger
                self._grid, self._before = before, None
                self._ticked = volume - 1
                self._count(n_missed=-self._n_open_before)
                return self._accept(t_s, volume, before)
        train_s = self._held.train_to(t_s)
        shown = len(train_s) > 1 or not self._follows_closely(t_s)
        if shown and grid.n_missed(t_s) > self._settings.max_flywheel:
            return self._new_grid(train_s, grid)
        soon_s = self._settings.double_fraction * self._settings.tr_s
        soon = t_s - grid.lock.t_s < soon_s
        self._count(n_double=int(soon), n_stray=int(not soon))
        self._held.hold(t_s)
        grid.note(t_s)
        return []

    def _follows_closely(self, t_s: float) -> bool:
        """Return whether triggers have come all the time: then one alone is no run."""
        return t_s - self._newest_s <= FOLLOWS_CLOSELY * self._settings.tr_s

    def _new_grid(self, train_s: list[float], grid: Grid) -> list[Tick]:
        """Follow a train to another grid: in the same run if no volume is missing."""
        tr_s = self._settings.tr_s
        volume = grid.lock.volume + len(train_s) - 1
        if grid.confirmed:  # else that one was stray, and the train begins the run
            volume += 1
            # near two TRs it may lack a volume, or not
            missing = train_s[0] - grid.lock.t_s > 2 * (tr_s - self._jitter_s)
            if missing or len(train_s) < 2 or self._settings.trigger_every > 1:
                return self._start_run(train_s)
        bridged = grid.lock.volume + self._settings.max_flywheel
        if volume <= min(self._ticked, bridged):  # that number has been
            return self._start_run(train_s)
        ticks = self._without_triggers(min(volume, bridged + 1))
        self._set_grid(train_s, first=volume - len(train_s) + 1)
        return [*ticks, self._locked_tick(volume)]

    # Triggers at another TR

    def _look_at_tr(self, t_s: float, grid: Grid) -> None:
        """See whether the triggers keep the TR, once a volume's would be due."""
        due_s = grid.lock.t_s + self._settings.tr_s
        if t_s < due_s - self._jitter_s:
            return
        found = self._watch.other_tr(missed=t_s > due_s + self._jitter_s)
        known = self._other_tr
        if found is None or (known is not None and found.n <= known.n):
            return
        was_multiple = known is None or known.is_multiple
        if known is None:
            self._n_in_a_row = 0
        self._other_tr = replace(found, is_multiple=found.is_multiple and was_multiple)

    @property
    def _is_another_train(self) -> bool:
        """Whether triggers are of no volume of this grid; else some may be missing."""
        return self._other_tr is not None and not self._other_tr.is_multiple

    def _at_another_tr(self, t_s: float, grid: Grid) -> list[Tick]:
        """Take a trigger that is no volume's, or of a grid that goes on all the same.

        Stray and missing triggers can look like another TR for a moment. Then three
        volumes in a row have their triggers, whatever comes between.
        """
        assert self._other_tr is not None  # the caller looked
        volume = grid.volume_at(t_s)
        if self._other_tr.confirmed or volume is None or volume <= grid.lock.volume:
            self._count(n_stray=1)
            return []
        in_a_row = volume == grid.lock.volume + 1
        self._n_in_a_row = self._n_in_a_row + 1 if in_a_row else 0
        if self._n_in_a_row < GOES_ON_AFTER:
            grid.add(t_s, volume)
            self._count(n_stray=1)
            return []
        return self._go_on(t_s, volume, grid)

    def _back_in_tr(self, times_s: list[float], grid: Grid) -> list[Tick]:
        """Take the newest trigger, the third of three that are a TR apart again."""
        assert self._other_tr is not None  # the caller looked
        doubtful = self._other_tr.is_multiple or not self._other_tr.confirmed
        volume = grid.volume_at(times_s[-1])
        if volume is not None and doubtful and self._same_run(times_s[-1], grid):
            return self._go_on(times_s[-1], volume, grid)
        return self._start_run(times_s)

    def _go_on(self, t_s: float, volume: int, grid: Grid) -> list[Tick]:
        """Leave the pause in the same run: triggers were stray or missing, no more."""
        ticks = self._without_triggers(volume) if self._is_another_train else []
        self._other_tr = None
        self._running_since_s = t_s
        return [*ticks, *self._accept(t_s, volume, grid)]

    # Ticks

    def _locked_tick(self, volume: int) -> Tick:
        self._ticked = volume
        return self._tick(volume, locked=True)

    def _without_triggers(self, until: int) -> list[Tick]:
        """Return the ticks of the volumes before `until` that have had none."""
        return [self._next_without_trigger() for _ in range(self._ticked + 1, until)]

    def _next_without_trigger(self) -> Tick:
        self._ticked += 1
        if self._grid is None:
            return self._tick(self._ticked, locked=False)
        t_s = self._time_of(self._ticked)
        if self._is_another_train:
            silent = self._is_silent(t_s)
            return self._paused_tick(t_s, "triggers_lost" if silent else "tr_changed")
        if self._ticked - self._grid.lock.volume > self._settings.max_flywheel:
            return self._paused_tick(t_s, "triggers_lost")
        self._count(n_flywheel=1)
        return self._tick(self._ticked, locked=False)

    def _tick(self, volume: int, *, locked: bool) -> Tick:
        t_s = self._time_of(volume)
        index = volume - self._settings.dummy_volumes
        if index < 0:
            self._count(n_dummies=1)
            return self._paused_tick(t_s, "waiting_for_scanner")
        changed: tuple[Reason, ...] = ("tr_changed",) if self._other_tr else ()
        return Tick(index, t_s, locked, (*changed, *self._pauses))

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
    if after.n_double > before.n_double or after.n_stray > before.n_stray:
        return "double"
    if after.n_dummies > before.n_dummies:
        return "dummy"
    return "volume" if ticks else "late"
