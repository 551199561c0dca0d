import importlib.util
import itertools
import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from rtbold.bundle.card import Card
from rtbold.publish.wire import MESSAGE_TYPES, TOPICS, decode, encode, schema_name

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
