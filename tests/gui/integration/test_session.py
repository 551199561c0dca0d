"""The real window on real sessions: twin, session and window as on a day of work.

One twin plays for all; a session of its own warms up while the first test clicks.
"""

import os
import signal
import time
from contextlib import ExitStack

import psutil
import pytest
from dashboard import Child, answer, gui
from loop import PATIENCE_S, Listener, Rtbold, free_ports, new_name, twin
from PyQt6.QtWidgets import QAbstractButton, QMessageBox, QTextBrowser

from rtbold.gui.views.main_window import SESSION, SETUP, SUMMARY

pytestmark = pytest.mark.integration
TR_S = 2.1
FRAMES_S = 1.0  # until a busy machine has drawn what the window knows
HEARTBEAT_S = 0.5
SILENT_S = 2.0  # after the last heartbeat, says the requirement


class Running:
    """``rtbold run`` on the twin."""

    def __init__(self, name):
        self.port, self.control_port = free_ports()
        self.process = Rtbold(
            "run", "--model", "demo-ridge", "--stream", f"{name}-eeg",
            "--trigger-stream", f"{name}-markers", "--trigger", "R128",
            "--truth", f"lsl:{name}-bold", "--wait", PATIENCE_S,
            "--port", self.port, "--control-port", self.control_port,
        )  # fmt: skip

    @property
    def address(self):
        return f"tcp://127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def played():
    """The twin: its process and its name."""
    name = new_name("gui")
    with twin(name, duration_s=900) as process:
        yield process, name


@pytest.fixture(scope="module")
def sessions(played):
    """Return the session that lives; another if a test has killed it."""
    with ExitStack() as stack:
        living = []

        def one():
            if not living or not living[-1].process.running:
                living.append(Running(played[1]))
                stack.enter_context(living[-1].process)
            return living[-1]

        one()
        yield one


def shows_a_value(window):
    return window.state.shown(time.monotonic()).kind == "value"


@pytest.mark.realtime
def test_a_run_from_set_up_to_summary_by_clicks(dashboards, sessions, played):
    _, name = played
    port, control_port = free_ports()
    window = dashboards(choices={"port": str(port), "control_port": str(control_port)})
    assert window.page == SETUP
    window.wait(lambda: "Still missing" in window.text("why_not_start"))
    assert not window.find("start").isEnabled()

    window.take_stream(f"{name}-eeg")
    window.take_stream(f"{name}-markers")
    window.choose("bundle", "demo-ridge")
    window.click("check")
    check = window.find("check", QAbstractButton)
    window.wait(lambda: check.isEnabled() and "ready" in window.text("check_words"))
    assert "to mend" not in window.text("check_words"), window.said()
    window.click("start")
    window.wait(lambda: window.page == SESSION)
    with Child(window.window.controller.child) as child:
        window.wait(lambda: window.state.session)  # it answers from here on
        # while its first window of EEG fills
        window.type("command_text", "blink")
        window.click("command_mark")
        window.type("command_text", "eyes closed")
        window.click("command_note")
        for words in ("mark blink", "note eyes closed"):
            window.wait(lambda w=words: any(w in line for line in window.events))
        window.wait(lambda: shows_a_value(window))
        assert window.word == "OK", window.said()
        assert "SIMULATED EEG" in window.status
        assert window.overlays == []
        first = window.state.fb.volume_index

        pause = window.find("command_pause", QAbstractButton)
        window.click("command_pause")
        window.wait(lambda: window.word == "PAUSED")
        window.wait(lambda: pause.text().startswith("Resume"))
        window.click("command_pause")
        window.wait(lambda: window.word == "OK")
        assert pause.text().startswith("Pause")

        window.click("command_stop")
        answer(window.find("stop_question", QMessageBox), "Stop the session")
        window.wait(lambda: window.page == SUMMARY)
        window.wait(lambda: child.poll() is not None)
        assert child.poll() == 0, child.last_words()
    said = window.find("summary_text", QTextBrowser).toPlainText()
    last = window.state.fb.volume_index
    assert last > first
    assert "demo-ridge" in said
    assert f"{window.state.summary().n_volumes}" in said
    window.click("page_setup")
    window.wait(lambda: "Mark a run" in window.text("why_not_start"))


def test_two_windows_see_and_command_one_session(dashboards, sessions):
    session = sessions()
    first = dashboards()
    first.join(session)
    first.wait(lambda: shows_a_value(first))
    second = dashboards(choices={"port": str(session.port)}, offer=True)
    second.wait(lambda: "already runs" in second.notices)
    second.click("notice_offer_action")
    second.wait(lambda: shows_a_value(second))
    assert second.state.session == first.state.session
    assert second.page == SESSION
    for window, other, words in ((first, second, "one"), (second, first, "two")):
        window.type("command_text", words)
        window.click("command_mark")
        for each in (window, other):
            each.wait(lambda e=each, w=words: any(f"mark {w}" in x for x in e.events))
    first.close()
    n_seen = second.state.versions["prediction"]
    second.wait(lambda: second.state.versions["prediction"] > n_seen)


def test_a_killed_window_leaves_the_sequence_without_a_gap(sessions, tmp_path):
    session = sessions()
    with Listener(session.port, ("",)) as listener:
        with gui(tmp_path, "--connect", session.address) as window:
            assert listener.until(lambda heard: heard.of("pred.roi"), PATIENCE_S)
            window.until_it_listens(session.port)
            window.kill()
        n_before = len(listener.of("pred.roi"))
        enough = listener.until(
            lambda heard: len(heard.of("pred.roi")) >= n_before + 4, 8 * TR_S
        )
        assert enough, session.process.said()
        assert listener.feed.alive
        assert listener.feed.n_sessions == 1
        assert listener.feed.n_gaps.total() == 0
        volumes = [m["volume_index"] for m in listener.of("pred.roi")]
        assert volumes == list(range(volumes[0], volumes[0] + len(volumes)))


def test_a_stalled_stream_is_invalid_within_a_tr_and_comes_back(
    dashboards, sessions, played
):
    upstream, _ = played
    session = sessions()
    window = dashboards()
    window.join(session)
    window.wait(lambda: shows_a_value(window) and window.word == "OK")
    os.kill(upstream.pid, signal.SIGSTOP)
    try:
        took_s = window.wait(
            lambda: window.state.headline(time.monotonic()).level == "invalid"
        )
        assert took_s <= TR_S
        window.wait(lambda: window.word.startswith("NO EEG"), FRAMES_S)
        assert "sample is" in window.status
        assert "amplifier" in window.status
        window.wait(lambda: window.state.shown(time.monotonic()).kind == "neutral")
    finally:
        os.kill(upstream.pid, signal.SIGCONT)
    window.wait(lambda: window.word == "OK" and shows_a_value(window))
    assert session.process.running


def test_a_killed_session_shows_within_two_seconds(dashboards, sessions):
    session = sessions()
    window = dashboards()
    window.join(session)
    window.wait(lambda: shows_a_value(window))
    inlets = psutil.Process(session.process.pid).children(recursive=True)
    session.process.kill()
    killed_s = time.monotonic()
    window.wait(lambda: window.overlays and "NO HEARTBEAT" in window.word, SILENT_S)
    assert time.monotonic() - killed_s <= SILENT_S
    plots, gauges = sorted(window.overlays)
    assert plots.startswith("NO HEARTBEAT for")
    assert "last prediction" in plots
    assert gauges == "old"
    assert "killed" in window.status
    window.wait(lambda: window.state.shown(time.monotonic()).kind == "neutral")
    _, alive = psutil.wait_procs(inlets, timeout=20)
    assert alive == []
