"""Write the JSON schemas of the wire's messages and of the bundle's card.

Run it after a change in rtbold/publish/wire.py or rtbold/bundle/card.py, and commit
what it wrote:

    python scripts/pictures/make_schemas.py
"""

import json
from pathlib import Path

import msgspec

from rtbold.bundle.card import CARD_FORMAT, Card
from rtbold.publish.wire import MESSAGE_TYPES, SCHEMA_VERSION, schema_name

FOLDER = Path(__file__).resolve().parents[2] / "rtbold" / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

Json = dict[str, object]


def schemas() -> dict[str, Json]:
    """Return file name -> schema."""
    found = {f"card.{CARD_FORMAT}.json": _schema("rtbold.card/1", Card)}
    for topic, kind in MESSAGE_TYPES.items():
        schema = _schema(schema_name(topic), kind)
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


def _schema(name: str, kind: type) -> Json:
    return {"$schema": DIALECT, "$id": name, **msgspec.json.schema(kind)}


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
