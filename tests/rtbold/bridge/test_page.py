"""The page in a real headless browser, against a real feed and bridge."""

import json
import time
from pathlib import Path

import pytest
from bridged import Publisher, bridged, until
from browser import Page

from rtbold.client import Subscriber

# Plays a recorded session to the rules of the page; the clock is cranked by hand
REPLAY = """
(async (lines) => {
  const { Feed } = await import("/feed.js")
  let now = 0
  const feed = new Feed(null, () => now)
  const shown = []
  for (const line of lines) {
    while (now < line.t_s) {
      now = Math.min(now + 0.1, line.t_s)
      shown.push(feed.feedback().show)
    }
    feed.accept(JSON.stringify({ ...line.message, ...line.changes }))
  }
  shown.push(feed.feedback().show)
  return [shown, feed.nBad, feed.feedback().reasons]
})(LINES)
"""
SESSIONS = Path(__file__).resolve().parents[3] / "examples/sessions"
pytestmark = pytest.mark.integration
SHOW = "document.body?.dataset.show"
STATE = f"({SHOW} + ' ' + document.body?.dataset.reasons).trim()"
FILL = "document.getElementById('fill').getBoundingClientRect()"
TUBE = "document.getElementById('tube').getBoundingClientRect()"
LEVEL = "Number(document.body?.dataset.level)"
# Counts, frame by frame, what a participant sees change
WATCH = f"""
window.changes = []; let last = {SHOW}
const look = () => {{
  if ({SHOW} !== last) window.changes.push([performance.now(), last = {SHOW}])
  requestAnimationFrame(look)
}}
look()
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with Page(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def publisher():
    made = Publisher()
    yield made
    made.close()


def test_a_thermometer_moves_and_is_grey_whenever_nothing_may_be_shown(page, publisher):
    with bridged(publisher, websocket=0) as bridge:
        port = bridge.outlets[0].port
        page.open(f"http://127.0.0.1:{port}/")
        page.until(f"location.port === '{port}' && {STATE} === 'neutral no_phase'")
        publisher.train()
        publisher.fb(1.0)
        page.until(f"{SHOW} === 'value' && Math.abs({LEVEL} - 0.5) < 0.001")
        high, tube = page.ask(f"{FILL}.height"), page.ask(f"{TUBE}.height")
        assert high / tube == pytest.approx(0.25, abs=0.02)
        publisher.fb(-2.0)
        page.until(f"{SHOW} === 'value' && {LEVEL} === -1")
        assert page.ask(f"{FILL}.top >= {TUBE}.top + {TUBE}.height / 2 - 3")
        publisher.fb(status="invalid", reasons=("gap",))
        page.until(f"{STATE} === 'hold gap'")
        page.until(f"{SHOW} === 'neutral'")  # after the TR of holding
        assert page.ask(f"{FILL}.height") == 0
        publisher.fb(0.5)
        page.until(f"{SHOW} === 'value'")
        publisher.send("phase", run_type="transfer")
        page.until(f"{STATE} === 'neutral no_feedback_run'")
        assert page.said == []


def test_no_heartbeat_for_two_seconds_is_dead_and_a_restart_is_joined(page, publisher):
    with bridged(publisher, websocket=0) as bridge:
        page.open(f"http://127.0.0.1:{bridge.outlets[0].port}/?participant")
        page.until(f"location.search && {STATE} === 'neutral no_phase'")
        publisher.train()
        publisher.fb(1.0)
        page.until(f"{SHOW} === 'value'")
        port = publisher.feed.port
        publisher.hang()  # stays connected, says nothing
        page.until(f"{STATE} === 'neutral no_heartbeat'")
        assert page.ask("document.getElementById('said')") is None  # no word
        publisher.close()
        again = Publisher(session="b" * 8, port=port)
        try:
            until(lambda: bridge._feed.session == "b" * 8)
            again.train()
            again.fb(0.5)
            page.until(f"{SHOW} === 'value' && {LEVEL} === 0.25")
        finally:
            again.close()
        page.until(f"{SHOW} === 'neutral'")


def test_the_bridge_itself_may_die(page, publisher):
    with bridged(publisher, websocket=0) as bridge:
        port = bridge.outlets[0].port
        page.open(f"http://127.0.0.1:{port}/")
        page.until(f"location.port === '{port}' && {SHOW}")
        publisher.train()
        publisher.fb(1.0)
        page.until(f"{SHOW} === 'value'")
    page.until(f"{STATE} === 'neutral no_heartbeat'")
    with bridged(publisher, websocket=port):
        publisher.fb(1.0)
        page.until(f"{SHOW} === 'value'")


def test_nothing_flashes_more_than_three_times_a_second(page, publisher):
    with bridged(publisher, websocket=0) as bridge:
        port = bridge.outlets[0].port
        page.open(f"http://127.0.0.1:{port}/")
        page.until(f"location.port === '{port}' && {SHOW}")
        publisher.train()
        page.ask(WATCH)
        end_s, n = time.monotonic() + 3, 0
        while time.monotonic() < end_s:  # the kind of run changes far too often
            n += 2
            publisher.send("phase", run_type="train", run=n)
            publisher.fb(2.0 if n % 4 else -2.0)
            time.sleep(0.04)
            publisher.send("phase", run_type="rest", run=n + 1)
            time.sleep(0.04)
        changes = page.ask("window.changes")
        shown = [t_ms for t_ms, what in changes if what == "value"]
        assert len(shown) >= 2
        for first, fourth in zip(shown, shown[3:], strict=False):
            assert fourth - first > 1000


def played_in_the_page(page, lines):
    return page.ask(REPLAY.replace("LINES", json.dumps(lines)))


def by_the_client(lines):
    now_s, shown = 0.0, []
    with Subscriber("tcp://127.0.0.1:1", now_s=lambda: now_s) as client:
        for line in lines:
            while now_s < line["t_s"]:
                now_s = min(now_s + 0.1, line["t_s"])
                shown.append(client.feedback().show)
            payload = json.dumps(line["message"]).encode()
            client._accept([line["topic"].encode(), payload])
        return [*shown, client.feedback().show]


def test_the_rules_of_the_page_are_those_of_the_client(page, publisher):
    with bridged(publisher, websocket=0) as bridge:
        page.open(f"http://127.0.0.1:{bridge.outlets[0].port}/")
        page.until(f"location.port === '{bridge.outlets[0].port}' && {SHOW}")
        for file in sorted(SESSIONS.glob("*.jsonl")):
            lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
            shown, n_bad, _ = played_in_the_page(page, lines)
            assert (shown, n_bad) == (by_the_client(lines), 0), file.stem


@pytest.mark.parametrize(
    ("topic", "changes", "why"),
    [
        ("phase", {"run_type": "transfer"}, "no_feedback_run"),
        ("phase", {"run_type": "rest", "kind": "training"}, "no_feedback_block"),
        ("phase", {"feedback": "none"}, "no_feedback_block"),
        ("phase", {"stopped": True}, "participant_stop"),
        ("phase", {"shows_from": 999}, "no_feedback_block"),
        ("phase", {"name": "end"}, "no_feedback_run"),
        ("pred.fb", {"shown": None}, "nothing_shown"),
    ],
)
def test_what_a_session_does_not_show_is_neutral_in_the_page(
    page, publisher, topic, changes, why
):
    lines = (SESSIONS / "normal.jsonl").read_text("utf-8").splitlines()
    lines = [json.loads(line) for line in lines][:-1]  # without bye
    lines = [{**x, "changes": changes if x["topic"] == topic else {}} for x in lines]
    with bridged(publisher, websocket=0) as bridge:
        page.open(f"http://127.0.0.1:{bridge.outlets[0].port}/")
        page.until(f"location.port === '{bridge.outlets[0].port}' && {SHOW}")
        shown, _, reasons = played_in_the_page(page, lines)
    assert (set(shown), reasons) == ({"neutral"}, [why])


def test_a_page_takes_numbers_alone(page, publisher):
    bad = [{"value": "1"}, {"z": {}}, {"shown": "x"}, {"seq": 1.5}, {"topic": "hb"},
           {"schema": "rtbold.pred.fb/2"}, {"session": 3}, {"t_lsl": None}]  # fmt: skip
    lines = (SESSIONS / "normal.jsonl").read_text("utf-8").splitlines()
    line = next(x for x in map(json.loads, lines) if x["topic"] == "pred.fb")
    with bridged(publisher, websocket=0) as bridge:
        page.open(f"http://127.0.0.1:{bridge.outlets[0].port}/")
        page.until(f"location.port === '{bridge.outlets[0].port}' && {SHOW}")
        tried = [{**line, "changes": changes} for changes in bad]
        assert played_in_the_page(page, tried)[1] == len(bad)
