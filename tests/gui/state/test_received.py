import json
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from feed_messages import SESSION, TOPICS, body, message, received, wire
from hypothesis import given, settings, strategies as st

from rtbold.client import Message
from rtbold.gui.state.received import BandPowers, EegBlock, FeedbackValue, floats, parse
from rtbold.publish.wire import (
    MESSAGE_TYPES,
    TOPICS as WIRE_TOPICS,
    Bye,
    Heartbeat,
    Hello,
    Log,
    Phase,
    PredRoi,
    Quality,
    Trigger,
    Truth,
)

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
KINDS = {
    "hello": Hello,
    "pred.roi": PredRoi,
    "pred.fb": FeedbackValue,
    "truth": Truth,
    "trigger": Trigger,
    "eeg": EegBlock,
    "bands": BandPowers,
    "phase": Phase,
    "quality": Quality,
    "hb": Heartbeat,
    "log": Log,
    "bye": Bye,
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)


@pytest.mark.parametrize("topic", WIRE_TOPICS)
def test_every_topic_of_the_wire_is_read(topic):
    assert topic in TOPICS
    assert type(received(topic)) is KINDS[topic]


@pytest.mark.parametrize("topic", WIRE_TOPICS)
def test_golden_messages_are_read(topic):
    golden = json.loads((GOLDEN / f"{topic}.1.json").read_text())
    assert type(parse(Message(topic, golden, 5.0))) is KINDS[topic]


def test_hello_says_what_the_session_is():
    hello = received("hello", simulated_stream=True, upstream_delay_ms=37.0)
    assert (hello.session, hello.rois[0], hello.tr_s) == (SESSION, "dmn", 2.1)
    assert (hello.simulated_stream, hello.upstream_delay_ms) == (True, 37.0)
    assert (hello.ports.feed, hello.ports.control) == (5580, 5581)


def test_null_in_a_row_is_nan_and_a_null_row_is_none():
    found = received("pred.roi", values=(0.5, None, 1.0), low=None, high=None,
                     values_z=(0.1, None, 0.2))  # fmt: skip
    np.testing.assert_array_equal(floats(found.values), [0.5, math.nan, 1.0])
    assert (found.low, found.high, found.low_80) == (None, None, None)
    assert received("pred.fb").t_received_s == 5.0


def test_feedback_keeps_every_number_of_the_wire():
    fb = received("pred.fb", volume=7, value=0.3, clipped=True, t_lsl=2000.0)
    assert (fb.volume_index, fb.seq, fb.value, fb.clipped) == (7, 7, 0.3, True)
    assert fb.latency_ms.upstream is None
    assert fb.latency_ms.infer == 13.0
    assert (fb.t_lsl, fb.window.t_end, fb.usable) == (2000.0, 1999.9, True)


@pytest.mark.parametrize("status", ["invalid", "warmup", "paused"])
def test_a_number_in_an_unusable_message_is_not_believed(status):
    given = body("pred.fb") | {"status": status, "value": 3.0, "z": 3.0}
    fb = parse(Message("pred.fb", given, 5.0))
    assert (fb.value, fb.z, fb.usable) == (None, None, False)
    given = body("pred.roi") | {"status": status}
    assert parse(Message("pred.roi", given, 5.0)).values is None


def test_eeg_is_unpacked():
    data_uv = np.arange(12, dtype=np.float32).reshape(4, 3)
    block = received("eeg", data_uv=data_uv, sample_index=60)
    np.testing.assert_array_equal(block.data_uv, data_uv)
    assert (block.sample_index, block.data_uv.dtype) == (60, np.float32)


def test_bands_have_nan_for_null():
    found = received(
        "bands",
        bands=("delta", "alpha"),
        edges_hz=((1.0, 4.0), (8.0, 13.0)),
        power_uv2=((1.0, None), (2.0, 3.0)),
    )
    np.testing.assert_array_equal(found.power_uv2, [[1.0, math.nan], [2.0, 3.0]])


def test_truth_without_scores_is_read():
    found = received("truth", scores=(), filtered=(), predicted=(), target_score=None)
    assert (found.scores, len(found.filtered), found.target_score) == ((), 0, None)


def test_unknown_keys_pass_and_unknown_topics_do_not():
    given = body("hb") | {"something_new": 3}
    assert parse(Message("hb", given, 5.0)) is not None
    assert parse(Message("brand.new", given, 5.0)) is None


@pytest.mark.parametrize(
    ("topic", "field", "newer"),
    [
        ("pred.fb", "reasons", ["interpolated", "brand_new"]),
        ("pred.fb", "model_origin", "borrowed"),
        ("pred.roi", "reasons", ["brand_new"]),
        ("trigger", "kind", "guessed"),
        ("phase", "run_type", "sham"),
        ("quality", "stream_state", "resting"),
        ("hb", "state", "resting"),
    ],
)
def test_a_word_that_a_newer_publisher_adds_passes_as_text(topic, field, newer):
    found = parse(Message(topic, body(topic) | {field: newer}, 5.0))
    assert type(found) is KINDS[topic]
    assert getattr(found, field) == (tuple(newer) if field == "reasons" else newer)


def test_a_newer_word_passes_inside_of_a_message_too():
    part = {"label": "Cz", "state": "damp", "why": "too much gel"}
    [channel] = parse(
        Message("quality", body("quality") | {"channels": [part]}, 5.0)
    ).channels
    assert (channel.label, channel.state, channel.interpolated) == ("Cz", "damp", False)
    newer = body("pred.fb")
    newer["norm"] = newer["norm"] | {"method": "percent"}
    assert parse(Message("pred.fb", newer, 5.0)).norm.method == "percent"


@pytest.mark.parametrize(
    ("topic", "wrong"),
    [
        ("hello", {"rois": "dmn"}),
        ("hello", {"tr_s": 0}),
        ("hello", {"ports": None}),
        ("pred.fb", {"value": "0.4"}),
        ("pred.fb", {"status": "fine"}),
        ("pred.fb", {"latency_ms": 3}),
        ("pred.roi", {"low": [1.0]}),
        ("pred.roi", {"values": [[0.1, 0.2, 0.3]]}),
        ("pred.roi", {"volume_index": 1.5}),
        ("eeg", {"data": "AAAA!"}),
        ("eeg", {"n_channels": 3}),
        ("eeg", {"n_channels": -1, "n_samples": -20}),
        ("eeg", {"dtype": "<f8"}),
        ("bands", {"power_uv2": [[1.0], [1.0, 2.0]]}),
        ("truth", {"values": [1.0]}),
        ("quality", {"channels": [{"label": "Cz"}]}),
        ("log", {"level": "loud"}),
        ("hb", {"queue": True}),
        ("hb", {"stream_age_ms": 1e999}),
    ],
)
def test_malformed_bodies_are_none(topic, wrong):
    assert parse(Message(topic, body(topic) | wrong, 5.0)) is None


@given(st.sampled_from(TOPICS), st.data())
@settings(max_examples=150, deadline=None)
def test_no_body_raises(topic, data):
    given = body(topic)
    field = data.draw(st.sampled_from(sorted(given)))
    given[field] = data.draw(ANYTHING)
    found = parse(Message(topic, given, 5.0))
    assert found is None or type(found) is KINDS[topic]


@pytest.mark.parametrize("topic", TOPICS)
def test_fields_that_the_wire_may_leave_out_may_be_missing(topic):
    kind = MESSAGE_TYPES[topic]
    optional = {f.name for f in msgspec.structs.fields(kind) if not f.required}
    optional -= {"session", "seq", "t_lsl"}  # the envelope: without it no subscriber
    given = {key: value for key, value in body(topic).items() if key not in optional}
    given.setdefault("t_unix_ms", 0.0)
    assert type(parse(Message(topic, given, 5.0))) is KINDS[topic]


def test_the_bodies_of_these_tests_are_those_of_the_wire():
    assert message("pred.fb").body["schema"] == "rtbold.pred.fb/1"
    assert wire("hb").topic == "hb"


def test_a_count_beyond_what_numbers_can_hold_is_nonsense():
    assert parse(message("pred.fb", volume=2**53 + 1)) is None
