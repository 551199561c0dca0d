"""From the buffer of EEG to the pixels of the scope. Pure.

Here meet the cursor, the filter for the eyes and the picture; a change of stream, of
size or of settings starts those anew that depend on it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtbold.gui.state.signals import ScopeBuffer
from rtbold.gui.views.widgets.display_filter import DisplayFilter
from rtbold.gui.views.widgets.scope_settings import ScopeSettings
from rtbold.gui.views.widgets.sweep import Read, SweepCursor, SweepLayout
from rtbold.gui.views.widgets.sweep_picture import SweepInk, SweepPicture

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
