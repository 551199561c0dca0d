"""Heart rate and breathing out of what a belt, a clip or an electrode recorded. Pure.

A recording says what happened many times a second; a confound is one number a volume.
Heart rate is the mean of the beats within 6 s of a volume (Chang 2009), breathing the
standard deviation of the belt within the same 6 s (RV, Chang 2009) and depth over
period from breath to breath (RVT, Birn 2006).
"""

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.signal import butter, find_peaks, resample_poly, sosfiltfilt

from rtbold.errors import DataFileError
from rtbold.messages import FloatArray

AROUND_S: Final = 6.0  # of a volume
BEATS_PER_MIN: Final = (35.0, 190.0)  # of a median that can be a heart
BREATHS_PER_MIN: Final = (4.0, 45.0)
LEAST_RATE_HZ: Final = 10.0  # of a pulse or a belt
LEAST_ECG_RATE_HZ: Final = 80.0
LEAST_S: Final = 20.0
_ODD_SHARE: Final = 0.3  # of intervals that fit none beside them: no pulse is there
_ODD: Final = 0.4  # of the median of those beside it
_PULSE_HZ: Final = (0.6, 4.0)
_BREATH_HZ: Final = (0.05, 1.0)
_ECG_RATE_HZ: Final = 250  # is enough to find beats
_BESIDE_N: Final = 9
_LEAST_RHYTHM: Final = 0.25  # autocorrelation at a beat's distance; noise has 0.1


@dataclass(frozen=True, slots=True, eq=False)
class BodySignal:
    """What one sensor recorded."""

    name: str  # file, or file and column
    sensor: str  # "pulse", "ecg" or "breath"
    values: FloatArray  # (samples,), any unit
    rate_hz: float
    first_s: float  # time of the first sample; 0: onset of the first volume

    @property
    def end_s(self) -> float:
        """Time at which the next sample would have been."""
        return self.first_s + len(self.values) / self.rate_hz


def of_volumes(signal: BodySignal, onsets_s: FloatArray) -> dict[str, FloatArray]:
    """Return confounds at volumes: name -> (volumes,).

    Raises
    ------
    DataFileError : it does not cover the volumes, or holds no pulse or breath.
    """
    _check(signal, onsets_s)
    if signal.sensor == "breath":
        return breathing(signal, onsets_s)
    return {"heart_rate": heart_rate(signal, onsets_s)}


def _check(signal: BodySignal, onsets_s: FloatArray) -> None:
    """Refuse a signal of another scan or rate, or without numbers."""
    least_hz = LEAST_ECG_RATE_HZ if signal.sensor == "ecg" else LEAST_RATE_HZ
    if not least_hz <= signal.rate_hz < np.inf:
        raise DataFileError(
            f"{signal.name} has {signal.rate_hz:g} samples a second, expected at least "
            f"{least_hz:g} for {signal.sensor}. Is the rate in Hz?"
        )
    if len(signal.values) < LEAST_S * signal.rate_hz:
        raise DataFileError(
            f"{signal.name} holds {len(signal.values)} samples at {signal.rate_hz:g} "
            f"Hz, expected {LEAST_S:g} s of {signal.sensor} or more. Is the rate in Hz?"
        )
    bad = np.flatnonzero(~np.isfinite(signal.values))
    if len(bad):
        raise DataFileError(
            f"{signal.name} has no number at {len(bad)} of {len(signal.values)} "
            f"samples (the first is sample {bad[0]}, counted from 0), expected one at "
            "each. Cut the recording to what it measured, or export it again."
        )
    if np.ptp(signal.values) == 0:
        raise DataFileError(
            f"{signal.name} is {signal.values[0]:g} at every sample, expected "
            f"{signal.sensor}. Was the sensor connected?"
        )
    first_s, last_s = float(np.nanmin(onsets_s)), float(np.nanmax(onsets_s))
    if signal.first_s > first_s + AROUND_S or signal.end_s < last_s - AROUND_S:
        raise DataFileError(
            f"{signal.name} holds {len(signal.values)} samples at {signal.rate_hz:g} "
            f"Hz: {signal.first_s:.1f} to {signal.end_s:.1f} s from the first volume, "
            f"expected {first_s:.1f} to {last_s:.1f} s. Is it the recording of this "
            "run, and are its rate and its start right?"
        )


# Heart.


def heart_rate(signal: BodySignal, onsets_s: FloatArray) -> FloatArray:
    """Return (volumes,) beats a minute.

    Raises
    ------
    DataFileError : what was found can be no heart.
    """
    find = ecg_beats_s if signal.sensor == "ecg" else pulse_beats_s
    beats_s = signal.first_s + find(signal.values, signal.rate_hz)
    _check_beats(signal, beats_s)
    intervals_s = np.diff(beats_s)
    beside_s = _median_beside(intervals_s)
    usual = np.abs(intervals_s / beside_s - 1) <= _ODD
    at_s, per_min = (beats_s[:-1] + intervals_s / 2)[usual], 60 / intervals_s[usual]
    return _mean_around(at_s, per_min, onsets_s)


def pulse_beats_s(values: FloatArray, rate_hz: float) -> FloatArray:
    """Return the times of beats in a pulse from a finger, seconds from its start.

    None where nothing comes again and again.
    """
    band = _band(values, rate_hz, _PULSE_HZ)
    period_s, rhythm = _rhythm(band, rate_hz)
    if rhythm < _LEAST_RHYTHM:
        return np.zeros(0)
    height = 0.4 * float(np.median(np.abs(band))) / 0.6745
    apart = max(round(0.6 * period_s * rate_hz), 1)
    found, _ = find_peaks(band, distance=apart, prominence=height)
    return np.asarray(found / rate_hz)


def ecg_beats_s(values: FloatArray, rate_hz: float) -> FloatArray:
    """Return the times of beats in an ECG, seconds from its start (MNE's detector)."""
    from mne.preprocessing.ecg import qrs_detector

    fewer = int(rate_hz // _ECG_RATE_HZ)
    if fewer > 1:
        centred = values - np.mean(values)
        values, rate_hz = resample_poly(centred, 1, fewer), rate_hz / fewer
    found = qrs_detector(rate_hz, np.asarray(values, dtype=np.float64), verbose="error")
    return np.asarray(found, dtype=np.float64) / rate_hz


def _rhythm(band: FloatArray, rate_hz: float) -> tuple[float, float]:
    """Return the usual distance of beats in s, and the autocorrelation there."""
    n = len(band)
    power = np.abs(np.fft.rfft(band, 2 * n)) ** 2
    rho = np.fft.irfft(power)[:n]
    low, high = (round(60 / b * rate_hz) for b in reversed(BEATS_PER_MIN))
    span = rho[low : max(min(high + 1, n), low + 1)]
    at = int(np.argmax(span))
    return (low + at) / rate_hz, float(span[at] / rho[0]) if rho[0] > 0 else 0.0


def _check_beats(signal: BodySignal, beats_s: FloatArray) -> None:
    span_s = signal.end_s - signal.first_s
    per_min = 60 * len(beats_s) / span_s
    fix = f"Is the rate of {signal.rate_hz:g} Hz right, and was the sensor on?"
    low, high = BEATS_PER_MIN
    if len(beats_s) < _BESIDE_N or not low <= per_min <= high:
        raise DataFileError(
            f"{signal.name} shows {len(beats_s)} beats in {span_s:.0f} s, expected "
            f"{low:g} to {high:g} a minute. {fix}"
        )
    intervals_s = np.diff(beats_s)
    odd = np.abs(intervals_s / _median_beside(intervals_s) - 1) > _ODD
    if odd.mean() > _ODD_SHARE:
        raise DataFileError(
            f"{signal.name} shows no regular pulse: {100 * odd.mean():.0f} % of the "
            f"intervals between beats fit none beside them. {fix}"
        )


def _median_beside(intervals_s: FloatArray) -> FloatArray:
    half = _BESIDE_N // 2
    padded = np.pad(intervals_s, half, mode="edge")
    beside = np.lib.stride_tricks.sliding_window_view(padded, _BESIDE_N)
    return np.asarray(np.median(beside, axis=1))


# Breath.


def breathing(signal: BodySignal, onsets_s: FloatArray) -> dict[str, FloatArray]:
    """Return RV and RVT at volumes.

    Raises
    ------
    DataFileError : there are no breaths.
    """
    band = _band(signal.values, signal.rate_hz, _BREATH_HZ)
    apart = max(round(60 / BREATHS_PER_MIN[1] * signal.rate_hz), 1)
    height = 0.3 * float(np.std(band))
    tops, _ = find_peaks(band, distance=apart, prominence=height)
    span_s = signal.end_s - signal.first_s
    low, high = BREATHS_PER_MIN
    if len(tops) < 3 or not low <= 60 * len(tops) / span_s <= high:
        raise DataFileError(
            f"{signal.name} shows {len(tops)} breaths in {span_s:.0f} s, expected "
            f"{low:g} to {high:g} a minute. Is the rate of {signal.rate_hz:g} Hz "
            "right, and was the belt on?"
        )
    at_s = signal.first_s + np.arange(len(band)) / signal.rate_hz
    lows = [float(band[a:b].min()) for a, b in itertools.pairwise(tops)]
    depth = band[tops[:-1]] - np.array(lows)
    middle_s = (at_s[tops[:-1]] + at_s[tops[1:]]) / 2
    per_s = depth / np.diff(at_s[tops])
    return {
        "resp_volume": _sd_around(at_s, band, onsets_s),
        "resp_volume_per_time": np.interp(onsets_s, middle_s, per_s),
    }


def _sd_around(
    at_s: FloatArray, values: FloatArray, onsets_s: FloatArray
) -> FloatArray:
    sums, squares = (np.r_[0.0, np.cumsum(v)] for v in (values, values**2))
    low, high = _within(at_s, onsets_s)
    n = np.maximum(high - low, 1)
    mean = (sums[high] - sums[low]) / n
    power = (squares[high] - squares[low]) / n
    return _bridged(np.sqrt(np.maximum(power - mean**2, 0.0)), high - low > 1)


def _mean_around(
    at_s: FloatArray, values: FloatArray, onsets_s: FloatArray
) -> FloatArray:
    sums = np.r_[0.0, np.cumsum(values)]
    low, high = _within(at_s, onsets_s)
    mean = (sums[high] - sums[low]) / np.maximum(high - low, 1)
    return _bridged(mean, high > low)


def _within(at_s: FloatArray, onsets_s: FloatArray) -> tuple[np.ndarray, np.ndarray]:
    half_s = AROUND_S / 2
    return np.searchsorted(at_s, onsets_s - half_s), np.searchsorted(
        at_s, onsets_s + half_s
    )


def _bridged(values: FloatArray, known: np.ndarray) -> FloatArray:
    place = np.arange(len(values))
    return np.asarray(np.interp(place, place[known], values[known]), dtype=np.float64)


def _band(
    values: FloatArray, rate_hz: float, band_hz: tuple[float, float]
) -> FloatArray:
    high_hz = min(band_hz[1], 0.45 * rate_hz)
    sos = butter(2, (band_hz[0], high_hz), btype="bandpass", fs=rate_hz, output="sos")
    filtered: FloatArray = sosfiltfilt(sos, values - np.mean(values))
    return filtered
