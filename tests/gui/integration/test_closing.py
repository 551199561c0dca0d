"""Closing the real window on a feed that goes on, by the buttons of its dialog."""

import pytest
from dashboard import PATIENCE_S, gui
from loop import Listener
from PyQt6.QtWidgets import QLabel

pytestmark = pytest.mark.integration


@pytest.fixture
def joined(dashboards, publishers):
    """Return a window that sees a value, its session, and another listener."""
    publisher = publishers("--speed", "4")
    window = dashboards()
    window.join(publisher)
    window.wait(lambda: window.word == "OK")
    with Listener(publisher.port, ("",)) as listener:
        listener.until(lambda heard: heard.of("pred.fb"), PATIENCE_S)
        yield window, publisher, listener


def close_by(window, button):
    """Close the window and click that button of the question."""
    asked = []

    def act(dialog):
        asked.append(dialog.findChild(QLabel, "close_words").text())
        window.press_in(dialog, button)

    window.in_dialog("close_dialog", act)
    window.window.close()
    assert "still running" in asked[0]


def goes_on(listener):
    n = len(listener.of("pred.fb"))
    return listener.until(lambda heard: len(heard.of("pred.fb")) > n + 2, PATIENCE_S)


def test_left_running_the_session_goes_on(joined):
    window, publisher, listener = joined
    close_by(window, "close_leave")
    assert not window.window.isVisible()
    assert goes_on(listener)
    assert publisher.running
    assert listener.of("bye") == []
    assert listener.feed.n_gaps.total() == 0


def test_stopped_the_window_waits_for_the_goodbye(joined):
    window, publisher, listener = joined
    close_by(window, "close_stop")
    window.wait(lambda: not window.window.isVisible())
    assert window.state.bye is not None
    assert listener.until(lambda heard: heard.of("bye"), PATIENCE_S)
    assert publisher.wait(PATIENCE_S) == 0


def test_cancelled_everything_stays(joined):
    window, _, listener = joined
    close_by(window, "close_cancel")
    assert window.window.isVisible()
    n_seen = window.state.versions["fb"]
    window.wait(lambda: window.state.versions["fb"] > n_seen)
    assert goes_on(listener)


def test_a_killed_window_leaves_the_sequence_without_a_gap(publishers, tmp_path):
    publisher = publishers("--speed", "10")
    with Listener(publisher.port, ("",)) as listener:
        with gui(tmp_path, "--connect", publisher.address) as window:
            assert listener.until(lambda heard: heard.of("pred.roi"), PATIENCE_S)
            window.until_it_listens(publisher.port)
            assert goes_on(listener)
            window.kill()
        for _ in range(2):
            assert goes_on(listener)
        assert listener.feed.alive
        assert listener.feed.n_gaps.total() == 0


def test_a_polite_kill_closes_the_window_and_asks_nothing(publishers, tmp_path):
    publisher = publishers("--speed", "10")
    with gui(tmp_path, "--connect", publisher.address) as window:
        window.until_it_listens(publisher.port)
        window.process.terminate()
        assert window.wait(PATIENCE_S) == 0, window.said()
        assert "Traceback" not in window.said()
    assert publisher.running
