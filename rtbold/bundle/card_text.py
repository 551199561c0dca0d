"""A card as JSON text: read strictly, so that it says one thing only, and written."""

import codecs
import json
from collections import Counter
from typing import Final

import msgspec

from rtbold.bundle.card import CARD_FORMAT, Card
from rtbold.errors import BundleError

_MARKS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def parse_card(text: bytes, *, where: str = "card.json") -> Card:
    """Decode a card strictly.

    Raises
    ------
    BundleError : no JSON, another format, a key that is unknown or stands there twice,
        or a value of another type.
    """
    if text.startswith(_MARKS):
        raise BundleError(
            f"{where} is no bundle card: it begins with a byte order mark, expected "
            "plain UTF-8. An editor wrote it anew. Copy the bundle again from where it "
            "was made."
        )
    _check_format(text, where)
    try:
        card = msgspec.json.decode(text, type=Card)
        json.loads(text, object_pairs_hook=_each_key_once)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BundleError(
            f"{where} does not follow the card's schema: {_said(error)}; "
            "copy the bundle again from where it was made, or export the model again "
            "with this version of rtbold"
        ) from error
    return card


def format_card(card: Card) -> bytes:
    """Return the text of a card, one value a line."""
    return msgspec.json.format(msgspec.json.encode(card), indent=1)


def card_schema() -> dict[str, object]:
    """Return the JSON schema of ``card.json``."""
    schema: dict[str, object] = msgspec.json.schema(Card)
    return schema


class _Format(msgspec.Struct, frozen=True):
    format: int


def _check_format(text: bytes, where: str) -> None:
    try:
        declared = msgspec.json.decode(text, type=_Format)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BundleError(
            f"{where} is no bundle card: {_said(error)}; expected the JSON that "
            "rtbold writes. Copy the bundle again from where it was made."
        ) from error
    if declared.format != CARD_FORMAT:
        raise BundleError(
            f"{where} has format {declared.format}, this rtbold reads {CARD_FORMAT}; "
            "use the rtbold version that wrote it, or export the model again"
        )


def _each_key_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, n in counts.items() if n > 1)
        raise ValueError(f"the key {twice!r} stands there twice, expected each once")
    return found


def _said(error: Exception) -> str:
    """Return an error's words without what a terminal would obey."""
    if isinstance(error, RecursionError):
        return "it is nested deeper than any card"
    return "".join(c if c.isprintable() else "?" for c in str(error))
