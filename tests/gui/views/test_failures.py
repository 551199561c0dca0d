import sys
import threading

import pytest
from PyQt6.QtCore import QTimer

from rtbold.gui.views.notices import MOST_KINDS, Failures


@pytest.fixture
def told():
    return []


@pytest.fixture
def failures(told):
    return Failures(told.append)


def broken():
    raise ValueError("that way")


def test_a_fault_is_told_once_and_counted(failures, told, caplog):
    assert not any(failures.guard("the plot", broken) for _ in range(3))
    assert failures.guard("the plot", lambda: None)
    [text] = told
    assert "the plot: ValueError: that way" in text
    assert "goes on" in text
    assert failures.counts[text] == 3
    assert [record.exc_info[0] for record in caplog.records] == [ValueError]


def test_many_different_faults_stay_bounded(failures):
    for number in range(3 * MOST_KINDS):
        failures.note(f"part {number}", ValueError())
    assert len(failures.counts) == MOST_KINDS


def test_what_a_slot_raises_is_told_and_ends_nothing(qtbot, failures, told):
    undo = failures.install()
    try:
        with qtbot.capture_exceptions():  # pytest-qt's own hook stands aside
            undo_again = failures.install()
            QTimer.singleShot(0, broken)
            qtbot.waitUntil(lambda: bool(told))
            undo_again()
    finally:
        undo()
    assert "an action: ValueError: that way" in told[0]


def test_what_a_thread_raises_is_logged_and_the_hooks_come_back(failures, caplog):
    before = sys.excepthook, threading.excepthook
    undo = failures.install()
    thread = threading.Thread(target=broken, name="reader")
    thread.start()
    thread.join()
    undo()
    assert "reader" in caplog.text
    assert "that way" in caplog.text
    assert (sys.excepthook, threading.excepthook) == before
