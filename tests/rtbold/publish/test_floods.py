"""Clients that misbehave against a publisher of its own process, and who notices it.

Counted is what others get in that time: heartbeats against those that were due, answers
of the control socket. Memory is the growth of the publisher's process.
"""

import json
import socket
import threading
import time
from contextlib import suppress

import psutil
import pytest
from fake_publisher import FakePublisher
from floods import PATIENCE_S, Peer, Watched, frame, subscriptions
from hypothesis import HealthCheck, given, settings, strategies as st

from rtbold.client import request

pytestmark = [pytest.mark.integration, pytest.mark.realtime]
FLOOD_S = 1.0
MOST_GROWN_MB = 200.0
HELLO = b'"schema":"rtbold.hello/1"'
EMPTY = frame(b"", more=True)

FEED_FLOODS = {
    "many": subscriptions(20_000),
    "long": subscriptions(20_000, 240),
    "too long": subscriptions(20, 60_000),
    "just too long": subscriptions(2000, 300),
    "unsubscriptions": subscriptions(20_000, what=b"\0"),
    "one topic": frame(b"\x01pred.fb") * 50_000,
    "empty prefixes": frame(b"\x01") * 50_000,
    "no subscriptions": frame(b"\x07rubbish") * 50_000,
    "empty frames": frame(b"") * 50_000,
    "parts without end": frame(b"part", more=True) * 100_000,
    "many parts": frame(b"part", more=True) * 50_000 + frame(b"\x01pred.fb"),
}
CONTROL_FLOODS = {
    "hello": (EMPTY + frame(b'{"op":"HELLO","id":1}')) * 20_000,
    "latest": (EMPTY + frame(b'{"op":"LATEST","topic":"eeg"}')) * 20_000,
    "marks": (EMPTY + frame(b'{"op":"MARK","text":"x"}')) * 20_000,
    "rubbish": (EMPTY + frame(b"\xff\x00rubbish")) * 20_000,
    "deep": (EMPTY + frame(b'{"op":"TIME","id":' + b"[" * 8000)) * 500,
    "large": EMPTY + frame(b'{"op":"MARK","text":"' + b"x" * 5_000_000),
    "parts without end": EMPTY + frame(b"x" * 16_000, more=True) * 600,
    "small parts without end": EMPTY + frame(b"x", more=True) * 100_000,
    "many parts": frame(b"", more=True) * 1000 + frame(b'{"op":"TIME"}'),
}


@pytest.fixture(scope="module")
def publisher():
    started = FakePublisher()
    yield started
    started.kill()


class Flood(threading.Thread):
    """Connects, sends everything, waits to be cut off, and again."""

    def __init__(self, port, data, kind="SUB"):
        super().__init__(daemon=True)
        self._port, self._data, self._kind = port, data, kind
        self.n, self.n_cut = 0, 0
        self._end_s = time.monotonic() + FLOOD_S
        self.start()

    def run(self):
        while time.monotonic() < self._end_s:
            with suppress(OSError), Peer(self._port, self._kind) as peer:
                self.n += 1
                peer.socket.settimeout(FLOOD_S)
                whole = peer.send(self._data)
                while whole and not peer.cut and time.monotonic() < self._end_s:
                    time.sleep(0.005)
                self.n_cut += not whole or peer.cut
            time.sleep(0.01)


def check_nobody_noticed(publisher, start):
    """Let the flood come; what others get is as before."""
    with Watched(publisher.address, publisher.process.pid) as watched:
        flood = start()
        address = f"tcp://127.0.0.1:{publisher.control_port}"
        n_answers = 0
        while flood.is_alive():
            watched.listen(0.1)
            watched.measure()
            n_answers += request("TIME", address=address)["ok"]
        watched.listen(0.6)
        assert watched.beats() >= 0.8 * watched.due() - 1
        assert watched.peak_mb < MOST_GROWN_MB
        assert n_answers >= 2
        assert flood.n > 0
        return watched, flood


@pytest.mark.parametrize("kind", FEED_FLOODS)
def test_a_flood_of_the_feed_is_cut_off_alone(publisher, kind):
    watched, flood = check_nobody_noticed(
        publisher, lambda: Flood(publisher.port, FEED_FLOODS[kind])
    )
    assert flood.n_cut > 0
    assert watched.last("hb")["n_refused"] > 0


@pytest.mark.parametrize("kind", CONTROL_FLOODS)
def test_a_flood_of_the_control_socket_holds_nobody_up(publisher, kind):
    check_nobody_noticed(
        publisher,
        lambda: Flood(publisher.control_port, CONTROL_FLOODS[kind], "DEALER"),
    )


def test_connections_that_come_and_go_leave_nothing(publisher):
    process = psutil.Process(publisher.process.pid)
    n_before = process.num_fds()

    class ComesAndGoes(Flood):
        def run(self):
            while time.monotonic() < self._end_s:
                socket.create_connection(("127.0.0.1", self._port), 5.0).close()
                self.n += 1

    check_nobody_noticed(publisher, lambda: ComesAndGoes(publisher.port, b""))
    end_s = time.monotonic() + PATIENCE_S
    while process.num_fds() > n_before + 5 and time.monotonic() < end_s:
        time.sleep(0.05)
    assert process.num_fds() <= n_before + 5


def test_connections_that_stay_take_no_more_than_their_places(publisher):
    held = []

    class Stays(Flood):
        def run(self):
            for _ in range(600):
                with suppress(OSError):
                    held.append(socket.create_connection(("127.0.0.1", self._port), 5))
                    self.n += 1

    process = psutil.Process(publisher.process.pid)
    n_before = process.num_fds()
    try:
        check_nobody_noticed(publisher, lambda: Stays(publisher.port, b""))
        assert process.num_fds() <= n_before + 450
    finally:
        for one in held:
            one.close()


def test_a_storm_of_late_subscribers_gets_hello(publisher):
    peers = [Peer(publisher.port) for _ in range(150)]
    try:
        for peer in peers:
            peer.send(frame(b"\x01hello"))
        for peer in peers:
            came = b""
            while HELLO not in came:
                part = peer.socket.recv(65536)
                assert part, "cut off"
                came += part
    finally:
        for peer in peers:
            peer.close()


def test_subscribers_that_never_read_stop_nobody(publisher):
    peers = [Peer(publisher.port) for _ in range(50)]

    class NeverReads(Flood):
        def run(self):
            for peer in peers:
                peer.send(frame(b"\x01"))
                self.n += 1
            time.sleep(FLOOD_S)

    try:
        check_nobody_noticed(publisher, lambda: NeverReads(publisher.port, b""))
    finally:
        for peer in peers:
            peer.close()


bodies = st.lists(st.tuples(st.binary(max_size=300), st.booleans()), max_size=20)


def send_all(port, kind, parts):
    with suppress(OSError), Peer(port, kind) as peer:
        peer.send(b"".join(frame(body, more=more) for body, more in parts))


@given(bodies)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_frames_leave_both_sockets_alive(publisher, parts):
    send_all(publisher.port, "SUB", parts)
    send_all(publisher.control_port, "DEALER", parts)
    address = f"tcp://127.0.0.1:{publisher.control_port}"
    answer = request("TIME", address=address, timeout_s=PATIENCE_S)
    assert json.dumps(answer)
    assert publisher.process.poll() is None


@given(st.binary(max_size=400))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_bytes_leave_both_sockets_alive(publisher, data):
    for port in (publisher.port, publisher.control_port):
        with suppress(OSError), Peer(port) as peer:
            peer.send(data)
        with socket.create_connection(("127.0.0.1", port), 5.0) as raw:
            with suppress(OSError):
                raw.sendall(data)
    address = f"tcp://127.0.0.1:{publisher.control_port}"
    assert request("TIME", address=address, timeout_s=PATIENCE_S)["ok"]


def test_after_all_that_the_feed_beats(publisher):
    with Watched(publisher.address, publisher.process.pid) as watched:
        watched.listen(1.2)
        assert watched.beats() >= 1
