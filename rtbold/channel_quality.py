"""What state each channel of the stream is in, from its raw samples.

Samples are gathered into blocks of 0.25 s counted from the first sample; a channel is
judged at the end of each block from the last second. Nothing here depends on the
chunks in which samples arrive, and nothing on samples after the window asked about.
"""

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rtbold.block_statistics import (
    BlockMeter,
    BlockStatistics,
    BoolArray,
    SpectrumMeter,
)
from rtbold.errors import ConfigError
from rtbold.messages import Channel, ChannelKind, Float32Array, FloatArray

ChannelFlag = Literal[
    "channel_flat", "channel_railed", "line_noise", "amplitude", "nonfinite"
]
FLAGS: tuple[ChannelFlag, ...] = (
    "channel_flat", "channel_railed", "line_noise", "amplitude", "nonfinite",
)  # fmt: skip
Amplitude = Literal["unknown", "plausible", "too_small", "too_large"]
_BODY_KINDS: frozenset[ChannelKind] = frozenset(("eeg", "ecg", "eog", "emg", "cwl"))
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class ChannelQualitySettings:
    """Bounds of the monitor; `docs/quality.md` gives the reason for each."""

    block_s: float = 0.25
    judged_blocks: int = 4  # one second
    history_s: float = 30.0  # a window of 16 s, and time to ask about it
    flat_uv: float = 0.1  # peak to peak over a second, below it: flat
    rail_level_uv: float = 1000.0  # an extreme nearer to zero is no rail
    rail_share: float = 0.05  # of a second's samples exactly at the extreme
    rail_beyond_uv: float = 500_000.0  # more than any EEG amplifier's range
    line_hz: tuple[float, ...] = (50.0, 60.0)
    line_share: float = 0.5  # of the power from 1 to 80 Hz
    line_min_uv: float = 1.0  # RMS; a quiet channel is not bad for a trace of mains
    channel_rms_uv: tuple[float, float] = (0.3, 300.0)  # of one EEG channel
    median_rms_uv: tuple[float, float] = (0.5, 150.0)  # over all EEG channels

    def __post_init__(self) -> None:
        if not 0 < self.block_s * self.judged_blocks <= 2:
            raise ConfigError(
                f"block_s {self.block_s!r} x judged_blocks {self.judged_blocks!r} "
                "is outside (0, 2] s: a bad channel must be named within 2 s"
            )
        for name in ("channel_rms_uv", "median_rms_uv"):
            low, high = getattr(self, name)
            if not 0 <= low < high:
                raise ConfigError(
                    f"{name} is ({low!r}, {high!r}), expected two rising values in uV"
                )


@dataclass(frozen=True, slots=True)
class ChannelState:
    """One channel as judged at the end of the last whole block."""

    label: str
    kind: ChannelKind
    flags: frozenset[ChannelFlag]
    rms_uv: float | None  # from 1 to 80 Hz, over the last second; None: too early
    line_ratio: float | None  # share of mains in 1-80 Hz; None: too early, or NaN


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """One block in the history."""

    flags: BoolArray  # (flags, channels)
    first_nonfinite: NDArray[np.int64]  # (channels,) source index; _NEVER: none
    last_nonfinite: NDArray[np.int64]  # (channels,) source index; -1: none
    rms_uv: FloatArray  # (channels,) nan: too early
    line_ratio: FloatArray
    amplitude: Amplitude


class ChannelMonitor:
    """Watches all channels of one stream at its own rate.

    Parameters
    ----------
    rate_hz : of the source; a new rate needs a new monitor.
    channels : of the stream, in its order. ECG, EOG and the like are watched too,
        but only EEG counts for the amplitude. Trigger, motion and misc channels can
        only be ``nonfinite``.
    settings : bounds.
    """

    def __init__(
        self,
        rate_hz: float,
        channels: tuple[Channel, ...],
        settings: ChannelQualitySettings | None = None,
    ) -> None:
        self._settings = settings or ChannelQualitySettings()
        self._channels = channels
        self._kinds_body = np.array([c.kind in _BODY_KINDS for c in channels], bool)
        self._kinds_eeg = np.array([c.kind == "eeg" for c in channels], bool)
        self._block_n = max(round(rate_hz * self._settings.block_s), 2)
        self._meter = BlockMeter(self._block_n, rate_hz)
        judged_n = self._settings.judged_blocks
        self._spectrum = SpectrumMeter(
            judged_n * self._meter.thinned_n,
            self._meter.thinned_rate_hz,
            line_hz=self._settings.line_hz,
        )
        self._history_n = int(
            np.ceil(self._settings.history_s / self._settings.block_s)
        )
        shape = (len(channels), self._block_n)
        self._pending = np.zeros(shape, dtype=np.float32)
        self.restart(0)

    @property
    def next_index(self) -> int:
        """Source index of the sample that the next `push` begins with."""
        return self._block_start + self._pending_n

    @property
    def settled(self) -> bool:
        """Whether a whole second has been judged since the start."""
        return len(self._recent) == self._settings.judged_blocks

    def restart(self, next_index: int) -> None:
        """Forget everything: the next sample is source sample `next_index`.

        Called after a gap that was not bridged, since a second with a hole in it
        would be judged as if it had none.
        """
        judged_n = self._settings.judged_blocks
        self._block_start = next_index
        self._pending_n = 0
        self._recent: deque[BlockStatistics] = deque(maxlen=judged_n)
        self._thinned: deque[Float32Array] = deque(maxlen=judged_n)
        self._history: deque[_Judged] = deque(maxlen=self._history_n)
        self._clear_nonfinite()

    def push(self, data_uv: Float32Array) -> None:
        """Take (channels, n) raw samples in uV, all channels; n may be 0.

        Chunks longer than `history_s` leave no history of their beginning.
        """
        if data_uv.shape[0] != len(self._channels):
            raise ValueError(
                f"got {data_uv.shape[0]} channels, expected {len(self._channels)}; "
                "make a new monitor when the stream changes"
            )
        done = 0
        while done < data_uv.shape[1]:
            n = min(self._block_n - self._pending_n, data_uv.shape[1] - done)
            part = data_uv[:, done : done + n]
            self._note_nonfinite(part)
            self._pending[:, self._pending_n : self._pending_n + n] = part
            self._pending_n += n
            done += n
            if self._pending_n == self._block_n:
                self._close_block()

    def report(self) -> tuple[ChannelState, ...]:
        """Return the state of each channel at the end of the last whole block."""
        if not self._history:
            return tuple(
                ChannelState(c.label, c.kind, frozenset(), None, None)
                for c in self._channels
            )
        last = self._history[-1]
        return tuple(
            ChannelState(
                channel.label,
                channel.kind,
                _named(last.flags[:, i]),
                _known(last.rms_uv[i]),
                _known(last.line_ratio[i]),
            )
            for i, channel in enumerate(self._channels)
        )

    @property
    def amplitude(self) -> Amplitude:
        """Whether the EEG's amplitude can be an EEG's, over the last second."""
        return self._history[-1].amplitude if self._history else "unknown"

    def amplitude_text(self) -> str:
        """Say what amplitude was found and what to do; empty if it is plausible."""
        if self.amplitude in ("unknown", "plausible"):
            return ""
        low, high = self._settings.median_rms_uv
        found = float(np.median(self._history[-1].rms_uv[self._kinds_eeg]))
        advice = (
            "is the unit right? Volts or millivolts may have been taken for "
            "microvolts: pass --unit"
            if self.amplitude == "too_small"
            else "is the scanner artefact still in, the unit wrong, or the cap loose? "
            "Wait for the cleaning to settle, or pass --unit"
        )
        return (
            f"median EEG amplitude is {found:.3g} uV RMS, expected {low:g} to "
            f"{high:g} uV: {advice}"
        )

    def bad_between(
        self, first_index: int, end_index: int
    ) -> dict[str, frozenset[ChannelFlag]]:
        """Return the flags of each channel that was bad anywhere in a window.

        Parameters
        ----------
        first_index, end_index : source samples, the first and one past the last.
            Only blocks that end by `end_index` count, and single non-finite samples
            before it, so that later samples cannot change the answer.

        Raises
        ------
        LookupError : the window begins before the history that is kept.
        """
        blocks = self._blocks_between(first_index, end_index)
        flags = np.zeros((len(FLAGS), len(self._channels)), dtype=bool)
        for judged in blocks:
            flags |= judged.flags
        flags[FLAGS.index("nonfinite")] = self._nonfinite_between(
            first_index, end_index
        )
        bad: dict[str, frozenset[ChannelFlag]] = {}
        for i in np.flatnonzero(flags.any(axis=0)):
            label = self._channels[i].label
            bad[label] = bad.get(label, frozenset()) | _named(flags[:, i])
        return bad

    def amplitude_between(self, first_index: int, end_index: int) -> Amplitude:
        """Return the worst amplitude in a window; too large before too small."""
        found = {b.amplitude for b in self._blocks_between(first_index, end_index)}
        order: tuple[Amplitude, ...] = ("too_large", "too_small", "plausible")
        return next((a for a in order if a in found), "unknown")

    # -- one block ---------------------------------------------------------------

    def _close_block(self) -> None:
        statistics, thinned = self._meter(self._pending)
        self._recent.append(statistics)
        # A copy where the meter did not thin: the pending block is written again.
        self._thinned.append(thinned.copy() if thinned is self._pending else thinned)
        self._history.append(self._judge())
        self._block_start += self._block_n
        self._pending_n = 0
        self._clear_nonfinite()

    def _judge(self) -> _Judged:
        n_channels = len(self._channels)
        flags = np.zeros((len(FLAGS), n_channels), dtype=bool)
        rms, line = np.full((2, n_channels), np.nan)
        amplitude: Amplitude = "unknown"
        if self.settled:
            rms, line_uv = self._spectrum(np.concatenate(self._thinned, axis=1))
            finite = np.all([s.all_finite for s in self._recent], axis=0)
            seen = finite & (rms > 0)
            line = np.divide(line_uv**2, rms**2, out=line, where=seen)
            s = self._settings
            low, high = s.channel_rms_uv
            flags[0], flags[1] = self._flat(), self._railed()
            flags[2] = (line > s.line_share) & (line_uv > s.line_min_uv)
            flags[:3] &= self._kinds_body
            flags[3] = self._kinds_eeg & ((rms < low) | (rms > high))
            amplitude = self._plausibility(rms)
        flags[4] = self._last_nonfinite >= 0
        return _Judged(
            flags, self._first_nonfinite, self._last_nonfinite, rms, line, amplitude
        )

    def _flat(self) -> BoolArray:
        low, high = self._extremes()
        return np.asarray(high - low < self._settings.flat_uv)

    def _railed(self) -> BoolArray:
        """Many samples exactly at an extreme far from zero, or beyond any range.

        An electrode offset alone is not railed: its extremes are met once or twice.
        """
        s = self._settings
        low, high = self._extremes()
        enough_n = s.rail_share * s.judged_blocks * self._block_n
        at_low = sum((b.low_uv == low) * b.n_at_low for b in self._recent)
        at_high = sum((b.high_uv == high) * b.n_at_high for b in self._recent)
        stuck = (at_low >= enough_n) & (np.abs(low) >= s.rail_level_uv)
        stuck |= (at_high >= enough_n) & (np.abs(high) >= s.rail_level_uv)
        return np.asarray(stuck | (np.maximum(-low, high) > s.rail_beyond_uv))

    def _extremes(self) -> tuple[FloatArray, FloatArray]:
        low = np.min([s.low_uv for s in self._recent], axis=0)
        high = np.max([s.high_uv for s in self._recent], axis=0)
        return low, high

    def _plausibility(self, rms_uv: FloatArray) -> Amplitude:
        if not self._kinds_eeg.any():
            return "unknown"
        low, high = self._settings.median_rms_uv
        median = float(np.median(rms_uv[self._kinds_eeg]))
        if median > high:
            return "too_large"
        return "too_small" if median < low else "plausible"

    # -- single samples and history ----------------------------------------------

    def _clear_nonfinite(self) -> None:
        n_channels = len(self._channels)
        self._first_nonfinite = np.full(n_channels, _NEVER, dtype=np.int64)
        self._last_nonfinite = np.full(n_channels, -1, dtype=np.int64)

    def _note_nonfinite(self, part_uv: Float32Array) -> None:
        broken = ~np.isfinite(part_uv)
        if not broken.any():
            return
        start, n = self.next_index, part_uv.shape[1]
        rows = broken.any(axis=1)
        first = np.where(rows, start + broken.argmax(axis=1), _NEVER)
        last = np.where(rows, start + n - 1 - broken[:, ::-1].argmax(axis=1), -1)
        self._first_nonfinite = np.minimum(self._first_nonfinite, first)
        self._last_nonfinite = np.maximum(self._last_nonfinite, last)

    def _blocks_between(self, first_index: int, end_index: int) -> list[_Judged]:
        """Return the judged blocks that end in (first_index, end_index]."""
        oldest = self._block_start - len(self._history) * self._block_n
        if first_index < oldest and len(self._history) == self._history_n:
            raise LookupError(
                f"the window begins at sample {first_index}, the history at {oldest}: "
                f"ask within {self._settings.history_s:g} s, or push shorter chunks"
            )
        ends = range(oldest + self._block_n, self._block_start + 1, self._block_n)
        return [
            block
            for block, end in zip(self._history, ends, strict=True)
            if first_index < end <= end_index
        ]

    def _nonfinite_between(self, first_index: int, end_index: int) -> BoolArray:
        pairs = [(b.first_nonfinite, b.last_nonfinite) for b in self._history]
        pairs.append((self._first_nonfinite, self._last_nonfinite))
        hit = [(a < end_index) & (z >= first_index) for a, z in pairs]
        return np.asarray(np.any(hit, axis=0))


def _named(flags: BoolArray) -> frozenset[ChannelFlag]:
    return frozenset(name for name, on in zip(FLAGS, flags, strict=True) if on)


def _known(value: np.float64) -> float | None:
    return float(value) if np.isfinite(value) else None
