"""Write the JSON schemas of the wire and of the bundle's card, and the samples' page.

Run it after a change in rtbold/publish/wire.py or rtbold/bundle/card.py, and commit
what it wrote. The samples are those of tests/golden:

    python scripts/pictures/make_schemas.py
"""

import json
from pathlib import Path

import msgspec

from rtbold.bundle.card import CARD_FORMAT, Card
from rtbold.publish.wire import (
    MESSAGE_TYPES,
    SCHEMA_MINOR,
    SCHEMA_VERSION,
    schema_name,
)

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "rtbold" / "schemas"
GOLDEN = ROOT / "tests" / "golden"
SAMPLES = ROOT / "docs" / "reference" / "messages.md"
WIDTH = 118
HEAD = """# A sample of each message

The second frame of each topic as it goes out, in fewer lines. What the topics are for:
[The feed](feed.md). Values are made up; a session has more ROIs and channels. Optional
keys that have nothing to say are not there.
"""
WIRE_VERSION = f"{SCHEMA_VERSION}.{SCHEMA_MINOR}"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

Json = dict[str, object]


def schemas() -> dict[str, Json]:
    """Return file name -> schema."""
    found = {f"card.{CARD_FORMAT}.json": _schema("rtbold.card/1", Card)}
    for topic, kind in MESSAGE_TYPES.items():
        schema = _schema(schema_name(topic), kind, version=WIRE_VERSION)
        _require_all(schema["$defs"])
        found[f"{topic}.{SCHEMA_VERSION}.json"] = schema
    return found


def text(schema: Json) -> str:
    """Return a schema as the file holds it."""
    return json.dumps(schema, indent=2) + "\n"


def main() -> None:
    """Write all schemas."""
    FOLDER.mkdir(exist_ok=True)
    for name, schema in schemas().items():
        (FOLDER / name).write_text(text(schema), encoding="utf-8")
        print(FOLDER / name)
    SAMPLES.write_text(samples_page(), encoding="utf-8")
    print(SAMPLES)


def samples_page() -> str:
    """Return the page with the golden message of each topic."""
    parts = [HEAD]
    for topic in MESSAGE_TYPES:
        golden = GOLDEN / f"{topic}.{SCHEMA_VERSION}.json"
        body = json.loads(golden.read_text(encoding="utf-8"))
        parts.append(f"## `{topic}`\n```json\n{_packed(body)}\n```\n")
    return "\n".join(parts)


def _packed(body: Json) -> str:
    """Return a message as JSON with as many keys on a line as fit."""
    lines = [""]
    for key, value in body.items():
        item = f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)},"
        if len(lines[-1]) + len(item) < WIDTH:
            lines[-1] += f" {item}"
        else:
            lines.append(f"  {item}")
    return "{" + "\n".join(lines).strip().removesuffix(",") + "}"


def _schema(name: str, kind: type, **more: str) -> Json:
    return {"$schema": DIALECT, "$id": name, **more, **msgspec.json.schema(kind)}


def _require_all(definitions: object) -> None:
    """Say that every field is always sent, but for those that may be ``UNSET``."""
    assert isinstance(definitions, dict)
    for definition in definitions.values():
        always = definition.get("required", ())
        fields = definition["properties"]
        definition["required"] = [
            name for name in fields if name in always or "default" in fields[name]
        ]
        for field in fields.values():
            field.pop("default", None)


if __name__ == "__main__":
    main()
