"""Did regulation work: effects of blocks, over runs and over sessions. Pure.

The unit of observation is the block, never the volume: the volumes of a block are far
from independent, and a test over volumes finds an effect in noise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from rtbold.messages import FloatArray
from rtbold.report.blocks import BlockSummary, RunSummary

LEVEL: Final = 0.95  # of every interval
FEWEST: Final = 2  # blocks from which an interval can be made
_BESIDE: Final = ("rest", "baseline")


@dataclass(frozen=True, slots=True)
class Effect:
    """A mean with its interval; None where there are too few to say."""

    mean: float
    low: float | None
    high: float | None
    n: int  # blocks, runs or sessions that it is the mean of
    size: float | None = None  # mean over sd of the blocks

    @property
    def found(self) -> bool:
        """Whether the interval lies wholly above zero."""
        return self.low is not None and self.low > 0


def regulation(runs: Iterable[RunSummary], kind: str = "training") -> Effect | None:
    """Return how far regulation moved the signal the way that was asked for.

    Each regulation block is held against the rest or baseline blocks right before and
    after it in its run; down counts as up. None: no such block.

    Parameters
    ----------
    kind : of the runs that count, ``training`` or ``transfer``.
    """
    return effect([d for run in runs if run.kind == kind for d in differences(run)])


def differences(run: RunSummary) -> tuple[float, ...]:
    """Return, for each regulation block, its mean less that of the rest beside it."""
    found = []
    for i, summary in enumerate(run.blocks):
        beside = _rest_beside(run.blocks, i)
        if summary.block.task != "regulate" or summary.mean is None or not beside:
            continue
        sign = -1.0 if summary.block.direction == "down" else 1.0
        found.append(sign * (summary.mean - float(np.mean(beside))))
    return tuple(found)


def _rest_beside(blocks: Sequence[BlockSummary], i: int) -> list[float]:
    """Return the means of the nearest rest before and after block `i`."""
    found = []
    for others in (reversed(blocks[:i]), iter(blocks[i + 1 :])):
        for other in others:
            if other.block.task in _BESIDE and other.mean is not None:
                found.append(other.mean)
                break
    return found


def effect(values: Sequence[float] | FloatArray) -> Effect | None:
    """Return the mean with its t interval; None: there is nothing to take it of."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    n = len(known)
    if not n:
        return None
    mean = float(known.mean())
    least = 1e-9 * float(np.abs(known).max())  # below, equal numbers differ by rounding
    if n < FEWEST or not (sd := float(known.std(ddof=1))) > least:
        return Effect(mean, None, None, n)
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * sd / n**0.5
    return Effect(mean, mean - half, mean + half, n, mean / sd)


def learning(groups: Sequence[Sequence[float]]) -> Effect | None:
    """Return the change of the effect from one run, or session, to the next.

    A straight line through all values against the number of their group. None: fewer
    than two groups, or than three values.

    Parameters
    ----------
    groups : the differences of each run in order, or the effects of each session.
    """
    x = np.array([k for k, group in enumerate(groups) for _ in group], float)
    y = np.array([value for group in groups for value in group], float)
    if len(set(x)) < 2 or len(y) < 3:
        return None
    line = stats.linregress(x, y)
    if not np.isfinite(line.stderr):
        return Effect(float(line.slope), None, None, len(y))
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(y) - 2)) * float(line.stderr)
    slope = float(line.slope)
    return Effect(slope, slope - half, slope + half, len(y))


def learning_over_runs(runs: Iterable[RunSummary]) -> Effect | None:
    """Return how the effect changes from training run to training run."""
    trained = [differences(run) for run in runs if run.kind == "training"]
    return learning([run for run in trained if run])
