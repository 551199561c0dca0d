"""The three drawings for the participant: thermometer, circle and trace.

No text on any of them, and colours of their own: what the participant sees does not
change with the operator's theme. One hue, so that up is not "good" by its colour.
"""

from collections.abc import Callable, Sequence

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPainterPath, QPen

from rtbold.gui.state.participant import TRACE_S
from rtbold.gui.state.preferences import ParticipantForm

BACKGROUND = QColor("#101214")
OUTLINE = QColor("#6b7580")
NEUTRAL = QColor("#4a525b")
CALM = QColor("#2c3238")
FILL = QColor("#56b4e9")
LEAST = 0.04  # of the tube: the lowest level is not an empty one
LIT, UNLIT = QColor("#ffffff"), QColor("#000000")

Trace = Sequence[tuple[float, float | None]]
Drawing = Callable[[QPainter, QRectF, float | None, Trace], None]


def draw_thermometer(
    painter: QPainter, area: QRectF, level: float | None, trace: Trace
) -> None:
    """Draw a tube that fills from below; neutral: the whole tube grey."""
    width = 0.16 * min(area.width(), area.height())
    tube = _centred(area, width, 0.8 * area.height())
    outline = QPainterPath()
    outline.addRoundedRect(tube, width / 2, width / 2)
    painter.fillPath(outline, CALM if level is None else BACKGROUND)
    if level is not None:
        painter.save()
        painter.setClipPath(outline)
        filled = QRectF(tube)
        filled.setTop(tube.bottom() - (LEAST + (1 - LEAST) * level) * tube.height())
        painter.fillRect(filled, FILL)
        painter.restore()
    _pen(painter, NEUTRAL if level is None else OUTLINE, 0.006 * area.height())
    painter.drawRoundedRect(tube, width / 2, width / 2)
    _middle_marks(painter, tube, level)


def draw_circle(
    painter: QPainter, area: QRectF, level: float | None, trace: Trace
) -> None:
    """Draw a disc that grows; neutral: a grey one of middle size."""
    largest = 0.8 * min(area.width(), area.height())
    side = largest * (0.08 + 0.92 * (0.5 if level is None else level))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(CALM if level is None else FILL)
    painter.drawEllipse(_centred(area, side, side))
    middle = largest * 0.54  # what level 0.5 is drawn at
    _pen(painter, NEUTRAL if level is None else OUTLINE, 0.006 * area.height())
    painter.drawEllipse(_centred(area, middle, middle))


def draw_trace(
    painter: QPainter, area: QRectF, level: float | None, trace: Trace
) -> None:
    """Draw the last minute from left to right; neutral times stay empty.

    While nothing may be shown the past is grey, and moves on out of sight.
    """
    box = _centred(area, 0.86 * area.width(), 0.7 * area.height())
    _pen(painter, NEUTRAL, 0.004 * area.height())
    painter.drawLine(
        QPointF(box.left(), box.center().y()), QPointF(box.right(), box.center().y())
    )
    _pen(painter, NEUTRAL if level is None else FILL, 0.008 * area.height())
    painter.drawPath(_path(trace, box))
    if level is not None:
        painter.setBrush(FILL)
        painter.drawEllipse(
            QPointF(box.right(), _y(level, box)),
            0.012 * area.height(),
            0.012 * area.height(),
        )


DRAWINGS: dict[ParticipantForm, Drawing] = {
    "thermometer": draw_thermometer,
    "circle": draw_circle,
    "trace": draw_trace,
}


def _path(trace: Trace, box: QRectF) -> QPainterPath:
    path, joined = QPainterPath(), False
    for seconds_ago, level in trace:
        if level is None:
            joined = False
            continue
        x = box.right() - seconds_ago / TRACE_S * box.width()
        point = QPointF(x, _y(level, box))
        path.lineTo(point) if joined else path.moveTo(point)
        joined = True
    return path


def _middle_marks(painter: QPainter, tube: QRectF, level: float | None) -> None:
    """Mark the baseline beside the tube."""
    y, gap = tube.center().y(), 0.25 * tube.width()
    for x0, x1 in (
        (tube.left() - 2 * gap, tube.left() - gap),
        (tube.right() + gap, tube.right() + 2 * gap),
    ):
        painter.drawLine(QPointF(x0, y), QPointF(x1, y))


def _y(level: float, box: QRectF) -> float:
    return box.bottom() - level * box.height()


def _centred(area: QRectF, width: float, height: float) -> QRectF:
    centre = area.center()
    return QRectF(centre.x() - width / 2, centre.y() - height / 2, width, height)


def _pen(painter: QPainter, colour: QColor, width: float) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    pen = QPen(colour, max(1.5, width))
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
