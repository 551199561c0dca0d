"""The picture of a sweep: new columns are drawn, a bar runs ahead of them. Pure."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.widgets.sweep import (
    Pixels,
    Read,
    SweepLayout,
    column_ranges,
    draw_columns,
)

BAR_SHARE: Final = 0.02  # of the width that is blank ahead of the cursor
LINES_FROM_PX: Final = 14.0  # rows lower than this get no zero line


@dataclass(frozen=True, slots=True)
class SweepInk:
    """Colours of a sweep, 0xffrrggbb."""

    panel: int
    grid: int
    cursor: int

    @classmethod
    def of(cls, colours: Colours) -> "SweepInk":
        """Return those of a theme."""
        return cls(rgb(colours.panel), rgb(colours.grid), rgb(colours.accent))


def rgb(colour: str) -> int:
    """Return ``#rrggbb`` as an opaque pixel."""
    return 0xFF000000 | int(colour[1:], 16)


class SweepPicture:
    """Pixels of a sweep and how far they are drawn.

    Parameters
    ----------
    layout, ink : where and in which colours.
    columns_per_line : columns between two vertical lines.
    """

    def __init__(
        self, layout: SweepLayout, ink: SweepInk, columns_per_line: float
    ) -> None:
        self.layout = layout
        self._ink = ink
        self._empty = _background(layout, ink, columns_per_line)
        self.pixels: Pixels = self._empty.copy()
        self._bar = max(3, round(BAR_SHARE * layout.width))
        self._drawn: int | None = None  # first column that is not drawn

    def advance(
        self, read: Read, sample: float, colours: NDArray[np.uint32]
    ) -> list[tuple[int, int]]:
        """Draw up to `sample`; return what changed as [first, end) on the screen.

        Parameters
        ----------
        read : ``read(first, end)`` gives (channels, samples) in uV.
        sample : that the cursor is at.
        colours : (channels,) of the traces.
        """
        width = self.layout.width
        end = self.layout.column_at(sample)
        first = self._drawn
        if first is None or end < first or end - first >= width - self._bar:
            first = end - width + self._bar
        elif end == first:
            return []
        self._clear(first, end + self._bar)
        ranges = column_ranges(
            read, first, end, samples_per_column=self.layout.samples_per_column
        )
        draw_columns(
            self.pixels, ranges, first=first, layout=self.layout, colours=colours
        )
        self.pixels[:, end % width] = self._ink.cursor
        self._drawn = end
        return _on_screen(first, end + self._bar, width)

    def forget(self) -> None:
        """Draw all columns anew at the next call of `advance`."""
        self._drawn = None

    def blank(self) -> None:
        """Leave nothing on the picture."""
        self.pixels[:] = self._empty
        self._drawn = None

    def _clear(self, first: int, end: int) -> None:
        for begin, stop in _on_screen(first, end, self.layout.width):
            self.pixels[:, begin:stop] = self._empty[:, begin:stop]


def _on_screen(first: int, end: int, width: int) -> list[tuple[int, int]]:
    """Return where columns [first, end) are on the screen; at most two pieces."""
    if end - first >= width:
        return [(0, width)]
    begin, stop = first % width, end % width
    if begin < stop:
        return [(begin, stop)]
    return [(begin, width), (0, stop)] if stop else [(begin, width)]


def _background(layout: SweepLayout, ink: SweepInk, columns_per_line: float) -> Pixels:
    empty = np.full((layout.height, layout.width), ink.panel, np.uint32)
    lines = np.arange(1, int(layout.width / columns_per_line) + 1) * columns_per_line
    columns = np.round(lines).astype(np.int64)
    empty[:, columns[columns < layout.width]] = ink.grid
    if layout.row_height >= LINES_FROM_PX:
        empty[np.floor(layout.baselines()).astype(np.int64), :] = ink.grid
    return empty
