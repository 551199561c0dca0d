"""A band-pass for the eyes only: what the model gets is not touched. Pure.

Causal, so that the scope shows nothing before it happened; each sample is filtered
once, when it is new.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt, sosfilt_zi

from rtbold.gui.views.widgets.sweep import Float32Array, Read

PASS_HZ: Final = (1.0, 40.0)
ORDER: Final = 2


class DisplayFilter:
    """Filtered samples by index, for as long as they are on the screen.

    Parameters
    ----------
    rate_hz : of the samples.
    capacity : samples that are kept.
    """

    def __init__(self, rate_hz: float, capacity: int) -> None:
        high_hz = min(PASS_HZ[1], 0.45 * rate_hz)
        self._sections = butter(
            ORDER, (PASS_HZ[0], high_hz), btype="bandpass", fs=rate_hz, output="sos"
        )
        self._at_rest = sosfilt_zi(self._sections)[:, None, :]  # (sections, 1, 2)
        self._state: NDArray[np.float64] | None = None  # (sections, channels, 2)
        self._kept: Float32Array = np.empty((0, 0), np.float32)
        self._capacity = capacity
        self._end = 0  # index after the newest sample that is filtered

    def follow(self, read: Read, newest_index: int) -> None:
        """Filter what is new before `newest_index`."""
        first = max(self._end, newest_index - self._capacity)
        if first < newest_index:
            self._take(first, read(first, newest_index))
            self._end = newest_index

    def read(self, first: int, end: int) -> Float32Array:
        """Return (channels, end - first) filtered; nan where nothing is known."""
        found = np.full((len(self._kept), max(0, end - first)), np.nan, np.float32)
        low, high = max(first, self._end - self._capacity, 0), min(end, self._end)
        if low < high:
            columns = np.arange(low, high) % self._capacity
            found[:, low - first : high - first] = self._kept[:, columns]
        return found

    def _take(self, first: int, raw_uv: Float32Array) -> None:
        if len(self._kept) != len(raw_uv):
            self._kept = np.full((len(raw_uv), self._capacity), np.nan, np.float32)
            self._state = None
        heard = np.asarray(np.isfinite(raw_uv).any(axis=0))
        # A hole in all channels starts the filter anew: its memory is of another time.
        bounds = np.flatnonzero(np.diff(heard)) + 1
        for begin, stop in zip([0, *bounds], [*bounds, len(heard)], strict=True):
            columns = np.arange(first + begin, first + stop) % self._capacity
            piece_uv = raw_uv[:, begin:stop]
            if heard[begin]:
                self._kept[:, columns] = self._filtered(piece_uv)
            else:
                self._kept[:, columns] = np.nan
                self._state = None

    def _filtered(self, piece_uv: Float32Array) -> Float32Array:
        """Return a piece without a hole in all channels, filtered."""
        lost = ~np.isfinite(piece_uv)
        solid_uv = np.where(lost, 0.0, piece_uv).astype(np.float64)
        if self._state is None:
            self._state = self._at_rest * solid_uv[None, :, :1]
        filtered, self._state = sosfilt(
            self._sections, solid_uv, axis=1, zi=self._state
        )
        filtered[lost] = np.nan
        return np.asarray(filtered, np.float32)
