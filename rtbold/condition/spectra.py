"""What one window of EEG looks like: band power, aperiodic slope, covariance. Pure.

The sums are einsum's and the transforms numpy's own, so that the numbers do not depend
on the number of threads.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from rtbold.bands import BANDS_HZ
from rtbold.messages import MODEL_RATE_HZ, Float32Array, FloatArray

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
    spectra = _spectra(window_uv)  # (channels, segments, bins)
    hz = np.asarray(np.fft.rfftfreq(SEGMENT, 1 / MODEL_RATE_HZ), dtype=np.float64)
    power = np.mean(spectra.real**2 + spectra.imag**2, axis=1)  # (channels, bins)
    bands = [
        power[:, (hz >= low) & (hz < high)].sum(axis=1)
        for low, high in BANDS_HZ.values()
    ]
    return WindowStatistics(
        log_power=np.log(np.stack(bands, axis=1) + POWER_FLOOR_UV2),
        slope=_slope(power, hz),
        covariance=_covariance(spectra, hz),
    )


def _spectra(window_uv: Float32Array) -> np.ndarray:
    """Return (channels, segments, bins); squared and summed over bins: uV^2."""
    view = np.lib.stride_tricks.sliding_window_view(window_uv, SEGMENT, axis=1)
    segments = view[:, :: SEGMENT // 2]
    centred = segments - segments.mean(axis=2, keepdims=True, dtype=np.float64)
    taper = np.hanning(SEGMENT + 1)[:-1]
    scale = np.sqrt(2 / (SEGMENT * float((taper**2).sum())))
    return np.asarray(np.fft.rfft(centred * taper, axis=2) * scale)


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
