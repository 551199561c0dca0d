"""The recorded sessions for authors of clients: valid, and as scenarios play now."""

import json
from pathlib import Path

import jsonschema
import pytest

from rtbold.client import Subscriber
from rtbold.sim.fake_script import SCENARIOS, scenario_sessions

ROOT = Path(__file__).resolve().parents[2]
SHOWN = {
    "normal": "neutral value neutral",
    "gap": "neutral value hold neutral value neutral",
    "restart": "neutral value hold neutral value neutral",
    "scanner-stop": "neutral value hold neutral",
    "sham": "neutral value neutral",
}


def lines_of(name):
    text = (ROOT / f"examples/sessions/{name}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_message_is_valid_and_has_the_script_s_status(name):
    schemas = {}
    for line in lines_of(name):
        topic = line["topic"]
        if topic not in schemas:
            path = ROOT / f"rtbold/schemas/{topic}.1.json"
            schema = json.loads(path.read_text("utf-8"))
            schemas[topic] = jsonschema.validators.validator_for(schema)(schema)
        schemas[topic].validate(line["message"])
    sent = [x["message"]["status"] for x in lines_of(name) if x["topic"] == "pred.fb"]
    rows = [row for rows in scenario_sessions(name) for row in rows]
    assert sent == [row.status for row in rows if row.around.silent == "no"]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_client_that_follows_the_rules_shows_what_it_may(name):
    now_s = 0.0
    shown = []
    with Subscriber("tcp://127.0.0.1:1", now_s=lambda: now_s) as client:
        for line in lines_of(name):
            while now_s < line["t_s"]:
                now_s = min(now_s + 0.1, line["t_s"])
                shown.append(client.feedback().show)
            payload = json.dumps(line["message"]).encode()
            client._accept([line["topic"].encode(), payload])
        shown.append(client.feedback().show)
    changes = [b for a, b in zip(["", *shown], shown, strict=False) if a != b]
    assert " ".join(changes) == SHOWN[name]


def test_a_sham_has_the_fields_and_times_of_what_is_normal():
    def without_values(name):
        for line in lines_of(name):
            message = line["message"]
            for key in ("value", "values", "z", "values_z", "low", "high", "low_80",
                        "high_80"):  # fmt: skip
                if key in message:
                    message[key] = None if message[key] is None else "number"
            yield line

    assert list(without_values("normal")) == list(without_values("sham"))
