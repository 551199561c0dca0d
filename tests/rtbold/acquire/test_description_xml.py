"""Descriptions that no honest sender writes."""

from dataclasses import replace
from itertools import zip_longest

import pytest
from hypothesis import given, strategies as st

from rtbold.acquire.describe import (
    as_announced,
    describe_info,
    describe_stream,
    require_eeg,
    require_size,
)
from rtbold.acquire.description_xml import (
    MOST_CHARACTERS,
    MOST_DEPTH,
    MOST_NODES,
    read_xml,
    xml_of,
)
from rtbold.acquire.streams import FoundStream
from rtbold.errors import StreamMismatch
from rtbold.text import LONGEST_TEXT


def xml(*, name="cap", desc="", n="2", rate="500"):
    return (
        f"<info><name>{name}</name><type>EEG</type><channel_count>{n}</channel_count>"
        f"<nominal_srate>{rate}</nominal_srate><hostname>lab</hostname>"
        f"<source_id>s1</source_id><uid>u1</uid><desc>{desc}</desc></info>"
    )


def channels(*labels, unit="uV"):
    nodes = (
        f"<channel><label>{label}</label><unit>{unit}</unit></channel>"
        for label in labels
    )
    return f"<channels>{''.join(nodes)}</channels>"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mCz\x07", r"\x1b[31mCz\x07"),
        ("Cz&#27;[2J", r"Cz\x1b[2J"),
        ("Cz&#x1b;", r"Cz\x1b"),
        ("Cz&#0;", r"Cz\x00"),
        ("Cz&#xd800;", r"Cz\xd800"),
        ("Cz&#x110000;", r"Cz\x110000"),
        ("Cz\ud800", r"Cz\xd800"),
        ("Cz\uffff", r"Cz\xffff"),
        ("Cz\u202eab", r"Cz\u202eab"),
        ("Cz&#10;status ok", r"Cz\nstatus ok"),
        ("\x9b31m", r"\x9b31m"),
        ("&#956;V", "\u03bcV"),
        ("a &amp;#27; b", "a &#27; b"),
        ("L" * 5000, "L" * 197 + "..."),
    ],
)
def test_no_text_of_a_sender_does_anything_but_show(raw, shown):
    stream = describe_stream(
        xml(
            name=raw,
            desc=channels(raw, "Pz", unit=raw) + f"<reference>{raw}</reference>",
        )
    )
    assert stream.name == shown
    assert stream.channels[0].label == shown
    assert stream.channels[0].unit == shown
    assert stream.reference == shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            xml(desc="<a>" * 20_000 + "</a>" * 20_000),
            f"deeper than {MOST_DEPTH} levels",
        ),
        (xml(desc="<a/>" * (MOST_NODES + 1)), f"more than {MOST_NODES} entries"),
        (xml(desc="x" * MOST_CHARACTERS), "longer than"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]>" + xml(), "document type"),
        (xml()[:-9], "no XML"),
        ("", "no XML"),
        (xml(desc="<a><b></a></b>"), "no XML"),
        (xml(n="-3"), "'-3' channels, expected a whole number"),
        (xml(n="1e3"), "'1e3' channels"),
        (xml(n="4294967298"), "'4294967298' channels"),
        (xml(n="99999"), "'99999' channels"),
        (xml(n="many"), "'many' channels"),
        (xml(rate="nan"), "rate of 'nan' Hz"),
        (xml(rate="inf"), "rate of 'inf' Hz"),
        (xml(rate="-200"), "rate of '-200' Hz"),
        (xml(rate="1e999"), "rate of '1e999' Hz"),
        (xml(rate="fast"), "rate of 'fast' Hz"),
    ],
)
def test_what_is_no_description_is_refused_by_its_streams_name(text, message):
    with pytest.raises(StreamMismatch, match=message) as caught:
        describe_stream(text, name="cap\x1b")
    assert r"'cap\\x1b'" in str(caught.value) or "cap" in str(caught.value)
    assert str(caught.value).replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("rate", "message"), [("1e300", "1e\\+300 Hz"), ("0.5", "0.5")]
)
def test_a_rate_that_is_one_but_no_eegs_is_refused(rate, message):
    with pytest.raises(StreamMismatch, match=message):
        require_eeg(describe_stream(xml(rate=rate)), "float32")


def test_ten_thousand_channels_are_counted_and_no_eeg():
    labels = [f"C{n}" for n in range(10_000)]
    stream = describe_stream(xml(n="10000", desc=channels(*labels)))
    assert len(stream.channels) == 10_000
    with pytest.raises(StreamMismatch, match="10000 channels"):
        require_eeg(stream, "float32")


def test_empty_labels_are_numbers_and_doubled_ones_stay():
    stream = describe_stream(xml(n="4", desc=channels("", " ", "Cz", "Cz")))
    assert [c.label for c in stream.channels] == ["Ch1", "Ch2", "Cz", "Cz"]


def test_a_reference_of_endless_labels_is_cut():
    labels = "".join(f"<label>A{n}</label>" for n in range(10_000))
    stream = describe_stream(xml(desc=f"<reference>{labels}</reference>"))
    assert len(stream.reference) == LONGEST_TEXT


FOUND = FoundStream("cap", "EEG", "lab", "s1", "u1", 500.0, 2, "float32")


def test_a_stream_is_what_it_was_announced_as():
    stream = as_announced(describe_stream(xml(name="else")), FOUND)
    assert (stream.name, stream.host, stream.uid) == ("cap", "lab", "u1")


def test_an_outlet_that_answers_in_place_of_another_is_not_taken_for_it():
    with pytest.raises(StreamMismatch, match=r"another outlet .* 'cap'.*'u9'"):
        as_announced(describe_stream(xml()), replace(FOUND, uid="u9"))


@pytest.mark.parametrize("lie", [{"n": "3"}, {"rate": "250"}])
def test_a_count_or_rate_that_was_announced_otherwise_is_refused(lie):
    with pytest.raises(StreamMismatch, match="'cap' is announced with 2 channels"):
        as_announced(describe_stream(xml(**lie)), FOUND)


@given(st.text(st.characters(codec=None), max_size=200))
def test_any_text_is_a_description_or_refused(text):
    for whole in (text, xml(desc=text), xml(name=text)):
        try:
            stream = describe_stream(whole)
        except StreamMismatch:
            continue
        assert stream.name.isprintable()


class Node:
    """A node of the tree that liblsl holds, as pylsl hands it out."""

    def __init__(self, name="", value="", children=()):
        self._name, self._value, self._children = name, value, list(children)
        self._above = self._next = None
        for child, after in zip_longest(self._children, self._children[1:]):
            child._above, child._next = self, after

    def name(self):
        return self._name

    def value(self):
        return self._value

    def empty(self):
        return self is NOTHING

    def first_child(self):
        return self._children[0] if self._children else NOTHING

    def next_sibling(self):
        return self._next or NOTHING

    def parent(self):
        return self._above


NOTHING = Node()


class Info:
    """A full description, with its tree."""

    def __init__(self, *nodes):
        self._desc = Node("desc", children=nodes)
        Node("info", children=[Node("name", children=[Node(value="cap")]), self._desc])
        self.n_written = 0

    def name(self):
        return "cap\x1b"

    def desc(self):
        return self._desc

    def as_xml(self):
        self.n_written += 1
        return xml()


def test_a_tree_that_can_be_a_description_is_written_out():
    info = Info(Node("a", children=[Node(value="b"), Node("c")]), Node("d"))
    assert describe_info(info).name == "cap"


def nested(depth):
    node = Node("a")
    for _ in range(depth):
        node = Node("a", children=[node])
    return node


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([nested(20_000)], f"deeper than {MOST_DEPTH} levels"),
        ([Node("a") for _ in range(2 * MOST_NODES)], "has no end"),
        ([Node(value="x" * (MOST_CHARACTERS + 1))], "has no end"),
    ],
)
def test_a_tree_that_can_be_none_is_never_written_out(nodes, message):
    info = Info(*nodes)
    with pytest.raises(StreamMismatch, match=message) as caught:
        xml_of(info)
    assert info.n_written == 0
    assert r"'cap\\x1b'" in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"n_channels": 10_001},
        {"n_channels": 0},
        {"n_channels": -1},
        {"rate_hz": 1e300},
        {"rate_hz": -200.0},
        {"rate_hz": float("nan")},
        {"rate_hz": 1e6, "n_channels": 3},
    ],
)
def test_no_room_is_made_for_what_no_scan_has(change):
    with pytest.raises(StreamMismatch, match="'cap' is announced with"):
        require_size(replace(FOUND, **change))
    require_size(FOUND)


def test_a_tree_of_the_usual_size_is_read():
    root = read_xml(xml(desc=channels(*(f"C{n}" for n in range(128)))), name="cap")
    assert len(root.findall("desc/channels/channel")) == 128
