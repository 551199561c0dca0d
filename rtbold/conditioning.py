"""Causal conditioning: any rate in, high-passed 200 Hz out.

Butterworth high-pass (minimum phase, not compensated: see `highpass_delay_s`), then the
polyphase FIR, whose constant delay is taken out of the time stamps.
"""

import numpy as np
from scipy import signal

from rtbold.bundle.card import Conditioning
from rtbold.condition.block_statistics import NUMBER_MAX_UV, is_number
from rtbold.condition.conditioner import Resampler, ResampleSettings
from rtbold.messages import MODEL_RATE_HZ, Float32Array, FloatArray

# A start that is off by 1 mV (more is a fault that the quality monitor sees) must have
# died down to 1 uV.
SETTLED_SHARE = 1e-3


class Conditioner:
    """High-pass and resample a stream, chunk by chunk, to the same bits.

    Output m since the restart stands for the source at `source_position(m)`. The
    filters start at steady state on each channel's first finite sample. A sample
    that is not finite, or absurd, is held at the channel's last finite value (before
    any: at what becomes the first one), so that it never poisons a filter; that it was
    there is for the quality monitor to see in the raw data.

    Parameters
    ----------
    source_rate_hz : nominal rate of the stream.
    n_channels : rows of the data.
    settings : the card's; a live loop runs exactly what the bundle was trained with.
    """

    def __init__(
        self, source_rate_hz: float, n_channels: int, settings: Conditioning
    ) -> None:
        self._resampler = Resampler(
            source_rate_hz, n_channels, resample_settings(settings)
        )
        self._sos = _highpass(settings, source_rate_hz)
        self._n_channels = n_channels
        self.delay_s = self._resampler.delay_s
        self.settle_s = _highpass_settle_s(settings) + self._resampler.settle_s
        self.restart()

    def restart(self) -> None:
        """Forget all samples, as after a gap; the next one is source sample 0."""
        self._resampler.restart()
        self._state = np.zeros((len(self._sos), self._n_channels, 2))
        self._first_uv = np.full(self._n_channels, np.nan)
        self._held_uv = np.zeros(self._n_channels)  # relative to the first value

    def source_position(self, m: int) -> float:
        """Return the source sample, since the restart, that output `m` stands for."""
        return self._resampler.source_position(m)

    def needed(self, m: int) -> int:
        """Return the index of the last source sample that output `m` needs."""
        return self._resampler.needed(m)

    def available(self, n_source: int) -> int:
        """Return how many outputs `n_source` samples since the restart give."""
        return self._resampler.available(n_source)

    def __call__(self, data_uv: Float32Array | FloatArray) -> Float32Array:
        """Take (channels, n) at the source's rate, return (channels, m) at 200 Hz."""
        if data_uv.shape[1] == 0:
            return np.empty((self._n_channels, 0), np.float32)
        relative_uv = data_uv - self._first_uv[:, None]
        with np.errstate(invalid="ignore"):
            sound = np.abs(data_uv).max() <= NUMBER_MAX_UV  # False for NaN
            if not sound or np.isnan(self._first_uv).any():
                relative_uv = self._repaired(data_uv)
        self._held_uv = relative_uv[:, -1].copy()
        # A start from zero on what is relative to the first sample is a start at
        # steady state on that sample.
        high_uv, self._state = signal.sosfilt(self._sos, relative_uv, zi=self._state)
        return self._resampler(high_uv).astype(np.float32)

    def _repaired(self, data_uv: Float32Array | FloatArray) -> FloatArray:
        """Return the data relative to each channel's first value, all of it finite."""
        finite = is_number(data_uv)
        begins = np.isnan(self._first_uv) & finite.any(axis=1)
        first_uv = data_uv[np.arange(len(data_uv)), finite.argmax(axis=1)]
        self._first_uv = np.where(begins, first_uv, self._first_uv)
        latest = np.where(finite, np.arange(data_uv.shape[1]), -1)
        latest = np.maximum.accumulate(latest, axis=1)
        filled = np.take_along_axis(data_uv, np.maximum(latest, 0), axis=1)
        relative_uv = filled - self._first_uv[:, None]
        return np.where(latest < 0, self._held_uv[:, None], relative_uv)


def resample_settings(settings: Conditioning) -> ResampleSettings:
    """Return the FIR that the card asks for."""
    return ResampleSettings(
        passband_hz=settings.fir_passband_hz,
        stopband_hz=settings.fir_stopband_hz,
        attenuation_db=settings.fir_attenuation_db,
        target_hz=MODEL_RATE_HZ,
    )


def highpass_delay_s(f_hz: FloatArray, settings: Conditioning) -> FloatArray:
    """Return the group delay of the high-pass: what is documented, not compensated.

    Parameters
    ----------
    f_hz : above 0. The analog prototype's delay; at 200 Hz and more the digital filter
        differs from it by less than 1 ms up to 80 Hz.
    settings : the card's.
    """
    poles = signal.butter(
        settings.highpass_order, 2 * np.pi * settings.highpass_hz,
        btype="highpass", analog=True, output="zpk",
    )[1]  # fmt: skip
    omega = 2 * np.pi * np.asarray(f_hz, dtype=np.float64)[..., None]
    delay_s = -poles.real / (poles.real**2 + (omega - poles.imag) ** 2)
    return np.asarray(delay_s.sum(axis=-1))


def _highpass(settings: Conditioning, rate_hz: float) -> FloatArray:
    return np.asarray(
        signal.butter(
            settings.highpass_order,
            settings.highpass_hz,
            btype="highpass",
            fs=rate_hz,
            output="sos",
        )
    )


def _highpass_settle_s(settings: Conditioning) -> float:
    """Return when the step response has fallen below `SETTLED_SHARE` for good."""
    n = int(MODEL_RATE_HZ * 20 / settings.highpass_hz)
    response = signal.sosfilt(_highpass(settings, MODEL_RATE_HZ), np.ones(n))
    loud = np.flatnonzero(np.abs(response) > SETTLED_SHARE)
    return float(loud[-1] + 1) / MODEL_RATE_HZ
