"""What state each channel of the stream is in, from its raw samples.

Samples are gathered into blocks of 0.25 s counted from the first sample; a channel is
judged at the end of each block from the last second. Nothing here depends on the
chunks in which samples arrive, and nothing on samples after the window asked about.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbold.channel_judge import (
    FLAGS,
    Amplitude,
    ChannelFlag,
    ChannelJudge,
    ChannelQualitySettings,
    Judgement,
    channel_state,
)
from rtbold.condition.block_statistics import BoolArray, is_number
from rtbold.messages import Channel, ChannelKind, ChannelState, Float32Array

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

    judgement: Judgement
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
        self._judge = ChannelJudge(rate_hz, channels, self._settings)
        self._block_n = self._judge.block_n
        history_n = self._settings.history_s / self._settings.block_s
        self._history_n = int(np.ceil(history_n))
        shape = (len(channels), self._block_n)
        self._pending = np.zeros(shape, dtype=np.float32)
        self.restart(0)

    @property
    def next_index(self) -> int:
        """Source index of the sample that the next `push` begins with."""
        return self._block_start + self._pending_n

    @property
    def oldest_index(self) -> int:
        """Source index that `bad_between` can look back to."""
        return self._block_start - len(self._history) * self._block_n

    @property
    def settled(self) -> bool:
        """Whether a whole second has been judged since the start."""
        return len(self._history) >= self._settings.judged_blocks

    def restart(self, next_index: int) -> None:
        """Forget everything: the next sample is source sample `next_index`.

        Called after a gap that was not bridged, since a second with a hole in it
        would be judged as if it had none.
        """
        self._block_start = next_index
        self._pending_n = 0
        self._judge.restart()
        self._history: deque[_Block] = deque(maxlen=self._history_n)
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

    def report(self) -> tuple[MonitoredChannel, ...]:
        """Return the state of each channel at the end of the last whole block."""
        if not self._history:
            return tuple(
                MonitoredChannel(c.label, c.kind, frozenset(), None, None)
                for c in self._channels
            )
        last = self._history[-1].judgement
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
        return self._history[-1].judgement.amplitude if self._history else "unknown"

    def amplitude_text(self) -> str:
        """Say what amplitude was found and what to do; empty if it is plausible."""
        if self.amplitude in ("unknown", "plausible"):
            return ""
        low, high = self._settings.median_rms_uv
        rms_uv = self._history[-1].judgement.rms_uv[self._judge.eeg]
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
            flags |= block.judgement.flags
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
        found = {
            block.judgement.amplitude
            for block in self._blocks_between(first_index, end_index)
        }
        order: tuple[Amplitude, ...] = ("too_large", "too_small", "plausible")
        return next((a for a in order if a in found), "unknown")

    def _close_block(self) -> None:
        judgement = self._judge(self._pending)
        self._history.append(
            _Block(judgement, self._first_nonfinite, self._last_nonfinite)
        )
        self._block_start += self._block_n
        self._pending_n = 0
        self._clear_nonfinite()

    def _clear_nonfinite(self) -> None:
        n_channels = len(self._channels)
        self._first_nonfinite = np.full(n_channels, _NEVER, dtype=np.int64)
        self._last_nonfinite = np.full(n_channels, -1, dtype=np.int64)

    def _note_nonfinite(self, part_uv: Float32Array) -> None:
        broken = ~is_number(part_uv)
        if not broken.any():
            return
        start, n = self.next_index, part_uv.shape[1]
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
