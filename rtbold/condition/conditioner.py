"""Streaming polyphase resampling to 200 Hz with a constant, known delay.

One low-pass kernel h(t) is designed in continuous time: an equiripple FIR at ten times
the stop-band edge (Parks and McClellan 1972), interpolated by a Kaiser-windowed sinc.
Sampling it at the distances between an output and the source samples around it gives
the taps for any rational ratio, so that every source rate has the same delay, the same
pass-band and the same alias rejection.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
from scipy import signal

from rtbold.bundle import Conditioning
from rtbold.condition.block_statistics import NUMBER_MAX_UV, is_number
from rtbold.errors import ConfigError, RateMismatch
from rtbold.messages import MODEL_RATE_HZ, Float32Array, FloatArray

MAX_DELAY_S = 0.1
MAX_PHASES = 2000  # 499.7 Hz needs them all; a table of them stays below 16 MB
MIN_SOURCE_HZ, MAX_SOURCE_HZ = 200.0, 20_000.0
_RATE_TOLERANCE = 1e-9  # relative: 4 us in an hour
_MARGIN_DB = 10.0  # aliases of several images may add up
_RIPPLE_SHARE = 0.25  # of the allowed ripple that the design uses, each side


@dataclass(frozen=True, slots=True)
class ResampleSettings:
    """What the low-pass must hold; the taps follow from it."""

    passband_hz: float = 80.0
    stopband_hz: float = 100.0
    attenuation_db: float = 60.0
    ripple_db: float = 0.5
    target_hz: float = 200.0

    def __post_init__(self) -> None:
        """Refuse bands that no filter can have."""
        if not 0 < self.passband_hz < self.stopband_hz <= self.target_hz / 2:
            raise ConfigError(
                f"the FIR's bands are {self.passband_hz!r} and {self.stopband_hz!r} "
                f"Hz, expected 0 < pass < stop <= {self.target_hz / 2:g} Hz (half the "
                "target rate). Correct the card's conditioning."
            )


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """The low-pass as a function of time: even, zero beyond `half_s`."""

    taps: FloatArray  # (odd n,), at `rate_hz`
    rate_hz: float
    sinc_half_n: float  # half width of the interpolating sinc, in taps
    sinc_beta: float  # its Kaiser window

    @property
    def half_s(self) -> float:
        """Half the support: the delay of the filter."""
        return (len(self.taps) // 2 + self.sinc_half_n) / self.rate_hz

    def __call__(self, t_s: FloatArray) -> FloatArray:
        """Evaluate h at `t_s`, any shape; the scale is arbitrary."""
        position = t_s * self.rate_hz + len(self.taps) // 2
        nearest = np.rint(position).astype(np.int64)
        total = np.zeros_like(position)
        reach = int(np.ceil(self.sinc_half_n))
        for step in range(-reach, reach + 1):
            index = nearest + step
            inside = (index >= 0) & (index < len(self.taps))
            tap = np.where(inside, self.taps[np.where(inside, index, 0)], 0.0)
            total += tap * self._sinc(position - index)
        return total

    def _sinc(self, x: FloatArray) -> FloatArray:
        arch = np.sqrt(np.maximum(1 - (x / self.sinc_half_n) ** 2, 0.0))
        window = np.i0(self.sinc_beta * arch) / np.i0(self.sinc_beta)
        return np.asarray(np.sinc(x) * window * (arch > 0))


@cache
def design(settings: ResampleSettings) -> Kernel:
    """Return the shortest kernel that holds `settings` with margin.

    Raises
    ------
    ConfigError
        When it would delay the signal by more than 100 ms.
    """
    rate_hz = 10 * settings.stopband_hz
    attenuation_db = settings.attenuation_db + _MARGIN_DB
    # The sinc passes what is below the stop-band edge, and no image of it.
    sinc_band = (rate_hz - 2 * settings.stopband_hz) / (rate_hz / 2)
    sinc_n, beta = signal.kaiserord(attenuation_db + _MARGIN_DB, sinc_band)
    longest = int(2 * MAX_DELAY_S * rate_hz - sinc_n)
    for n_taps in range(15, longest + 1, 2):
        taps = _equiripple(n_taps, settings, rate_hz)
        if taps is not None and _holds(taps, settings, rate_hz):
            return Kernel(taps, rate_hz, sinc_n / 2, beta)
    raise ConfigError(
        f"a low-pass {settings.passband_hz:g}-{settings.stopband_hz:g} Hz with "
        f"{settings.attenuation_db:g} dB delays by more than "
        f"{1000 * MAX_DELAY_S:.0f} ms, expected less. Widen its transition."
    )


def _limits(settings: ResampleSettings) -> tuple[float, float]:
    ripple = float(10 ** (_RIPPLE_SHARE * settings.ripple_db / 20) - 1)
    return ripple, float(10 ** (-(settings.attenuation_db + _MARGIN_DB) / 20))


def _equiripple(
    n_taps: int, settings: ResampleSettings, rate_hz: float
) -> FloatArray | None:
    ripple, stop = _limits(settings)
    width_hz = settings.stopband_hz - settings.passband_hz
    # Kaiser's estimate spares the search the lengths that are hopeless.
    estimate = (-10 * np.log10(ripple * stop) - 13) / (14.6 * width_hz / rate_hz)
    if n_taps < 0.9 * estimate:
        return None
    bands = [0, settings.passband_hz, settings.stopband_hz, rate_hz / 2]
    return signal.remez(n_taps, bands, [1, 0], weight=[1, ripple / stop], fs=rate_hz)


def _holds(taps: FloatArray, settings: ResampleSettings, rate_hz: float) -> bool:
    ripple, stop = _limits(settings)
    f_hz, response = signal.freqz(taps, worN=16 * len(taps), fs=rate_hz)
    gain = np.abs(response)
    passed = gain[f_hz <= settings.passband_hz]
    stopped = gain[f_hz >= settings.stopband_hz]
    return bool(np.abs(passed - 1).max() <= ripple and stopped.max() <= stop)


def exact_ratio(source_rate_hz: float, target_hz: float) -> Fraction:
    """Return source over target rate as a fraction with few phases.

    Raises
    ------
    RateMismatch
        For rates outside 200 Hz to 20 kHz, or of no simple ratio.
    """
    if not MIN_SOURCE_HZ <= source_rate_hz <= MAX_SOURCE_HZ:
        raise RateMismatch(
            f"the stream's nominal rate is {source_rate_hz!r} Hz, expected "
            f"{MIN_SOURCE_HZ:g} to {MAX_SOURCE_HZ:g} Hz. Set the amplifier's rate."
        )
    wanted = Fraction(source_rate_hz) / Fraction(target_hz)
    ratio = wanted.limit_denominator(MAX_PHASES)
    if abs(ratio / wanted - 1) > _RATE_TOLERANCE:
        raise RateMismatch(
            f"the stream's nominal rate {source_rate_hz!r} Hz is no simple ratio of "
            f"{target_hz:g} Hz (at most {MAX_PHASES} phases). Expected the nominal, "
            "not the measured rate, such as 500: correct the stream's description."
        )
    return ratio


class Resampler:
    """Resample (channels, samples) to the target rate, chunk by chunk.

    Output m since the restart stands for the source at `source_position(m)`: the delay
    is already taken out. Output 0 is at the first source sample; before it the first
    sample's value is taken to have lasted forever. An output comes as soon as
    its last source sample is in, and any chunking gives the same bits: each output is
    one sum of the same shape and order, and BLAS, whose order depends on threads, is
    not in it.

    Parameters
    ----------
    source_rate_hz : nominal rate of the stream.
    n_channels : rows of the data.
    settings : bands, attenuation, target rate.
    """

    def __init__(
        self,
        source_rate_hz: float,
        n_channels: int,
        settings: ResampleSettings | None = None,
    ) -> None:
        settings = settings or ResampleSettings()
        kernel = design(settings)
        ratio = exact_ratio(source_rate_hz, settings.target_hz)
        self._down, self._up = ratio.numerator, ratio.denominator
        rate_hz = float(ratio * Fraction(settings.target_hz))
        self._reach = int(kernel.half_s * rate_hz * self._up)  # in 1/up samples
        self._taps = self._phases(kernel, rate_hz)
        self._n_taps = self._taps.shape[1]
        self.delay_s = kernel.half_s
        # One block bounds the buffer; it is slid once per block, not per chunk.
        self._block_n = max(self._n_taps, 256)
        self._buffer = np.zeros((n_channels, self._n_taps + 4 * self._block_n))
        self.restart()

    @property
    def settle_s(self) -> float:
        """Outputs earlier than this after a restart lean on the padded start."""
        return self.delay_s

    def restart(self) -> None:
        """Forget all samples; the next one is source sample 0."""
        self._n_in = 0
        self.n_out = 0  # index of the next output
        self._base = -self._n_taps  # source index of the buffer's first column

    def source_position(self, m: int) -> float:
        """Return the source sample, since the restart, that output `m` stands for."""
        return m * self._down / self._up

    def needed(self, m: int) -> int:
        """Return the index of the last source sample that output `m` needs."""
        return (m * self._down + self._reach) // self._up

    def available(self, n_source: int) -> int:
        """Return how many outputs `n_source` samples since the restart give."""
        return max(0, (n_source * self._up - self._reach - 1) // self._down + 1)

    def __call__(self, data: FloatArray | Float32Array) -> FloatArray:
        """Take (channels, n) and return the outputs that are now due, (channels, m)."""
        n_due = self.available(self._n_in + data.shape[1]) - self.n_out
        out = np.empty((n_due, len(data)))
        if self._n_in == 0 and data.shape[1]:
            self._buffer[:, : self._n_taps] = data[:, :1]
        n_done = 0
        for start in range(0, data.shape[1], self._block_n):
            self._append(data[:, start : start + self._block_n])
            n_done += self._sum_due(out[n_done:])
        return np.ascontiguousarray(out.T)

    def _append(self, block: FloatArray | Float32Array) -> None:
        column = self._n_in - self._base
        if column + block.shape[1] > self._buffer.shape[1]:
            kept = self._buffer[:, column - self._n_taps : column].copy()
            self._buffer[:, : self._n_taps] = kept
            self._base, column = self._n_in - self._n_taps, self._n_taps
        self._buffer[:, column : column + block.shape[1]] = block
        self._n_in += block.shape[1]

    def _sum_due(self, out: FloatArray) -> int:
        first, self.n_out = self.n_out, self.available(self._n_in)
        for row, m in enumerate(range(first, self.n_out)):
            end = self.needed(m) + 1 - self._base
            source = self._buffer[:, end - self._n_taps : end]
            taps = self._taps[m * self._down % self._up]
            np.einsum("ck,k->c", source, taps, out=out[row])
        return self.n_out - first

    def _phases(self, kernel: Kernel, rate_hz: float) -> FloatArray:
        """Return (up, taps): row r for outputs r/up after a source sample."""
        n_taps = 2 * self._reach // self._up + 1
        phase = np.arange(self._up)[:, None]
        offset = np.arange(1 - n_taps, 1) + (phase + self._reach) // self._up
        taps = kernel((offset - phase / self._up) / rate_hz)
        return np.asarray(taps / taps.sum(axis=1, keepdims=True))


# Causal conditioning: Butterworth high-pass (minimum phase, not compensated: see
# `highpass_delay_s`), then the FIR, whose constant delay is taken out of the stamps.

# A start that is off by 1 mV (more is a fault that the quality monitor sees) must have
# died down to 1 uV.
SETTLED_SHARE = 1e-3


class Conditioner:
    """High-pass and resample a stream, chunk by chunk, to the same bits.

    Output m since the restart stands for the source at
    `resampler.source_position(m)`. The filters start at steady state on each channel's
    first finite sample. A sample that is not finite, or absurd, is held at the
    channel's last finite value (before any: at what becomes the first one), so that it
    never poisons a filter; that it was there is for the quality monitor to see in the
    raw data.

    Parameters
    ----------
    source_rate_hz : nominal rate of the stream.
    n_channels : rows of the data.
    settings : the card's; a live loop runs exactly what the bundle was trained with.
    """

    def __init__(
        self, source_rate_hz: float, n_channels: int, settings: Conditioning
    ) -> None:
        self.resampler = Resampler(
            source_rate_hz, n_channels, resample_settings(settings)
        )
        self._sos = _highpass(settings, source_rate_hz)
        self._n_channels = n_channels
        self.delay_s = self.resampler.delay_s
        self.settle_s = _highpass_settle_s(settings) + self.resampler.settle_s
        self.restart()

    def restart(self) -> None:
        """Forget all samples, as after a gap; the next one is source sample 0."""
        self.resampler.restart()
        self._state = np.zeros((len(self._sos), self._n_channels, 2))
        self._first_uv = np.full(self._n_channels, np.nan)
        self._held_uv = np.zeros(self._n_channels)  # relative to the first value

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
        return self.resampler(high_uv).astype(np.float32)

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


def filter_delay_s(settings: Conditioning, source_rate_hz: float) -> float:
    """Return the constant delay of the FIR, taken out of the time stamps.

    Raises
    ------
    RateMismatch : for rates outside 200 Hz to 20 kHz, or of no simple ratio.
    """
    fir = resample_settings(settings)
    exact_ratio(source_rate_hz, fir.target_hz)
    return design(fir).half_s


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
