"""When was a sample taken? Time is a line through (sample count, corrected stamp).

Samples are counted; stamps only steer a robust line. The line changes at fixed counts
(every second of samples) and knows only samples before that count, so it depends on
the samples and never on how they were cut into chunks.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from rtbold.condition.clock_model import (
    ArrivalLags,
    Chunk,
    ClockModel,
    History,
    Jump,
    JumpKind,
    Observations,
    Run,
    SmallJumpKind,
    SmallJumps,
    StampLevels,
    StampRuns,
    fit_clock_model,
)
from rtbold.errors import ConfigError
from rtbold.messages import FloatArray

POINTS_PER_S = 100.0  # of the history that is fitted
LINE_MEMORY_S = 60.0  # how far back `drift_s` can look
NEWEST_S = 0.25  # of stamps whose median is held against the line
OFF_BY_CHANCE = 8.0  # standard deviations of single stamps
SMALL_JUMPS_AFTER_S = 0.9  # of history: a stream's jitter must be known for them


@dataclass(frozen=True)
class SampleClockSettings:
    """How stamps steer the line, and what counts as a jump."""

    rate_hz: float  # nominal
    window_s: float = 10.0  # of history under the line
    update_s: float = 1.0  # of samples between two fits; also until settled
    jump_min_s: float = 0.1
    small_jump_s: float = 0.05  # too small for a jump, and still told
    jump_p95_factor: float = 4.0  # times the 95th percentile of |residual|
    jump_unsettled_s: float = (
        0.5  # before the first fit: the stream's jitter is unknown
    )
    arrival_tolerance_s: float = 0.5  # "the arrival clock advanced likewise"
    backlog_s: float = 1.0  # a lag above this is old data, and no reference
    longest_run_s: float = 0.5  # of equal stamps

    def __post_init__(self) -> None:
        """Refuse what no stream has."""
        if not 0 < self.rate_hz < 1e6:
            raise ConfigError(
                f"rate_hz is {self.rate_hz!r}, expected a nominal rate above 0; "
                "an irregular stream (rate 0) cannot be an EEG source"
            )

    @property
    def update_n(self) -> int:
        """Return the samples between two fits."""
        return max(2, round(self.update_s * self.rate_hz))

    @property
    def window_n(self) -> int:
        """Return the samples under the line, a whole number of updates."""
        return self.update_n * round(self.window_s / self.update_s)


@dataclass(frozen=True, slots=True)
class _Outlier:
    """One stamp off the line; the next one tells whether it stays."""

    start: int
    residual_s: float


class SampleClock:
    """Time of every sample, gaps and steps of the stamps.

    Samples are named by their source index, which comes with them; between two
    `restart` no index is left out. All times are on the clock of the stamps.

    A step of the stamps does not move the line: it is subtracted from all later
    stamps. A gap moves it, and the fit starts anew after it. ``settled`` is False for
    the first second after the start (whose jitter is unknown, so jumps below half a
    second pass unseen) and after a gap: no valid window may contain unsettled samples.
    """

    def __init__(self, settings: SampleClockSettings) -> None:
        self._settings = settings
        self.restart()

    def restart(self, *, step_s: float = 0.0) -> None:
        """Forget everything: the next sample begins another stream."""
        settings = self._settings
        rate_hz = settings.rate_hz
        longest_n = max(2, round(settings.longest_run_s * rate_hz))
        self._runs = StampRuns(rate_hz, longest_n)
        bucket_n = max(1, round(rate_hz / POINTS_PER_S))
        self._history = History(bucket_n, settings.window_n)
        self._levels = StampLevels(rate_hz)
        self._scatter_s = np.inf  # of single stamps about the line; not known yet
        self._line = ClockModel(0, np.nan, 1 / rate_hz)
        self._lines: deque[tuple[int, float]] = deque(
            maxlen=round(LINE_MEMORY_S / settings.update_s)
        )
        self._first_index: int | None = None  # source index of count 0
        self._n = 0  # count after the newest sample; the line lives on counts
        self._level_since = 0  # count of the last gap, or of the start
        self._jump_s = settings.jump_unsettled_s
        self._step_s = step_s  # subtracted from raw stamps
        self._step_since: int | None = None  # count of a step not yet refined
        self._watched_since: int | None = None  # count of a step that may hide a gap
        self._returnable_s = 0.0  # of a gap that may have been a late burst
        self._outlier: _Outlier | None = None
        self._small = SmallJumps(settings.update_n // 2)
        self._short_gap: Jump | None = None  # the last that was followed
        self._arrivals = ArrivalLags(settings.arrival_tolerance_s, settings.backlog_s)

    @property
    def at_update(self) -> bool:
        """Return whether the line was fitted just before the next sample."""
        return self._n > 0 and self._n % self._settings.update_n == 0

    @property
    def until_update_n(self) -> int:
        """Return how many samples the line is kept for; the first comes alone."""
        update_n = self._settings.update_n
        return update_n - self._n % update_n if self._n else 1

    @property
    def settled(self) -> bool:
        """Return whether the line rests on at least a second since start or gap."""
        level_n = self._n - self._level_since
        return len(self._lines) > 0 and level_n >= self._settings.update_n

    @property
    def step_s(self) -> float:
        """Return the sum of all stamp steps, taken out of the times."""
        return self._step_s

    @property
    def effective_rate_hz(self) -> float:
        """Return the rate at which samples really come (last 10 s)."""
        return 1 / self._line.period_s

    def time_of(self, source_index: float) -> float:
        """Return the time of a sample; NaN before the first one."""
        return self._line.time_of(source_index - (self._first_index or 0))

    def drift_s(self, n_samples: int) -> float:
        """Return by how much the last samples took longer than at nominal rate.

        Looks back no further than the last gap. A sample clock off by 0.05 % makes
        8 ms in 16 s, one sample lost in a hundred 160 ms.
        """
        if not self._lines:
            return 0.0
        counts, times = zip(*self._lines, strict=True)
        start = max(counts[0], counts[-1] - n_samples)
        nominal_s = (counts[-1] - start) / self._settings.rate_hz
        return float(times[-1] - np.interp(start, counts, times) - nominal_s)

    def wander_s(self, source_first: int, source_end: int) -> float:
        """Return by how much stamps and count move apart within a window.

        Unlike `drift_s` it rests on the window's own samples alone: a loss is seen when
        it has just begun, and for as long as a sample of it is in the window. 0: no
        more than this stream's stamps vary by chance.

        Parameters
        ----------
        source_first, source_end : of a window that ends near the newest sample.
        """
        at = self._first_index or 0
        # The stamp of the newest sample is believed once the next one is seen
        end = source_end - at - 1
        newest = self._history.between(end - self._settings.update_n, end)
        return self._levels.span_s(source_first - at, *newest)

    def newest_off_s(self, source_end: int) -> float:
        """Return by how much the newest stamps are off the line.

        The line was fitted up to a second ago, to ten seconds: what changed since then
        is not in it yet. 0: no more than single stamps of this stream are.

        Parameters
        ----------
        source_end : of a window that ends near the newest sample.
        """
        end = source_end - (self._first_index or 0) - 1
        n = max(round(NEWEST_S * self._settings.rate_hz), 2)
        counts, stamps_s = self._history.between(end - n, end)
        if not len(counts):
            return 0.0
        off_s = float(np.median(stamps_s - self._line.times_of(counts)))
        return abs(off_s) if abs(off_s) > OFF_BY_CHANCE * self._scatter_s else 0.0

    def push(
        self, stamps_s: FloatArray, t_arrived_s: float, source_index: int
    ) -> tuple[Jump, ...]:
        """Follow the stamps of the next samples.

        Parameters
        ----------
        stamps_s : (n,), corrected: raw stamp plus clock offset.
        t_arrived_s : when the chunk came, on the same clock; NaN: unknown.
        source_index : of the first of them.

        Returns
        -------
        The jumps that became certain, in order.
        """
        if len(stamps_s) == 0:
            return ()
        if not np.isfinite(stamps_s.sum()):  # infinite stamps are no better than NaN
            stamps_s = np.where(np.isfinite(stamps_s), stamps_s, np.nan)
        if self._first_index is None:
            self._first_index = source_index
            self._line = ClockModel(
                0, float(stamps_s[0]) - self._step_s, self._line.period_s
            )
        self._n = source_index - self._first_index
        jumps = self._missing_at_step()
        update_n = self._settings.update_n
        chunk = Chunk(self._n, self._n + len(stamps_s) - 1, t_arrived_s)
        while self._n <= chunk.last:
            done = self._n - chunk.first
            n = min(len(stamps_s) - done, update_n - self._n % update_n)
            seen = self._runs(stamps_s[done : done + n], self._n)
            self._classify(seen, chunk, jumps)
            self._n += n
            if self._n % update_n == 0:
                self._update()
        self._arrivals.add(t_arrived_s - self._line.time_of(chunk.last))
        return tuple(jumps)

    def _classify(self, seen: Observations, chunk: Chunk, jumps: list[Jump]) -> None:
        """Compare stamps with the line; keep those that fit it."""
        corrected = seen.stamps_s - self._step_s
        residuals = corrected - self._line.times_of(seen.ends)
        if self._outlier is None and bool((np.abs(residuals) <= self._jump_s).all()):
            if not self._small.quiet(residuals):
                for run in seen.runs():
                    self._watch_small(run, chunk, jumps)
            self._history.add(seen.ends, corrected)
            return
        for run in seen.runs():
            jump = self._classify_run(run, chunk)
            if jump is not None:
                jumps.append(jump)
                self._small.clear()
            if self._outlier is None:
                self._watch_small(run, chunk, jumps)
                corrected = np.array([run.stamp_s - self._step_s])
                self._history.add(np.array([run.end]), corrected)

    def _classify_run(self, run: Run, chunk: Chunk) -> Jump | None:
        corrected_s = run.stamp_s - self._step_s
        residual_s = corrected_s - self._line.time_of(run.end)
        before, self._outlier = self._outlier, None
        if np.isnan(residual_s):  # the first stamp was not a number
            self._line = ClockModel(run.end, corrected_s, self._line.period_s)
            return None
        if abs(residual_s) <= self._jump_s:
            return None
        start = run.start
        if before is not None and before.residual_s * residual_s > 0:
            start = before.start
            residual_s = min(before.residual_s, residual_s, key=abs)
        elif run.end == run.start:  # one stamp alone may be a bad stamp
            self._outlier = _Outlier(start, residual_s)
            return None
        lag_s = chunk.lag_s(run.end, corrected_s, period_s=self._line.period_s)
        return self._follow(start, residual_s, chunk=chunk, lag_s=lag_s)

    def _watch_small(self, run: Run, chunk: Chunk, jumps: list[Jump]) -> None:
        """Tell of stamps that leave the line by less than a jump, or are back on it."""
        corrected_s = run.stamp_s - self._step_s
        residual_s = corrected_s - self._line.time_of(run.end)
        back = self._small.takes_back(run, residual_s)
        if back is not None:
            at, n = back.source_index, back.n_missing
            jumps.append(self._jump(at, "taken_back", back.seconds, n_missing=n))
        begun = self._small.begins(run, residual_s)
        if begun is None:
            return
        count, seconds = begun
        lag_s = chunk.lag_s(run.end, corrected_s, period_s=self._line.period_s)
        gap = self._arrivals.classify(seconds, lag_s) == "gap"
        gap |= self._returns_from_short_gap(count, seconds)
        kind: SmallJumpKind = "short_gap" if gap else "short_step"
        n_missing = max(self._n_missing(seconds), 0) if gap else 0
        self._small.noticed = Jump(count, kind, seconds, n_missing)
        jumps.append(self._jump(count, kind, seconds, n_missing=n_missing))

    def _returns_from_short_gap(self, count: int, seconds: float) -> bool:
        gap = self._short_gap
        if gap is None or count - gap.source_index > self._settings.window_n:
            return False
        return 0 < -seconds <= gap.seconds + self._small.bound_s / 2

    def _follow_small(self) -> None:
        """Take over a small jump that stayed; what was before moves along."""
        jump = self._small.noticed
        settings = self._settings
        if jump is None or self._n - jump.source_index < settings.update_n // 2:
            return
        counts, stamps_s = self._history.before(self._n)
        after = counts >= jump.source_index
        if not after.any():
            return
        residuals = stamps_s[after] - self._line.times_of(counts[after])
        seconds = float(np.median(residuals))
        if jump.kind == "short_gap":
            self._line = self._line.shifted(seconds)
            self._history.shift_before(jump.source_index, seconds)
            self._short_gap = jump
        else:
            self._step_s += seconds
            self._history.shift(jump.source_index, -seconds)
        self._small.clear()

    def _follow(
        self, count: int, seconds: float, *, chunk: Chunk, lag_s: float
    ) -> Jump:
        """Move the line (gap) or the stamps (step)."""
        kind = self._arrivals.classify(seconds, lag_s)
        if kind == "gap":
            self._start_level(count, seconds)
            self._returnable_s = seconds
        elif self._returns(count, seconds, lag_s):
            self._start_level(count, seconds)
            self._returnable_s += seconds
        else:
            self._step_s += seconds
            self._step_since = self._watched_since = count
            self._arrivals.watch()
        n_missing = self._n_missing(seconds) if kind == "gap" else 0
        return self._jump(count, kind, seconds, n_missing=n_missing)

    def _missing_at_step(self) -> list[Jump]:
        """Return the gap that hid in a step, known by arrivals that stay late."""
        since = self._watched_since
        if since is None or self._n - since < 2 * self._settings.update_n:
            return []
        self._watched_since = None
        gap_s = self._arrivals.stays_late_s
        if gap_s == 0:
            return []
        self._step_s -= gap_s
        self._start_level(self._n, gap_s)
        n_missing = self._n_missing(gap_s)
        return [self._jump(self._n, "gap", gap_s, n_missing=n_missing)]

    def _n_missing(self, seconds: float) -> int:
        return round(seconds * self._settings.rate_hz)

    def _jump(
        self,
        count: int,
        kind: JumpKind | SmallJumpKind,
        seconds: float,
        *,
        n_missing: int = 0,
    ) -> Jump:
        return Jump(count + (self._first_index or 0), kind, seconds, n_missing)

    def _returns(self, count: int, seconds: float, lag_s: float) -> bool:
        """Return whether a backward jump takes a recent forward one back.

        A sender that stalls and stamps at sending looks like a gap at first.
        """
        recent = count - self._level_since <= self._settings.window_n
        within = 0 < -seconds <= self._returnable_s + self._jump_s
        return recent and within and not self._arrivals.late(lag_s)

    def _start_level(self, count: int, seconds: float) -> None:
        """Let the line jump; what was before says nothing about the level after."""
        self._line = self._line.shifted(seconds)
        self._level_since = count
        self._step_since = None
        self._history.clear()
        self._levels.clear()
        self._lines.clear()
        self._small.clear()
        self._small.bound_s = np.inf

    def _update(self) -> None:
        """Fit the line to the samples before this count."""
        settings = self._settings
        self._refine_step()
        self._follow_small()
        counts, stamps_s = self._history.before(self._n)
        newest = counts >= self._n - settings.update_n
        self._levels.add(self._n, counts[newest], stamps_s[newest])
        if len(counts) >= 3:
            line = ClockModel(
                self._n, self._line.time_of(self._n), 1 / settings.rate_hz
            )
            line, residuals = fit_clock_model(counts, stamps_s, expected=line)
            self._line = line
            self._lines.append((self._n, line.t_s))
            self._scatter_s = 1.4826 * float(np.median(np.abs(residuals)))
            spread_s = float(np.percentile(np.abs(residuals), 95))
            bound_s = max(settings.jump_min_s, settings.jump_p95_factor * spread_s)
            long = counts[-1] - counts[0] >= settings.update_n // 2
            self._jump_s = bound_s if long else max(bound_s, self._jump_s)
            if counts[-1] - counts[0] >= SMALL_JUMPS_AFTER_S * settings.rate_hz:
                small_s = settings.jump_p95_factor * spread_s
                self._small.bound_s = max(settings.small_jump_s, small_s)
        if self._n % settings.window_n == 0:
            self._arrivals.turn()

    def _refine_step(self) -> None:
        """Measure a step again, now by many stamps: the line's level must not move."""
        since = self._step_since
        if since is None or self._n - since < self._settings.update_n // 2:
            return
        counts, stamps_s = self._history.before(self._n)
        after = counts >= since
        if after.any():
            residuals = stamps_s[after] - self._line.times_of(counts[after])
            error_s = float(np.median(residuals))
            self._step_s += error_s
            self._history.shift(since, -error_s)
        self._step_since = None
