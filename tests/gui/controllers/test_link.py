import json
import math

import pytest
from feed_messages import LAG_S, SESSION, body, link as a_link, received

from rtbold.client import Subscriber
from rtbold.clock import HandCrankedClock
from rtbold.gui.controllers.link import FeedReader, Inbox
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.received import EegBlock, FeedbackValue, Link
from rtbold.publish.wire import Heartbeat, Hello, Log


class Scripted(Subscriber):
    """The real subscriber's rules, fed by hand instead of by a socket."""

    def __init__(self, clock):
        super().__init__("inproc://nobody", topics=("",), now_s=clock.now_s)
        self.queued = []

    def poll(self, timeout_s=0.0):
        queued, self.queued = self.queued, []
        accepted = [self._accept(frames) for frames in queued]
        return [message for message in accepted if message is not None]


class Rig:
    """A publisher, a reader and its inbox on one hand-cranked clock."""

    def __init__(self, feed, clock):
        self.feed, self.clock = feed, clock
        self.inbox = Inbox()
        self.reader = FeedReader(feed, self.inbox, now_s=clock.now_s)
        self.seq = {}
        self.session = SESSION

    def send(self, topic, **changes):
        key = (self.session, topic)
        self.seq[key] = changes.pop("seq", self.seq.get(key, -1) + 1)
        changes.setdefault("t_lsl", self.clock.now_s() + LAG_S)
        wrong = changes.pop("wrong", {})
        given = body(topic, session=self.session, seq=self.seq[key], **changes)
        self.raw(topic, json.dumps(given | wrong))

    def raw(self, topic, text):
        self.feed.queued.append([topic.encode(), text.encode()])

    def step(self, seconds=0.0):
        self.clock.advance(seconds)
        self.reader.step()
        return self.inbox.drain()


@pytest.fixture
def rig():
    clock = HandCrankedClock(5.0)
    with Scripted(clock) as feed:
        yield Rig(feed, clock)


def links(got):
    return [one for one in got if isinstance(one, Link)]


def test_nothing_heard(rig):
    (link,) = rig.step()
    assert (link.heard, link.alive, link.session, link.error) == (
        False,
        False,
        None,
        "",
    )
    assert math.isinf(link.silent_s)
    assert math.isinf(link.offset_s)


def test_messages_come_in_order_and_the_link_last(rig):
    rig.send("hb")
    rig.send("hello")
    rig.send("pred.fb")
    rig.send("eeg")
    rig.send("log")
    kinds = [type(one) for one in rig.step(0.01)]
    assert kinds == [Link, Heartbeat, Hello, FeedbackValue, EegBlock, Log, Link]


def test_silence_grows_and_ends_alive(rig):
    rig.send("hb")
    link = rig.step()[-1]
    assert (link.alive, link.session, link.heard) == (True, SESSION, True)
    assert link.offset_s == pytest.approx(-LAG_S)
    assert rig.step(1.7)[-1].silent_s == pytest.approx(1.7)
    link = rig.step(0.4)[-1]
    assert (link.alive, link.silent_s) == (False, pytest.approx(2.1))


def test_the_link_reports_ten_times_a_second(rig):
    n = sum(len(links(rig.step(0.01))) for _ in range(200))
    assert 18 <= n <= 21


def test_a_new_session_is_told_before_its_first_message(rig):
    rig.send("hb")
    rig.step()
    rig.send("log", text="last words")
    rig.session = "s2"
    rig.send("log", text="first words")
    got = rig.step(0.01)
    assert [type(one) for one in got][:3] == [Log, Link, Log]
    assert got[1].session == "s2"
    assert got[2].text == "first words"


def test_another_version_is_told_while_it_speaks(rig):
    wrong = json.dumps(body("hb") | {"schema": "rtbold.hb/2"})
    rig.raw("hb", wrong)
    link = rig.step(0.2)[-1]
    assert (link.foreign_schema, link.heard, link.alive) == ("rtbold.hb/2", True, False)
    assert rig.step(2.9)[-1].foreign_schema == "rtbold.hb/2"
    assert rig.step(0.2)[-1].foreign_schema is None


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        ("pred.fb", "no json"),
        ("pred.fb", "[1, 2]"),
        ("hello", json.dumps(body("hello") | {"tr_s": None})),
        ("hello", json.dumps(body("hello") | {"session": ["a"]})),
        ("pred.fb", json.dumps(body("pred.fb") | {"seq": "3"})),
        ("pred.fb", json.dumps(body("pred.fb") | {"value": "much"})),
        ("hb", json.dumps(body("hb", seq=1) | {"queue": None})),
    ],
)
def test_nonsense_is_counted_and_the_reader_goes_on(rig, topic, text):
    rig.send("hb")
    rig.step()
    rig.raw(topic, text)
    link = rig.step(0.2)[-1]
    assert link.n_bad == 1
    rig.send("log", text="well")
    assert any(isinstance(one, Log) for one in rig.step(0.2))


def test_lost_messages_are_counted_and_repeated_ones_left_out(rig):
    rig.send("hb")
    rig.send("pred.fb", seq=3)
    rig.send("pred.fb", seq=3)
    rig.send("pred.fb", seq=6)
    got = rig.step(0.2)
    assert sum(isinstance(one, FeedbackValue) for one in got) == 2
    assert got[-1].n_gaps == 2


def test_heartbeats_without_predictions_are_stalled(rig):
    for _ in range(8):
        rig.send("hb")
        last = rig.step(0.5)[-1]
    assert last.stalled


def test_a_frozen_window_loses_old_eeg_and_nothing_that_is_said_once(rig):
    rig.send("hb")
    rig.send("hello")
    for k in range(500):
        rig.send("eeg", sample_index=20 * k)
    rig.reader.step()
    got = rig.inbox.drain()
    blocks = [one for one in got if isinstance(one, EegBlock)]
    assert len(blocks) == 300
    assert blocks[0].sample_index == 20 * 200
    assert any(isinstance(one, Hello) for one in got)
    rig.step(0.2)
    assert rig.step(0.2)[-1].n_dropped == 200


def test_a_full_inbox_drops_the_oldest():
    inbox = Inbox(most_other=3)
    for k in range(5):
        inbox.put(received("log", text=str(k)))
    assert [one.text for one in inbox.drain()] == ["2", "3", "4"]
    assert (inbox.n_dropped, len(inbox)) == (2, 0)


def test_a_link_of_the_session_before_does_not_come_after_the_next_ones_words(rig):
    state = DashboardState()
    rig.send("hb")
    rig.step()
    rig.inbox.put_link(a_link(rig.clock.now_s(), session=SESSION))
    rig.session = "s2"
    rig.send("hello")
    for one in rig.step():
        state.take(one, rig.clock.now_s())
    assert state.session == "s2"
    assert state.hello is not None
    assert len(state.finished) == 1


def test_the_same_link_is_given_once(rig):
    assert len(rig.step()) == 1
    assert rig.inbox.drain() == []


def test_the_state_follows_through_silence_and_a_new_session(rig):
    state = DashboardState()

    def turn(seconds):
        for one in rig.step(seconds):
            state.take(one, rig.clock.now_s())
        return state.headline(rig.clock.now_s())

    rig.send("hb")
    rig.send("hello")
    rig.send("pred.fb")
    assert turn(0.1).word == "OK"
    assert turn(2.05).word == "NO HEARTBEAT for 2 s"
    rig.session = "s2"
    rig.send("hb")
    assert turn(0.1).word == "STARTING"
    assert len(state.finished) == 1
