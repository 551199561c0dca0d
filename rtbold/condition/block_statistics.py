"""Statistics of one short block of raw samples, per channel; the monitor's raw facts.

A block is judged whole and only once, with arrays of one fixed shape, so that the
chunks in which the samples arrived cannot change a single bit of the answer.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbold.messages import Float32Array, FloatArray

BoolArray = NDArray[np.bool_]
LINE_RATE_MIN_HZ = 400.0  # the box mean then takes under 7 % of 60 Hz amplitude
TOTAL_BAND_HZ = (1.0, 80.0)
LINE_HALF_WIDTH_HZ = 1.0
NUMBER_MAX_UV = 1e12  # a megavolt is no measurement, and its square no float32


@dataclass(frozen=True, slots=True, eq=False)
class BlockStatistics:
    """What is kept of one block; each array is (channels,)."""

    low_uv: FloatArray
    high_uv: FloatArray
    n_at_low: NDArray[np.int64]  # samples exactly at the block's lowest value
    n_at_high: NDArray[np.int64]
    all_finite: BoolArray


class BlockMeter:
    """Computes `BlockStatistics`, and the block's samples thinned for the spectrum.

    Parameters
    ----------
    n_samples : of a block at the source rate; each call gets exactly so many.
    rate_hz : of the source.
    """

    def __init__(self, n_samples: int, rate_hz: float) -> None:
        self._step = _thinning(n_samples, rate_hz)
        self.thinned_n = n_samples // self._step
        self.thinned_rate_hz = rate_hz / self._step

    def __call__(self, block_uv: Float32Array) -> tuple[BlockStatistics, Float32Array]:
        """Measure one block (channels, n_samples); non-finite samples are left out.

        Returns
        -------
        The statistics, and (channels, thinned_n) means of neighbouring samples.
        """
        finite = np.asarray(is_number(block_uv).all(axis=1))
        if not finite.all():
            block_uv = _hold_finite(block_uv)
        low, high = block_uv.min(axis=1), block_uv.max(axis=1)
        statistics = BlockStatistics(
            low_uv=low.astype(np.float64),
            high_uv=high.astype(np.float64),
            n_at_low=np.count_nonzero(block_uv == low[:, None], axis=1),
            n_at_high=np.count_nonzero(block_uv == high[:, None], axis=1),
            all_finite=finite,
        )
        return statistics, self._thin(block_uv)

    def _thin(self, block_uv: Float32Array) -> Float32Array:
        if self._step == 1:
            return block_uv.copy()  # the caller writes its block again
        groups = block_uv.reshape(block_uv.shape[0], self.thinned_n, self._step)
        return np.asarray(groups.mean(axis=2), dtype=np.float32)


class SpectrumMeter:
    """Power from 1 to 80 Hz, and how much of it lies within 1 Hz of the mains.

    Parameters
    ----------
    n_samples : of the stretch that is looked at; about one second.
    rate_hz : of these (thinned) samples.
    line_hz : mains frequencies; the largest share counts.
    """

    def __init__(
        self, n_samples: int, rate_hz: float, *, line_hz: tuple[float, ...]
    ) -> None:
        taper = np.hanning(n_samples + 1)[:-1]
        self._taper = taper.astype(np.float32)
        self._scale = 2.0 / (n_samples * float((taper**2).sum()))
        bins_hz = np.fft.rfftfreq(n_samples, 1 / rate_hz)
        # Half a bin of slack: at odd rates the bins are not at whole hertz.
        slack_hz = bins_hz[1] / 2
        low_hz, high_hz = TOTAL_BAND_HZ
        self._total = (bins_hz >= low_hz - slack_hz) & (bins_hz <= high_hz + slack_hz)
        reach_hz = LINE_HALF_WIDTH_HZ + slack_hz
        self._lines = [np.abs(bins_hz - hz) <= reach_hz for hz in line_hz]

    def __call__(self, stretch_uv: Float32Array) -> tuple[FloatArray, FloatArray]:
        """Measure (channels, n_samples); drifts below 1 Hz hardly count.

        Returns
        -------
        (channels,) RMS in uV from 1 to 80 Hz, and (channels,) RMS in uV of the mains.
        """
        # Around the mean, float32 is fine even on an offset of 10 mV.
        mean = stretch_uv.mean(axis=1, dtype=np.float64, keepdims=True)
        centred = (stretch_uv - mean).astype(np.float32)
        spectrum = np.fft.rfft(centred * self._taper, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        total = power[:, self._total].sum(axis=1, dtype=np.float64)
        lines = [power[:, bins].sum(axis=1, dtype=np.float64) for bins in self._lines]
        return np.sqrt(total * self._scale), np.sqrt(
            np.max(lines, axis=0) * self._scale
        )


_NEVER = np.iinfo(np.int64).max
_PARTS = 5  # of a block of 0.25 s; a lively channel changes in each of them
_JUDGED = 4  # blocks: a channel that is flat for longer is flat by its size
_LIVELY = 8, 64  # blocks before those that must be lively: at least, at most


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """One block; all (channels,), indices are of source samples."""

    since: NDArray[np.int64]  # the value that stood before the block stands
    first_change: NDArray[np.int64]  # in the block; `_NEVER`: none
    lively: BoolArray


class HeldValues:
    """Which channels hold one value, to the last bit, for a whole block.

    Noise does not. But steps of an amplifier may be as large as a quiet EEG, so it
    only counts where a channel has changed every twentieth of a second before.

    Parameters
    ----------
    n_channels, block_n : of each block.
    history_n : blocks that are remembered.
    """

    def __init__(self, n_channels: int, block_n: int, *, history_n: int) -> None:
        self._n_channels, self._block_n = n_channels, block_n
        self._history_n = history_n
        self.restart()

    def restart(self) -> None:
        """Forget everything."""
        self._blocks: deque[_Held] = deque(maxlen=self._history_n)
        self._since = np.full(self._n_channels, _NEVER, dtype=np.int64)
        self._last_uv = np.full((self._n_channels, 1), np.nan, dtype=np.float32)

    def close(self, block_uv: Float32Array, start: int) -> BoolArray:
        """Take a whole block; return which channels held one value so long in it.

        Parameters
        ----------
        start : source index of its first sample.
        """
        n = self._block_n
        changed = self._changed(block_uv)
        rows = changed.any(axis=1)
        parts = np.array_split(changed, min(_PARTS, n), axis=1)
        lively = np.all([part.any(axis=1) for part in parts], axis=0)
        first = np.where(rows, start + changed.argmax(axis=1), _NEVER)
        self._blocks.append(_Held(self._since, first, lively))
        held = np.where(rows, first, start + n) - self._since >= n  # and may have ended
        last = start + n - 1 - changed[:, ::-1].argmax(axis=1)
        self._since = np.where(rows, last, self._since)
        self._last_uv = block_uv[:, -1:].copy()
        held |= start + n - self._since >= n
        return np.asarray(held & self._were_lively(len(self._blocks)))

    def at(self, end: int, begun_uv: Float32Array, start: int) -> BoolArray:
        """Return which channels hold one value up to a sample.

        Parameters
        ----------
        end : source index after it.
        begun_uv : (channels, n), of the block in progress.
        start : source index of its first sample.
        """
        begun_n = min(end - start, begun_uv.shape[1])
        if begun_n >= 0:
            stands = ~self._changed(begun_uv[:, :begun_n]).any(axis=1)
            number, since, end = len(self._blocks), self._since, start + begun_n
        else:
            number = len(self._blocks) - (start - end) // self._block_n - 1
            if number < 0:
                return np.zeros(self._n_channels, dtype=np.bool_)
            block = self._blocks[number]
            stands, since = block.first_change >= end, block.since
        held = stands & (end - since >= self._block_n)
        return np.asarray(held & self._were_lively(number))

    def _changed(self, data_uv: Float32Array) -> BoolArray:
        """Return where samples differ from those before; NaN does."""
        return np.asarray(np.diff(data_uv, axis=1, prepend=self._last_uv) != 0)

    def _were_lively(self, number: int) -> BoolArray:
        """Return which channels were, as far as known before the newest blocks."""
        least, most = _LIVELY
        before = list(self._blocks)[max(number - _JUDGED - most, 0) : number - _JUDGED]
        if number - _JUDGED < least:
            return np.zeros(self._n_channels, dtype=np.bool_)
        return np.asarray(np.all([block.lively for block in before], axis=0))


def is_number(data_uv: Float32Array | FloatArray) -> BoolArray:
    """Return where samples are numbers: not NaN, not infinite, not absurd."""
    return np.asarray(np.abs(data_uv) <= NUMBER_MAX_UV)


def _thinning(n_samples: int, rate_hz: float) -> int:
    """Return the largest divisor of a block that keeps the rate high enough."""
    steps = range(1, int(rate_hz // LINE_RATE_MIN_HZ) + 1)
    return max((step for step in steps if n_samples % step == 0), default=1)


def _hold_finite(block_uv: Float32Array) -> Float32Array:
    """Return a copy with each non-finite sample at its channel's finite mean."""
    finite = is_number(block_uv)
    n = np.maximum(np.count_nonzero(finite, axis=1), 1)
    kept = np.where(finite, block_uv, np.float32(0))
    mean = kept.sum(axis=1, dtype=np.float64) / n
    return np.where(finite, block_uv, mean[:, None]).astype(np.float32)
