"""F1: the keys of all pages."""

from collections.abc import Sequence

from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from rtbold.pages import rendered

KeyLine = tuple[str, str]  # keys, what they do


class HelpDialog(QDialog):
    """A table of keys."""

    def __init__(self, lines: Sequence[KeyLine], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.setObjectName("help_dialog")
        self.text = QTextBrowser()
        self.text.setObjectName("help_text")
        keys = rendered("rtbold.gui", "pairs.html.j2", pairs=lines, bold=True)
        self.text.setHtml(keys)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.text)
        column.addWidget(buttons)
        self.resize(520, 560)
