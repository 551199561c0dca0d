"""One session, real streams and recording, while clients flood both of its sockets.

What is counted: heartbeats and predictions that were due in that time, marks that were
answered "ok" against marks in the record. And nothing that went out or was logged names
this computer or a place on it.
"""

import json
import re
import socket
import threading
import time
from contextlib import suppress

import psutil
import pylsl
import pytest
import zmq
from failing import Failing
from floods import Peer, frame, subscriptions
from loop import PATIENCE_S

from rtbold.client import request

pytestmark = [pytest.mark.integration, pytest.mark.realtime]
FLOOD_S = 12.0
MOST_GROWN_MB = 150.0  # what was measured without a bound: 300 to 5000
PERSON = "Erika Mustermann"
HOSTILE = "eyes\n12:00:00 INFO status ok\x1b[2J\u202e"
CLEAN = r"eyes\n12:00:00 INFO status ok\x1b[2J\u202e"


class Flood(threading.Thread):
    """Does something again and again until it is told to stop."""

    def __init__(self, do):
        super().__init__(daemon=True)
        self.n, self._do, self._stop_it = 0, do, threading.Event()
        self.start()

    def run(self):
        while not self._stop_it.is_set():
            with suppress(OSError):  # cut off, which is right
                self._do()
                self.n += 1
            self._stop_it.wait(0.02)

    def stop(self):
        self._stop_it.set()
        self.join(PATIENCE_S)
        assert not self.is_alive()


def subscribes(port, data):
    def do():
        with Peer(port) as peer:
            end_s = time.monotonic() + 2.0
            while peer.send(data) and not peer.cut and time.monotonic() < end_s:
                time.sleep(0.01)

    return do


def commands(port, answers):
    """Send marks without waiting for replies, thousands a second; keep the replies."""

    def do():
        with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
            socket.set(zmq.LINGER, 0)
            socket.connect(f"tcp://127.0.0.1:{port}")
            for k in range(4000):
                body = {"op": "MARK", "id": k, "text": f"flood {k}"}
                socket.send_multipart([b"", json.dumps(body).encode()])
                while socket.poll(0):
                    answers.append(json.loads(socket.recv_multipart()[-1]))
            while socket.poll(300):
                answers.append(json.loads(socket.recv_multipart()[-1]))

    return do


def in_between(messages, begun_s, ended_s):
    return [m for m in messages if begun_s < m["t_lsl"] < ended_s]


@pytest.fixture(scope="module")
def flooded(tmp_path_factory):
    """Run the session; return what was heard, answered and recorded."""
    root = tmp_path_factory.mktemp("flood") / PERSON
    root.mkdir()
    found = {}
    with Failing(root, record=root / "rec") as it:
        it.listener.feed._socket.subscribe("")
        came = it.listener.until(lambda heard: heard.of("pred.fb"), PATIENCE_S)
        assert came, it.running.said()
        port, control = it.ports
        answers, process = [], psutil.Process(it.running.pid)
        before = process.memory_info().rss
        address = f"tcp://127.0.0.1:{control}"
        request("MARK", text=HOSTILE, address=address)
        found["begun_s"] = pylsl.local_clock()
        floods = [
            Flood(subscribes(port, subscriptions(20_000))),
            Flood(subscribes(port, subscriptions(300, 60_000))),
            Flood(subscribes(port, frame(b"rubbish", more=True) * 20_000)),
            Flood(commands(control, answers)),
        ]
        grown, asked_s = [], []
        end_s = time.monotonic() + FLOOD_S
        while time.monotonic() < end_s:
            it.listener.until(lambda _: False, 0.5)
            grown.append((process.memory_info().rss - before) / 1e6)
            begun_s = time.monotonic()
            with suppress(TimeoutError):
                request("TIME", address=address)
                asked_s.append(time.monotonic() - begun_s)
        found["ended_s"] = pylsl.local_clock()
        for flood in floods:
            flood.stop()
        it.listener.until(lambda _: False, 1.5)
        request("STOP", address=address)
        it.listener.while_running(it.running, PATIENCE_S)
        found.update(
            listener=it.listener, answers=answers, grown_mb=max(grown),
            said=it.running.said(), code=it.running.wait(1), asked_s=asked_s,
            floods=[flood.n for flood in floods],
        )  # fmt: skip
        (log,) = (root / "rec").rglob("session.log")
        found["log"] = log.read_text(encoding="utf-8")
        (events,) = (root / "rec").rglob("events.jsonl")
        found["events"] = [json.loads(x) for x in events.read_text().splitlines() if x]
    return found


def test_heartbeats_and_predictions_go_on(flooded):
    begun_s, ended_s = flooded["begun_s"], flooded["ended_s"]
    beats = in_between(flooded["listener"].of("hb"), begun_s, ended_s)
    assert len(beats) >= 0.8 * (ended_s - begun_s) / 0.5
    volumes = in_between(flooded["listener"].of("pred.fb"), begun_s, ended_s)
    assert len(volumes) >= int((ended_s - begun_s) / 2.1) - 1
    indices = [m["volume_index"] for m in volumes]
    assert indices == list(range(indices[0], indices[0] + len(indices)))
    assert len(flooded["asked_s"]) > 10


def test_memory_does_not_follow_the_flood(flooded):
    assert flooded["grown_mb"] < MOST_GROWN_MB


def test_what_was_refused_is_counted_and_said(flooded):
    assert all(flooded["floods"][:3]), "a flood did not come through"
    assert flooded["listener"].of("hb")[-1]["n_refused"] > 10
    lines = flooded["said"].splitlines()
    feed = [line for line in lines if "FEED:" in line]
    control = [line for line in lines if "CONTROL:" in line]
    assert 1 <= len(feed) <= 6
    assert 1 <= len(control) <= 6
    assert any("FEED:" in m["text"] for m in flooded["listener"].of("log"))


def test_each_mark_was_answered_and_each_ok_is_recorded(flooded):
    answers = flooded["answers"]
    taken = [a for a in answers if a["ok"]]
    refused = [a for a in answers if not a["ok"]]
    assert len(taken) > 50
    assert refused
    assert all("too many" in a["error"] for a in refused)
    recorded = [e["text"] for e in flooded["events"] if e["type"] == "command"]
    assert sum(text.startswith("flood ") for text in recorded) >= len(taken)
    assert not any(e["type"] == "lost" for e in flooded["events"])


def test_the_session_ends_in_order(flooded):
    assert flooded["code"] == 0
    assert "Traceback" not in flooded["said"]


def test_a_hostile_mark_is_one_line_everywhere(flooded):
    lines = flooded["log"].splitlines()
    assert sum(CLEAN in line for line in lines) == 1
    assert all(re.match(r"\d{4}-\d\d-\d\d |    \| ", line) for line in lines)
    assert CLEAN in flooded["said"]
    assert not re.search(r"[^\n\x20-\x7e\xa0-\uffff]", flooded["said"])
    recorded = [e["text"] for e in flooded["events"] if e["type"] == "command"]
    assert recorded[0] == CLEAN
    assert any(CLEAN in m["text"] for m in flooded["listener"].of("log"))


def test_nothing_that_goes_out_names_this_computer_or_a_person(flooded):
    messages = flooded["listener"].messages
    assert {m.topic for m in messages} >= {
        "hello", "pred.fb", "pred.roi", "trigger", "quality", "eeg", "bands", "hb",
        "log", "bye",
    }  # fmt: skip
    bodies = [m.body for m in messages if m.topic != "eeg"]  # that is base64
    told = json.dumps(bodies, ensure_ascii=False) + flooded["log"]
    assert "on this computer" in told
    for name in (socket.gethostname(), PERSON, PERSON.split()[1]):
        assert not re.search(rf"\b{re.escape(name)}\b", told, re.IGNORECASE)
    assert not re.search(r"(?<![\w:/])/\w+/", told)  # no path
