"""Predicted against measured, one dot a volume."""

import math

import numpy as np
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QWidget

from rtbold.gui.state.pairs import TargetPairs
from rtbold.gui.state.theme_colours import Colours

MARGIN = 0.15  # of the smaller side, for the words on the axes
EDGE = 0.03  # of a side, free of dots
STEPS = (2.0, 1.0, 0.5, 0.2)
FEWEST_TICKS = 3
FLAT = 1e-9  # a range below this share of its numbers is rounding: one tick
SMALLEST = 1e-300  # of smaller ranges a step would be no number
Align = Qt.AlignmentFlag


class ScatterView(QWidget):
    """Dots of the target's volumes; the axes have units of their own."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("summary_scatter")
        self.setMinimumSize(240, 240)
        self.setToolTip(
            "Each dot is a volume: what was predicted (across) against what was "
            "measured (up, after the causal low-pass)"
        )
        self._colours = colours
        self._pairs: TargetPairs | None = None

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        self.update()

    def show_pairs(self, pairs: TargetPairs | None) -> None:
        """Draw these pairs; None: nothing was measured."""
        self._pairs = pairs
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw frame, dots and words."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(self._colours.panel))
        pairs = self._pairs
        if pairs is None or len(pairs.predicted) < 2:
            painter.setPen(QColor(self._colours.muted))
            painter.drawText(
                self.rect(),
                Align.AlignCenter | Qt.TextFlag.TextWordWrap,
                "Nothing measured to compare with.\nGive a source of measured BOLD "
                "(--truth) at set-up.",
            )
        else:
            self._draw(painter, pairs)
        painter.end()

    def _draw(self, painter: QPainter, pairs: TargetPairs) -> None:
        margin = max(28.0, MARGIN * min(self.width(), self.height()))
        box = QRectF(self.rect()).adjusted(margin, margin / 2, -margin / 2, -margin)
        painter.setPen(QPen(QColor(self._colours.grid), 1))
        painter.drawRect(box)
        self._draw_scale(painter, box, pairs)
        x, y = _unit(pairs.predicted), _unit(pairs.measured)
        painter.setPen(Qt.PenStyle.NoPen)
        dot = QColor(self._colours.prediction)
        dot.setAlpha(170)
        painter.setBrush(dot)
        for across, up in zip(x, y, strict=True):
            centre = QPointF(
                box.left() + across * box.width(), box.bottom() - up * box.height()
            )
            painter.drawEllipse(centre, 3.0, 3.0)
        self._write(painter, box, pairs)

    def _draw_scale(self, painter: QPainter, box: QRectF, pairs: TargetPairs) -> None:
        """Draw lines at round numbers, and the numbers."""
        muted = QColor(self._colours.muted)
        for number in ticks(pairs.predicted):
            x = box.left() + _place(number, pairs.predicted) * box.width()
            painter.setPen(QPen(QColor(self._colours.grid), 1))
            painter.drawLine(QPointF(x, box.top()), QPointF(x, box.bottom()))
            painter.setPen(muted)
            below = QRectF(x - 40, box.bottom() + 3, 80, 20)
            painter.drawText(below, Align.AlignHCenter | Align.AlignTop, _text(number))
        for number in ticks(pairs.measured):
            y = box.bottom() - _place(number, pairs.measured) * box.height()
            painter.setPen(QPen(QColor(self._colours.grid), 1))
            painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))
            painter.setPen(muted)
            beside = QRectF(box.left() - 84, y - 10, 80, 20)
            painter.drawText(
                beside, Align.AlignRight | Align.AlignVCenter, _text(number)
            )

    def _write(self, painter: QPainter, box: QRectF, pairs: TargetPairs) -> None:
        painter.setPen(QColor(self._colours.text))
        below = QRectF(box.left(), box.bottom() + 22, box.width(), self.height())
        words = f"predicted {pairs.target} ({len(pairs.predicted)} volumes)"
        painter.drawText(below, Align.AlignHCenter | Align.AlignTop, words)
        painter.save()
        painter.translate(box.left() - 46, box.center().y())
        painter.rotate(-90)
        beside = QRectF(-box.height() / 2, -40, box.height(), 40)
        painter.drawText(beside, Align.AlignHCenter | Align.AlignBottom, "measured")
        painter.restore()


def ticks(values: np.ndarray) -> list[float]:
    """Return three to eight round numbers within the range of `values`.

    One number where they do not vary but for rounding.
    """
    low, high = float(values.min()), float(values.max())
    span = high - low
    if not max(SMALLEST, FLAT * max(abs(low), abs(high))) < span < math.inf:
        return [low]
    step = 10.0 ** math.floor(math.log10(span))
    step *= next(f for f in STEPS if span / (f * step) >= FEWEST_TICKS)
    numbers = range(math.ceil(low / step), math.floor(high / step) + 1)
    # A multiple of the step may lie beyond an end by its last bit.
    return [min(max(step * k, low), high) for k in numbers]


def _text(number: float) -> str:
    return f"{number:.6g}".replace("-", "\u2212")


def _place(value: float, values: np.ndarray) -> float:
    """Return where `value` lies, 0 to 1, with a little room at both ends."""
    low, high = float(values.min()), float(values.max())
    return EDGE + (1 - 2 * EDGE) * (value - low) / ((high - low) or 1.0)


def _unit(values: np.ndarray) -> np.ndarray:
    """Scale to 0..1 with a little room."""
    low, high = float(values.min()), float(values.max())
    scaled: np.ndarray = EDGE + (1 - 2 * EDGE) * (values - low) / ((high - low) or 1.0)
    return scaled
