"""Bounds and effect sizes of the evaluation. Pure."""

import numpy as np
from scipy import stats

N_RESAMPLES = 10_000
CONFIDENCE = 0.95


def upper_bound(n_hits: int, n: int) -> float:
    """Return the one-sided 95 % bound of a share (Clopper and Pearson 1934)."""
    if n_hits == n:
        return 1.0
    return float(stats.beta.ppf(CONFIDENCE, n_hits + 1, n - n_hits))


def share(n_hits: int, n: int) -> dict[str, float]:
    """Return a share with its two-sided 95 % interval and its one-sided bound."""
    half = (1 - CONFIDENCE) / 2
    low = stats.beta.ppf(half, n_hits, n - n_hits + 1) if n_hits else 0.0
    high = stats.beta.ppf(1 - half, n_hits + 1, n - n_hits) if n_hits < n else 1.0
    return {
        "n": n,
        "hits": n_hits,
        "share": n_hits / n,
        "low": float(low),
        "high": float(high),
        "upper": upper_bound(n_hits, n),
    }


def clustered_upper(
    hits: np.ndarray, first: np.ndarray, second: np.ndarray, *, seed: int = 0
) -> float:
    """Return the one-sided 95 % bound of the mean over pairs of subjects.

    Subjects are resampled, and a pair counts as often as both of its subjects together
    (product of their counts), so what pairs with a subject in common share is in it.

    Parameters
    ----------
    hits : (pairs,), a share each.
    first, second : (pairs,), number of the subject of the EEG and of the BOLD.
    """
    subjects, code = np.unique(np.concatenate([first, second]), return_inverse=True)
    a, b = np.split(code, 2)
    rng = np.random.default_rng(seed)
    n = len(subjects)
    counts = rng.multinomial(n, np.full(n, 1 / n), N_RESAMPLES)
    weights = counts[:, a] * counts[:, b]  # (resamples, pairs)
    total = weights.sum(axis=1)
    means = (weights @ hits)[total > 0] / total[total > 0]
    return float(np.quantile(means, CONFIDENCE))


def effect(difference: np.ndarray, *, seed: int = 0) -> dict[str, float]:
    """Return mean and Cohen's dz (mean over sd) of paired differences over subjects.

    Intervals are of 95 %, percentiles of a bootstrap over subjects.
    """
    n = len(difference)
    rng = np.random.default_rng(seed)
    drawn = difference[rng.integers(0, n, (N_RESAMPLES, n))]
    means = drawn.mean(axis=1)
    sd = drawn.std(axis=1, ddof=1)
    usable = sd > 1e-12  # a resample of one subject alone has no spread
    dz = means[usable] / sd[usable]
    spread = float(difference.std(ddof=1))
    low, high = _percentiles(means)
    dz_low, dz_high = _percentiles(dz)
    return {
        "n": n,
        "mean": float(difference.mean()),
        "low": low,
        "high": high,
        "dz": float(difference.mean() / spread) if spread > 0 else 0.0,
        "dz_low": dz_low,
        "dz_high": dz_high,
    }


def mean_with_interval(values: np.ndarray, *, seed: int = 0) -> dict[str, float]:
    """Return the mean of one value a scan with its 95 % bootstrap interval."""
    rng = np.random.default_rng(seed)
    n = len(values)
    means = values[rng.integers(0, n, (N_RESAMPLES, n))].mean(axis=1)
    low, high = _percentiles(means)
    return {"n": n, "mean": float(values.mean()), "low": low, "high": high}


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    if not len(values):
        return float("nan"), float("nan")
    half = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [half, 1 - half])
    return float(low), float(high)
