"""Names of the channels beside their traces, with the sign of their state."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.widgets.channel_looks import is_filled, look_of, path_of

SMALLEST_PX: Final = 9
MOST_COLUMNS: Final = 3
GAP_PX: Final = 4.0


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """How names fit: rows lower than a letter share a height in several columns."""

    font: QFont
    columns: int
    every: int  # name each n-th good channel only
    column_width: float

    @property
    def width(self) -> float:
        """Of all columns."""
        return self.columns * self.column_width


def plan(labels: Sequence[str], row_height: float, font: QFont) -> LabelPlan:
    """Return how `labels` fit beside rows of `row_height`, logical pixels."""
    usual_px = QFontMetricsF(font).height() * 0.8
    size_px = round(min(usual_px, max(SMALLEST_PX, row_height * 0.8)))
    small = QFont(font)
    small.setPixelSize(max(1, size_px))
    metrics = QFontMetricsF(small)
    needed = metrics.height() * 0.85
    columns = min(MOST_COLUMNS, max(1, ceil(needed / max(row_height, 0.1))))
    every = max(1, ceil(needed / max(row_height * columns, 0.1)))
    widest = max((metrics.horizontalAdvance(label) for label in labels), default=0.0)
    return LabelPlan(small, columns, every, widest + size_px + 2 * GAP_PX)


def draw(
    painter: QPainter,
    plan: LabelPlan,
    rows: Sequence[tuple[str, str | None]],
    *,
    row_height: float,
    top: float,
    colours: Colours,
) -> None:
    """Draw names and signs; `rows` are label and state, the first one below `top`."""
    painter.setFont(plan.font)
    size = QFontMetricsF(plan.font).height() * 0.85
    for index, (label, state) in enumerate(rows):
        look = look_of(state)
        if index % plan.every and look.role == "ok":
            continue  # a bad one is named though the names may overlap
        column = (index // plan.every) % plan.columns
        x, y = column * plan.column_width + GAP_PX, top + (index + 0.5) * row_height
        ink = QColor(look.colour(colours))
        painter.setPen(QPen(ink, 1.4))
        painter.setBrush(ink if is_filled(look.shape) else Qt.BrushStyle.NoBrush)
        painter.drawPath(path_of(look.shape, QPointF(x + size / 3, y), size * 0.27))
        painter.setPen(
            QColor(colours.text if look.role == "ok" else look.colour(colours))
        )
        box = QRectF(x + size * 0.8, y - size, plan.column_width, 2 * size)
        painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), label)
