"""What state each channel of the stream is in, from its raw samples.

Samples are gathered into blocks of 0.25 s counted from the first sample; a channel is
judged at the end of each block from the last second. Nothing here depends on the
chunks in which samples arrive, and nothing on samples after the window asked about.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rtbold.condition.block_statistics import (
    BlockMeter,
    BlockStatistics,
    BoolArray,
    HeldValues,
    SpectrumMeter,
    is_number,
)
from rtbold.condition.repeats import RepeatFinder
from rtbold.errors import ConfigError
from rtbold.messages import Channel, ChannelKind, ChannelState, Float32Array, FloatArray

# How one second of a stream is judged: the bounds, and the flags they give.
#
# Facts come from `rtbold.condition.block_statistics`; history and queries are those of
# `ChannelMonitor` below.

ChannelFlag = Literal[
    "channel_flat", "channel_railed", "line_noise", "amplitude", "nonfinite"
]
# The gravest first: a railed channel is flat too, and a flat one has no amplitude.
_STATES: dict[ChannelFlag, ChannelState] = {
    "nonfinite": "nonfinite",
    "channel_railed": "railed",
    "channel_flat": "flat",
    "line_noise": "line_noise",
    "amplitude": "amplitude",
}
FLAGS: tuple[ChannelFlag, ...] = tuple(_STATES)
_ROW: dict[ChannelFlag, int] = {flag: row for row, flag in enumerate(FLAGS)}
Amplitude = Literal["unknown", "plausible", "too_small", "too_large"]
_BODY_KINDS: frozenset[ChannelKind] = frozenset(("eeg", "ecg", "eog", "emg", "cwl"))


def channel_state(flags: Collection[ChannelFlag]) -> ChannelState:
    """Return the state of a channel in one word: its gravest flag, or ``good``."""
    return next((state for flag, state in _STATES.items() if flag in flags), "good")


@dataclass(frozen=True)
class ChannelQualitySettings:
    """Bounds of the monitor; `docs/reference/quality.md` gives the reason for each."""

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


@dataclass(frozen=True, slots=True, eq=False)
class BlockQuality:
    """What the last second was like, as judged at the end of one block."""

    flags: BoolArray  # (flags, channels), in the order of FLAGS
    rms_uv: FloatArray  # (channels,), 1 to 80 Hz; nan: not a second of numbers yet
    line_ratio: FloatArray  # (channels,), share of mains; nan: not known
    amplitude: Amplitude
    repeated: bool  # most EEG channels send again what they sent before


class ChannelEvaluator:
    """Judges each block together with those of the second before it.

    Parameters
    ----------
    rate_hz : of the source.
    channels : of the stream, in its order.
    settings : bounds.
    """

    def __init__(
        self,
        rate_hz: float,
        channels: tuple[Channel, ...],
        settings: ChannelQualitySettings,
    ) -> None:
        self._settings = settings
        self._body = np.array([c.kind in _BODY_KINDS for c in channels], dtype=bool)
        self.eeg = np.array([c.kind == "eeg" for c in channels], dtype=bool)
        self.block_n = max(round(rate_hz * settings.block_s), 2)
        self._meter = BlockMeter(self.block_n, rate_hz)
        self._spectrum = SpectrumMeter(
            settings.judged_blocks * self._meter.thinned_n,
            self._meter.thinned_rate_hz,
            line_hz=settings.line_hz,
        )
        n_eeg = int(self.eeg.sum())
        self._repeats = RepeatFinder(n_eeg, self.block_n, rate_hz)
        self.restart()

    def restart(self) -> None:
        """Forget the last second, not what was sent before it."""
        self._repeats.restart()
        judged_n = self._settings.judged_blocks
        self._recent: deque[BlockStatistics] = deque(maxlen=judged_n)
        self._thinned: deque[Float32Array] = deque(maxlen=judged_n)

    def __call__(self, block_uv: Float32Array, source_end: int) -> BlockQuality:
        """Judge one whole block (channels, block_n); the array is not kept.

        Parameters
        ----------
        source_end : source index after its last sample.
        """
        statistics, thinned = self._meter(block_uv)
        repeats = self._repeats(block_uv[self.eeg], source_end)
        self._recent.append(statistics)
        self._thinned.append(thinned)
        flags = np.zeros((len(FLAGS), self.eeg.size), dtype=bool)
        flags[_ROW["nonfinite"]] = ~statistics.all_finite
        flags[_ROW["channel_flat"], self.eeg] = repeats.channels
        if len(self._recent) < self._settings.judged_blocks:
            unknown = np.full(self.eeg.size, np.nan)
            return BlockQuality(flags, unknown, unknown, "unknown", repeats.head)
        return self._last_second(flags, repeated=repeats.head)

    def _last_second(self, flags: BoolArray, *, repeated: bool) -> BlockQuality:
        """Add to `flags` what a whole second tells."""
        rms_uv, line_uv = self._spectrum(np.concatenate(self._thinned, axis=1))
        # A channel with a hole is nonfinite, and no more can be said of it.
        whole = np.all([s.all_finite for s in self._recent], axis=0)
        rms_uv = np.where(whole, rms_uv, np.nan)
        ratio = np.full(rms_uv.size, np.nan)
        np.divide(line_uv**2, rms_uv**2, out=ratio, where=whole & (rms_uv > 0))
        s = self._settings
        low_uv, high_uv = s.channel_rms_uv
        line_noise = (ratio > s.line_share) & (line_uv > s.line_min_uv)
        known = self._body & whole
        flags[_ROW["channel_railed"]] = known & self._railed()
        flags[_ROW["channel_flat"]] |= known & self._flat()
        flags[_ROW["line_noise"]] = known & line_noise
        flags[_ROW["amplitude"]] = self.eeg & ((rms_uv < low_uv) | (rms_uv > high_uv))
        amplitude = self._plausibility(rms_uv)
        return BlockQuality(flags, rms_uv, ratio, amplitude, repeated)

    def _flat(self) -> BoolArray:
        low, high = self._extremes()
        return np.asarray(high - low < self._settings.flat_uv)

    def _railed(self) -> BoolArray:
        """Many samples exactly at an extreme far from zero, or beyond any range.

        An electrode offset alone is not railed: its extremes are met once or twice.
        """
        s = self._settings
        low, high = self._extremes()
        enough_n = s.rail_share * s.judged_blocks * self.block_n
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
        known_uv = rms_uv[self.eeg & np.isfinite(rms_uv)]
        if known_uv.size == 0:
            return "unknown"
        low, high = self._settings.median_rms_uv
        median = float(np.median(known_uv))
        if median > high:
            return "too_large"
        return "too_small" if median < low else "plausible"


_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class MonitoredChannel:
    """One channel as judged at the end of the last whole block."""

    label: str
    kind: ChannelKind
    flags: frozenset[ChannelFlag]
    rms_uv: float | None  # from 1 to 80 Hz, over the last second; None: too early
    line_ratio: float | None  # share of mains in 1-80 Hz; None: too early, or NaN

    @property
    def state(self) -> ChannelState:
        """The state in one word: the gravest flag."""
        return channel_state(self.flags)


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """One block in the history; indices are of source samples."""

    quality: BlockQuality
    first_nonfinite: NDArray[np.int64]  # (channels,), _NEVER: none
    last_nonfinite: NDArray[np.int64]  # (channels,), -1: none


class ChannelMonitor:
    """Watch all channels of one stream at its own rate.

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
        self._evaluate = ChannelEvaluator(rate_hz, channels, self._settings)
        self._block_n = self._evaluate.block_n
        history_n = self._settings.history_s / self._settings.block_s
        self._history_n = int(np.ceil(history_n))
        shape = (len(channels), self._block_n)
        self._held = HeldValues(*shape, history_n=self._history_n)
        self._pending = np.zeros(shape, dtype=np.float32)
        self._block_start = 0  # source index of the block in progress
        self.restart()

    @property
    def oldest_index(self) -> int:
        """Source index that `bad_between` can look back to."""
        return self._block_start - len(self._history) * self._block_n

    @property
    def settled(self) -> bool:
        """Whether a whole second has been judged since the start."""
        return len(self._history) >= self._settings.judged_blocks

    def restart(self) -> None:
        """Forget everything.

        Called after a gap that was not bridged, since a second with a hole in it
        would be judged as if it had none.
        """
        self._pending_n = 0
        self._evaluate.restart()
        self._held.restart()
        self._history: deque[_Block] = deque(maxlen=self._history_n)
        self._clear_nonfinite()

    def push(self, data_uv: Float32Array, source_index: int) -> None:
        """Take the next raw samples.

        Parameters
        ----------
        data_uv : (channels, n), all channels; n may be 0. Chunks longer than
            `history_s` leave no history of their beginning.
        source_index : of the first of them. Between two `restart` none is left out.
        """
        if data_uv.shape[0] != len(self._channels):
            raise ValueError(
                f"got {data_uv.shape[0]} channels, expected {len(self._channels)}; "
                "make a new monitor when the stream changes"
            )
        self._block_start = source_index - self._pending_n
        done = 0
        while done < data_uv.shape[1]:
            n = min(self._block_n - self._pending_n, data_uv.shape[1] - done)
            part = data_uv[:, done : done + n]
            self._note_nonfinite(part, source_index + done)
            self._pending[:, self._pending_n : self._pending_n + n] = part
            self._pending_n += n
            done += n
            if self._pending_n == self._block_n:
                self._close_block()

    def report(self) -> tuple[MonitoredChannel, ...]:
        """Return the state of each channel at the end of the last whole block."""
        if not self._history:
            return tuple(
                MonitoredChannel(c.label, c.kind, frozenset(), None, None)
                for c in self._channels
            )
        last = self._history[-1].quality
        flags = last.flags.copy()
        flags[FLAGS.index("nonfinite")] = self._nonfinite_between(
            self._block_start - self._settings.judged_blocks * self._block_n,
            self._block_start,
        )
        return tuple(
            MonitoredChannel(
                channel.label,
                channel.kind,
                _named(flags[:, i]),
                _known(last.rms_uv[i]),
                _known(last.line_ratio[i]),
            )
            for i, channel in enumerate(self._channels)
        )

    @property
    def amplitude(self) -> Amplitude:
        """Whether the EEG's amplitude can be an EEG's, over the last second."""
        return self._history[-1].quality.amplitude if self._history else "unknown"

    def amplitude_text(self) -> str:
        """Say what amplitude was found and what to do; empty if it is plausible."""
        if self.amplitude in ("unknown", "plausible"):
            return ""
        low, high = self._settings.median_rms_uv
        rms_uv = self._history[-1].quality.rms_uv[self._evaluate.eeg]
        found = float(np.nanmedian(rms_uv))
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
        for block in blocks:
            flags |= block.quality.flags
        flags[FLAGS.index("nonfinite")] = self._nonfinite_between(
            first_index, end_index
        )
        begun = self._pending[:, : self._pending_n]
        held = self._held.at(end_index, begun, self._block_start)
        flags[_ROW["channel_flat"]] |= held & self._evaluate.eeg
        bad: dict[str, frozenset[ChannelFlag]] = {}
        for i in np.flatnonzero(flags.any(axis=0)):
            label = self._channels[i].label
            bad[label] = bad.get(label, frozenset()) | _named(flags[:, i])
        return bad

    def amplitude_between(self, first_index: int, end_index: int) -> Amplitude:
        """Return the worst amplitude in a window; too large before too small."""
        found = {
            block.quality.amplitude
            for block in self._blocks_between(first_index, end_index)
        }
        order: tuple[Amplitude, ...] = ("too_large", "too_small", "plausible")
        return next((a for a in order if a in found), "unknown")

    def repeated_between(self, first_index: int, end_index: int) -> bool:
        """Return whether the stream sent old samples again anywhere in a window.

        Of a window longer than the history (a sender of twice the declared rate), only
        what is known can be said.
        """
        blocks = self._blocks_between(max(first_index, self.oldest_index), end_index)
        return any(block.quality.repeated for block in blocks)

    def _close_block(self) -> None:
        source_end = self._block_start + self._block_n
        quality = self._evaluate(self._pending, source_end)
        held = self._held.close(self._pending, self._block_start)
        quality.flags[_ROW["channel_flat"]] |= held & self._evaluate.eeg
        self._history.append(
            _Block(quality, self._first_nonfinite, self._last_nonfinite)
        )
        self._block_start += self._block_n
        self._pending_n = 0
        self._clear_nonfinite()

    def _clear_nonfinite(self) -> None:
        n_channels = len(self._channels)
        self._first_nonfinite = np.full(n_channels, _NEVER, dtype=np.int64)
        self._last_nonfinite = np.full(n_channels, -1, dtype=np.int64)

    def _note_nonfinite(self, part_uv: Float32Array, start: int) -> None:
        broken = ~is_number(part_uv)
        if not broken.any():
            return
        n = part_uv.shape[1]
        rows = broken.any(axis=1)
        first = np.where(rows, start + broken.argmax(axis=1), _NEVER)
        last = np.where(rows, start + n - 1 - broken[:, ::-1].argmax(axis=1), -1)
        self._first_nonfinite = np.minimum(self._first_nonfinite, first)
        self._last_nonfinite = np.maximum(self._last_nonfinite, last)

    def _blocks_between(self, first_index: int, end_index: int) -> list[_Block]:
        """Return the judged blocks that end in (first_index, end_index]."""
        oldest = self.oldest_index
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
