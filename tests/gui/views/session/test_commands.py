import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QMessageBox
from session_scene import Scene

from rtbold.gui.controllers.session import CommandResult
from rtbold.gui.state.preferences import DARK
from rtbold.gui.views.session.commands import KEYS, CommandBar


class FakeController:
    """Notes what is asked; answers what a test gives it."""

    def __init__(self):
        self.address = "tcp://127.0.0.1:1"
        self.asked, self.answers = [], []

    def results(self):
        told, self.answers = self.answers, []
        return told

    def __getattr__(self, name):
        if name not in (
            "pause", "resume", "stop", "mark", "note", "participant_stop",
            "adverse_event",
        ):  # fmt: skip
            raise AttributeError(name)
        return lambda *texts: self.asked.append((name, *texts))


@pytest.fixture
def controller():
    return FakeController()


@pytest.fixture
def bar(qtbot, controller):
    made = CommandBar(DARK, controller)
    qtbot.addWidget(made)
    made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    return made


@pytest.fixture
def scene():
    return Scene().volumes(3)


def refresh(bar, scene, later_s=0.1):
    bar.refresh(scene.state, scene.now_s + later_s)


def press(qtbot, bar, name):
    qtbot.mouseClick(bar.buttons[name], Qt.MouseButton.LeftButton)


def test_each_button_shows_its_key_and_space_is_none_of_them(bar):
    for name, button in bar.buttons.items():
        key = KEYS[name][0]
        assert key.removeprefix("Shift+") in button.text()
        assert button.toolTip()
        assert key != "Space"
        assert button.focusPolicy() == Qt.FocusPolicy.NoFocus


def test_pause_and_resume(qtbot, bar, controller, scene):
    refresh(bar, scene)
    press(qtbot, bar, "pause")
    scene.send("hb", state="paused")
    refresh(bar, scene)
    assert bar.buttons["pause"].text().startswith("Resume")
    press(qtbot, bar, "pause")
    assert controller.asked == [("pause",), ("resume",)]


def test_keys_work_also_after_the_words_changed(qtbot, bar, controller, scene):
    refresh(bar, scene)
    scene.send("hb", state="paused")
    refresh(bar, scene)
    qtbot.keyClick(bar, Qt.Key.Key_F6)
    qtbot.keyClick(bar, Qt.Key.Key_F7)
    assert controller.asked == [("resume",), ("mark", "mark 1")], "at once"
    qtbot.keyClick(bar, Qt.Key.Key_F5)
    assert "Stop it before" in bar.answer.text(), "a key that cannot work says why"
    qtbot.keyClick(bar, Qt.Key.Key_F5, Qt.KeyboardModifier.ShiftModifier)
    assert bar._question is not None


def test_a_participants_stop_goes_out_at_once_and_unasked(
    qtbot, bar, controller, scene
):
    refresh(bar, scene)
    press(qtbot, bar, "participant_stop")
    assert controller.asked == [("participant_stop",)]
    assert bar._question is None


def test_an_adverse_event_needs_its_words(qtbot, bar, controller, scene):
    refresh(bar, scene)
    press(qtbot, bar, "adverse_event")
    assert "type what happened" in bar.answer.text()
    bar.text.setText("headache")
    press(qtbot, bar, "adverse_event")
    assert controller.asked == [("adverse_event", "headache")]
    assert bar.text.text() == ""


def test_stop_asks_and_no_is_the_default(qtbot, bar, controller, scene):
    refresh(bar, scene)
    press(qtbot, bar, "stop")
    box = bar._question
    assert box is not None
    assert box.defaultButton().text() == "Go on"
    press(qtbot, bar, "stop")
    assert bar._question is box, "it asks once"
    qtbot.mouseClick(box.defaultButton(), Qt.MouseButton.LeftButton)
    assert controller.asked == []
    assert bar._question is None
    press(qtbot, bar, "stop")
    stop = next(b for b in bar._question.buttons() if "Stop" in b.text())
    qtbot.mouseClick(stop, Qt.MouseButton.LeftButton)
    assert controller.asked == [("stop",)]


def test_marks_have_a_text_or_a_number(qtbot, bar, controller, scene):
    refresh(bar, scene)
    press(qtbot, bar, "mark")
    bar.text.setText("  eyes closed ")
    press(qtbot, bar, "mark")
    press(qtbot, bar, "mark")
    assert controller.asked == [
        ("mark", "mark 1"), ("mark", "eyes closed"), ("mark", "mark 3"),
    ]  # fmt: skip


def test_a_note_is_typed_and_sent_with_enter(qtbot, bar, controller, scene):
    refresh(bar, scene)
    press(qtbot, bar, "note")
    assert controller.asked == []
    assert bar.text.hasFocus()
    qtbot.keyClicks(bar.text, "moved his head")
    qtbot.keyClick(bar.text, Qt.Key.Key_Return)
    assert controller.asked == [("note", "moved his head")]
    assert bar.text.text() == ""


def test_a_note_that_cannot_be_sent_is_kept(qtbot, bar, controller):
    empty = Scene()
    empty.send("bye")
    refresh(bar, empty)
    bar.text.setText("important")
    qtbot.keyClick(bar.text, Qt.Key.Key_Return)
    assert controller.asked == []
    assert bar.text.text() == "important"
    assert "No session" in bar.answer.text()


def test_what_cannot_work_is_disabled_with_the_reason(bar, controller, scene):
    refresh(bar, scene)
    assert not bar.buttons["start"].isEnabled()
    assert "Stop it before" in bar.buttons["start"].toolTip()
    controller.address = None
    refresh(bar, scene)
    assert not bar.buttons["stop"].isEnabled()
    assert "no control socket" in bar.buttons["stop"].toolTip()


def test_the_next_run_can_start_when_a_session_has_ended(qtbot, bar, scene):
    bar.set_next_run("run 2, training")
    scene.send("bye")
    refresh(bar, scene)
    with qtbot.waitSignal(bar.start_requested):
        press(qtbot, bar, "start")


def test_answers_are_told_and_failures_are_logged(qtbot, bar, controller, scene):
    controller.answers = [CommandResult("pause", "", ok=True, words="Paused.")]
    n_lines = scene.state.log.n_lines
    with qtbot.waitSignal(bar.answered) as caught:
        refresh(bar, scene)
    assert caught.args[0].words == "Paused."
    assert bar.answer.text() == "✓ Paused."
    assert scene.state.log.n_lines == n_lines
    controller.answers = [CommandResult("stop", "", ok=False, words="No answer.")]
    refresh(bar, scene)
    assert bar.answer.text() == "✕ No answer."
    assert scene.state.log.entries[-1].level == "error"


def test_alpha_and_participant_are_asked_of_others(qtbot, bar, scene):
    refresh(bar, scene)
    with qtbot.waitSignal(bar.alpha_requested):
        press(qtbot, bar, "alpha")
    with qtbot.waitSignal(bar.participant_requested):
        press(qtbot, bar, "participant")


def test_a_stop_is_not_given_to_another_session_than_was_asked_of(
    qtbot, bar, controller, scene
):
    refresh(bar, scene)
    bar.buttons["stop"].click()
    box = bar.findChild(QMessageBox, "stop_question")
    scene.link(session="another")
    refresh(bar, scene)
    assert not box.isVisible()
    assert controller.asked == []
    assert "another session" in bar.answer.text()
