"""The runs of the session as a table that can be edited before each one starts."""

from dataclasses import replace
from typing import Literal

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeySequence, QShortcut
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.setup import (
    KIND_WORDS,
    KINDS,
    MOST_DUMMIES,
    PlannedRun,
    Run,
    RunKind,
    RunPlan,
    RunState,
    duration_of,
    duration_words,
)
from rtbold.gui.views.forms import named_button, wrapped_label

HEADS = ("run", "what", "dum.", "plan", "note")
NUMBER, KIND, DUMMIES, PLANNED, NOTE = range(len(HEADS))
HEAD_TIPS = (
    "Its number, which is that of its recording, and what became of it",
    "Localiser, baseline, training or transfer",
    "Volumes at the start of the scanner that are ignored",
    "Minutes, for your plan; a run goes on until you stop it",
    "What you want to remember of it; noted in the session when it starts",
)
STATE_WORDS: dict[RunState, str] = {
    "planned": "○ planned",
    "running": "▶ running",
    "done": "✓ done",
    "aborted": "✕ aborted",
    "left": "? started",  # the window was closed meanwhile
}
LONGEST_NOTE = 200


class RunList(QWidget):
    """Shows a plan; every edit makes another one and emits `changed`."""

    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.plan = RunPlan()
        self.table = _table()
        self.words = wrapped_label(name="runs_words")
        self.words.hide()
        self._filling = False
        self.add = named_button(
            "&Add run", name="runs_add", tip="Add a run like the one that is marked"
        )
        self.remove = named_button(
            "Remove", name="runs_remove", tip="Remove the run that is marked (Del)"
        )
        self.up = named_button("▲", name="runs_up", tip="The marked run earlier")
        self.down = named_button("▼", name="runs_down", tip="The marked run later")
        buttons = QHBoxLayout()
        for button in (self.add, self.remove, self.up, self.down):
            button.setMinimumWidth(30)
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table)
        column.addWidget(self.words)
        column.addLayout(buttons)
        self._connect()
        self.show_plan(self.plan)

    @property
    def selected(self) -> Run | None:
        """The run that is marked, if it can still be started."""
        place = self.table.currentRow()
        if not 0 <= place < len(self.plan.rows) or self.plan.rows[place].fixed:
            return None
        return self.plan.rows[place].run

    def show_plan(self, plan: RunPlan, place: int | None = None) -> None:
        """Show another plan.

        Parameters
        ----------
        place : row to mark; None: the next one that can be started.
        """
        self.plan = plan
        self._filling = True
        self.table.setRowCount(len(plan.rows))
        for row, planned in enumerate(plan):
            self._fill(row, planned)
        self._filling = False
        wanted = plan.next_place() if place is None else place
        if wanted is not None:
            self.table.setCurrentCell(wanted, KIND)
        self._validate()

    def _fill(self, row: int, planned: PlannedRun) -> None:
        run, fixed = planned.run, planned.fixed
        for column, text in (
            (NUMBER, f"{run.number:02d} {STATE_WORDS[planned.state]}"),
            (PLANNED, duration_words(run.duration_s)),
            (NOTE, run.note),
        ):
            item = QTableWidgetItem(text)
            flags = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled
            if column in (PLANNED, NOTE) and not fixed:
                flags |= Qt.ItemFlag.ItemIsEditable
            item.setFlags(flags)
            item.setToolTip(text or HEAD_TIPS[column])
            self.table.setItem(row, column, item)
        self._put(row, KIND, self._kind_box(row, planned))
        self._put(row, DUMMIES, self._dummies_box(row, planned))

    def _put(self, row: int, column: int, box: QWidget) -> None:
        """Put a box in its cell; the one that was there is deleted some time later."""
        if (before := self.table.cellWidget(row, column)) is not None:
            before.hide()
        self.table.setCellWidget(row, column, box)

    def _kind_box(self, row: int, planned: PlannedRun) -> QComboBox:
        box = QComboBox()
        box.setObjectName(f"run_{row}_kind")
        for kind in KINDS:
            box.addItem(kind, kind)
            box.setItemData(
                box.count() - 1, KIND_WORDS[kind], Qt.ItemDataRole.ToolTipRole
            )
        box.setCurrentText(planned.run.kind)
        box.setToolTip(f"{planned.run.kind}: {KIND_WORDS[planned.run.kind]}")
        by_protocol = planned.run.protocol_run is not None  # it says the kind
        box.setEnabled(not planned.fixed and not by_protocol)
        box.activated.connect(lambda at: self._edit(row, kind=KINDS[at]))
        return box

    def _dummies_box(self, row: int, planned: PlannedRun) -> QSpinBox:
        box = QSpinBox()
        box.setObjectName(f"run_{row}_dummies")
        box.setRange(0, MOST_DUMMIES)
        box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        box.setValue(planned.run.dummy_volumes)
        box.setToolTip(HEAD_TIPS[DUMMIES])
        box.setEnabled(not planned.fixed)
        box.valueChanged.connect(
            lambda value: self._edit(row, dummy_volumes=value, quiet=True)
        )
        return box

    def _edit(
        self,
        row: int,
        *,
        kind: RunKind | None = None,
        dummy_volumes: int | None = None,
        quiet: bool = False,
    ) -> None:
        """Take an edit; `quiet` leaves the widgets, one of which has the focus."""
        if self._filling or not 0 <= row < len(self.plan.rows):
            return
        run = self.plan.rows[row].run
        if kind is not None:
            run = replace(run, kind=kind)
        if dummy_volumes is not None:
            run = replace(run, dummy_volumes=dummy_volumes)
        self._take(self.plan.edited(row, run), row, quiet=quiet)

    def _edit_text(self, item: QTableWidgetItem) -> None:
        row = item.row()
        if self._filling or not 0 <= row < len(self.plan.rows):
            return
        run = self.plan.rows[row].run
        if item.column() == NOTE:
            run = replace(run, note=" ".join(item.text().split())[:LONGEST_NOTE])
        elif item.column() == PLANNED:
            try:
                run = replace(run, duration_s=duration_of(item.text()))
            except ValueError as error:
                self._say(str(error))
                self.show_plan(self.plan, row)
                return
        self._say("")
        self._take(self.plan.edited(row, run), row)

    def _take(self, plan: RunPlan, row: int | None, *, quiet: bool = False) -> None:
        if plan == self.plan:
            return
        if quiet:
            self.plan = plan
        else:
            self.show_plan(plan, row)
        self.changed.emit()

    def _add(self) -> None:
        place = self.table.currentRow()
        there = 0 <= place < len(self.plan.rows)
        like = self.plan.rows[place].run if there else None
        kind: RunKind = like.kind if like else "training"
        self._take(self.plan.added(kind, like=like), len(self.plan.rows))

    def _remove(self) -> None:
        place = self.table.currentRow()
        self._take(self.plan.removed(place), max(0, place - 1))

    def _move(self, by: Literal[-1, 1]) -> None:
        place = self.table.currentRow()
        if self.plan.can_move(place, by):
            self._take(self.plan.moved(place, by), place + by)

    def _validate(self) -> None:
        place = self.table.currentRow()
        self.remove.setEnabled(self.plan.can_remove(place))
        self.up.setEnabled(self.plan.can_move(place, -1))
        self.down.setEnabled(self.plan.can_move(place, 1))

    def say(self, words: str, *, wrong: bool = False) -> None:
        """Say something below the table; empty: nothing."""
        self.words.setText(f"✕ {words}" if words and wrong else words)
        self.words.setVisible(bool(words))

    def _say(self, words: str) -> None:
        self.say(words, wrong=True)

    def _connect(self) -> None:
        self.add.clicked.connect(self._add)
        self.remove.clicked.connect(self._remove)
        self.up.clicked.connect(lambda: self._move(-1))
        self.down.clicked.connect(lambda: self._move(1))
        self.table.itemChanged.connect(self._edit_text)
        delete = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.table)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        delete.activated.connect(self._remove)
        self.table.currentCellChanged.connect(self._row_chosen)

    def _row_chosen(self) -> None:
        self._validate()
        if not self._filling:
            self.changed.emit()


def _table() -> QTableWidget:
    table = QTableWidget(0, len(HEADS))
    table.setObjectName("runs")
    table.setHorizontalHeaderLabels(HEADS)
    for column, tip in enumerate(HEAD_TIPS):
        head = table.horizontalHeaderItem(column)
        assert head is not None
        head.setToolTip(tip)
    table.setToolTip("The runs of this session; Start starts the one that is marked")
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setTabKeyNavigation(False)
    table.setShowGrid(False)
    table.setWordWrap(False)
    rows, heads = table.verticalHeader(), table.horizontalHeader()
    assert rows is not None
    assert heads is not None
    rows.hide()
    rows.setDefaultSectionSize(26)
    heads.setHighlightSections(False)
    heads.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    heads.setSectionResizeMode(NOTE, QHeaderView.ResizeMode.Stretch)
    return table
