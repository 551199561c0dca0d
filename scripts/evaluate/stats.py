"""Bounds of shares, for the evaluation. Pure."""

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
