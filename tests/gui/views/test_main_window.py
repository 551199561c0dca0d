import pytest
from dashboard_window import ScriptedChild, WindowRig
from feed_messages import link, received
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtWidgets import QPushButton

from rtbold.gui.state.address import Address
from rtbold.gui.state.preferences import DARK, LIGHT, Preferences
from rtbold.gui.views.main_window import SESSION, SETUP, SUMMARY


@pytest.fixture
def rig(qtbot, tmp_path):
    made = WindowRig(tmp_path)
    qtbot.addWidget(made.window)
    made.window.resize(1366, 728)
    made.window.show()
    return made


def press(qtbot, rig, name):
    qtbot.mouseClick(rig.window.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


def test_only_the_page_that_is_seen_is_drawn(rig):
    rig.window.tick()
    assert [len(page.seen) for page in rig.pages] == [1, 0, 0]
    rig.window.go_to(SESSION)
    rig.window.tick()
    assert [len(page.seen) for page in rig.pages] == [1, 0, 1]


def test_a_frame_is_left_out_for_a_prediction_and_at_most_two(rig, monkeypatch):
    seen = rig.pages[0].seen
    due = {"now": True}
    monkeypatch.setattr(
        type(rig.window.state), "gives_way", lambda state, now_s: due["now"]
    )
    drawn = []
    for _ in range(5):
        rig.window._timer.timeout.emit()
        drawn.append(len(seen))
    assert drawn == [0, 0, 1, 1, 1]
    due["now"] = False
    rig.window._timer.timeout.emit()
    assert len(seen) == 2


def test_pages_change_by_button_and_by_key(qtbot, rig):
    press(qtbot, rig, "page_session")
    assert rig.window.stack.currentIndex() == SESSION
    qtbot.keyClick(rig.window, Qt.Key.Key_4, Qt.KeyboardModifier.ControlModifier)
    assert rig.window.stack.currentIndex() == SUMMARY
    assert rig.window.findChild(QPushButton, "page_summary").isChecked()


def test_the_status_is_on_every_page_and_changes_with_the_feed(rig):
    rig.window.tick()
    assert "NO SESSION" in rig.window.side.status.text()
    rig.controller.join(Address())
    rig.hear(link(rig.now_s), received("hello"), received("pred.fb"))
    for page in range(4):
        rig.window.go_to(page)
        rig.window.tick()
        assert "OK" in rig.window.side.status.text()
    rig.hear(link(rig.now_s, alive=False, silent_s=2.4), after_s=0.0)
    assert "NO HEARTBEAT for 2 s" in rig.window.side.status.text()


def test_dark_and_light_reach_every_page_and_are_remembered(qtbot, rig):
    assert all(page.colours is DARK for page in rig.pages)
    press(qtbot, rig, "theme")
    assert all(page.colours is LIGHT for page in rig.pages)
    assert rig.remembered.preferences().theme == "light"
    assert LIGHT.background in rig.window.grab().toImage().pixelColor(3, 700).name()


def test_text_grows_shrinks_and_goes_back(qtbot, rig):
    usual = rig.window.side.status.font().pointSizeF()
    control = Qt.KeyboardModifier.ControlModifier
    qtbot.keyClick(rig.window, Qt.Key.Key_Plus, control)
    larger = rig.window.side.status.font().pointSizeF()
    assert larger == pytest.approx(1.1 * usual, rel=0.02)
    qtbot.keyClick(rig.window, Qt.Key.Key_Minus, control)
    qtbot.keyClick(rig.window, Qt.Key.Key_Minus, control)
    assert rig.window.preferences.text_scale < 1
    qtbot.keyClick(rig.window, Qt.Key.Key_0, control)
    assert rig.window.preferences.text_scale == pytest.approx(1.0, abs=0.01)


def test_a_fault_of_a_page_is_a_line_and_stops_nothing_else(rig):
    rig.controller.join(Address())
    rig.pages[0].fault = ZeroDivisionError("by zero")
    rig.hear(link(rig.now_s), received("hello"))
    rig.hear(link(rig.now_s), received("pred.fb"))
    [text] = [t for k, t in rig.window.notices.texts().items() if k == "fault"]
    assert "the page Set-up: ZeroDivisionError: by zero" in text
    assert "session does not depend on" in text
    assert list(rig.window.failures.counts.values()) == [2]
    assert "OK" in rig.window.side.status.text()
    assert any("by zero" in entry.text for entry in rig.window.state.log.entries)


def test_a_running_session_is_offered_and_joined_by_a_click(qtbot, tmp_path):
    rig = WindowRig(tmp_path, offer_at=Address("tcp://127.0.0.1:6100"))
    qtbot.addWidget(rig.window)
    rig.window.show()
    rig.hear(link(rig.now_s), received("hello"))
    assert "already runs" in rig.window.notices.texts()["offer"]
    press(qtbot, rig, "notice_offer_action")
    assert rig.window.stack.currentIndex() == SESSION
    assert rig.feeds[-1].address == "tcp://127.0.0.1:6100"
    rig.window.tick()
    assert "offer" not in rig.window.notices.texts()


def test_a_started_session_opens_its_page_and_its_end_the_summary(rig):
    assert rig.window.start_session(("run",))
    assert rig.window.stack.currentIndex() == SESSION
    rig.hear(link(rig.now_s), received("hello"), received("pred.fb"))
    rig.hear(received("bye"))
    assert rig.window.stack.currentIndex() == SUMMARY
    assert "Session" in rig.summary.text.toPlainText()
    assert "ended" in rig.window.notices.texts()["ended"]


def test_the_end_of_a_session_does_not_take_the_operator_from_the_next(rig):
    rig.window.start_session(("run",))
    rig.window.go_to(SETUP)
    rig.hear(link(rig.now_s), received("hello"), received("bye"))
    assert rig.window.stack.currentIndex() == SETUP


def test_a_session_that_dies_leaves_its_last_words_on_the_page(rig):
    rig.window.start_session(("run",))
    rig.child.code, rig.child.words = 2, "no stream is called 'X'"
    rig.window.tick()
    assert "no stream is called 'X'" in rig.window.notices.texts()["died"]


def test_without_a_session_it_closes_at_once_and_remembers_its_size(rig):
    rig.window.resize(1200, 700)
    rig.window.move(QPoint(5, 6))
    assert rig.window.close()
    assert rig.remembered.geometry() is not None


def test_leaving_a_session_running_closes_and_asks_it_nothing(rig):
    rig.controller.join(Address())
    rig.hear(link(rig.now_s), received("hello"))
    rig.window.closing.ask = lambda: "leave"
    assert rig.window.close()
    assert rig.asked == []
    assert rig.feeds[-1].closed


def test_cancel_keeps_the_window(rig):
    rig.controller.join(Address())
    rig.hear(link(rig.now_s), received("hello"))
    rig.window.closing.ask = lambda: "cancel"
    assert not rig.window.close()
    assert rig.window.isVisible()
    assert not rig.feeds[-1].closed


def test_stopping_waits_for_the_goodbye_then_closes(qtbot, rig):
    rig.controller.join(Address())
    rig.hear(link(rig.now_s), received("hello"))
    rig.window.closing.ask = lambda: "stop"
    assert not rig.window.close()
    qtbot.waitUntil(lambda: rig.asked == ["STOP"])
    rig.hear(after_s=1.0)
    assert "4 s" in rig.window.closing.dialog.words.text()
    assert rig.window.isVisible()
    rig.hear(received("bye"))
    assert not rig.window.isVisible()


def test_a_session_that_does_not_stop_is_said_and_the_choice_is_the_operators(
    qtbot, rig
):
    rig.controller.join(Address())
    rig.hear(link(rig.now_s), received("hello"))
    rig.window.closing.ask = lambda: "stop"
    rig.window.close()
    rig.hear(after_s=5.5)
    assert "has not ended within 5 s" in rig.window.closing.dialog.words.text()
    qtbot.mouseClick(rig.window.closing.dialog.wait_on, Qt.MouseButton.LeftButton)
    assert rig.window.isVisible()
    rig.window.close()
    qtbot.mouseClick(rig.window.closing.dialog.close_now, Qt.MouseButton.LeftButton)
    assert not rig.window.isVisible()


def test_the_participants_window_opens_is_fed_and_closes_with_the_operators(qtbot, rig):
    qtbot.keyClick(rig.window, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier)
    assert rig.window.participant.window is not None
    rig.controller.join(Address())
    rig.hear(link(rig.now_s), received("hello"), received("pred.fb", z=1.5))
    rig.hear(link(rig.now_s))
    assert rig.window.participant.window.view.level is None  # which run is it?
    rig.hear(received("phase", run_type="train"), link(rig.now_s))
    assert rig.window.participant.window.view.level == pytest.approx(0.75)
    rig.hear(received("phase", run_type="transfer"), link(rig.now_s))
    assert rig.window.participant.window.view.level is None
    rig.window.participant.dialog.form.setCurrentText("circle")
    assert rig.remembered.preferences().participant == "circle"
    rig.window.close()
    assert rig.window.participant.window is None


def test_what_was_remembered_comes_back(qtbot, tmp_path):
    rig = WindowRig(tmp_path, Preferences(theme="light", text_scale=1.2))
    qtbot.addWidget(rig.window)
    assert all(page.colours is LIGHT for page in rig.pages)
    rig.window.close()
    assert rig.remembered.preferences() == Preferences(theme="light", text_scale=1.2)


def test_it_says_starting_from_the_click_on(rig):
    rig.window.start_session(("run",))
    assert rig.window.state.headline(rig.now_s).word == "STARTING"
    rig.hear()
    assert "STARTING" in rig.window.side.status.text()
    rig.hear(link(rig.now_s, heard=False, alive=False), after_s=4.0)
    assert "STARTING" in rig.window.side.status.text()
    rig.hear(link(rig.now_s), received("hello"))
    assert not rig.window.state.starting


def test_a_second_start_says_starting_and_not_that_the_first_has_ended(rig):
    rig.window.start_session(("run",))
    rig.hear(link(rig.now_s), received("hello"), received("bye"))
    assert "ENDED" in rig.window.side.status.text()
    rig.child.code = 0
    rig.hear()
    rig.child = ScriptedChild()
    rig.window.start_session(("run",))
    rig.hear()
    assert "STARTING" in rig.window.side.status.text()


def test_a_start_that_dies_is_starting_no_longer(rig):
    rig.window.start_session(("run",))
    rig.child.code, rig.child.words = 2, "no stream"
    rig.hear()
    assert "STARTING" not in rig.window.side.status.text()


def test_a_notice_moves_no_page(rig):
    rig.window.tick()
    before = rig.window.stack.mapTo(rig.window, QPoint(0, 0)), rig.window.stack.size()
    rig.window.notices.show_notice("died", "It ended.", level="invalid")
    rig.window.tick()
    after = rig.window.stack.mapTo(rig.window, QPoint(0, 0)), rig.window.stack.size()
    assert after == before


def test_the_participants_stop_has_its_key_on_every_page_and_window(
    qtbot, rig, monkeypatch
):
    stops = []
    commands = rig.window.controller.commands
    monkeypatch.setattr(commands, "_send", lambda *order: stops.append(order))
    for page in range(4):
        rig.window.go_to(page)
        qtbot.keyClick(rig.window, Qt.Key.Key_F10)
    rig.window.participant.toggle()
    qtbot.keyClick(rig.window.participant.window, Qt.Key.Key_F10)
    assert stops == [("participant_stop",)] * 5
    rig.window.participant.toggle()


def test_keys_work_on_the_participants_window(qtbot, rig):
    qtbot.keyClick(rig.window, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier)
    shown = rig.window.participant.window
    qtbot.keyClick(shown, Qt.Key.Key_4, Qt.KeyboardModifier.ControlModifier)
    assert rig.window.stack.currentIndex() == SUMMARY
    qtbot.keyClick(shown, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier)
    assert rig.window.participant.window is None
