"""A sweep of many traces as pixels: which columns are new, and how they look. Pure.

Columns are counted from sample 0 and never restart; the one on the screen is the column
modulo the width. Each holds the smallest and largest value of the samples in it, and of
the straight line to its neighbours, so that no peak between two pixels is lost.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtbold.gui.state.preferences import Colours

Float32Array = NDArray[np.float32]
Pixels = NDArray[np.uint32]  # (height, width), 0xffrrggbb
Read = Callable[[int, int], Float32Array]
LAG_S = 0.15  # behind the newest sample: samples come in pieces of 0.1 s
PULL_PER_S = 1.5  # how fast the cursor corrects its lag
JUMP_S = 1.0  # further behind than this, it jumps


class SweepCursor:
    """Which sample is drawn now: moves smoothly though samples come in pieces."""

    def __init__(self) -> None:
        self._newest = 0
        self._came_s = 0.0  # when the newest sample came
        self._moved_s = 0.0
        self._at: float | None = None

    def move(self, newest: int, now_s: float, rate_hz: float) -> float:
        """Return the sample that the cursor is at, at most `newest`."""
        if (
            self._at is None or newest < self._newest
        ):  # the first one, or another session
            self._at, self._came_s, self._moved_s = float(newest), now_s, now_s
        elif newest > self._newest:
            self._came_s = now_s
        self._newest = newest
        aim = newest + (now_s - self._came_s - LAG_S) * rate_hz
        passed_s, self._moved_s = now_s - self._moved_s, now_s
        ahead = aim - self._at
        if abs(ahead) > JUMP_S * rate_hz:
            self._at = aim
        else:
            steady = passed_s * (rate_hz + PULL_PER_S * ahead)
            self._at += max(0.0, steady)
        self._at = min(self._at, float(newest))
        return self._at

    def silent_s(self, now_s: float) -> float:
        """Return for how long no sample has come."""
        return now_s - self._came_s


@dataclass(frozen=True, slots=True)
class SweepLayout:
    """Where traces go; rows and columns are device pixels."""

    width: int
    height: int
    n_channels: int
    samples_per_column: float
    uv_per_row: float  # of one channel's share of the height
    stroke: float = 1.2  # thickness of a flat line, pixels
    margin: float = 0.0  # pixels above the first and below the last channel

    @property
    def row_height(self) -> float:
        """Pixels that a channel has."""
        return (self.height - 2 * self.margin) / self.n_channels

    def baselines(self) -> NDArray[np.float64]:
        """Return (channels,) row of each channel's zero."""
        rows = np.arange(self.n_channels, dtype=np.float64) + 0.5
        return self.margin + rows * self.row_height

    def column_at(self, sample: float) -> int:
        """Return the first column that is not complete when `sample` is the newest."""
        return int(np.floor(sample / self.samples_per_column))


def column_ranges(
    read: Read, first: int, end: int, *, samples_per_column: float
) -> tuple[Float32Array, Float32Array]:
    """Return lowest and highest value per column, each (channels, end - first).

    Parameters
    ----------
    read : ``read(first, end)`` gives (channels, samples), nan where there are none.
    first, end : columns, counted from sample 0.

    A column without samples is nan.
    """
    edges = np.arange(first, end + 1) * samples_per_column
    start = int(np.floor(edges[0]))
    stop = int(np.floor(edges[-1])) + 2
    values = read(start, stop)  # (channels, samples)
    left = np.floor(edges).astype(np.int64) - start
    part = (edges - start - left).astype(np.float32)
    at_edges = values[:, left] * (1 - part) + values[:, left + 1] * part
    # Samples inside of each column; those beyond its end stand in by its first edge.
    n_inside = int(np.ceil(samples_per_column))
    inside = left[:-1, None] + 1 + np.arange(n_inside)  # (columns, inside)
    beyond = inside + start >= edges[1:, None]
    gathered = values[:, np.minimum(inside, values.shape[1] - 1)]
    gathered[:, beyond] = np.nan
    low = np.fmin(at_edges[:, :-1], at_edges[:, 1:])
    high = np.fmax(at_edges[:, :-1], at_edges[:, 1:])
    return (
        np.fmin(low, np.fmin.reduce(gathered, axis=2)),
        np.fmax(high, np.fmax.reduce(gathered, axis=2)),
    )


def draw_columns(
    pixels: Pixels,
    ranges_uv: tuple[Float32Array, Float32Array],
    *,
    first: int,
    layout: SweepLayout,
    colours: NDArray[np.uint32],
) -> None:
    """Draw columns of traces into `pixels`, edges smoothed, over what is there.

    Parameters
    ----------
    pixels : (height, width), changed in place.
    ranges_uv : lowest and highest, each (channels, columns); nan is left blank.
    first : the first column, counted from sample 0.
    colours : (channels,) of the traces.
    """
    low_uv, high_uv = ranges_uv
    scale = layout.row_height / layout.uv_per_row
    zero = layout.baselines()[:, None]
    # Up is positive; a trace beyond the picture stays at its edge.
    top = np.clip(zero - high_uv * scale, 0, layout.height) - layout.stroke / 2
    bottom = np.clip(zero - low_uv * scale, 0, layout.height) + layout.stroke / 2
    channel, column = np.nonzero(np.isfinite(top) & np.isfinite(bottom))
    if not len(channel):
        return
    top, bottom = top[channel, column], bottom[channel, column]
    first_row = np.floor(top).astype(np.int64)
    n_rows = np.ceil(bottom).astype(np.int64) - first_row
    span = np.repeat(np.arange(len(channel)), n_rows)
    begin = np.cumsum(n_rows) - n_rows
    row = np.arange(len(span)) - begin[span] + first_row[span]
    cover = np.minimum(row + 1, bottom[span]) - np.maximum(row, top[span])
    seen = (row >= 0) & (row < layout.height)
    span, row, cover = span[seen], row[seen], cover[seen]
    x = (column[span] + first) % layout.width
    pixels[row, x] = _blend(pixels[row, x], colours[channel[span]], cover)


def _blend(under: Pixels, over: Pixels, cover: NDArray[np.float64]) -> Pixels:
    """Return `over` on `under`; `cover` is 0 to 1."""
    share = (np.clip(cover, 0, 1) * 256).astype(np.uint32)
    # Red and blue together, 8 bits apart, so that two multiplications do for three.
    both, green = np.uint32(0xFF00FF), np.uint32(0x00FF00)
    rb = (((over & both) * share + (under & both) * (256 - share)) >> 8) & both
    g = (((over & green) * share + (under & green) * (256 - share)) >> 8) & green
    return np.asarray(np.uint32(0xFF000000) | rb | g)


# The picture of a sweep: new columns are drawn, a bar runs ahead of them.

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
