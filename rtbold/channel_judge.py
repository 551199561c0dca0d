"""How one second of a stream is judged: the bounds, and the flags they give.

Facts come from `rtbold.block_statistics`; history and queries are the monitor's
(`rtbold.channel_quality`).
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rtbold.condition.block_statistics import (
    BlockMeter,
    BlockStatistics,
    BoolArray,
    SpectrumMeter,
)
from rtbold.errors import ConfigError
from rtbold.messages import Channel, ChannelKind, ChannelState, Float32Array, FloatArray

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
class Judgement:
    """What the last second was like, as judged at the end of one block."""

    flags: BoolArray  # (flags, channels), in the order of FLAGS
    rms_uv: FloatArray  # (channels,), 1 to 80 Hz; nan: not a second of numbers yet
    line_ratio: FloatArray  # (channels,), share of mains; nan: not known
    amplitude: Amplitude


class ChannelJudge:
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
        self.restart()

    def restart(self) -> None:
        """Forget the last second."""
        judged_n = self._settings.judged_blocks
        self._recent: deque[BlockStatistics] = deque(maxlen=judged_n)
        self._thinned: deque[Float32Array] = deque(maxlen=judged_n)

    def __call__(self, block_uv: Float32Array) -> Judgement:
        """Judge one whole block (channels, block_n); the array is not kept."""
        statistics, thinned = self._meter(block_uv)
        self._recent.append(statistics)
        self._thinned.append(thinned)
        flags = np.zeros((len(FLAGS), self.eeg.size), dtype=bool)
        flags[_ROW["nonfinite"]] = ~statistics.all_finite
        if len(self._recent) < self._settings.judged_blocks:
            unknown = np.full(self.eeg.size, np.nan)
            return Judgement(flags, unknown, unknown, "unknown")
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
        flags[_ROW["channel_flat"]] = known & self._flat()
        flags[_ROW["line_noise"]] = known & line_noise
        flags[_ROW["amplitude"]] = self.eeg & ((rms_uv < low_uv) | (rms_uv > high_uv))
        return Judgement(flags, rms_uv, ratio, self._plausibility(rms_uv))

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
