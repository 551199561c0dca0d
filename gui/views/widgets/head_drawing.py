"""The head from above, for the head map and the topography."""

from dataclasses import dataclass
from typing import Self

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPainterPath, QPen

from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.widgets.head_geometry import OUTERMOST

NOSE_TOP = 1.14


@dataclass(frozen=True, slots=True)
class HeadFrame:
    """Where the head is on a widget, logical pixels."""

    centre: QPointF
    radius: float  # of the outline

    @classmethod
    def inside(cls, box: QRectF) -> Self:
        """Return the largest head that fits, with ears, nose and low electrodes."""
        radius = max(1.0, min(box.width(), box.height()) / (2 * OUTERMOST + 0.1))
        return cls(box.center(), radius)

    def at(self, x: float, y: float) -> QPointF:
        """Return where a place on the head's disc is."""
        return self.centre + QPointF(x * self.radius, -y * self.radius)

    def outline(self) -> QRectF:
        """Return the box around the head's circle."""
        r = self.radius
        return QRectF(self.centre.x() - r, self.centre.y() - r, 2 * r, 2 * r)


def draw_head(painter: QPainter, frame: HeadFrame, colours: Colours) -> None:
    """Draw outline, nose and ears."""
    painter.setPen(QPen(QColor(colours.muted), 1.5))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawEllipse(frame.outline())
    nose = QPainterPath(frame.at(-0.12, 0.993))
    nose.lineTo(frame.at(0, NOSE_TOP))
    nose.lineTo(frame.at(0.12, 0.993))
    painter.drawPath(nose)
    for side in (-1, 1):
        ear = QPainterPath(frame.at(side * 0.985, 0.17))
        ear.cubicTo(
            frame.at(side * 1.13, 0.25),
            frame.at(side * 1.13, -0.25),
            frame.at(side * 0.985, -0.17),
        )
        painter.drawPath(ear)
