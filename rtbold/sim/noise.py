"""Random signals with a given spectrum, made in the frequency domain."""

import zlib

import numpy as np
from scipy import fft

from rtbold.messages import Float32Array, FloatArray


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return the generator of one purpose, so that parts never share random numbers.

    Adding a part to the twin then leaves all the others as they were.
    """
    return np.random.default_rng([seed, zlib.crc32(purpose.encode())])


def power_law(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    rate_hz: float,
    band_hz: tuple[float, float],
    exponent: float,
) -> Float32Array:
    """Return (rows, samples) of unit variance with power 1/f^exponent in a band."""
    n = fft.next_fast_len(shape[1], real=True)
    freqs_hz = fft.rfftfreq(n, 1.0 / rate_hz)
    inside = (freqs_hz >= band_hz[0]) & (freqs_hz <= band_hz[1])
    weight = np.zeros(freqs_hz.size, np.float32)
    weight[inside] = freqs_hz[inside] ** (-exponent / 2.0)
    return _shaped(rng, weight, (shape[0], n))[:, : shape[1]]


def narrow_band(
    rng: np.random.Generator,
    n_samples: int,
    *,
    rate_hz: float,
    peaks_hz: FloatArray,
    width_hz: float,
) -> Float32Array:
    """Return (rows, samples) of unit variance around one peak frequency a row."""
    n = fft.next_fast_len(n_samples, real=True)
    freqs_hz = fft.rfftfreq(n, 1.0 / rate_hz)
    distance = (freqs_hz[None, :] - peaks_hz[:, None]) / width_hz
    weight = np.where(np.abs(distance) < 3.5, np.exp(-(distance**2) / 4.0), 0.0)
    rows = _shaped(rng, weight.astype(np.float32), (len(peaks_hz), n))
    return rows[:, :n_samples]


def _shaped(
    rng: np.random.Generator, weight: Float32Array, shape: tuple[int, int]
) -> Float32Array:
    """Return real noise with amplitude spectrum `weight`, unit expected variance."""
    bins = weight.shape[-1]
    spectrum = np.zeros((shape[0], bins), np.complex64)
    used = np.flatnonzero(np.atleast_2d(weight).any(axis=0))
    if used.size == 0:
        return np.zeros(shape, np.float32)
    first, last = int(used[0]), int(used[-1]) + 1
    draw = rng.standard_normal((shape[0], last - first, 2), dtype=np.float32)
    spectrum[:, first:last] = draw[..., 0] + 1j * draw[..., 1]
    spectrum[:, first:last] *= weight[..., first:last]
    power = 4.0 * np.sum(np.square(weight, dtype=np.float64), axis=-1) / shape[1] ** 2
    scale = np.asarray(1.0 / np.sqrt(power), np.float32)
    spectrum *= scale[..., None]
    result: Float32Array = fft.irfft(spectrum, shape[1], axis=1, overwrite_x=True)
    return result


def standardised(rows: FloatArray) -> FloatArray:
    """Return rows of zero mean and unit standard deviation; flat ones become zero."""
    centred = rows - rows.mean(axis=-1, keepdims=True)
    sd = centred.std(axis=-1, keepdims=True)
    standard: FloatArray = centred / np.where(sd > 0, sd, 1.0)
    return standard
