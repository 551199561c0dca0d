"""R of prediction and measurement over the newest volumes, with its interval. Pure."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from rtbold.autocorrelation import BoolArray, effective_n
from rtbold.messages import FloatArray

ENOUGH_EFFECTIVE_N: Final = 20.0  # independent pairs; below, an R says nothing
LEAST_VOLUMES: Final = 8
HALF_95: Final = NormalDist().inv_cdf(0.975)  # of a normal distribution, in sd
_LARGEST_R: Final = 1 - 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class RollingR:
    """One R per column; nan where there is not enough to say one."""

    r: FloatArray  # (columns,)
    low: FloatArray  # (columns,), 95 % interval
    high: FloatArray
    n_eff: FloatArray  # (columns,), independent pairs (Bartlett)
    n: FloatArray  # (columns,), pairs


def rolling_r(predicted: FloatArray, measured: FloatArray) -> RollingR:
    """Return R of each column of two series; a straight line is taken off both.

    The interval is Fisher's with the effective number of pairs. Below 20 effective
    pairs there is no R at all.

    Parameters
    ----------
    predicted, measured : (volumes, columns) on a grid of volumes; nan: missing.
    """
    there: BoolArray = np.isfinite(predicted) & np.isfinite(measured)
    n_columns = there.shape[1]
    r, n_eff = np.full(n_columns, np.nan), np.zeros(n_columns)
    n = there.sum(axis=0).astype(np.float64)
    # Columns that miss the same volumes go together: usually that is all of them.
    masks, group = np.unique(there, axis=1, return_inverse=True)
    for k, mask in enumerate(masks.T):
        columns = np.flatnonzero(group.ravel() == k)
        n_eff[columns] = n[columns]
        if mask.sum() < LEAST_VOLUMES:
            continue
        a = _straightened(predicted[:, columns], mask)
        b = _straightened(measured[:, columns], mask)
        n_eff[columns] = effective_n(a, b, mask)
        r[columns] = _r(a, b)
    r = np.where(n_eff >= ENOUGH_EFFECTIVE_N, r, np.nan)
    low, high = fisher_interval(r, n_eff)
    return RollingR(r=r, low=low, high=high, n_eff=n_eff, n=n)


def fisher_interval(r: FloatArray, n_eff: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the 95 % interval of R that rests on `n_eff` pairs."""
    error = 1 / np.sqrt(np.maximum(n_eff - 3, 1e-9))
    half = HALF_95 * error
    z = np.arctanh(np.clip(r, -_LARGEST_R, _LARGEST_R))
    return np.tanh(z - half), np.tanh(z + half)


def _straightened(series: FloatArray, mask: BoolArray) -> FloatArray:
    """Return the series without its straight line, 0 where missing."""
    t = np.flatnonzero(mask).astype(np.float64)
    design = np.stack([np.ones_like(t), t - t.mean()], axis=1)
    weights = np.linalg.lstsq(design, series[mask], rcond=None)[0]
    straight = np.zeros_like(series)
    straight[mask] = series[mask] - design @ weights
    # What rounding leaves of a constant is no signal.
    size = np.abs(series[mask]).max(axis=0)
    straight[:, straight[mask].std(axis=0) <= 1e-9 * size] = 0.0
    return straight


def _r(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return R per column, nan for one that does not vary."""
    power = (a**2).sum(axis=0) * (b**2).sum(axis=0)
    r: FloatArray = (a * b).sum(axis=0) / np.sqrt(np.where(power > 0, power, np.nan))
    return r
