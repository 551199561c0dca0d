"""Predicted against measured, one dot a volume."""

import numpy as np
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QWidget

from rtbold.gui.state.pairs import TargetPairs
from rtbold.gui.state.theme_colours import Colours

MARGIN = 0.12  # of the smaller side, for the words on the axes
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

    def _write(self, painter: QPainter, box: QRectF, pairs: TargetPairs) -> None:
        painter.setPen(QColor(self._colours.text))
        below = QRectF(box.left(), box.bottom() + 2, box.width(), self.height())
        words = f"predicted {pairs.target} ({len(pairs.predicted)} volumes)"
        painter.drawText(below, Align.AlignHCenter | Align.AlignTop, words)
        painter.save()
        painter.translate(box.left() - 4, box.center().y())
        painter.rotate(-90)
        beside = QRectF(-box.height() / 2, -40, box.height(), 40)
        painter.drawText(beside, Align.AlignHCenter | Align.AlignBottom, "measured")
        painter.restore()


def _unit(values: np.ndarray) -> np.ndarray:
    """Scale to 0..1 with a little room."""
    low, high = float(values.min()), float(values.max())
    span = (high - low) or 1.0
    scaled: np.ndarray = 0.03 + 0.94 * (values - low) / span
    return scaled
