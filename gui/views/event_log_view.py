"""What happened, newest first."""

import time
from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.event_log import MOST_LINES, LogEntry
from rtbold.gui.state.received_kinds import LogLevel
from rtbold.gui.state.session_words import wall_words
from rtbold.gui.state.theme_colours import Colours

SYMBOLS: dict[LogLevel, str] = {"info": "\u00b7", "warning": "▲", "error": "✕"}
FILTERS: tuple[tuple[str, frozenset[LogLevel]], ...] = (
    ("all lines", frozenset({"info", "warning", "error"})),
    ("warnings and errors", frozenset({"warning", "error"})),
    ("errors", frozenset({"error"})),
)
LEVEL_ROLE = Qt.ItemDataRole.UserRole


class EventLogView(QWidget):
    """A list that keeps the newest lines, and a choice of levels.

    Parameters
    ----------
    unix_s : this computer's wall clock, for lines that the dashboard said itself.
    """

    def __init__(
        self,
        colours: Colours,
        parent: QWidget | None = None,
        *,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("event_log")
        self._colours, self._unix_s = colours, unix_s
        self._next = 0  # number of the first line that is not shown yet
        self.list = QListWidget()
        self.list.setObjectName("event_log_lines")
        self.list.setWordWrap(True)
        self.list.setUniformItemSizes(False)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setToolTip("What happened, newest first; click a line to select it.")
        self.choice = QComboBox()
        self.choice.setObjectName("event_log_filter")
        self.choice.setToolTip("Which lines are shown.")
        self.choice.addItems([words for words, _ in FILTERS])
        self.choice.currentIndexChanged.connect(self._filter)
        title = QLabel("Events")
        head = QHBoxLayout()
        head.addWidget(title)
        head.addStretch(1)
        head.addWidget(self.choice)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(head)
        column.addWidget(self.list, 1)

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        for item in self._items():
            item.setForeground(QColor(self._colour_of(item.data(LEVEL_ROLE))))

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Add what is new."""
        if state.log.n_lines < self._next:  # another state than before
            self.list.clear()
            self._next = 0
        if state.log.n_lines == self._next:
            return
        for entry in state.log.since(self._next):
            item = self._item(entry, now_s)
            self.list.insertItem(0, item)
            item.setHidden(not self._passes(entry.level))
        self._next = state.log.n_lines
        while self.list.count() > MOST_LINES:
            self.list.takeItem(self.list.count() - 1)

    def _item(self, entry: LogEntry, now_s: float) -> QListWidgetItem:
        t_unix_ms = entry.t_unix_ms
        if t_unix_ms is None:
            t_unix_ms = 1000 * (self._unix_s() - (now_s - entry.now_s))
        at = wall_words(t_unix_ms)
        item = QListWidgetItem(f"{at} {SYMBOLS[entry.level]} {entry.text}".strip())
        item.setToolTip(f"{entry.level}, said by the {entry.source}\n{entry.text}")
        item.setData(LEVEL_ROLE, entry.level)
        item.setForeground(QColor(self._colour_of(entry.level)))
        return item

    def _filter(self) -> None:
        for item in self._items():
            item.setHidden(not self._passes(item.data(LEVEL_ROLE)))

    def _passes(self, level: LogLevel) -> bool:
        return level in FILTERS[self.choice.currentIndex()][1]

    def _items(self) -> list[QListWidgetItem]:
        found = (self.list.item(row) for row in range(self.list.count()))
        return [item for item in found if item is not None]

    def _colour_of(self, level: LogLevel) -> str:
        colours = self._colours
        by_level = {"warning": colours.degraded, "error": colours.invalid}
        return by_level.get(level, colours.text)
