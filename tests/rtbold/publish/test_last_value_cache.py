from pathlib import Path

import msgspec
import pytest

from rtbold.publish.feed import LastValueCache
from rtbold.publish.wire import decode

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


def message(topic, t_lsl=100.0, seq=5):
    found = decode(topic, (GOLDEN / f"{topic}.1.json").read_bytes())
    return msgspec.structs.replace(found, t_lsl=t_lsl, seq=seq)


@pytest.fixture
def late():
    late = LastValueCache()
    for topic in ("hello", "phase", "pred.fb", "pred.roi", "hb"):
        late.sent(message(topic))
    return late


def topics(messages):
    return [each.topic for each in messages]


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("", ["hello", "phase", "pred.fb"]),
        ("pred.", ["pred.fb"]),
        ("p", ["phase", "pred.fb"]),
        ("hello", ["hello"]),
        ("hello.", []),
        ("pred.roi", []),
        ("eeg", []),
    ],
)
def test_subscription_is_matched_by_prefix(late, prefix, expected):
    late.subscribe(prefix, 100.5)
    assert topics(late.due(100.5)) == expected


def test_resent_message_keeps_seq_and_times_and_says_so(late):
    late.subscribe("hello", 101.0)
    (hello,) = late.due(101.0)
    assert (hello.seq, hello.t_lsl, hello.replayed) == (5, 100.0, True)


def test_prediction_older_than_one_and_a_half_tr_is_not_resent(late):
    late.subscribe("pred.fb", 103.1)
    assert topics(late.due(103.1)) == ["pred.fb"]
    late.subscribe("pred.fb", 103.2)
    assert late.due(103.2) == []
    assert late.latest("pred.roi", 103.2) is None
    assert late.latest("hb", 103.2) is not None


def test_without_hello_nobody_knows_how_old_is_too_old():
    late = LastValueCache()
    late.sent(message("pred.fb"))
    late.subscribe("", 100.0)
    assert late.due(100.0) == []


def test_second_subscriber_within_100_ms_waits_and_is_served(late):
    late.subscribe("hello", 101.0)
    assert topics(late.due(101.0)) == ["hello"]
    late.subscribe("hello", 101.03)
    late.subscribe("hello", 101.05)
    assert late.due(101.05) == []
    assert late.next_due_s() == pytest.approx(101.1)
    assert topics(late.due(101.1)) == ["hello"]
    assert late.next_due_s() is None


def test_wants_follows_subscriptions():
    late = LastValueCache()
    assert not late.wants("eeg")
    late.subscribe("ee", 0.0)
    assert late.wants("eeg")
    assert not late.wants("bands")
    late.keep_only(frozenset({"pred."}))
    assert not late.wants("eeg")
