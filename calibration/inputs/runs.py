"""Triggers counted into volumes, run by run, as the live loop's schedule counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtbold.errors import AmbiguousStream, ConfigError
from rtbold.messages import FloatArray, Tick
from rtbold.window.schedule import Schedule, ScheduleSettings


@dataclass(frozen=True, slots=True, eq=False)
class TriggerRun:
    """One train of triggers; volume 0 is at its first."""

    onsets_s: FloatArray  # (volumes,); nan: missed, with no trigger near enough
    found: np.ndarray  # (volumes,) bool: at a trigger of its own
    n_double: int

    def __len__(self) -> int:
        """Return the number of volumes, missed ones included."""
        return len(self.onsets_s)


def trigger_runs(
    times_s: FloatArray, tr_s: float, *, every: int = 1
) -> list[TriggerRun]:
    """Return the runs that a train of triggers holds.

    Parameters
    ----------
    times_s : rising.
    every : triggers a volume.
    """
    schedule = Schedule(ScheduleSettings(tr_s=tr_s, trigger_every=every))
    ticks: list[list[Tick]] = []
    doubles: list[int] = []
    for t_s in times_s.tolist():
        before = schedule.counts
        new = schedule.trigger(t_s, t_s)
        after = schedule.counts
        if after.n_runs > before.n_runs:
            ticks.append([])
            doubles.append(0)
        if ticks:
            ticks[-1] += new
            doubles[-1] += after.n_double - before.n_double
    return [_run(t, n_double) for t, n_double in zip(ticks, doubles, strict=True)]


def choose_run(runs: Sequence[TriggerRun], number: int | None, *, said: str) -> int:
    """Return the number (from 1) of the run that is meant.

    Raises
    ------
    ConfigError : there is no run of that number.
    AmbiguousStream : there are several, and none was named.
    """
    listed = "; ".join(
        f"run {k}: {len(run)} volumes from {run.onsets_s[0]:.1f} s"
        for k, run in enumerate(runs, start=1)
    )
    if number is not None:
        if not 1 <= number <= len(runs):
            raise ConfigError(
                f"--run is {number}, expected 1 to {len(runs)}. The triggers {said} "
                f"make {listed}."
            )
        return number
    if len(runs) != 1:
        raise AmbiguousStream(
            f"the triggers {said} make {len(runs)} runs, expected one: {listed}. Say "
            "which belongs to the BOLD: --run NUMBER"
        )
    return 1


def _run(ticks: Sequence[Tick], n_double: int) -> TriggerRun:
    counted = [(t.volume_index, t) for t in ticks if t.volume_index is not None]
    n = max((index for index, _ in counted), default=-1) + 1
    onsets_s, found = np.full(n, np.nan), np.zeros(n, dtype=bool)
    for index, tick in counted:
        onsets_s[index], found[index] = tick.t_trigger_s, tick.trigger_locked
    return TriggerRun(onsets_s, found, n_double)
