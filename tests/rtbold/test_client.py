import importlib.util
import json
import sys
from pathlib import Path

import pytest

from rtbold.client import Subscriber
from rtbold.clock import HandCrankedClock

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
LAG_S = 1000.0  # the publisher's clock is this far ahead
TR_S = 2.1


class Publisher:
    """Hands messages straight to a subscriber, without a socket in between."""

    def __init__(self, feed, clock, session="s1"):
        self.feed, self.clock, self.session = feed, clock, session
        self.seq = {}

    def send(self, topic, delay_s=0.0, seq=None, **changes):
        body = json.loads((GOLDEN / f"{topic}.1.json").read_text())
        if seq is None:
            seq = self.seq.get(topic, -1) + 1
        self.seq[topic] = max(seq, self.seq.get(topic, -1))
        t_lsl = self.clock.now_s() + LAG_S - delay_s
        body |= {"session": self.session, "seq": seq, "t_lsl": t_lsl}
        if topic == "pred.fb":
            body |= {"t_trigger": t_lsl, "next_due_lsl": t_lsl + TR_S}
        return self.raw(topic, json.dumps(body | changes))

    def raw(self, topic, text):
        return self.feed._accept([topic.encode(), text.encode()])

    def phase(self, run_type="train", **changes):
        return self.send("phase", run_type=run_type, **changes)

    def beat(self, seconds=0.0, *, run_type="train"):
        """Let time pass with a heartbeat each 0.5 s, in a run of this type."""
        self.send("hb")
        known = self.feed.latest.get("phase")
        if run_type and known is None:
            self.phase(run_type)
        for _ in range(round(seconds / 0.5)):
            self.clock.advance(0.5)
            self.send("hb")


@pytest.fixture
def clock():
    return HandCrankedClock(5.0)


@pytest.fixture
def feed(clock):
    with Subscriber("inproc://nobody", now_s=clock.now_s) as feed:
        yield feed


@pytest.fixture
def publisher(feed, clock):
    return Publisher(feed, clock)


def bad(publisher, status="invalid", **changes):
    return publisher.send(
        "pred.fb", status=status, value=None, z=None, reasons=["gap"], **changes
    )


def test_nothing_came_so_nothing_is_shown(feed):
    assert not feed.alive
    assert not feed.stalled
    assert (feed.feedback().show, feed.feedback().value) == ("neutral", None)


def test_ok_value_is_shown(feed, publisher):
    publisher.beat()
    publisher.send("pred.fb")
    shown = feed.feedback()
    assert (shown.show, shown.value, shown.z, shown.reasons) == (
        "value",
        0.42,
        0.91,
        (),
    )


def test_the_interval_comes_with_the_value_where_there_is_one(feed, publisher):
    publisher.beat()
    publisher.send("pred.fb", low=-0.3, high=2.1)
    assert feed.feedback().interval == (-0.3, 2.1)
    publisher.send("pred.fb", low=None, high=None)
    assert (feed.feedback().show, feed.feedback().interval) == ("value", None)


def test_what_is_to_be_shown_comes_limited_and_null_is_neutral(feed, publisher, clock):
    publisher.beat()
    publisher.send("pred.fb", shown=0.62)
    assert (feed.feedback().show, feed.feedback().shown) == ("value", 0.62)
    bad(publisher, shown=None)
    assert (feed.feedback().show, feed.feedback().shown) == ("hold", 0.62)
    for nothing in (None, 1.5, "0.5", True):
        publisher.send("pred.fb", shown=nothing)
        assert feed.feedback().show == "neutral"
        assert feed.feedback().reasons == ("nothing_shown",)
    publisher.send("pred.fb")  # of a session without a range
    assert (feed.feedback().show, feed.feedback().shown) == ("value", None)


def test_invalid_holds_for_one_tr_then_neutral(feed, publisher, clock):
    publisher.beat()
    publisher.send("pred.fb")
    publisher.beat(2.0)
    bad(publisher)
    held = feed.feedback()
    assert (held.show, held.value, held.reasons) == ("hold", 0.42, ("gap",))
    publisher.beat(2.0)
    bad(publisher)
    publisher.beat(0.5)
    assert (feed.feedback().show, feed.feedback().value) == ("neutral", None)


@pytest.mark.parametrize("status", ["invalid", "warmup", "paused"])
def test_never_a_value_without_a_usable_one_before(feed, publisher, status):
    publisher.beat()
    bad(publisher, status)
    assert (feed.feedback().show, feed.feedback().reasons) == ("neutral", ("gap",))


def test_a_number_in_an_invalid_message_is_not_believed(feed, publisher):
    publisher.beat()
    publisher.send("pred.fb", status="invalid", value=3.0)
    assert feed.feedback().show == "neutral"


def test_nan_from_a_sloppy_publisher_is_no_value(feed, publisher):
    publisher.beat()
    publisher.send("pred.fb", value=float("nan"))
    assert feed.feedback().show == "neutral"


def test_dead_after_two_seconds_without_heartbeat(feed, publisher, clock):
    publisher.beat()
    publisher.send("pred.fb")
    clock.advance(1.9)
    assert feed.alive
    clock.advance(0.2)
    assert not feed.alive
    assert not feed.stalled
    assert feed.feedback().reasons == ("no_heartbeat",)
    assert feed.feedback().show == "neutral"


def test_stalled_after_one_and_a_half_tr_then_neutral(feed, publisher):
    publisher.beat()
    publisher.send("pred.fb")
    publisher.beat(3.0)
    assert not feed.stalled
    publisher.beat(0.5)
    assert feed.stalled
    assert (feed.feedback().show, feed.feedback().reasons) == ("hold", ("stalled",))
    publisher.beat(1.0)
    assert (feed.feedback().show, feed.feedback().value) == ("neutral", None)


def test_stalled_if_no_prediction_ever_came(feed, publisher):
    publisher.beat(3.5)
    assert feed.stalled


def test_a_subscriber_of_heartbeats_alone_never_sees_a_stall(clock):
    with Subscriber("inproc://nobody", ("quality",), now_s=clock.now_s) as feed:
        Publisher(feed, clock).beat(20.0)
        assert feed.alive
        assert not feed.stalled


def test_tr_is_learned_from_hello_and_from_predictions(feed, publisher):
    publisher.send("hello", tr_s=1.5)
    assert feed.tr_s == 1.5
    publisher.send("pred.fb")
    assert feed.tr_s == pytest.approx(TR_S)


def test_bye_is_the_end(feed, publisher):
    publisher.beat()
    publisher.send("pred.fb")
    publisher.send("bye")
    assert not feed.alive
    assert feed.feedback().show == "neutral"


def test_backlog_after_a_frozen_frame_is_not_taken_for_news(feed, publisher, clock):
    publisher.beat(5.0)
    clock.advance(10.0)  # the app was frozen; the publisher died 8 s ago
    publisher.send("pred.fb", delay_s=9.0)
    publisher.send("hb", delay_s=8.0)
    assert not feed.alive
    assert feed.feedback().show == "neutral"


def test_a_minute_of_freeze_does_not_revive_who_died_in_it(feed, publisher, clock):
    publisher.beat(40.0)
    clock.advance(60.0)  # the publisher died 10 s into it
    publisher.send("pred.fb", delay_s=51.0)
    for tenth in range(600, 499, -5):
        publisher.send("hb", delay_s=tenth / 10)
    assert feed.age_s(feed.latest["hb"]) == pytest.approx(50.0, abs=0.1)
    assert not feed.alive
    assert feed.feedback().show == "neutral"


def test_prediction_of_long_ago_in_a_backlog_is_stalled_not_shown(
    feed, publisher, clock
):
    publisher.beat(5.0)
    clock.advance(10.0)
    publisher.send("pred.fb", delay_s=9.0)
    publisher.send("hb")
    assert feed.alive
    assert feed.stalled
    assert feed.feedback().show == "neutral"


def test_clock_drift_of_hours_does_not_kill_a_live_publisher(feed, publisher, clock):
    for _ in range(4 * 3600):
        clock.advance(1.0)
        drift_s = 1e-4 * clock.now_s()  # 100 ppm
        publisher.send("hb", delay_s=drift_s)
    assert feed.alive


def test_late_joiner_uses_the_resent_value_only_while_it_is_fresh(feed, publisher):
    publisher.send("pred.fb", delay_s=2.9, replayed=True)
    assert feed.feedback().show == "neutral"  # nobody can tell its age yet
    publisher.beat()
    assert feed.feedback().show == "value"
    publisher.beat(0.5)
    assert feed.feedback().show == "hold"


def test_resent_messages_are_seen_once(feed, publisher):
    assert publisher.send("hello") is not None
    assert publisher.send("hello", seq=0, replayed=True) is None
    assert (feed.n_duplicates, feed.n_gaps.total()) == (1, 0)


def test_gaps_are_counted_per_topic(feed, publisher):
    for seq in (10, 11, 14):
        publisher.send("pred.fb", seq=seq)
    publisher.send("hb", seq=3)
    assert feed.n_gaps == {"pred.fb": 2, "hb": 0}


def test_a_new_session_is_accepted_and_nothing_old_is_kept(feed, publisher, clock):
    publisher.beat()
    publisher.send("pred.fb", seq=500)
    restarted = Publisher(feed, clock, "s2")
    restarted.beat()
    assert (feed.session, feed.n_sessions, feed.n_gaps.total()) == ("s2", 2, 0)
    assert "pred.fb" not in feed.latest
    assert feed.feedback().show == "neutral"
    assert publisher.send("pred.fb") is None  # a straggler of the old one
    assert feed.session == "s2"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", "null", "{}", '{"schema": "rtbold.hb/1"}', "[" * 9999]
)
def test_what_is_no_message_is_counted_not_raised(feed, publisher, text):
    assert publisher.raw("hb", text) is None
    assert feed.n_bad == 1


@pytest.mark.parametrize(
    ("topic", "changes"),
    [
        ("hello", {"tr_s": "soon"}),
        ("hb", {"t_lsl": "never"}),
        ("pred.fb", {"next_due_lsl": "later"}),
        ("pred.fb", {"value": [1]}),
        ("pred.fb", {"t_trigger": {}}),
        ("pred.fb", {"session": ["a"]}),
        ("hb", {"session": None}),
        # a text or a truth value is no number, whatever it could be turned into
        ("pred.fb", {"value": "nan"}),
        ("pred.fb", {"value": "0.5"}),
        ("pred.fb", {"value": True}),
        ("pred.fb", {"z": "1"}),
        ("pred.fb", {"low": [0]}),
        ("pred.fb", {"value": 10**400}),
        ("pred.fb", {"reasons": [1]}),
        ("pred.fb", {"reasons": 5}),
        ("hb", {"t_lsl": None}),
        ("hb", {"t_lsl": 1e300}),
        ("hb", {"seq": 1.5}),
    ],
)
def test_nonsense_in_a_known_schema_is_counted_and_spoils_nothing(
    feed, publisher, topic, changes
):
    publisher.beat()
    publisher.send("pred.fb")
    assert publisher.send(topic, **changes) is None
    assert feed.n_bad == 1
    assert feed.feedback().show == "value"


def test_a_tr_that_is_null_leaves_the_known_one(feed, publisher):
    publisher.send("hello", tr_s=None)
    assert feed.tr_s == TR_S


def test_reasons_that_are_null_are_none(feed, publisher):
    publisher.beat()
    publisher.send("pred.fb", status="invalid", value=None, reasons=None)
    assert feed.feedback().reasons == ()


def test_single_frame_is_counted(feed):
    assert feed._accept([b"hb"]) is None
    assert feed.n_bad == 1


def test_another_version_is_named_and_not_read(feed, publisher):
    publisher.send("pred.fb", schema="rtbold.pred.fb/2")
    assert feed.foreign_schema == "rtbold.pred.fb/2"
    assert feed.latest == {}


def test_unknown_keys_are_ignored(feed, publisher):
    publisher.beat()
    publisher.send("pred.fb", a_later_field=[1])
    assert feed.feedback().show == "value"


def test_the_file_needs_nothing_of_rtbold():
    source = Path(Subscriber.__init__.__code__.co_filename).read_text()
    imports = [x for x in source.splitlines() if x.startswith(("import", "from"))]
    assert not [x for x in imports if "rtbold" in x or "numpy" in x or "msgspec" in x]


@pytest.mark.parametrize(
    "run_type", ["transfer", "rest", "calib", "sham", "TRAIN", "", None, 1]
)
def test_only_a_training_run_shows_feedback(feed, publisher, run_type):
    publisher.beat(run_type="train")
    publisher.send("pred.fb")
    assert feed.feedback().show == "value"
    publisher.phase(run_type)
    shown = feed.feedback()
    assert (shown.show, shown.value, shown.z) == ("neutral", None, None)
    assert shown.reasons == ("no_feedback_run",)
    publisher.phase("train")
    assert feed.feedback().show == "value"


def test_a_run_whose_kind_nobody_told_shows_nothing(feed, publisher):
    publisher.beat(run_type=None)
    publisher.send("pred.fb")
    shown = feed.feedback()
    assert (shown.show, shown.reasons) == ("neutral", ("no_phase",))
    assert "phase" in feed._topics


def test_the_kind_of_the_session_before_says_nothing(feed, publisher, clock):
    publisher.beat()
    publisher.send("pred.fb")
    after = Publisher(feed, clock, session="s2")
    after.beat(run_type=None)
    after.send("pred.fb")
    assert feed.feedback().reasons == ("no_phase",)


def test_a_held_value_ends_with_the_training(feed, publisher):
    publisher.beat()
    publisher.send("pred.fb")
    bad(publisher)
    assert feed.feedback().show == "hold"
    publisher.phase("transfer")
    assert feed.feedback().show == "neutral"


def test_nothing_is_shown_from_the_end_of_a_training_on(feed, publisher):
    publisher.beat()
    publisher.send("pred.fb")
    publisher.phase("train", name="end")
    shown = feed.feedback()
    assert (shown.show, shown.reasons) == ("neutral", ("no_feedback_run",))


# A protocol: what shows is the block's business


def test_a_block_without_feedback_is_neutral_in_a_training_too(feed, publisher):
    publisher.beat()
    publisher.send("pred.fb", volume_index=3)
    publisher.phase("rest", kind="training", feedback="none", shows_from=None)
    assert feed.feedback().reasons == ("no_feedback_block",)
    publisher.phase("train", kind="training", feedback="none", shows_from=None)
    assert feed.feedback().reasons == ("no_feedback_block",)  # whoever sent it so


def test_the_last_value_of_a_rest_is_not_shown_in_the_block_after_it(feed, publisher):
    publisher.beat()
    publisher.send("pred.fb", volume_index=8)
    block = {"kind": "training", "feedback": "continuous", "shows_from": 9}
    publisher.phase("train", **block)
    shown = feed.feedback()
    assert (shown.show, shown.reasons) == ("neutral", ("no_feedback_block",))
    bad(publisher, volume_index=9)  # nothing of the block to hold
    assert (feed.feedback().show, feed.feedback().reasons) == ("neutral", ("gap",))
    publisher.send("pred.fb", volume_index=10)
    assert feed.feedback().show == "value"
    bad(publisher, volume_index=11)
    assert feed.feedback().show == "hold"


def test_a_participants_stop_is_neutral_at_once(feed, publisher):
    publisher.beat()
    publisher.send("pred.fb", volume_index=9)
    publisher.phase("train", feedback="continuous", shows_from=9, stopped=True)
    assert feed.feedback().reasons == ("participant_stop",)


@pytest.mark.parametrize("shows_from", ["9", True, []])
def test_a_phase_whose_numbers_are_none_is_no_phase(feed, publisher, shows_from):
    publisher.beat(run_type=None)
    publisher.send("pred.fb")
    publisher.phase("train", shows_from=shows_from)
    assert feed.feedback().reasons == ("no_phase",)


# Clients and publishers of schemas 1.0 and 1.1, which has the topic in the body.

BEFORE = GOLDEN / "1.0"
TOPICS = sorted(path.name.removesuffix(".1.json") for path in GOLDEN.glob("*.1.json"))


def client_of_before():
    spec = importlib.util.spec_from_file_location("old", BEFORE / "client.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["old"] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module.Subscriber


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize(
    ("client", "folder"), [(client_of_before, GOLDEN), (lambda: Subscriber, BEFORE)]
)
def test_client_and_publisher_may_be_of_two_minor_versions(topic, client, folder):
    payload = (folder / f"{topic}.1.json").read_bytes()
    with client()("inproc://nobody") as feed:
        message = feed._accept([topic.encode(), payload])
        assert message.topic == topic
        assert (feed.n_bad, feed.foreign_schema) == (0, None)
