"""Frames around parts of a page."""

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFrame, QGroupBox, QLabel, QScrollArea, QVBoxLayout, QWidget

GAP = 8
LABELS_PX = 112  # labels of one column, so that their fields begin in one line


def boxed(title: str, inside: QWidget) -> QGroupBox:
    """Return `inside` in a frame with a title."""
    box = QGroupBox(title)
    column = QVBoxLayout(box)
    column.setContentsMargins(GAP, GAP, GAP, GAP)
    column.addWidget(inside)
    return box


def scrolled(inside: QWidget) -> QScrollArea:
    """Return `inside` so that it scrolls up and down where it has no room."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidget(inside)
    return area


def label_of(words: str, field: QWidget, *, wide: bool = True) -> QLabel:
    """Return the label of a field; Alt and the marked letter lead to it."""
    label = QLabel(words)
    label.setBuddy(field)
    if wide:
        label.setMinimumWidth(LABELS_PX)
    return label
