import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QComboBox, QSpinBox

from rtbold.gui.state.setup import Run
from rtbold.gui.views.setup.runs import DUMMIES, KIND, NOTE, NUMBER, PLANNED, RunList


@pytest.fixture
def runs(qtbot):
    runs = RunList()
    qtbot.addWidget(runs)
    return runs


def cell(runs, row, column):
    return runs.table.item(row, column).text()


def test_a_session_begins_with_one_run_that_is_marked(runs):
    assert runs.selected == Run(1, "training")
    assert cell(runs, 0, NUMBER) == "01 ○ planned"


def test_runs_are_added_moved_and_removed_by_buttons(runs, qtbot):
    with qtbot.waitSignal(runs.changed):
        runs.add.click()
    runs.findChild(QComboBox, "run_1_kind").activated.emit(3)
    assert runs.plan.rows[1].run.kind == "transfer"
    runs.table.setCurrentCell(1, 0)
    runs.up.click()
    assert [row.run.kind for row in runs.plan] == ["transfer", "training"]
    assert runs.selected == Run(1, "transfer")
    runs.remove.click()
    assert [row.run.kind for row in runs.plan] == ["training"]
    assert not runs.remove.isEnabled()


def test_delete_removes_the_marked_run(runs, qtbot):
    runs.add.click()
    with qtbot.waitActive(runs):
        runs.show()
        runs.activateWindow()
    runs.table.setFocus()
    qtbot.keyClick(runs.table, Qt.Key.Key_Delete)
    assert len(runs.plan.rows) == 1


def test_dummies_duration_and_note_are_edited_in_the_table(runs):
    runs.findChild(QSpinBox, "run_0_dummies").setValue(4)
    runs.table.item(0, PLANNED).setText("8:30")
    runs.table.item(0, NOTE).setText(" left \n hand ")
    assert runs.selected == Run(1, "training", 4, 510.0, "left hand")
    assert cell(runs, 0, PLANNED) == "8:30 min"


def test_a_wrong_duration_is_refused_in_words(runs):
    runs.table.item(0, PLANNED).setText("8")
    runs.table.item(0, PLANNED).setText("soon")
    assert "give minutes" in runs.words.text()
    assert not runs.words.isHidden()
    assert cell(runs, 0, PLANNED) == "8:00 min"
    runs.table.item(0, PLANNED).setText("9")
    assert runs.words.isHidden()


def test_a_run_that_was_started_cannot_be_edited(runs):
    runs.add.click()
    runs.show_plan(runs.plan.marked(1, "running"))
    assert cell(runs, 0, NUMBER) == "01 ▶ running"
    for column in (KIND, DUMMIES):
        assert not runs.table.cellWidget(0, column).isEnabled()
        assert runs.table.cellWidget(1, column).isEnabled()
    assert not runs.table.item(0, NOTE).flags() & Qt.ItemFlag.ItemIsEditable
    assert runs.selected == Run(2, "training")  # the next one is marked
    runs.table.setCurrentCell(0, 0)
    assert runs.selected is None
    assert not runs.remove.isEnabled()


@pytest.mark.parametrize(
    ("state", "word"), [("done", "✓ done"), ("aborted", "✕ aborted")]
)
def test_what_became_of_a_run_is_said_with_a_sign(runs, state, word):
    runs.show_plan(runs.plan.marked(1, state))
    assert word in cell(runs, 0, NUMBER)
