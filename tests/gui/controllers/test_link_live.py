"""The dashboard's link against real publishers: found, lost, replaced."""

import json
import threading
import time

import pytest
import zmq
from fake_publisher import PATIENCE_S, FakePublisher
from feed_messages import body, wire

from rtbold.gui.controllers.link import FeedLink
from rtbold.gui.state.dashboard import DashboardState
from rtbold.publish.feed import Feed
from rtbold.publish.sockets import FeedSettings

pytestmark = pytest.mark.integration


@pytest.fixture
def publishers():
    started = []

    def start(**ports):
        started.append(FakePublisher(**ports))
        return started[-1]

    yield start
    for publisher in started:
        publisher.kill()


class Window:
    """What the main window does, without drawing."""

    def __init__(self, address):
        self.link, self.state = FeedLink(address), DashboardState()
        self.link.start()

    def turn(self):
        now_s = time.monotonic()
        for received in self.link.drain():
            self.state.take(received, now_s)
        return self.state.headline(time.monotonic())

    def until(self, condition):
        end_s = time.monotonic() + PATIENCE_S
        while not condition(found := self.turn()):
            assert time.monotonic() < end_s, found
            time.sleep(0.005)
        return found


@pytest.fixture
def windows():
    opened = []

    def look_at(address):
        opened.append(Window(address))
        return opened[-1]

    yield look_at
    for window in opened:
        window.link.close()
    alive = [thread.name for thread in threading.enumerate()]
    assert "rtbold-gui-link" not in alive


def test_a_killed_session_shows_within_two_seconds_and_its_successor_is_found(
    publishers, windows
):
    first = publishers()
    window = windows(first.address)
    window.until(lambda head: head.level == "ok")
    session = window.state.session
    first.kill()
    killed_s = time.monotonic()
    found = window.until(lambda head: head.level == "silent")
    assert time.monotonic() - killed_s < 2.0
    assert found.word.startswith("NO HEARTBEAT for")
    window.until(lambda _: not window.state.link.alive)
    assert window.state.shown(time.monotonic()).kind == "neutral"
    publishers(port=first.port, control_port=first.control_port)
    window.until(lambda head: head.level == "ok")
    assert window.state.session != session
    assert [summary.session for summary in window.state.finished] == [session]
    assert window.state.link.n_gaps == 0


@pytest.fixture
def feed():
    with Feed(
        FeedSettings(port=0),
        session="s1",
        now_lsl_s=lambda: time.monotonic() + 5000.0,
        now_unix_s=time.time,
    ) as feed:
        yield feed


def test_a_late_window_gets_hello_and_the_last_value_and_then_the_goodbye(
    feed, windows
):
    feed.publish(wire("hello"))
    feed.publish(wire("phase", run_type="train"))
    feed.publish(wire("pred.fb", value=0.3))
    window = windows(feed.address)
    found = window.until(lambda head: head.level == "ok")
    assert (found.word, window.state.hello.model_name) == ("OK", "S01-a")
    assert window.state.shown(time.monotonic()).value == 0.3
    assert window.state.link.offset_s == pytest.approx(-5000.0, abs=0.5)
    feed.publish(wire("log", text="to whom it may concern"))
    window.until(lambda _: window.state.versions["log"] == 1)
    feed.close()
    window.until(lambda head: head.word == "ENDED")


def test_a_session_that_sends_no_predictions_is_stalled(feed, windows):
    feed.publish(wire("hello", tr_s=0.4))
    window = windows(feed.address)
    found = window.until(lambda head: head.word.startswith("STALLED"))
    assert found.stale


def test_a_feed_of_another_version_is_told(windows):
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        window = windows(f"tcp://127.0.0.1:{port}")
        assert socket.poll(1000 * PATIENCE_S)  # it subscribes
        other = body("hb") | {"schema": "rtbold.hb/2"}
        socket.send_multipart([b"hb", json.dumps(other).encode()])
        found = window.until(lambda head: head.word == "OTHER VERSION")
    assert "rtbold.hb/2" in found.why


def test_nobody_there_is_no_session(windows):
    window = windows("tcp://127.0.0.1:9")
    window.until(lambda _: window.state.link is not None)
    assert window.turn().word == "NO SESSION"


@pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1:notaport", ""])
def test_a_wrong_address_is_told_in_words(windows, address):
    window = windows(address)
    found = window.until(lambda head: head.word == "NO CONNECTION")
    assert "is no address" in found.why
    window.link.close()
    window.link.close()
