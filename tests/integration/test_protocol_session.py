"""A session follows a protocol: real processes, wire, LSL mirror, record and verify."""

import time

import pytest
from loop import PATIENCE_S, Rtbold, free_ports, new_name, session, twin

from rtbold.bundle.store import load
from rtbold.client import Subscriber, request
from rtbold.files import load_streams
from rtbold.protocol import read_attempts

pytestmark = [pytest.mark.integration, pytest.mark.realtime, pytest.mark.long]
TOML = """\
name = "quick"
tr_s = 2.1

[blocks.rest]
task = "rest"
volumes = 9

[blocks.up]
task = "regulate"
direction = "up"
volumes = 2
condition = "K7"

[[runs]]
kind = "training"
blocks = ["rest", "up", "up"]
questions = ["effort"]

[questions.effort]
text = "How hard was it?"
"""


class App:
    """What an app would show, and of which volume and block."""

    def __init__(self, control):
        self.control = control
        self.shown, self.phases, self.asked = set(), [], set()

    def once(self, op, **text):
        if op not in self.asked:
            self.asked.add(op)
            reply = request(op, address=self.control, **text)
            assert reply["ok"], reply

    def take(self, feed):
        for message in feed.poll(0.02):
            if message.topic == "phase":
                self.phases.append(message.body)
        shown, newest = feed.feedback(), feed.latest.get("pred.fb")
        if shown.show == "value":
            self.shown.add(newest.body["volume_index"])
        phase = feed.latest.get("phase")
        if phase is not None and phase.body["block"] == 3:
            self.once("PARTICIPANT_STOP", text="by hand")
        if phase is not None and phase.body["name"] == "end":
            self.once("ANSWER", text="effort: 61")


def follow(running, feed, app):
    end_s = time.monotonic() + 4 * PATIENCE_S
    while running.running and time.monotonic() < end_s:
        app.take(feed)
    assert running.wait(PATIENCE_S) == 0, running.said()


def test_a_run_of_a_protocol_from_its_file_to_its_verified_record(tmp_path):
    file, root = tmp_path / "quick.toml", tmp_path / "rec"
    file.write_text(TOML)
    name, ports, bundle = new_name("protocol"), free_ports(), load("demo-ridge")
    app = App(f"tcp://127.0.0.1:{ports[1]}")
    with (
        twin(name, duration_s=4 * PATIENCE_S, rate=250),
        session(
            *(bundle, name, ports), protocol=file, record=root, record_as="S01"
        ) as running,
        Subscriber(f"tcp://127.0.0.1:{ports[0]}", ("pred.fb", "phase")) as feed,
    ):
        follow(running, feed, app)
    assert app.shown <= {9, 10, 11}  # none of the rest, and of the last block one
    assert 10 in app.shown
    blocks = list(dict.fromkeys((p["block"], p["name"]) for p in app.phases))
    assert blocks[-4:] == [(1, "rest"), (2, "up"), (3, "up"), (0, "end")]
    assert {p["condition"] for p in app.phases if p["block"] == 2} == {"K7"}
    assert any(p["stopped"] for p in app.phases if p["block"] == 3)

    (log,) = root.rglob("events.jsonl")
    folder = log.parent
    (kept,) = read_attempts(folder)
    assert (kept.state, kept.n_done, kept.attempt) == ("complete", 13, 1)
    (xdf,) = folder.glob("*_eeg.xdf")
    (marks,) = (
        [row[0] for row in stream.values]
        for stream in load_streams(xdf)[0]
        if stream.description.name == "rtbold-events"
    )
    assert sum(text.startswith("block run=1 attempt=1 ") for text in marks) == 3
    assert "participant_stop: by hand" in marks
    with Rtbold("verify", folder) as verified:
        assert verified.wait(PATIENCE_S) == 0, verified.said()
        assert "IDENTICAL" in verified.said()
