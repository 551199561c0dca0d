"""The list of checks: symbol, colour and word on each line, the worst first."""

from collections.abc import Sequence
from html import escape

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QFrame,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.checks import CHECK_WORDS, CheckLine
from rtbold.gui.state.theme_colours import Colours

ORDER = ("fail", "warn", "ok")
ROLES = {"ok": "ok", "warn": "degraded", "fail": "invalid"}


class CheckList(QScrollArea):
    """Shows checks as they come."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("checks")
        self.setToolTip("What was checked, what was found, and how to mend it")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._colours = colours
        self._shown: object = None
        self._stale = False
        self._again: tuple[tuple[CheckLine, ...], frozenset[str], bool, bool] | None
        self._again = None
        self._rows: list[QLabel] = []
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(2, 2, 2, 2)
        self._column.setSpacing(2)
        self._column.addStretch(1)
        self.setWidget(inside)
        self.setFrameShape(QFrame.Shape.NoFrame)

    def show_lines(
        self,
        lines: Sequence[CheckLine],
        *,
        overridden: frozenset[str] = frozenset(),
        done: bool = True,
        stale: bool = False,
    ) -> None:
        """Show these lines.

        Parameters
        ----------
        overridden : names of the checks that were.
        done : the worst come first; else they stay as they came.
        stale : they are of other settings, and drawn pale.
        """
        what = (tuple(lines), overridden, done, stale)
        if what == self._shown:
            return
        self._shown = self._again = what
        self._stale = stale
        ordered = sorted(lines, key=_rank) if done else lines
        while len(self._rows) < len(ordered):
            row = _row(len(self._rows))
            self._rows.append(row)
            self._column.insertWidget(len(self._rows) - 1, row)
        for row, line in zip(self._rows, ordered, strict=False):
            row.setText(self._html(line, overridden=line.name in overridden))
            row.setStyleSheet(self._edge(line))
            row.show()
        for row in self._rows[len(ordered) :]:
            row.hide()
            row.clear()

    def texts(self) -> list[str]:
        """Return what is shown, a text a line, for tests and for copying."""
        return [row.text() for row in self._rows if row.text()]

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours, self._shown = colours, None
        if self._again is not None:
            lines, names, done, stale = self._again
            self.show_lines(lines, overridden=names, done=done, stale=stale)

    def _html(self, line: CheckLine, *, overridden: bool) -> str:
        symbol = CHECK_WORDS[line.state][0]
        colour, ink = self._colour(line), self._ink()
        word = "overridden" if overridden else line.word
        text = (
            f'<span style="color:{colour}">{symbol} <b>{escape(line.name)}</b>: '
            f"{word}</span>"
        )
        if line.found:
            text += f'<br><span style="color:{ink}">{_lines(line.found)}</span>'
        if line.advice and line.state != "ok":
            text += f'<br><span style="color:{ink}">→ {_lines(line.advice)}</span>'
        return text

    def _colour(self, line: CheckLine) -> str:
        role = "muted" if self._stale else ROLES[line.state]
        found: str = getattr(self._colours, role)
        return found

    def _ink(self) -> str:
        return self._colours.muted if self._stale else self._colours.text

    def _edge(self, line: CheckLine) -> str:
        colour = self._colour(line)
        return (
            f"QLabel {{ background: {self._colours.panel}; padding: 3px 6px;"
            f"border-left: 4px solid {colour}; }}"
        )


def _rank(line: CheckLine) -> int:
    return ORDER.index(line.state)


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def _row(number: int) -> QLabel:
    row = QLabel()
    row.setObjectName(f"check_{number}")
    row.setWordWrap(True)
    row.setTextFormat(Qt.TextFormat.RichText)
    row.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    row.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return row
