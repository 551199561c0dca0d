"""Band powers of the newest seconds of conditioned EEG, for the ``bands`` topic.

Welch's method with one choice: Hann windows of 1 s, half overlapping, so that the
bins stand at whole hertz and each band is a sum of a few of them.
"""

from typing import Final

import numpy as np

from rtbold.errors import ConfigError
from rtbold.messages import Float32Array, FloatArray

BANDS_HZ: Final[dict[str, tuple[float, float]]] = {
    "delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
    "gamma": (30.0, 45.0),
}
BAND_NAMES: Final = tuple(BANDS_HZ)
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
    (channels, bands), in the order of `BANDS_HZ`; each band from its lower edge up to
    but without its upper one. A sine of amplitude a in a band has a^2 / 2.
    """
    segment_n = round(_SEGMENT_S * rate_hz)
    if rate_hz < 2 * BANDS_HZ["gamma"][1] or window_uv.shape[1] < segment_n:
        raise ConfigError(
            f"{window_uv.shape[1]} samples at {rate_hz:g} Hz, expected at least "
            f"{_SEGMENT_S:g} s at 90 Hz or more: band powers need both"
        )
    density = _welch(window_uv[:, -round(SPAN_S * rate_hz) :], segment_n)
    hz = np.fft.rfftfreq(segment_n, 1 / rate_hz)
    # Half a bin of slack, where the rate is no whole number of hertz.
    slack_hz = hz[1] / 2
    inside = [
        (hz >= low - slack_hz) & (hz < high - slack_hz)
        for low, high in BANDS_HZ.values()
    ]
    return np.stack([density[:, band].sum(axis=1) for band in inside], axis=1)


def _welch(window_uv: Float32Array, segment_n: int) -> FloatArray:
    """Return the mean power per bin (channels, bins) over segments."""
    segments = np.lib.stride_tricks.sliding_window_view(window_uv, segment_n, axis=1)
    # Count from the end, so that the newest sample is always in a segment.
    segments = segments[:, ::-1][:, :: max(segment_n // 2, 1)]
    centred = segments - segments.mean(axis=2, keepdims=True, dtype=np.float64)
    taper = np.hanning(segment_n + 1)[:-1]
    spectrum = np.fft.rfft(centred * taper, axis=2)
    power = spectrum.real**2 + spectrum.imag**2
    scale = 2 / (segment_n * float((taper**2).sum()))
    return np.asarray(power.mean(axis=1) * scale, dtype=np.float64)
