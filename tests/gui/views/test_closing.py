"""Closing while a session does not hear: it is asked again, and nothing is promised."""

import pytest
from PyQt6.QtWidgets import QWidget

from rtbold.gui.controllers.session import CommandResult
from rtbold.gui.state.commands import PATIENCE_S
from rtbold.gui.views.closing import AGAIN_S, Closing


class Commands:
    def __init__(self):
        self.n_stops, self.stop_reply = 0, None

    def stop(self):
        self.n_stops += 1
        self.stop_reply = None

    def answer(self, *, ok, words=""):
        self.stop_reply = CommandResult("stop", "", ok=ok, words=words)


class Controller:
    own, child_runs, session_alive, bye_received = True, True, True, False

    def __init__(self):
        self.commands = Commands()


@pytest.fixture
def closing(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    return Closing(window, Controller(), lambda: 100.0, ask=lambda: "stop")


def test_a_stop_that_nobody_heard_is_given_again(closing):
    commands = closing._controller.commands
    assert not closing.may_close()
    assert commands.n_stops == 1
    closing.tick(102.0)
    commands.answer(ok=False, words="No answer to stop.")
    closing.tick(102.1)
    assert commands.n_stops == 1
    closing.tick(100.0 + AGAIN_S)
    assert commands.n_stops == 2
    commands.answer(ok=True)
    closing.tick(100.0 + 3 * AGAIN_S)
    assert commands.n_stops == 2


def test_a_late_session_that_took_no_stop_is_said_to_go_on(closing):
    closing.may_close()
    closing._controller.commands.answer(ok=False, words="No answer to stop.")
    closing._asked_s = 100.0 + PATIENCE_S
    closing.tick(100.1 + PATIENCE_S)
    words = closing.dialog.words.text()
    assert "No answer to stop." in words
    assert "the session goes on" in words
