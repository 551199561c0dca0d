import importlib.util
import itertools
import json
import math
from pathlib import Path

import jsonschema
import msgspec
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from rtbold.bundle.card import Card
from rtbold.publish.wire import (
    MESSAGE_TYPES,
    TOPICS,
    Bands,
    Eeg,
    Heartbeat,
    Truth,
    decode,
    encode,
    pack_samples,
    schema_name,
    shortest,
    shortest_all,
    unpack_samples,
)

ROOT = Path(__file__).resolve().parents[3]
SCHEMAS = ROOT / "rtbold" / "schemas"


def golden(topic):
    return (ROOT / "tests" / "golden" / f"{topic}.1.json").read_bytes()


def schema(topic):
    return json.loads((SCHEMAS / f"{topic}.1.json").read_text())


def make_schemas():
    path = ROOT / "scripts" / "pictures" / "make_schemas.py"
    spec = importlib.util.spec_from_file_location("make_schemas", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_topic_is_a_prefix_of_another():
    pairs = itertools.permutations(TOPICS, 2)
    assert [(a, b) for a, b in pairs if b.startswith(a)] == []


def test_every_topic_has_a_message_whose_schema_names_it():
    assert set(MESSAGE_TYPES) == set(TOPICS)
    tags = {t: kind.__struct_config__.tag for t, kind in MESSAGE_TYPES.items()}
    assert tags == {topic: schema_name(topic) for topic in TOPICS}


@pytest.mark.parametrize("topic", TOPICS)
def test_golden_message_means_today_what_it_meant(topic):
    message = decode(topic, golden(topic))
    assert json.loads(encode(message)) == json.loads(golden(topic))


@pytest.mark.parametrize("topic", TOPICS)
def test_unknown_keys_are_ignored(topic):
    body = json.loads(golden(topic))
    newer = {**body, "a_later_field": {"x": [1, 2]}}
    if "window" in newer:
        newer["window"] = {**newer["window"], "also_later": 1}
    assert decode(topic, json.dumps(newer).encode()) == decode(topic, golden(topic))


@pytest.mark.parametrize("topic", TOPICS)
def test_another_version_is_refused(topic):
    newer = golden(topic).replace(schema_name(topic).encode(), b"rtbold.x/2")
    with pytest.raises(msgspec.ValidationError, match=r"schema"):
        decode(topic, newer)


@pytest.mark.parametrize("topic", TOPICS)
def test_golden_message_fits_the_shipped_schema(topic):
    jsonschema.validate(json.loads(golden(topic)), schema(topic))


@pytest.mark.parametrize("topic", TOPICS)
def test_schema_notices_a_missing_and_a_wrong_field(topic):
    body = json.loads(golden(topic))
    missing = {key: value for key, value in body.items() if key != "seq"}
    for wrong in (missing, {**body, "seq": "one"}, {**body, "schema": "rtbold.x/1"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema(topic))


def test_shipped_schemas_are_current():
    maker = make_schemas()
    wanted = {name: maker.text(each) for name, each in maker.schemas().items()}
    shipped = {path.name: path.read_text() for path in SCHEMAS.glob("*.json")}
    assert shipped == wanted, "run: python scripts/pictures/make_schemas.py"


def test_card_schema_accepts_a_card_and_refuses_unknown_keys():
    card = {
        "name": "x", "architecture": "ridge", "channels": ["Cz"], "reference": "Pz",
        "tr_s": 2.1, "rois": ["a"], "scanner": "unknown",
        "origin": {"kind": "subject", "simulated_lineage": False},
    }  # fmt: skip
    jsonschema.validate(card, schema("card"))
    assert msgspec.convert(card, Card).name == "x"
    with pytest.raises(jsonschema.ValidationError, match="surprise"):
        jsonschema.validate({**card, "surprise": 1}, schema("card"))


NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
@given(
    values=st.lists(NUMBERS, max_size=70),
    t_s=st.floats(0, 1e9),
    seq=st.integers(0, 2**53),
    session=st.text(max_size=40),
)
def test_wire_round_trip(encoding, values, t_s, seq, session):
    message = Truth(
        session=session, seq=seq, t_lsl=t_s, t_unix_ms=t_s, volume_index=seq,
        t_volume=t_s, values=tuple(values), rois=tuple("r" for _ in values),
    )  # fmt: skip
    assert decode("truth", encode(message, encoding), encoding) == message


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_goes_out_as_null(encoding, bad):
    message = Bands(
        t_start=0.0, t_end=1.0, bands=("alpha",), edges_hz=((8.0, 12.0),),
        power_uv2=((bad, 1.0),),
    )  # fmt: skip
    payload = encode(message, encoding)
    read = json.loads if encoding == "json" else msgspec.msgpack.decode
    assert read(payload)["power_uv2"] == [[None, 1.0]]


def test_msgpack_holds_the_same_as_json():
    message = Heartbeat(state="running", last_pred_seq=None, stream_age_ms=1.5, queue=0)
    packed = msgspec.msgpack.decode(encode(message, "msgpack"))
    assert packed == json.loads(encode(message))


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2),
        elements=st.floats(width=32, allow_nan=False),
    )
)
def test_samples_round_trip_in_any_memory_order(data):
    for given_uv in (data, np.asfortranarray(data)):
        n_channels, n_samples = data.shape
        message = Eeg(
            sample_index=0, t_first=0.0, rate_hz=200.0, n_channels=n_channels,
            n_samples=n_samples, data=pack_samples(given_uv),
        )  # fmt: skip
        np.testing.assert_array_equal(unpack_samples(message), data)


def test_unknown_topic_is_an_error():
    with pytest.raises(KeyError, match=r"nonsense"):
        decode("nonsense", b"{}")


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_shortest_gives_back_every_float32_exactly(value):
    assert np.float32(shortest(value)) == np.float32(value)
    assert np.float32(json.loads(json.dumps(shortest(value)))) == np.float32(value)


def test_json_shows_what_was_meant():
    assert json.dumps(shortest(float(np.float32(0.42)))) == "0.42"


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, 1e39])
def test_what_float32_cannot_hold_is_null(value):
    assert shortest(value) is None


def test_each_value_of_an_array():
    values = np.array([0.1, np.nan, -3.5], np.float32)
    assert shortest_all(values) == (0.1, None, -3.5)


def before(topic):
    """The message of `topic` as schemas 1.0 had it, without the topic in its body."""
    return (ROOT / "tests" / "golden" / "1.0" / f"{topic}.1.json").read_bytes()


@pytest.mark.parametrize("topic", TOPICS)
def test_the_body_names_its_topic(topic):
    assert json.loads(encode(decode(topic, golden(topic))))["topic"] == topic
    with pytest.raises(msgspec.ValidationError, match="topic"):
        decode(topic, golden(topic).replace(b'"topic": "', b'"topic": "x'))


@pytest.mark.parametrize("topic", TOPICS)
def test_a_message_from_before_the_topic_stood_in_it_is_read(topic):
    assert "topic" not in json.loads(before(topic))
    old, new = decode(topic, before(topic)), decode(topic, golden(topic))
    if topic == "hello":
        assert new.versions == old.versions | {"schemas": "1.1"}
        old = msgspec.structs.replace(old, versions=new.versions)
    assert old == new


def test_samples_of_the_reference_are_current():
    maker = make_schemas()
    wanted = maker.samples_page()
    assert maker.SAMPLES.read_text("utf-8") == wanted, (
        "run: python scripts/pictures/make_schemas.py"
    )


@pytest.mark.parametrize("topic", TOPICS)
def test_a_sample_is_json_that_can_be_copied(topic):
    page = make_schemas().SAMPLES.read_text("utf-8")
    sample = page.partition(f"## `{topic}`\n```json\n")[2].partition("```")[0]
    assert json.loads(sample) == json.loads(golden(topic))
