"""Where the milliseconds go, from the brain's event to the pixel, and the event log."""

import time
from collections.abc import Callable

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent
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
from rtbold.gui.state.latency import BudgetRow, trigger_row
from rtbold.gui.state.preferences import Colours
from rtbold.gui.state.session_words import loss_words
from rtbold.gui.state.words import wall_words
from rtbold.gui.views.drawing import Drawn, draw_ground, draw_line, scaled
from rtbold.publish import LogLevel

MARGIN = 8.0
COLUMNS = 4
LINE_SHARE = 0.44  # of a cell; the rest parts it from the one below
TITLE = "From brain event to pixel (median)"


class TimingPanel(Drawn):
    """One cell per stage and the sum; each says in its tooltip what it is."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(colours, parent)
        self.setObjectName("timing_panel")
        self.setMinimumSize(300, 104)
        self._rows: tuple[BudgetRow, ...] = ()
        self._lost = ""
        self._drawn: tuple[object, ...] | None = None

    @property
    def rows(self) -> tuple[BudgetRow, ...]:
        """What is shown now: the stages, their sum, and what is no part of it."""
        return self._rows

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Show the newest times, and what was lost."""
        trigger, self._lost = trigger_row(state.quality), loss_words(state)
        drawn = (state.session, state.latency.version, trigger, self._lost)
        if drawn != self._drawn:
            self._drawn = drawn
            self._rows = (*state.latency.budget(), trigger)
            lines = [*map(_line, self._rows)]
            if self._lost:
                lines.insert(0, f"lost: {self._lost}")
            self.setAccessibleName("; ".join(lines))
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw a table of small cells."""
        painter = QPainter(self)
        box = draw_ground(painter, self, self._colours)
        painter.setFont(scaled(self.font(), 0.85))
        title = QRectF(MARGIN, 3, box.width() - 2 * MARGIN, self._title_height())
        text, colour = TITLE, self._colours.muted
        if self._lost:
            text, colour = f"Lost: {self._lost}", self._colours.invalid
        draw_line(painter, title, text, colour=colour)
        for row, cell in zip(self._rows, self._cells(), strict=True):
            self._draw_cell(painter, row, cell)
        painter.end()

    def words_at(self, position: QPointF) -> str:
        """Return what there is to say of the cell at `position`."""
        for row, cell in zip(self._rows, self._cells(), strict=True):
            if cell.contains(position):
                return f"{_line(row)}\n{row.note}"
        return f"{TITLE}. Lost: {self._lost}" if self._lost else TITLE

    def _title_height(self) -> float:
        return self.fontMetrics().height() + 2.0

    def _cells(self) -> list[QRectF]:
        top, n_lines = self._title_height() + 3, -(-len(self._rows) // COLUMNS)
        width = (self.width() - 2 * MARGIN) / COLUMNS
        height = (self.height() - top - 3) / max(n_lines, 1)
        return [
            QRectF(
                MARGIN + (number % COLUMNS) * width,
                top + (number // COLUMNS) * height,
                width - 4,
                height,
            )
            for number in range(len(self._rows))
        ]

    def _draw_cell(self, painter: QPainter, row: BudgetRow, cell: QRectF) -> None:
        colours, half = self._colours, LINE_SHARE * cell.height()
        is_sum = row.stage == "sum"
        upper = QRectF(cell.left(), cell.top(), cell.width(), half)
        lower = upper.translated(0, half)
        painter.setFont(scaled(self.font(), 0.8))
        draw_line(painter, upper, row.stage, colour=colours.muted)
        painter.setFont(scaled(self.font(), 0.95, bold=is_sum))
        unknown = row.ms is None
        colour = (
            colours.muted if unknown else colours.accent if is_sum else colours.text
        )
        draw_line(painter, lower, _value(row, "≥ "), colour=colour)


def _value(row: BudgetRow, at_least: str = "at least ") -> str:
    if row.ms is None:
        return "not a delay" if row.stage == "BOLD itself" else "unknown"
    least = at_least if row.note.startswith("at least") else ""
    digits = 1 if row.ms < 10 else 0
    return f"{least}{row.ms:.{digits}f} ms"


def _line(row: BudgetRow) -> str:
    return f"{row.stage}: {_value(row)}"


# What happened, newest first.

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
