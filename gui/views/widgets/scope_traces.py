"""From the buffer of EEG to the pixels of the scope. Pure.

Here meet the cursor, the filter for the eyes and the picture; a change of stream, of
size or of settings starts those anew that depend on it.
"""

from dataclasses import dataclass, replace
from typing import Final, Self, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt, sosfilt_zi

from rtbold.gui.state.preferences import ScopeFilter
from rtbold.gui.state.signals import ScopeBuffer
from rtbold.gui.views.widgets.sweep import (
    Float32Array,
    Read,
    SweepCursor,
    SweepInk,
    SweepLayout,
    SweepPicture,
)

# A band-pass for the eyes only: what the model gets is not touched.
#
# Causal, so that the scope shows nothing before it happened; each sample is filtered
# once, when it is new.

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


# How the operator looks at the EEG: scale, length, filter.

FILTERS: Final[tuple[ScopeFilter, ...]] = get_args(ScopeFilter)
SCALES_UV: Final = (
    5.0, 10.0, 20.0, 30.0, 50.0, 70.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1000.0,
    2000.0, 5000.0,
)  # fmt: skip
SECONDS: Final = (5.0, 10.0, 20.0)
FILTER_WORDS: Final[dict[ScopeFilter, str]] = {
    "as sent": "As sent",
    "1-40 Hz": "1 to 40 Hz",
}


@dataclass(frozen=True, slots=True)
class ScopeSettings:
    """One way to look; a change is another object.

    Parameters
    ----------
    uv : microvolt that one channel's row stands for.
    seconds : across the screen.
    filter : for the eyes only; the model's EEG is not touched.
    """

    uv: float = 100.0
    seconds: float = 10.0
    filter: ScopeFilter = "as sent"

    def larger(self) -> Self:
        """Return the next scale that makes traces larger."""
        lower = [uv for uv in SCALES_UV if uv < self.uv]
        return replace(self, uv=lower[-1]) if lower else self

    def smaller(self) -> Self:
        """Return the next scale that makes traces smaller."""
        higher = [uv for uv in SCALES_UV if uv > self.uv]
        return replace(self, uv=higher[0]) if higher else self

    def caption(self) -> str:
        """Return in words what is on the screen."""
        shown = (
            "as sent" if self.filter == "as sent" else "1 to 40 Hz in this view only"
        )
        return f"{self.uv:g} µV per row, {self.seconds:g} s across, {shown}"


SMALLEST_PX: Final = 32  # a narrower picture shows nothing
HELD_BACK: Final = 2  # samples: a line to the next pixel needs the sample after it


@dataclass(frozen=True, slots=True)
class Canvas:
    """What the picture depends on beside the stream; sizes in device pixels."""

    width: int
    height: int
    margin: float
    stroke: float
    settings: ScopeSettings
    ink: SweepInk


class ScopeTraces:
    """Follows one buffer after the other."""

    def __init__(self) -> None:
        self.picture: SweepPicture | None = None
        self.n_pictures = 0  # grows with each new picture
        self._canvas: Canvas | None = None
        self._scope: ScopeBuffer | None = None
        self._stream: tuple[int, int, float] = (0, 0, 0.0)
        self._cursor = SweepCursor()
        self._filter: DisplayFilter | None = None
        self._newest = 0

    def lay_out(self, canvas: Canvas) -> None:
        """Draw on another canvas from now on; the same one again changes nothing."""
        if canvas == self._canvas:
            return
        before, self._canvas = self._canvas, canvas
        if before is None or before.settings.filter != canvas.settings.filter:
            self._filter = None
        self._begin_picture()

    def follow(
        self, scope: ScopeBuffer, now_s: float, colours: NDArray[np.uint32]
    ) -> list[tuple[int, int]]:
        """Draw what is new; return the columns that changed, [first, end) each.

        Parameters
        ----------
        colours : (channels,) of the traces.
        """
        stream = (scope.n_restarts, scope.n_channels, scope.rate_hz)
        if scope is not self._scope or stream != self._stream:
            self._scope, self._stream = scope, stream
            self._cursor, self._filter = SweepCursor(), None
            self._begin_picture()
        self._newest = scope.newest_index
        if self.picture is None:
            return []
        sample = self._cursor.move(self._newest - HELD_BACK, now_s, scope.rate_hz)
        return self.picture.advance(self._source(scope), sample, colours)

    def silent_s(self, scope: ScopeBuffer, now_s: float) -> float:
        """Return for how long no sample has come, by what `follow` has seen."""
        if scope is not self._scope or scope.newest_index != self._newest:
            return 0.0
        return self._cursor.silent_s(now_s)

    def _begin_picture(self) -> None:
        canvas, (_, n_channels, rate_hz) = self._canvas, self._stream
        self.picture = None
        self.n_pictures += 1
        if canvas is None or not n_channels or not rate_hz:
            return
        if min(canvas.width, canvas.height) < SMALLEST_PX:
            return
        per_second = canvas.width / canvas.settings.seconds
        layout = SweepLayout(
            canvas.width,
            canvas.height,
            n_channels,
            rate_hz / per_second,
            canvas.settings.uv,
            canvas.stroke,
            canvas.margin,
        )
        self.picture = SweepPicture(layout, canvas.ink, per_second)

    def _source(self, scope: ScopeBuffer) -> Read:
        """Return where samples are read: as they came, or filtered for the eyes."""
        if self._canvas is None or self._canvas.settings.filter == "as sent":
            return scope.read
        if self._filter is None:
            self._filter = DisplayFilter(scope.rate_hz, scope.capacity)
        self._filter.follow(scope.read, scope.newest_index)
        return self._filter.read
