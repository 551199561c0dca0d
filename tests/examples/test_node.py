"""The Node.js example against a publisher, and against the rules for apps."""

import json
import subprocess
import threading
import time
from pathlib import Path

import pytest
from fake_publisher import PATIENCE_S, FakePublisher

pytestmark = pytest.mark.integration
GOLDEN = Path(__file__).resolve().parents[1] / "golden"


class Shown:
    """The lines that a Node.js program prints, as they come."""

    def __init__(self, folder, *command):
        self._process = subprocess.Popen(
            ["node", *command], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        self.lines = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        for line in self._process.stdout:
            self.lines.append(json.loads(line))

    def until(self, condition, from_=0):
        end_s = time.monotonic() + PATIENCE_S
        while not (found := [x for x in self.lines[from_:] if condition(x)]):
            assert time.monotonic() < end_s, self.lines[from_:]
            time.sleep(0.02)
        return found[0]

    def close(self):
        self._process.kill()
        self._process.wait(PATIENCE_S)
        self._thread.join(PATIENCE_S)
        self._process.stdout.close()


def test_it_shows_values_and_goes_neutral_when_the_publisher_dies(node_example):
    publisher = FakePublisher()
    shown = Shown(node_example, "show.mjs", publisher.address)
    try:
        value = shown.until(lambda x: x["show"] == "value")
        assert isinstance(value["z"], float)
        publisher.kill()
        seen = len(shown.lines)
        dead = shown.until(lambda x: x["reasons"] == ["no_heartbeat"], seen)
        assert (dead["show"], dead["value"]) == ("neutral", None)
        publisher = FakePublisher(publisher.port, publisher.control_port)
        seen = len(shown.lines)
        shown.until(lambda x: x["show"] == "value", seen)  # the new session
    finally:
        shown.close()
        publisher.kill()


RULES = """
import { Feed, request } from "./feed.mjs"
import { readFileSync } from "node:fs"
const feed = new Feed("tcp://127.0.0.1:1")
const golden = (topic, changes = {}) => JSON.stringify({
  ...JSON.parse(readFileSync(`${process.argv[2]}/${topic}.1.json`)),
  session: "a", t_lsl: performance.now() / 1000, seq: 0, ...changes })
const send = (topic, changes) => feed.accept(topic, golden(topic, changes)) !== null
const say = (what, ok) => console.log(JSON.stringify([what, ok]))
const good = { status: "ok", value: 0.5 }
const fb = (seq, more = {}) => send("pred.fb", { seq, ...good, ...more })
say("nothing came", feed.feedback().show === "neutral")
fb(1)
say("no heartbeat", feed.feedback().show === "neutral")
send("hb")
const why = () => feed.feedback().show + " " + feed.feedback().reasons[0]
say("no kind of run", why() === "neutral no_phase")
send("phase", { seq: 1, run_type: "transfer" })
say("a transfer run", why() === "neutral no_feedback_run")
send("phase", { seq: 2, run_type: "train", name: "end" })
say("the run is over", why() === "neutral no_feedback_run")
send("phase", { seq: 3, run_type: "train", feedback: "none" })
say("a block that shows nothing", why() === "neutral no_feedback_block")
send("phase", { seq: 4, run_type: "train", shows_from: 9999 })
say("a value of the block before", why() === "neutral no_feedback_block")
send("phase", { seq: 5, run_type: "train", stopped: true })
say("the participant's stop", why() === "neutral participant_stop")
send("phase", { seq: 6, run_type: "train" })
say("value", feed.feedback().show === "value" && feed.feedback().value === 0.5)
say("sent again", !fb(1) && feed.nGaps === 0)
fb(3, { status: "invalid", value: null, reasons: ["gap"] })
say("hold", feed.feedback().show === "hold" && feed.feedback().reasons[0] === "gap")
say("lost", feed.nGaps === 1)
const old = performance.now() / 1000 - 60
fb(4, { t_lsl: old })
say("a backlog is no news", feed.feedback().show === "neutral")
say("foreign", !send("pred.fb", { seq: 9, schema: "rtbold.pred.fb/2" }))
say("no json", feed.accept("hb", "{") === null && feed.nBad === 2)
send("hb", { session: "b" })
say("restart", feed.session === "b" && feed.feedback().show === "neutral")
say("the session before", !fb(7))
send("bye", { session: "b" })
say("bye", feed.alive === false)
await request("TIME", {}, "tcp://127.0.0.1:1").catch(() => say("nobody answers", true))
await feed.close()
"""


def test_it_keeps_the_rules_for_apps(node_example):
    (node_example / "rules.mjs").write_text(RULES)
    done = subprocess.run(
        ["node", "rules.mjs", GOLDEN], cwd=node_example, capture_output=True,
        text=True, timeout=4 * PATIENCE_S,
    )  # fmt: skip
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [what for what, ok in told if not ok] == [], done.stderr
    assert len(told) == 19, done.stderr


def test_it_sends_a_mark(node_example):
    publisher = FakePublisher()
    code = (
        'import { request } from "./feed.mjs"; console.log(JSON.stringify('
        'await request("MARK", { text: "eyes open" }, process.argv[2])))'
    )
    (node_example / "mark.mjs").write_text(code)
    address = f"tcp://127.0.0.1:{publisher.control_port}"
    try:
        done = subprocess.run(
            ["node", "mark.mjs", address], cwd=node_example, capture_output=True,
            text=True, timeout=4 * PATIENCE_S,
        )  # fmt: skip
    finally:
        publisher.kill()
    assert json.loads(done.stdout)["ok"] is True, done.stderr
