"""What subjects say together: medians, means and paired differences. Pure.

Subjects are the sample. Scans of one subject are averaged first, so that two sessions
of one person do not count as two persons.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from rtbold.messages import FloatArray

N_RESAMPLES: Final = 10_000
CONFIDENCE: Final = 0.95
N_OF_COLUMNS: Final = 2000  # the same, of many columns at once
LEAST_N: Final = 3  # subjects; fewer have no interval


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """Median and mean over subjects, with 95 % intervals; None: too few subjects."""

    n: int
    median: float
    low: float | None  # of the median
    high: float | None
    mean: float
    mean_low: float | None
    mean_high: float | None


def by_subject(values: FloatArray, subjects: Sequence[str]) -> FloatArray:
    """Return one row a subject, in order of first appearance: the mean of its rows.

    Parameters
    ----------
    values : (scans, ...); nan: not known there.
    """
    names = list(dict.fromkeys(subjects))
    owner = np.array([names.index(subject) for subject in subjects], dtype=int)
    means: FloatArray = np.stack(
        [_mean_of_known(values[owner == place]) for place in range(len(names))]
    )
    return means


def estimate(values: FloatArray, *, seed: int = 0) -> Estimate:
    """Return median and mean of one value a subject, intervals by bootstrap.

    Parameters
    ----------
    values : (subjects,), finite.
    """
    drawn = _resampled(values, seed=seed)
    low, high = _percentiles(np.median(drawn, axis=1))
    mean_low, mean_high = _percentiles(drawn.mean(axis=1))
    return Estimate(
        n=len(values),
        median=float(np.median(values)),
        low=_known(low),
        high=_known(high),
        mean=float(values.mean()),
        mean_low=_known(mean_low),
        mean_high=_known(mean_high),
    )


def effect(difference: FloatArray, *, seed: int = 0) -> dict[str, float]:
    """Return mean and Cohen's dz (mean over sd) of paired differences over subjects.

    Intervals are of 95 %, percentiles of a bootstrap over subjects; nan where there are
    fewer than three. One subject alone has no spread, so its dz is nan.
    """
    drawn = _resampled(difference, seed=seed)
    means = drawn.mean(axis=1)
    sd = drawn.std(axis=1, ddof=1) if drawn.shape[1] > 1 else np.zeros(len(drawn))
    usable = sd > 1e-12  # a resample of one subject alone has no spread
    spread = float(difference.std(ddof=1)) if len(difference) > 1 else np.nan
    low, high = _percentiles(means)
    dz_low, dz_high = _percentiles(means[usable] / sd[usable])
    return {
        "n": len(difference),
        "mean": float(difference.mean()),
        "low": low,
        "high": high,
        "dz": 0.0 if spread == 0 else float(difference.mean() / spread),
        "dz_low": dz_low,
        "dz_high": dz_high,
    }


def mean_with_interval(values: FloatArray, *, seed: int = 0) -> dict[str, float]:
    """Return the mean of one value a scan with its 95 % bootstrap interval."""
    low, high = _percentiles(_resampled(values, seed=seed, least_n=1).mean(axis=1))
    return {"n": len(values), "mean": float(values.mean()), "low": low, "high": high}


def _resampled(values: FloatArray, *, seed: int, least_n: int = LEAST_N) -> FloatArray:
    """Return (resamples, n); nothing where there are too few to draw from."""
    n = len(values)
    if n < least_n:
        return np.empty((0, n))
    rng = np.random.default_rng(seed)
    drawn: FloatArray = values[rng.integers(0, n, (N_RESAMPLES, n))]
    return drawn


def _percentiles(values: FloatArray) -> tuple[float, float]:
    if not len(values):
        return float("nan"), float("nan")
    half = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [half, 1 - half])
    return float(low), float(high)


def _mean_of_known(rows: FloatArray) -> FloatArray:
    """Return the mean over rows; nan where no row is known."""
    known = np.isfinite(rows)
    n = known.sum(axis=0)
    total = np.where(known, rows, 0.0).sum(axis=0)
    mean: FloatArray = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    return mean


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def medians(
    values: FloatArray, *, seed: int = 0
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return median and the ends of its 95 % interval, of each column.

    Parameters
    ----------
    values : (subjects, columns). The same subjects are drawn for all columns.
    """
    median: FloatArray = np.median(values, axis=0)
    n = len(values)
    if n < LEAST_N:
        nothing = np.full(values.shape[1], np.nan)
        return median, nothing, nothing
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, n, (N_OF_COLUMNS, n))
    found = np.stack([np.median(column[drawn], axis=1) for column in values.T])
    half = (1 - CONFIDENCE) / 2
    low, high = np.quantile(found, [half, 1 - half], axis=1)
    return median, low, high
