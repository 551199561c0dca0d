"""How many independent samples autocorrelated series hold. Pure.

Series are (volumes, columns) on a regular grid of volumes. A volume that is missing is
0 in a series without mean, and False in the mask.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtbold.messages import FloatArray

BoolArray = NDArray[np.bool_]

MAX_LAG_SHARE: Final = 0.25  # of the series; later lags are too few products to tell
MIN_EFFECTIVE_N: Final = 3.0


def autocorrelation(series: FloatArray, n_lags: int) -> FloatArray:
    """Return lags 0 to `n_lags` of each column, (lags + 1, columns).

    The biased estimate (sums over n, not over n - lag): it falls to 0 by itself, and
    missing volumes weigh nothing. A constant column is 1 at lag 0 and 0 after it.
    """
    n = len(series)
    spectrum = np.fft.rfft(series, 2 * n, axis=0)
    sums = np.fft.irfft(np.abs(spectrum) ** 2, 2 * n, axis=0)[: n_lags + 1]
    power = np.where(sums[0] > 0, sums[0], 1.0)
    ratio: FloatArray = sums / power
    ratio[0] = 1.0
    return ratio


def effective_n(a: FloatArray, b: FloatArray, mask: BoolArray) -> FloatArray:
    """Return the independent pairs that each column of two series amounts to.

    ``n / (1 + 2 sum_l (1 - l/n) rho_a(l) rho_b(l))`` up to a quarter of the series
    (Bartlett 1935, 1946): what the variance of R between unrelated series of this
    autocorrelation asks for. Between 3 and n.

    Parameters
    ----------
    a, b : (volumes, columns), without mean; 0 where missing.
    mask : (volumes,), False where missing.
    """
    n = len(mask)
    lags = np.arange(1, int(n * MAX_LAG_SHARE) + 1)
    weight = (1 - lags / n)[:, None]
    products = autocorrelation(a, len(lags))[1:] * autocorrelation(b, len(lags))[1:]
    return _bounded(mask, 1 + 2 * (weight * products).sum(axis=0))


def effective_n_of_mean(series: FloatArray, mask: BoolArray) -> FloatArray:
    """Return the independent samples that the mean of each column rests on.

    The sum over lags ends where the autocorrelation first falls below 0 (Geyer 1992),
    because the biased estimate sums to nothing over all lags.
    """
    n_lags = int(len(mask) * MAX_LAG_SHARE)
    rho = autocorrelation(series, n_lags)[1:]
    before_zero = np.cumprod(rho > 0, axis=0)
    return _bounded(mask, 1 + 2 * (rho * before_zero).sum(axis=0))


def _bounded(mask: BoolArray, inflation: FloatArray) -> FloatArray:
    n = float(mask.sum())
    least = min(MIN_EFFECTIVE_N, n)
    bounded: FloatArray = np.clip(n / np.maximum(inflation, 1e-9), least, n)
    return bounded
