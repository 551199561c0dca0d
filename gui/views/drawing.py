"""What widgets that draw themselves share: text that fits, ground, colours, tips."""

import math

from PyQt6.QtCore import QEvent, QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetricsF, QHelpEvent, QPainter
from PyQt6.QtWidgets import QToolTip, QWidget

from rtbold.gui.state.preferences import Colours

LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CENTRE = Qt.AlignmentFlag.AlignCenter
WRAPPED = (
    Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
)
SMALLEST_PX = 9
SHARE_STEP = 0.05
LEAST_SHARE = 0.65  # of its size, for a line that is too long


def sized(font: QFont, pixels: float, *, bold: bool = False) -> QFont:
    """Return `font` so many pixels tall."""
    found = QFont(font)
    found.setPixelSize(max(SMALLEST_PX, round(pixels)))
    found.setBold(bold)
    return found


def scaled(font: QFont, factor: float, *, bold: bool = False) -> QFont:
    """Return `font` in so many times its size; it follows the text size chosen."""
    found = QFont(font)
    if font.pixelSize() > 0:  # sized in pixels: it has no points
        return sized(font, font.pixelSize() * factor, bold=bold)
    found.setPointSizeF(max(5.0, font.pointSizeF() * factor))
    found.setBold(bold)
    return found


def fitted(font: QFont, text: str, box: QRectF, *, most_px: float) -> QFont:
    """Return `font`, bold, as large as fits `text` into `box` and is not too large."""
    pixels = math.floor(min(most_px, box.height()))
    found = sized(font, pixels, bold=True)
    width = QFontMetricsF(found).horizontalAdvance(text)
    if width > box.width() > 0:
        pixels = math.floor(pixels * box.width() / width)
        found = sized(font, pixels, bold=True)
    while pixels > SMALLEST_PX and (
        QFontMetricsF(found).horizontalAdvance(text) > box.width()
    ):
        pixels -= 1
        found = sized(font, pixels, bold=True)
    return found


def draw_line(
    painter: QPainter,
    box: QRectF,
    text: str,
    *,
    colour: str,
    align: Qt.AlignmentFlag = LEFT,
) -> None:
    """Draw one line with the painter's font, or a somewhat smaller one if it is long.

    What does not fit even so ends with dots.
    """
    whole, share = QFont(painter.font()), 1.0
    metrics = QFontMetricsF(whole)
    while metrics.horizontalAdvance(text) > box.width() > 0 and share > LEAST_SHARE:
        share = max(LEAST_SHARE, share - SHARE_STEP)  # widths follow sizes in steps
        painter.setFont(scaled(whole, share, bold=whole.bold()))
        metrics = QFontMetricsF(painter.font())
    cut = metrics.elidedText(text, Qt.TextElideMode.ElideRight, box.width())
    painter.setPen(QColor(colour))
    painter.drawText(box, int(align), cut)


# The ground that panels of the session page draw themselves on.

CORNER_PX = 4


def draw_ground(painter: QPainter, panel: QWidget, colours: Colours) -> QRectF:
    """Draw the rounded ground of `panel`, with smooth edges; return its box."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    box = QRectF(panel.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
    painter.setPen(QColor(colours.border))
    painter.setBrush(QColor(colours.panel))
    painter.drawRoundedRect(box, CORNER_PX, CORNER_PX)
    return box


# What widgets that draw themselves share: colours, painter, words for the mouse.


class Painted(QWidget):
    """A widget that draws itself in the colours of a theme."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colours = colours

    def set_colours(self, colours: Colours) -> None:
        """Draw in another theme."""
        self._colours = colours
        self.update()


class Drawn(Painted):
    """One that says what is under the mouse."""

    def words_at(self, position: QPointF) -> str:
        """Return what there is to say of the place at `position`."""
        raise NotImplementedError

    def event(self, event: QEvent | None) -> bool:
        """Say what is under the mouse."""
        if isinstance(event, QHelpEvent):
            words = self.words_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), words, self)
            return True
        return super().event(event)

    def painter(self) -> QPainter:
        """Return a painter with smooth edges, on clean ground; for `paintEvent`."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(self._colours.panel))
        return painter
