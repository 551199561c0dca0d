"""EEG of which every moment is known, and the value that its window must give.

Noise whose size changes every quarter of a second, in each channel by itself: a window
that is cut 0.1 s too late gives another number. The truth is computed beside the loop:
all samples as they were taken go through the filters at once, and the window is cut by
their true times. No stream, stamp, ring or schedule is in it.
"""

from functools import lru_cache

import numpy as np
from bundles import CHANNELS, ROIS, tiny_card, tiny_weights

from rtbold.condition.conditioner import Conditioner
from rtbold.messages import WINDOW_SAMPLES

FINE_HZ = 1000
LONG_S = 260.0
BLOCK_S = 0.25
RATE_HZ = 250.0
SIZE_UV = np.linspace(8.0, 30.0, len(CHANNELS))
LEAST_HZ, FALLS_FROM_HZ, MOST_HZ = 3.0, 12.0, 70.0
FLOOR_UV2 = 1e-3  # of the tiny bundle
WEIGHTS = tiny_weights(len(CHANNELS), len(ROIS))


@lru_cache(maxsize=1)
def fine_uv():
    """Return (samples, channels) at FINE_HZ from the sender's start."""
    rng = np.random.default_rng(11)
    n, n_block = round(LONG_S * FINE_HZ), round(BLOCK_S * FINE_HZ)
    shape = (n // n_block, len(CHANNELS))
    size = np.repeat(np.exp(rng.uniform(-0.7, 0.7, shape)), n_block, axis=0)
    white = rng.standard_normal((n, len(CHANNELS))) * size
    hz = np.fft.rfftfreq(n, 1 / FINE_HZ)
    shape_hz = 1 / (1 + (hz / FALLS_FROM_HZ) ** 2)
    shape_hz *= (hz > LEAST_HZ) & (hz < MOST_HZ)
    eeg = np.fft.irfft(np.fft.rfft(white, axis=0) * shape_hz[:, None], n, axis=0)
    return (eeg / eeg.std(axis=0) * SIZE_UV).astype(np.float32)


def samples_uv(times_s):
    """Return (samples, channels) that were taken at times since the sender's start."""
    return fine_uv()[np.round(np.asarray(times_s) * FINE_HZ).astype(int)]


@lru_cache(maxsize=1)
def conditioned():
    """Return the times (samples,) and the EEG (samples, channels) at 200 Hz."""
    taken_s = np.arange(round(LONG_S * RATE_HZ)) / RATE_HZ
    conditioner = Conditioner(RATE_HZ, len(CHANNELS), tiny_card().conditioning)
    eeg = conditioner(np.ascontiguousarray(samples_uv(taken_s).T)).T.astype(float)
    place = [conditioner.resampler.source_position(m) for m in range(len(eeg))]
    return np.array(place) / RATE_HZ, eeg - eeg.mean(axis=1, keepdims=True)


@lru_cache(maxsize=1)
def _sums():
    eeg, zero = conditioned()[1], np.zeros((1, len(CHANNELS)))
    first = np.concatenate([zero, np.cumsum(eeg, axis=0)])
    return first, np.concatenate([zero, np.cumsum(eeg**2, axis=0)])


def value_at(end_s):
    """Return the values of the window that ends then, in seconds since the start."""
    times_s, n = conditioned()[0], WINDOW_SAMPLES
    end = int(np.searchsorted(times_s, end_s))
    if end < n or end == len(times_s):
        return np.full(len(ROIS), np.nan)
    mean, square = ((sums[end] - sums[end - n]) / n for sums in _sums())
    return np.log(square - mean**2 + FLOOR_UV2) @ WEIGHTS


@lru_cache(maxsize=1)
def typical_sd():
    """Return the sd of each value over the windows of the whole EEG."""
    ends_s = np.arange(20.0, LONG_S - 1.0, 2.1)
    return np.std([value_at(end_s) for end_s in ends_s], axis=0)


def error_sd(values, end_s):
    """Return by how many sd the worst value misses the truth."""
    return float(np.max(np.abs(np.array(values) - value_at(end_s)) / typical_sd()))


def moment_of(values, end_s, *, within_s=20.0, step_s=0.02):
    """Return by how many seconds the window that fits best lies off."""
    shifts_s = np.arange(-within_s, within_s + step_s / 2, step_s)
    errors = [error_sd(values, end_s + shift_s) for shift_s in shifts_s]
    return float(shifts_s[int(np.nanargmin(errors))])


def windows_uv(step_s=2.1):
    """Yield windows (channels, 3200) at 200 Hz, as a calibration would see them."""
    times_s, eeg = conditioned()
    for end_s in np.arange(20.0, LONG_S - 1.0, step_s):
        end = int(np.searchsorted(times_s, end_s))
        window = eeg[end - WINDOW_SAMPLES : end].T
        yield (window - window.mean(axis=1, keepdims=True)).astype(np.float32)
