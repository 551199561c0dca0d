"""A card says one thing only, and reading it ends, whatever somebody put there."""

import json

import pytest
from bundles import tiny_card

from rtbold.bundle.card_text import format_card, parse_card
from rtbold.errors import BundleError

TEXT = format_card(tiny_card())


def with_tail(tail: bytes) -> bytes:
    return TEXT.rstrip().removesuffix(b"}") + tail + b"}"


def test_comes_back_as_it_was():
    assert parse_card(TEXT) == tiny_card()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (with_tail(b', "tr_s": 1.0'), "the key 'tr_s' stands there twice"),
        (with_tail(b', "tr_\\u0073": 1.0'), "the key 'tr_s' stands there twice"),
        (TEXT.replace(b'"n": 100', b'"n": 100, "n": 1'), "the key 'n' stands"),
        (with_tail(b', "gain": 2'), "unknown field `gain`"),
        (with_tail(b', "\x1b[2J": 2'), "no bundle card"),
        (with_tail(b', "\\u001b[2J": 2'), r"unknown field `\?\[2J`"),
        (with_tail(b', "task": ' + b"[" * 100_000), "deeper than any card"),
        (with_tail(b', "x": ' + b'{"x": ' * 100_000), "deeper than any card"),
        (b"[" * 100_000, "no bundle card"),
        (b'{"format": ' + b"[" * 100_000, "no bundle card"),
        (TEXT.replace(b"2.1", b"NaN"), "no bundle card"),
        (TEXT.replace(b"2.1", b"1e999"), "schema|no bundle card"),
        (TEXT.replace(b'"n": 100', b'"n": ' + b"1" * 5000), "schema|no bundle card"),
        (b"\xef\xbb\xbf" + TEXT, "byte order mark"),
        (TEXT.decode().encode("utf-16"), "byte order mark"),
        (TEXT + b"{}", "no bundle card"),
        (TEXT + b"\0", "no bundle card"),
        (TEXT.replace(b"Putamen", b"Puta\xffmen"), "schema|no bundle card"),
        (b"", "no bundle card"),
    ],
)
def test_what_is_no_card_is_refused_in_words(text, words):
    with pytest.raises(BundleError, match=words) as caught:
        parse_card(text)
    told = str(caught.value)
    assert told.isprintable()
    assert len(told) < 1000


def test_an_older_card_without_newer_keys_opens():
    fields = json.loads(TEXT)
    for key in ("sealed", "lineage", "check"):
        del fields[key]
    assert not parse_card(json.dumps(fields).encode()).sealed
