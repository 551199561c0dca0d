"""Three views of a brain on one sheet: what is seen from where. Pure."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtbold.gui.views.widgets.assets import Side, brain_outline

FloatArray = NDArray[np.float64]

GAP_MM: Final = 14.0
# Seen from -> the two of x, y, z that are seen, and what stands left and right.
SEEN: Final[dict[Side, tuple[tuple[int, int], tuple[str, str]]]] = {
    "right": ((1, 2), ("back", "front")),
    "back": ((0, 2), ("left", "right")),
    "top": ((0, 1), ("left", "right")),
}
_SHEETS: Final[tuple[tuple[tuple[Side, ...], ...], ...]] = (
    (("right", "back", "top"),),
    (("right", "back"), ("top",)),
    (("right",), ("back",), ("top",)),
)


@dataclass(frozen=True, slots=True)
class BrainView:
    """One view; logical pixels."""

    side: Side
    middle: tuple[float, float]  # of the outline's box, pixels
    middle_mm: tuple[float, float]
    px_per_mm: float

    def on_sheet(self, seen_mm: FloatArray) -> FloatArray:
        """Return (n, 2) pixels of (n, 2) mm as seen from here."""
        moved = (seen_mm - np.array(self.middle_mm)) * self.px_per_mm
        return np.asarray(np.array(self.middle) + moved * [1, -1])

    def outline(self) -> FloatArray:
        """Return (points, 2) pixels."""
        return self.on_sheet(brain_outline(self.side))

    def dots(self, places_mm: FloatArray) -> FloatArray:
        """Return (n, 2) pixels of (n, 3) MNI coordinates."""
        return self.on_sheet(places_mm[:, SEEN[self.side][0]])


def views_in(width: float, height: float) -> list[BrainView]:
    """Return the three views, one scale for all, as large as fits."""
    sheets = [_laid_out(rows, width, height) for rows in _SHEETS]
    return max(sheets, key=lambda views: views[0].px_per_mm)


def _laid_out(
    rows: tuple[tuple[Side, ...], ...], width: float, height: float
) -> list[BrainView]:
    sizes = {side: np.ptp(brain_outline(side), axis=0) + GAP_MM for side in SEEN}
    widths_mm = [sum(float(sizes[side][0]) for side in row) for row in rows]
    heights_mm = [max(float(sizes[side][1]) for side in row) for row in rows]
    scale = max(0.01, min(width / max(widths_mm), height / sum(heights_mm)))
    views: list[BrainView] = []
    top = (height - scale * sum(heights_mm)) / 2
    for row, width_mm, height_mm in zip(rows, widths_mm, heights_mm, strict=True):
        left = (width - scale * width_mm) / 2
        for side in row:
            wide = scale * float(sizes[side][0])
            middle = (left + wide / 2, top + scale * height_mm / 2)
            views.append(BrainView(side, middle, _middle_mm(side), scale))
            left += wide
        top += scale * height_mm
    return views


def _middle_mm(side: Side) -> tuple[float, float]:
    line = brain_outline(side)
    middle = (line.min(axis=0) + line.max(axis=0)) / 2
    return float(middle[0]), float(middle[1])
