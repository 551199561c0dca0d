"""The bridges on real sockets: what each sends, and what bad clients can do."""

import http.client
import json
import re
import socket
import struct
import time

import pytest
from bridged import (
    PATIENCE_S,
    LineClient,
    Publisher,
    bridged,
    cut_off,
    shows,
    until,
)
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

import rtbold.bridge.outbox as outbox
from rtbold.bridge.run import Bridge, BridgeSettings
from rtbold.clock import MonotonicClock
from rtbold.errors import ConfigError, PortInUse, RtboldError

pytestmark = pytest.mark.integration
QUERY = '<info><get dataid=":*:*:*:{}:*:*:roi-weightedave:{}:"></get></info>\n'


@pytest.fixture
def publisher():
    made = Publisher()
    yield made
    made.close()


def ready(bridge, publisher):
    """Publish until the bridge has heard all of it."""
    until(lambda: "hb" in bridge._feed.latest)
    publisher.train()
    publisher.fb()
    until(lambda: "pred.fb" in bridge._feed.latest)


def ask(port, tr, roi="dmn"):
    """What a MURFI task does: one connection, one query, one float or not yet."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as task:
        task.sendall(QUERY.format(tr, roi).encode())
        said = re.sub("<.*?>", "", task.recv(4096).decode())
    try:
        return float(said)
    except ValueError:
        return None


def test_a_psychopy_task_written_for_murfi_plays_unchanged(publisher):
    with bridged(publisher, murfi=0, names={"cen": "V1"}) as bridge:
        (murfi,) = bridge.outlets
        ready(bridge, publisher)
        got = {}
        for tr, value in ((1, 0.5), (2, -0.25), (3, None), (4, 1.0)):
            # the task's loop: once per frame, until both are numbers
            while not got.get(tr) or None in got[tr]:
                got[tr] = ask(murfi.port, tr), ask(murfi.port, tr, "cen")
                if tr - 1 > publisher.volume:
                    assert got[tr] == (None, None)  # not yet
                    bad = {"status": "invalid", "reasons": ("gap",)}
                    publisher.fb(value or 0.0, **(bad if value is None else {}))
        assert got == {1: (0.5, 1.25), 2: (-0.25, 1.25), 3: (0, 0), 4: (1, 1.25)}
        assert ask(murfi.port, 1, "nose") is None
        assert any("'nose'" in said for said in bridge.said)
        publisher.send("phase", run_type="transfer", run=3)
        publisher.fb(0.75)
        assert until(lambda: ask(murfi.port, 1) == 0.0)  # TR 1 of a run without any


def test_lines_tell_the_feed_and_what_to_show(publisher):
    with bridged(publisher, lines=0) as bridge:
        (lines,) = bridge.outlets
        ready(bridge, publisher)
        with LineClient(lines.port) as client:  # comes late
            said = client.until(shows("value"))
            assert (said["value"], said["z"], said["volume_index"]) == (0.5, 0.5, 0)
            early = {line["topic"]: line for line in client.seen}
            assert early["pred.fb"]["replayed"] is True
            assert early["hello"]["rois"] == ["dmn", "V1", "pIns_L"]
            publisher.fb(status="invalid", reasons=("gap",))
            assert client.until(shows("hold"))["reasons"] == ["gap"]
            neutral = client.until(shows("neutral"))
            assert (neutral["value"], neutral["z"]) == (None, None)
            assert neutral["reasons"] in (["gap"], ["stalled"])
            publisher.close()
            assert client.until(lambda line: line["topic"] == "bye")
            dead = client.until(lambda x: x.get("reasons") == ["no_heartbeat"])
            assert dead["show"] == "neutral"
    told = [line.split(" tcp://")[0] for line in bridge.said if "tcp://" in line]
    assert told[-2:] == ["the feed of", "no heartbeat from"]


def test_datagrams_say_neutral_when_nothing_may_be_shown(publisher):
    from pythonosc.osc_message import OscMessage

    from rtbold.bridge.door import Destination

    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as osc,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        to = {}
        for name, receiver in (("osc", osc), ("udp", udp)):
            receiver.bind(("127.0.0.1", 0))
            receiver.settimeout(PATIENCE_S)
            to[name] = Destination("127.0.0.1", receiver.getsockname()[1])
        with bridged(publisher, **to) as bridge:
            assert struct.unpack("=f", udp.recv(64)) == (0.0,)  # before anything
            ready(bridge, publisher)
            assert until(lambda: struct.unpack("=f", udp.recv(64)))[0] in (0.0, 0.5)
            while (message := OscMessage(osc.recv(512))).params[-1] != "value":
                assert message.address in ("/rtbold/show", "/rtbold/feedback")
        left = [struct.unpack("=f", udp.recv(64))[0]]
        udp.setblocking(False)
        try:
            while True:
                left.append(struct.unpack("=f", udp.recv(64))[0])
        except BlockingIOError:
            assert left[-1] == 0.0  # the bridge ended: no last value stays


def websocket(bridge, path="/feed", **more):
    port = bridge.outlets[0].port
    return connect(f"ws://127.0.0.1:{port}{path}", open_timeout=PATIENCE_S, **more)


def test_a_websocket_has_the_json_of_the_feed(publisher):
    with bridged(publisher, websocket=0) as bridge:
        ready(bridge, publisher)
        with websocket(bridge) as browser:
            seen = [json.loads(browser.recv(PATIENCE_S)) for _ in range(4)]
            assert {"hello", "phase", "pred.fb"} <= {body["topic"] for body in seen}
            assert all(body["replayed"] for body in seen)
            publisher.fb(0.25)
            while (body := json.loads(browser.recv(PATIENCE_S)))["topic"] != "pred.fb":
                assert body["topic"] in ("hb", "phase", "hello")
            native = bridge._feed.latest["pred.fb"].body
            assert body == native
        with websocket(bridge, "/feed?topics=show") as browser:
            assert json.loads(browser.recv(PATIENCE_S))["topic"] == "show"


def status_of(bridge, path="/feed", **more):
    with pytest.raises(InvalidStatus) as refused, websocket(bridge, path, **more):
        pass
    return refused.value.response.status_code


def test_pages_of_other_places_may_not_listen(publisher):
    with bridged(publisher, websocket=0, origins=("http://lab.example",)) as bridge:
        port = bridge.outlets[0].port
        for origin in ("http://evil.example", f"http://evil.example:{port}", "null"):
            assert status_of(bridge, origin=origin) == 403
        for origin in (f"http://localhost:{port}", "http://lab.example"):
            with websocket(bridge, origin=origin) as browser:
                assert browser.recv(PATIENCE_S)
        assert status_of(bridge, "/feed?topics=eeg") == 400
        assert status_of(bridge, "/elsewhere") == 404


def test_the_page_is_served_on_the_same_port(publisher, tmp_path):
    with bridged(publisher, websocket=0) as bridge:
        port = bridge.outlets[0].port
        for path, kind in (("/", "text/html"), ("/feed.js", "text/javascript")):
            page = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
            page.request("GET", path)
            response = page.getresponse()
            assert (response.status, len(response.read()) > 500) == (200, True)
            assert response.headers["Content-Type"].startswith(kind)
            assert "default-src 'self'" in response.headers["Content-Security-Policy"]
            page.close()


def raw(port, data=b""):
    found = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    try:
        found.sendall(data)
    except OSError:
        pass  # cut off meanwhile
    return found


FLOODS = {
    "a megabyte": b"x" * 1_000_000,
    "zeros": bytes(1_000_000),
    "lines": b"\n" * 1_000_000,
    "an endless header": b"GET /feed HTTP/1.1\r\n" + b"A: " + b"b" * 1_000_000,
    "headers without end": b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100_000,
    "a posted body": b"POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n"
    + bytes(99999),
    "open XML": b"<info>" + b"<get dataid='" * 50_000,
}


def read_to_the_end(browser):
    while browser.recv(PATIENCE_S):
        pass


def test_floods_are_cut_off_and_the_others_notice_nothing(publisher):
    everything = {"websocket": 0, "murfi": 0, "lines": 0}
    with bridged(publisher, **everything) as bridge:
        ready(bridge, publisher)
        ports = [outlet.port for outlet in bridge.outlets]
        with LineClient(ports[2]) as others, websocket(bridge) as browser:
            for data in FLOODS.values():
                for port in ports:
                    with raw(port, data) as flood:
                        assert cut_off(flood)
            browser.send("x" * 100_000)  # one frame that is too large
            with pytest.raises(ConnectionClosed):
                read_to_the_end(browser)
            publisher.fb(0.125)
            assert others.until(lambda x: x.get("value") == 0.125)
            assert ask(ports[1], 2) == 0.125


def test_three_hundred_connections_are_bounded(publisher):
    from rtbold.bridge.door import MOST_CLIENTS

    with bridged(publisher, websocket=0, murfi=0, lines=0) as bridge:
        ready(bridge, publisher)
        ports = [outlet.port for outlet in bridge.outlets]
        many = []
        with LineClient(ports[2]) as others, websocket(bridge) as browser:
            try:
                for port in ports:  # half-open: they never say anything
                    many += [raw(port) for _ in range(300)]
                until(lambda: bridge.n_refused >= 3 * (300 - MOST_CLIENTS))
                assert all(len(door) <= MOST_CLIENTS for door in bridge._doors)
                publisher.fb(0.125)
                assert others.until(lambda x: x.get("value") == 0.125)
                assert ask(ports[1], 2) == 0.125
                assert browser.recv(PATIENCE_S)
                with websocket(bridge) as late:  # who asks finds a place
                    assert late.recv(PATIENCE_S)
            finally:
                for connection in many:
                    connection.close()


HANDSHAKE = (
    b"GET /feed HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def test_who_never_reads_is_cut_off_and_delays_nobody(publisher, monkeypatch):
    monkeypatch.setattr(outbox, "FROZEN_S", 0.5)
    with bridged(publisher, websocket=0, lines=0) as bridge:
        ready(bridge, publisher)
        outlets = bridge.outlets
        with LineClient(outlets[1].port) as client, websocket(bridge) as browser:
            until(lambda: [len(each._outboxes) for each in outlets] == [1, 1])
            frozen = []
            for outlet in outlets:
                frozen.append(socket.socket())
                frozen[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                frozen[-1].connect(("127.0.0.1", outlet.port))
            frozen[0].sendall(HANDSHAKE)
            until(lambda: [len(each._outboxes) for each in outlets] == [2, 2])
            end_s = time.monotonic() + PATIENCE_S
            large = tuple(f"reason {k}" for k in range(3000))
            while any(len(each._outboxes) > 1 for each in outlets):
                assert time.monotonic() < end_s
                publisher.volume += 1
                publisher.send("pred.fb", reasons=large, value=0.5)
                volume = publisher.volume
                client.until(lambda x, n=volume: x.get("volume_index") == n)
                while (
                    json.loads(browser.recv(PATIENCE_S)).get("volume_index") != volume
                ):
                    pass
            assert all(cut_off(each) for each in frozen)
            for each in frozen:
                each.close()


def test_a_port_that_is_taken_is_told(publisher):
    with bridged(publisher, lines=0) as bridge:
        port = bridge.outlets[0].port
        for option in ("lines", "murfi", "websocket"):
            with pytest.raises(PortInUse, match=f"port {port} .* --{option}"):
                bridged(publisher, **{option: port}).__enter__()
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1"):
        bridged(publisher, lines=0, bind="192.0.2.1", allow=["10.0.0.1"]).__enter__()
    with pytest.raises(ConfigError, match="no bridge was named"):
        bridged(publisher).__enter__()


def test_what_fails_in_a_bridge_ends_it_loudly(publisher):
    bridge = Bridge(
        BridgeSettings(connect=publisher.feed.address, lines=0),
        clock=MonotonicClock(),
        say=lambda _: None,
    )
    bridge.outlets[0].take = None
    with pytest.raises(RtboldError, match="the bridge has failed"):
        bridge.run()
