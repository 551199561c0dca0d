"""The ground that panels of the session page draw themselves on."""

from PyQt6.QtCore import QRectF
from PyQt6.QtGui import QColor, QPainter
from PyQt6.QtWidgets import QWidget

from rtbold.gui.state.theme_colours import Colours

CORNER_PX = 4


def draw_ground(painter: QPainter, panel: QWidget, colours: Colours) -> QRectF:
    """Draw the rounded ground of `panel`, with smooth edges; return its box."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    box = QRectF(panel.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
    painter.setPen(QColor(colours.border))
    painter.setBrush(QColor(colours.panel))
    painter.drawRoundedRect(box, CORNER_PX, CORNER_PX)
    return box
