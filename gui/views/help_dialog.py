"""F1: the keys of all pages."""

import html
from collections.abc import Sequence

from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

KeyLine = tuple[str, str]  # keys, what they do


class HelpDialog(QDialog):
    """A table of keys."""

    def __init__(self, lines: Sequence[KeyLine], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.setObjectName("help_dialog")
        self.text = QTextBrowser()
        self.text.setObjectName("help_text")
        rows = "".join(
            f"<tr><td><b>{html.escape(keys)}</b>&nbsp;&nbsp;&nbsp;</td>"
            f"<td>{html.escape(what)}</td></tr>"
            for keys, what in lines
        )
        self.text.setHtml(f"<table cellpadding='3'>{rows}</table>")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.text)
        column.addWidget(buttons)
        self.resize(520, 560)
