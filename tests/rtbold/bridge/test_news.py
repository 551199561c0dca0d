import json

import pytest
from feed_messages import TR_S, frames, wire

from rtbold.bridge.news import Reader
from rtbold.client import Subscriber


class Turned:
    """A reader of a subscriber whose messages are handed in, by a clock in hand."""

    def __init__(self, monkeypatch):
        self.now_s = 5.0
        self.feed = Subscriber("tcp://127.0.0.1:1", now_s=lambda: self.now_s)
        self.reader = Reader(self.feed)
        self.n = 0

    def turn(self, *topics, after_s=0.0, **changes):
        self.now_s += after_s
        messages = []
        for topic in topics:
            self.n += 1
            made = wire(topic, t_lsl=1000 + self.now_s, volume=self.n, **changes)
            messages.append(self.feed._accept(frames(made)))
        return self.reader.read(messages, self.now_s)


@pytest.fixture
def turned(monkeypatch):
    made = Turned(monkeypatch)
    yield made
    made.feed.close()


def test_messages_become_lines_with_all_their_keys(turned):
    news = turned.turn("hb", "pred.fb")
    assert [line.topic for line in news.lines] == ["hb", "pred.fb"]
    body = json.loads(news.lines[1].text)
    assert body == json.loads(frames(wire("pred.fb", t_lsl=1005.0, volume=2))[1])
    assert "\n" not in news.lines[1].text


def test_what_may_be_shown_follows_the_rules_for_apps(turned):
    assert turned.turn().shown.reasons == ("no_heartbeat",)
    assert turned.turn("hb", "pred.fb").shown.reasons == ("no_phase",)
    news = turned.turn("phase", "pred.fb")
    assert (news.shown.show, news.shown.value, news.changed) == ("value", 0.42, True)
    assert not turned.turn("hb").changed
    invalid = turned.turn("pred.fb", status="invalid", reasons=("gap",))
    assert (invalid.shown.show, invalid.shown.reasons) == ("hold", ("gap",))
    assert invalid.shown.status == "invalid"
    neutral = turned.turn("hb", after_s=1.9).shown, turned.turn(after_s=2.1).shown
    assert neutral[1].show == "neutral"
    assert neutral[1].value is None
    assert not neutral[1].has_number


def test_a_value_that_the_session_does_not_show_is_neutral(turned):
    turned.turn("hb", "phase", "pred.fb")
    body = turned.feed.latest["pred.fb"].body
    body["shown"] = 0.75
    assert turned.turn().shown.shown == 0.75
    body["shown"] = None
    hidden = turned.turn().shown
    assert (hidden.show, hidden.value, hidden.reasons) == (
        "neutral", None, ("nothing_shown",),
    )  # fmt: skip
    held = turned.turn("pred.fb", status="invalid").shown
    assert held.show == "neutral"


def test_silence_is_said_every_half_second(turned):
    turned.turn("hb")
    assert not turned.turn(after_s=0.1).due
    assert turned.turn(after_s=0.4).due
    assert not turned.turn(after_s=0.1).due
    said = json.loads(turned.turn(after_s=2.1).shown.line().text)
    assert (said["topic"], said["show"], said["value"]) == ("show", "neutral", None)
    assert said["reasons"] == ["no_heartbeat"]


def test_who_comes_late_gets_the_newest_as_sent_again(turned):
    recent = turned.turn("hello", "phase", "hb", "pred.fb", "truth").recent
    told = [json.loads(line.text) for line in recent.lines(turned.now_s)]
    assert [body["topic"] for body in told] == ["hello", "phase", "pred.fb", "hb"]
    assert all(body["replayed"] for body in told)
    assert [body["seq"] for body in told] == [1, 2, 4, 3]
    later = recent.lines(turned.now_s + 1.6 * TR_S)
    assert [line.topic for line in later] == ["hello", "phase", "hb"]


def test_before_a_heartbeat_the_newest_value_is_kept_too(turned):
    recent = turned.turn("phase", "pred.fb").recent
    told = [line.topic for line in recent.lines(turned.now_s)]
    assert told == ["phase", "pred.fb"]


def test_nothing_of_a_session_before_is_told(turned):
    turned.turn("hello", "phase", "hb", "pred.fb")
    recent = turned.turn("hb", session="b").recent
    assert [topic for topic, _ in recent.bodies] == ["hb"]
