"""Block-bootstrap interval of R for autocorrelated series. Pure."""

from typing import Final

import numpy as np
from scipy import stats

from rtbold.autocorrelation import autocorrelation
from rtbold.calibration.evaluate.nulls import CROSS_FITTED_REUSE, Pairing
from rtbold.messages import FloatArray

CONFIDENCE: Final = 0.95
N_RESAMPLES: Final = 1000
_LARGEST_R: Final = 1 - 1e-9


def block_length(pair: Pairing) -> float:
    """Return the mean block in volumes, from the autocorrelation of what R averages.

    R is asymptotically the mean of ``a b - r (a^2 + b^2) / 2`` (its influence function,
    `a` and `b` standardised); the block is the one that suits the stationary bootstrap
    of that mean (Politis and White 2004, corrected 2009). One block for all columns:
    the mean of theirs, because single estimates scatter.
    """
    a, b = (_standard(series[pair.mask]) for series in (pair.predicted, pair.measured))
    influence = a * b - pair.r * (a**2 + b**2) / 2
    return float(np.mean([_politis_white(column) for column in influence.T]))


def bootstrap_interval(
    pair: Pairing, block_n: float, *, seed: int, cross_fitted: bool
) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the 95 % interval of R per column.

    Stationary bootstrap (Politis and Romano 1994) of the pairs of volumes; the interval
    is normal on Fisher's z with the bootstrap's standard error, widened for
    cross-fitted predictions as the null is (see `nulls`): percentiles as they stand
    covered 79 to 91 % of simulated scans. A column that does not vary has (-1, 1).
    """
    n = int(pair.mask.sum())
    a, b = (_standard(series[pair.mask]) for series in (pair.predicted, pair.measured))
    weights = _resampled(n, block_n, seed) / n  # (resamples, volumes)
    mean_a, mean_b = weights @ a, weights @ b
    covariance = weights @ (a * b) - mean_a * mean_b
    power = (weights @ a**2 - mean_a**2) * (weights @ b**2 - mean_b**2)
    varies = (power > 0).all(axis=0)
    r = covariance / np.sqrt(np.where(power > 0, power, 1.0))
    error = np.arctanh(np.clip(r, -_LARGEST_R, _LARGEST_R)).std(axis=0)
    if cross_fitted:
        error = error * np.sqrt(CROSS_FITTED_REUSE)
    half = stats.norm.ppf(0.5 + CONFIDENCE / 2) * error
    z = np.arctanh(np.clip(pair.r, -_LARGEST_R, _LARGEST_R))
    low: FloatArray = np.where(varies, np.tanh(z - half), -1.0)
    high: FloatArray = np.where(varies, np.tanh(z + half), 1.0)
    return low, high


def _standard(series: FloatArray) -> FloatArray:
    sd = series.std(axis=0)
    standard: FloatArray = (series - series.mean(axis=0)) / np.where(sd > 0, sd, 1.0)
    return standard


def _resampled(n: int, block_n: float, seed: int) -> FloatArray:
    """Return how often each resample holds each volume, (resamples, volumes).

    Blocks begin anywhere, have geometric lengths and wrap around the end.
    """
    rng = np.random.default_rng(seed)
    begins = rng.random((N_RESAMPLES, n)) < 1 / block_n
    begins[:, 0] = True
    position = np.arange(n)
    last = np.maximum.accumulate(np.where(begins, position, 0), axis=1)
    start = np.take_along_axis(rng.integers(0, n, (N_RESAMPLES, n)), last, axis=1)
    volume = (start + position - last) % n
    flat = volume + n * np.arange(N_RESAMPLES)[:, None]
    counts = np.bincount(flat.ravel(), minlength=N_RESAMPLES * n)
    return counts.reshape(N_RESAMPLES, n).astype(np.float64)


def _politis_white(series: FloatArray) -> float:
    """Return the mean block for the stationary bootstrap of a series' mean, >= 1."""
    n = len(series)
    quiet_n = max(5, int(np.sqrt(np.log10(n))))
    largest = int(np.ceil(np.sqrt(n))) + quiet_n
    rho = autocorrelation((series - series.mean())[:, None], largest + quiet_n)[:, 0]
    small = np.abs(rho) < 2 * np.sqrt(np.log10(n) / n)
    # The lag after which `quiet_n` lags in a row are nothing.
    last = next(
        (lag for lag in range(largest) if small[lag + 1 : lag + 1 + quiet_n].all()),
        largest,
    )
    width = min(2 * max(last, 1), largest)
    lags = np.arange(-width, width + 1)
    taper = np.clip(2 * (1 - np.abs(lags) / width), 0, 1)  # flat top
    tapered = taper * rho[np.abs(lags)]
    slope, density = (np.abs(lags) * tapered).sum(), tapered.sum()
    if density == 0:
        return 1.0
    block = (slope**2 / density**2 * n) ** (1 / 3)
    return float(np.clip(block, 1.0, np.ceil(min(3 * np.sqrt(n), n / 3))))
