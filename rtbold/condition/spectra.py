"""What one window of EEG looks like: band power, aperiodic slope, covariance. Pure.

The sums are einsum's and the transforms numpy's own, so that the numbers do not depend
on the number of threads.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from rtbold.condition.block_statistics import BoolArray
from rtbold.errors import ConfigError
from rtbold.messages import MODEL_RATE_HZ, Float32Array, FloatArray

# Band powers of the newest seconds of conditioned EEG, for the ``bands`` topic. The
# bands are those that a monitor watches: the out-of-distribution score and the lag scan
# take them too. What a model reads has bands of its own (`models.FEATURE_BANDS_HZ`).
#
# Welch's method with one choice: Hann windows of 1 s, half overlapping, so that the
# bins stand at whole hertz and each band is a sum of a few of them.

MONITOR_BANDS_HZ: Final[dict[str, tuple[float, float]]] = {
    "delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
    "gamma": (30.0, 45.0),
}
BAND_NAMES: Final = tuple(MONITOR_BANDS_HZ)
SPAN_S: Final = 4.0  # of EEG that one message looks back on
_SEGMENT_S = 1.0


def band_powers(window_uv: Float32Array, rate_hz: float) -> FloatArray:
    """Return the power of each channel in each band, in uV^2.

    Parameters
    ----------
    window_uv : (channels, samples), at least 1 s; the newest `SPAN_S` are used. With
        samples that are not finite the channel's powers are nan.
    rate_hz : of the samples, at least 90 Hz, or gamma would not be there.

    Returns
    -------
    (channels, bands), in the order of `MONITOR_BANDS_HZ`; each band from its lower edge
    up to but without its upper one. A sine of amplitude a in a band has a^2 / 2.
    """
    segment_n = round(_SEGMENT_S * rate_hz)
    if rate_hz < 2 * MONITOR_BANDS_HZ["gamma"][1] or window_uv.shape[1] < segment_n:
        raise ConfigError(
            f"{window_uv.shape[1]} samples at {rate_hz:g} Hz, expected at least "
            f"{_SEGMENT_S:g} s at 90 Hz or more: band powers need both"
        )
    newest = window_uv[:, -round(SPAN_S * rate_hz) :]
    spectra, scale = _segment_spectra(newest, segment_n)
    # Newest first: the published sums do not change their last bit
    power = (spectra.real**2 + spectra.imag**2)[:, ::-1]
    density = np.asarray(power.mean(axis=1) * scale, dtype=np.float64)
    hz = np.fft.rfftfreq(segment_n, 1 / rate_hz)
    # Half a bin of slack, where the rate is no whole number of hertz.
    slack_hz = hz[1] / 2
    inside = [
        (hz >= low - slack_hz) & (hz < high - slack_hz)
        for low, high in MONITOR_BANDS_HZ.values()
    ]
    return np.stack([density[:, band].sum(axis=1) for band in inside], axis=1)


def _segment_spectra(
    window_uv: Float32Array, segment_n: int
) -> tuple[np.ndarray, float]:
    """Return spectra (channels, segments, bins), and the factor of power for uV^2.

    Hann windows, half overlapping, each without its mean; a bin's power is that of a
    one-sided spectrum, so that powers of bins add up. Welch's method is their mean.
    """
    view = np.lib.stride_tricks.sliding_window_view(window_uv, segment_n, axis=1)
    # Count from the end, so that the newest sample is always in a segment.
    segments = view[:, ::-1][:, :: max(segment_n // 2, 1)][:, ::-1]
    centred = segments - segments.mean(axis=2, keepdims=True, dtype=np.float64)
    taper = np.hanning(segment_n + 1)[:-1]
    scale = 2 / (segment_n * float((taper**2).sum()))
    return np.asarray(np.fft.rfft(centred * taper, axis=2)), scale


SEGMENT: Final = 400  # samples: Hann windows of 2 s, half overlapping, bins of 0.5 Hz
POWER_FLOOR_UV2: Final = 1e-6  # a flat channel has a logarithm
PATTERN_HZ: Final = (4.0, 30.0)  # below are blinks and sweat, above is muscle
SLOPE_HZ: Final = ((2.0, 7.0), (14.0, 40.0))  # alpha and spindles stay out


@dataclass(frozen=True, slots=True, eq=False)
class WindowStatistics:
    """One window in numbers."""

    log_power: FloatArray  # (channels, bands), ln uV^2
    slope: FloatArray  # (channels,), exponent of the aperiodic part: power ~ f^-slope
    covariance: FloatArray  # (channels, channels), 4-30 Hz, trace 1


def window_statistics(window_uv: Float32Array) -> WindowStatistics:
    """Return what a window (channels, 3200) at 200 Hz, microvolt, looks like."""
    spectra, scale = _segment_spectra(window_uv, SEGMENT)
    spectra = spectra * np.sqrt(scale)  # (channels, segments, bins): squared, uV^2
    hz = np.asarray(np.fft.rfftfreq(SEGMENT, 1 / MODEL_RATE_HZ), dtype=np.float64)
    power = np.mean(spectra.real**2 + spectra.imag**2, axis=1)  # (channels, bins)
    bands = [
        power[:, (hz >= low) & (hz < high)].sum(axis=1)
        for low, high in MONITOR_BANDS_HZ.values()
    ]
    return WindowStatistics(
        log_power=np.log(np.stack(bands, axis=1) + POWER_FLOOR_UV2),
        slope=_slope(power, hz),
        covariance=_covariance(spectra, hz),
    )


def _slope(power: FloatArray, hz: FloatArray) -> FloatArray:
    inside = np.zeros(hz.size, dtype=bool)
    for low, high in SLOPE_HZ:
        inside |= (hz >= low) & (hz < high)
    x = np.log(hz[inside])
    x = x - x.mean()
    y = np.log(power[:, inside] + POWER_FLOOR_UV2)
    slope: FloatArray = -np.einsum("cf,f->c", y, x) / float((x**2).sum())
    return slope


def _covariance(spectra: np.ndarray, hz: FloatArray) -> FloatArray:
    inside = (hz >= PATTERN_HZ[0]) & (hz < PATTERN_HZ[1])
    # Times frequency: power falls like 1/f, and each band is to have its say.
    part = spectra[:, :, inside] * np.sqrt(hz[inside])
    sums = np.einsum("csf,dsf->cd", part.real, part.real)
    sums += np.einsum("csf,dsf->cd", part.imag, part.imag)
    return np.asarray(sums / max(float(np.trace(sums)), POWER_FLOOR_UV2))


# Mains hum that has only just begun: a second's spectrum does not see it yet.

HUM_HZ: Final = (50.0, 60.0)
HUM_TAILS: Final = ((10, 0.95), (20, 0.85), (50, 0.8), (100, 0.8), (150, 0.8))
HUM_TIMES: Final = 3.0  # as large as the channel's bend before


def hum_at_end(window_uv: Float32Array) -> BoolArray:
    """Return which channels hum at the end of a window, (channels,).

    A twentieth of a second of strong hum moves the power of 16 s and is too short for a
    spectrum. But it has a known frequency, and it dwarfs how much the EEG bends (the
    second difference) elsewhere in the window. A blink hardly bends, a muscle's burst
    or a pop of an electrode is no sine of the mains: `HUM_TAILS` says how many of the
    newest samples one must explain, and which share of their bend.

    Parameters
    ----------
    window_uv : (channels, samples) at 200 Hz.
    """
    bend = window_uv[:, 2:] - 2 * window_uv[:, 1:-1] + window_uv[:, :-2]
    longest = HUM_TAILS[-1][0]
    before = bend[:, :-longest]
    usual_uv2 = np.einsum("ij,ij->i", before, before) / max(before.shape[1], 1)
    newest = bend[:, -longest:].astype(np.float64)
    hums = np.zeros(len(bend), dtype=bool)
    for n, share in HUM_TAILS:
        tail = newest[:, -n:]
        power = np.einsum("ij,ij->i", tail, tail)
        large = power > HUM_TIMES**2 * n * usual_uv2
        for hz in HUM_HZ if large.any() else ():
            hums |= large & (_explained(tail, hz) > share * power)
    return hums


def _explained(tail: FloatArray, hz: float) -> FloatArray:
    """Return the power of each row that a sine of `hz` explains."""
    turns = 2 * np.pi * hz / MODEL_RATE_HZ * np.arange(tail.shape[1])
    sines = np.linalg.qr(np.stack([np.cos(turns), np.sin(turns)], axis=1))[0]
    parts = (tail[:, :, None] * sines[None]).sum(axis=1)  # (channels, 2)
    return np.asarray((parts**2).sum(axis=1))
