"""Labels, buttons and fields with a name, made in one call."""

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel, QLineEdit, QPushButton


def wrapped_label(text: str = "", *, name: str = "") -> QLabel:
    """Return a label that breaks its lines, and whose words can be copied."""
    label = QLabel(text)
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def named_button(words: str, *, name: str, tip: str = "") -> QPushButton:
    """Return a button."""
    button = QPushButton(words)
    button.setObjectName(name)
    button.setToolTip(tip)
    return button


def named_line(text: str, *, name: str, tip: str = "") -> QLineEdit:
    """Return a field for one line."""
    line = QLineEdit(text)
    line.setObjectName(name)
    line.setToolTip(tip)
    return line
