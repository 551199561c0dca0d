"""Samples for tests of the EEG scope, and how it reads them."""

import numpy as np


def source(values):
    """Return a `read` over (channels, samples); nan around them."""

    def read(first, end):
        found = np.full((len(values), end - first), np.nan, np.float32)
        low, high = max(first, 0), min(end, values.shape[1])
        if low < high:
            found[:, low - first : high - first] = values[:, low:high]
        return found

    return read


def noise(n_channels=3, n=4000, seed=0):
    """Return (channels, samples)."""
    return np.random.default_rng(seed).normal(size=(n_channels, n)).astype(np.float32)
