"""The last seconds of EEG on one grid, with holes where nothing came. Pure."""

import numpy as np

from rtbold.gui.state.received_kinds import EegBlock, Float32Array

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
