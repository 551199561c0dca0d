"""The last seconds of EEG on one grid, and whether they look drowsy. Pure."""

import math
import statistics
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from rtbold.gui.state.received import BandPowers, EegBlock
from rtbold.messages import Float32Array

HOLE_S = 0.1  # by which stamps may run ahead of the sample count before time was lost
MOST_SECONDS = 60.0
FASTEST_HZ = 2000.0  # a block that claims more is a fault; conditioned EEG has 200


class ScopeBuffer:
    """A ring of (channels, samples) by sample index; what never came is nan.

    The publisher counts the samples that it shows. When the stream itself stood still
    the count goes on without a step and only the stamps tell, so both make holes.

    Parameters
    ----------
    seconds : that are kept; the scope draws up to 20 s anew when it is resized.
    """

    def __init__(self, seconds: float = 22.0) -> None:
        self.seconds = min(seconds, MOST_SECONDS)
        self.n_restarts = 0
        self.clear()

    def clear(self) -> None:
        """Forget all samples and the shape of the stream."""
        self.rate_hz = 0.0
        self.newest_index = 0  # of the sample after the newest one, on our grid
        self.t_newest_s: float | None = None  # its time, the publisher's LSL clock
        self._ring: Float32Array = np.empty((0, 0), np.float32)
        self._next_index = 0  # that the publisher's count goes on with
        self._shift = 0  # from its count to our grid
        self.n_restarts += 1

    @property
    def n_channels(self) -> int:
        """How many channels the blocks have; 0 before the first."""
        return len(self._ring)

    @property
    def capacity(self) -> int:
        """How many samples are kept."""
        return int(self._ring.shape[1])

    def take(self, block: EegBlock) -> None:
        """Write one block where it belongs; older than what is kept: left out."""
        n_channels, n = block.data_uv.shape
        if n == 0 or block.rate_hz > FASTEST_HZ:
            return
        if self._is_another_stream(block, n_channels):
            self._begin(block, n_channels)
        if block.sample_index >= self._next_index:
            self._follow_stamps(block)
        first = block.sample_index + self._shift
        self._make_room(first + n)
        self._write(first, block.data_uv)

    def read(self, first: int, end: int) -> Float32Array:
        """Return (channels, end - first) of our grid; nan where nothing is known."""
        n = max(0, end - first)
        found = np.full((self.n_channels, n), np.nan, np.float32)
        low = max(first, self.newest_index - self.capacity, 0)
        high = min(end, self.newest_index)
        if low < high:
            columns = np.arange(low, high) % self.capacity
            found[:, low - first : high - first] = self._ring[:, columns]
        return found

    def _is_another_stream(self, block: EegBlock, n_channels: int) -> bool:
        if n_channels != self.n_channels or block.rate_hz != self.rate_hz:
            return True
        restarted = block.sample_index == 0 and self._next_index > 0
        return restarted or block.sample_index < self._next_index - self.capacity

    def _begin(self, block: EegBlock, n_channels: int) -> None:
        self.clear()
        self.rate_hz = block.rate_hz
        capacity = max(1, round(self.seconds * block.rate_hz))
        self._ring = np.full((n_channels, capacity), np.nan, np.float32)
        self._next_index, self._shift = block.sample_index, -block.sample_index

    def _follow_stamps(self, block: EegBlock) -> None:
        """Take in where the count goes on, and what the stamps say was lost before."""
        n = block.data_uv.shape[1]
        if self.t_newest_s is not None:
            skipped_s = (block.sample_index - self._next_index) / self.rate_hz
            lost_s = block.t_first - self.t_newest_s - skipped_s
            if lost_s > HOLE_S:
                lost = min(round(lost_s * self.rate_hz), self.capacity)
                self._shift += lost
        self._next_index = block.sample_index + n
        self.t_newest_s = block.t_first + n / block.rate_hz

    def _make_room(self, end: int) -> None:
        """Move on to `end`; what lies between is not known until it is written."""
        n_new = min(end - self.newest_index, self.capacity)
        if n_new > 0:
            columns = np.arange(end - n_new, end) % self.capacity
            self._ring[:, columns] = np.nan
            self.newest_index = end

    def _write(self, first: int, data_uv: Float32Array) -> None:
        oldest = max(self.newest_index - self.capacity, 0)
        kept_uv = data_uv[:, max(0, oldest - first) :]
        if kept_uv.shape[1]:
            low = max(first, oldest)
            columns = np.arange(low, low + kept_uv.shape[1]) % self.capacity
            self._ring[:, columns] = kept_uv


# Whether the participant may be getting drowsy: an indicator, not a sleep stage.
#
# The log-ratio of alpha to theta and delta at the back of the head, against its own
# first minutes. As wakefulness fades with eyes closed, alpha gives way to slower
# rhythms (the first Hori stages; Hori, Hayashi and Morikawa 1994). With eyes open there
# is little alpha, and the indicator says little.

POSTERIOR: Final = ("O1", "O2", "Oz", "POz", "PO3", "PO4", "PO7", "PO8", "P3", "P4",
                    "Pz", "P7", "P8")  # fmt: skip
BASELINE_S: Final = 120.0
NEWEST_S: Final = 30.0
FALL: Final = math.log(1.5)  # of the ratio, below the least that its scatter explains
SCATTERS: Final = 2.0
MOST_LOOKS: Final = 600  # one comes each second
NAMED_AFTER: Final = "alpha against slow waves at the back of the head"


@dataclass(frozen=True, slots=True)
class Vigilance:
    """What is known now."""

    word: Literal["awake", "drowsy?", "unknown"]
    value: float | None  # log-ratio of the newest seconds against the first minutes
    why: str
    limit: float | None = None  # of `value`; below it the word is "drowsy?"


class VigilanceIndex:
    """Follows the band powers of one session."""

    def __init__(self) -> None:
        self._first: deque[float] = deque(maxlen=MOST_LOOKS)
        self._newest: deque[tuple[float, float]] = deque(maxlen=MOST_LOOKS)
        self._begun_s: float | None = None  # LSL clock
        self._why = "no band powers yet"
        self._settled: tuple[float, float] | None = None  # middle and scatter

    def take(
        self,
        powers: BandPowers,
        channels: tuple[str, ...],
        skip: Collection[str] = (),
    ) -> None:
        """Take one look.

        Parameters
        ----------
        channels : labels of the rows' columns, as in the session's hello.
        skip : labels of channels that are bad now.
        """
        ratio, self._why = _log_ratio(powers, channels, skip)
        if ratio is None:
            return
        if self._begun_s is None or powers.t_end < self._begun_s:
            self._begun_s = powers.t_end
        self._newest.append((powers.t_end, ratio))
        while self._newest[0][0] < powers.t_end - NEWEST_S:
            self._newest.popleft()
        self._learn(powers.t_end - self._begun_s, ratio)

    def _learn(self, since_s: float, ratio: float) -> None:
        if self._settled is not None:
            return
        self._first.append(ratio)
        if since_s >= BASELINE_S:
            middle = statistics.median(self._first)
            scatter = 1.4826 * statistics.median(abs(x - middle) for x in self._first)
            self._settled = middle, scatter

    def now(self, lsl_now_s: float | None) -> Vigilance:
        """Return what the newest half minute says."""
        if not self._newest:
            return Vigilance("unknown", None, self._why)
        newest_s = self._newest[-1][0]
        if lsl_now_s is None or lsl_now_s - newest_s > NEWEST_S:
            return Vigilance("unknown", None, "no band powers for half a minute")
        if self._settled is None:
            left_s = max(0.0, BASELINE_S - (newest_s - (self._begun_s or newest_s)))
            why = f"learning how it is at the start: {left_s:.0f} s to go"
            return Vigilance("unknown", None, why)
        middle, scatter = self._settled
        value = statistics.median(ratio for _, ratio in self._newest) - middle
        limit = -max(FALL, SCATTERS * scatter)
        times = f"{math.exp(value):.2f} times that of the first two minutes"
        why = f"{NAMED_AFTER}: {times}. An indicator, not a sleep stage"
        return Vigilance("drowsy?" if value < limit else "awake", value, why, limit)


def _log_ratio(
    powers: BandPowers, channels: tuple[str, ...], skip: Collection[str]
) -> tuple[float | None, str]:
    """Return the log-ratio, or None and why there is none."""
    rows = {band: k for k, band in enumerate(powers.bands)}
    if not {"alpha", "theta", "delta"} <= set(rows):
        return None, "the session publishes other bands"
    if len(channels) != powers.power_uv2.shape[1]:
        return None, "the channels' names are not known yet"
    names = {name.lower() for name in POSTERIOR} - {name.lower() for name in skip}
    columns = [k for k, label in enumerate(channels) if label.lower() in names]
    if not columns:
        return None, "no good channel at the back of the head"
    power = powers.power_uv2[:, columns]  # (bands, channels)
    slow = power[rows["theta"]] + power[rows["delta"]]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.log(power[rows["alpha"]] / slow)
    ratios = ratios[np.isfinite(ratios)]
    if not len(ratios):
        return None, "no band power at the back of the head"
    return float(np.median(ratios)), ""
