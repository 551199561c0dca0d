"""What can be wrong around the real window, each told in words in it."""

import json
import time

import pytest
import zmq
from bundles import write_tiny
from dashboard import PATIENCE_S, gui
from feed_messages import body
from loop import free_ports, new_name
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QAbstractButton, QDialogButtonBox, QLineEdit
from upstream import Upstream
from verdicts import make_verdict

from rtbold.bundle.card import Origin
from rtbold.gui.state.address import on_this_machine
from rtbold.gui.views.main_window import SESSION, SETUP

pytestmark = pytest.mark.integration
SILENT_S = 2.0  # after the last heartbeat, says the requirement


def test_no_session_at_the_address(dashboards):
    window = dashboards()
    port, control_port = free_ports()
    window.window.join(on_this_machine(port, control_port))
    window.wait(lambda: window.word == "NO SESSION" and window.overlays)
    assert all(words for words in window.overlays)
    assert "nothing has been heard" in window.status
    window.wait(lambda: f":{port}" in window.notices)
    assert not window.find("command_pause", QAbstractButton).isEnabled()
    assert "No session is heard" in window.find("command_pause").toolTip()


@pytest.mark.parametrize("address", ["nonsense:x", "tcp://", "http://a:5580", ""])
def test_a_malformed_address_opens_no_window_and_says_why(tmp_path, address):
    with gui(tmp_path, "--connect", address) as process:
        assert process.wait(PATIENCE_S) == 2
        assert "expected tcp://HOST:PORT" in process.said()
        assert "Traceback" not in process.said()


def test_a_malformed_address_cannot_be_joined(dashboards):
    window = dashboards()
    seen = []

    def act(dialog):
        ok = dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)
        feed = dialog.findChild(QLineEdit, "connect_feed")
        for typed in ("nonsense:x", "127.0.0.1:5999"):
            feed.clear()
            window.qtbot.keyClicks(feed, typed)
            seen.append((ok.isEnabled(), dialog.problem.text()))
        window.qtbot.mouseClick(ok, Qt.MouseButton.LeftButton)

    window.in_dialog("connect_dialog", act)
    window.click("join")
    (bad, why), (good, nothing) = seen
    assert (bad, good, nothing) == (False, True, "")
    assert "'nonsense:x' is no address" in why
    assert window.page == SESSION
    assert window.window.controller.address.feed == "tcp://127.0.0.1:5999"


def test_a_feed_of_another_version(dashboards):
    window = dashboards()
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        window.window.join(on_this_machine(port, port))
        assert socket.poll(1000 * PATIENCE_S)  # it subscribes
        other = json.dumps(body("hb") | {"schema": "rtbold.hb/2"}).encode()

        def sent():
            socket.send_multipart([b"hb", other])
            return window.word == "OTHER VERSION"

        window.wait(sent)
        assert "rtbold.hb/2" in window.status
        assert "same rtbold version" in window.status
        assert window.overlays
        assert window.state.fb is None
    window.wait(lambda: window.word == "NO SESSION")


def test_a_stream_that_vanishes_after_it_was_chosen(dashboards):
    name = new_name("gone")
    window = dashboards()
    with Upstream(name):
        window.take_stream(f"{name}-eeg")
        window.take_stream(f"{name}-markers")
        window.choose("bundle", "demo-ridge")
        window.wait(lambda: "Still missing" not in window.text("why_not_start"))
        assert window.text("stream_gone") == ""
    window.key(Qt.Key.Key_F3)
    window.wait(lambda: f"{name}-eeg" in window.text("stream_gone"))
    assert f"{name}-markers" in window.text("stream_gone")
    assert window.window.stack.widget(SETUP).choice.stream == f"{name}-eeg"
    window.click("check")
    check = window.find("check", QAbstractButton)
    window.wait(lambda: check.isEnabled() and "to mend" in window.text("check_words"))
    window.wait(lambda: "stream" in window.text("why_not_start"))
    assert not window.find("start").isEnabled()


def test_a_bundle_that_fails_its_gate(dashboards, tmp_path):
    write_tiny(
        tmp_path / "S01",
        name="20261123-120000",
        verdict=make_verdict("Putamen", "undecided"),
        target="Putamen",
        origin=Origin(kind="subject", simulated_lineage=True, subject="S01"),
    )
    name = new_name("gate")
    window = dashboards(choices={"root": str(tmp_path)})
    with Upstream(name):
        window.take_stream(f"{name}-eeg")
        window.take_stream(f"{name}-markers")
        window.choose("bundle", "S01")
        window.wait(lambda: "not fit for feedback" in window.text("bundle_refusal"))
        assert "undecided" in window.text("bundle_refusal")
        window.click("check")
        check = window.find("check", QAbstractButton)
        words = "must be mended or overridden first"
        window.wait(
            lambda: check.isEnabled() and words in window.text("why_not_start").lower()
        )
        assert not window.find("start").isEnabled()

        def act(dialog):
            window.qtbot.keyClicks(dialog.reason, "a pilot without feedback")
            window.qtbot.keyClicks(dialog.word, "OVERRIDE")
            window.qtbot.mouseClick(dialog.go, Qt.MouseButton.LeftButton)

        window.in_dialog("override_dialog", act)
        window.click("override")
        window.wait(window.find("start", QAbstractButton).isEnabled)
    assert any(
        "overridden: verdict. Reason: a pilot without feedback" in entry.text
        for entry in window.state.log.entries
    )


def test_a_session_that_restarts_is_found_and_told_apart(dashboards, publishers):
    window = dashboards()
    first = publishers("--speed", "4")
    window.join(first)
    window.wait(lambda: window.word == "OK")
    session = window.state.session
    first.kill()
    killed_s = time.monotonic()
    window.wait(lambda: "NO HEARTBEAT" in window.word, SILENT_S)
    assert time.monotonic() - killed_s <= SILENT_S
    publishers("--speed", "4", ports=first.ports)
    window.wait(lambda: window.word == "OK")
    assert window.state.session != session
    assert window.overlays == []
    assert [summary.session for summary in window.state.finished] == [session]
    window.type("command_text", "again")
    window.click("command_mark")
    window.wait(lambda: any("mark again" in line for line in window.events))


def test_a_session_that_cannot_start_says_why(dashboards, tmp_path):
    window = dashboards()
    port, control_port = free_ports()
    arguments = ("run", "--model", str(tmp_path / "none.rtbold"), "--stream", "none",
                 "--tr", "2.1", "--port", str(port), "--control-port",
                 str(control_port))  # fmt: skip
    assert window.window.start_session(arguments)
    window.wait(lambda: "exit code" in window.notices)
    assert "none.rtbold" in window.notices
