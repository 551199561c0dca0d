from dataclasses import replace

import pytest

from rtbold.acquire.streams import (
    LONGEST_ID,
    FoundStream,
    StreamQuery,
    found_stream,
    list_streams,
    select_stream,
)
from rtbold.errors import AmbiguousStream, StreamNotFound

CAP = FoundStream("cap", "EEG", "lab-a", "s1", "u1", 500.0, 32, "float32")
TWIN_CAP = replace(CAP, host="lab-b", source_id="s2", uid="u2")
OTHER = replace(CAP, name="amp", uid="u3", source_id="s3")
MARKERS = FoundStream("trig", "Markers", "lab-a", "s4", "u4", 0.0, 1, "string")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (StreamQuery(), CAP),
        (StreamQuery(type="eeg"), CAP),
        (StreamQuery(name="cap", host="LAB-A"), CAP),
        (StreamQuery(name="trig"), MARKERS),
        (StreamQuery(type="Markers"), MARKERS),
    ],
)
def test_the_one_that_fits_is_chosen(query, expected):
    assert select_stream([MARKERS, CAP], query) is expected


def test_the_type_decides_between_streams_of_one_name():
    other_type = replace(CAP, type="Quality", uid="u9")
    assert select_stream([other_type, CAP], StreamQuery(name="cap")) is CAP


def test_nothing_that_fits_lists_what_is_there():
    with pytest.raises(StreamNotFound, match=r"name 'nap'(.|\n)*'trig'(.|\n)*--wait"):
        select_stream([MARKERS], StreamQuery(name="nap"))
    with pytest.raises(StreamNotFound, match="No LSL stream answered at all"):
        select_stream([], StreamQuery())


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        ([CAP, TWIN_CAP], "--host"),
        ([CAP, OTHER], "--stream"),
        ([CAP, replace(CAP, uid="u5")], "stop one"),
    ],
)
def test_several_that_fit_are_refused_with_a_way_to_pick(found, hint):
    with pytest.raises(AmbiguousStream, match=hint) as caught:
        select_stream(found, StreamQuery())
    for stream in found:
        assert repr(stream.host) in str(caught.value)
        assert repr(stream.source_id) in str(caught.value)


def test_a_listing_says_what_has_no_rate():
    assert "irregular rate" in list_streams([MARKERS])
    assert "500 Hz" in list_streams([CAP])


def test_a_listing_of_very_many_is_cut():
    many = [replace(CAP, uid=str(n)) for n in range(500)]
    assert list_streams(many).endswith("\n  and 480 more")


class Raw:
    """A stream's short description as pylsl gives it."""

    def __init__(self, **fields):
        text = dict.fromkeys(("name", "type", "hostname", "uid", "source_id"), "")
        self._fields = text | fields

    def __getattr__(self, name):
        return lambda: self._fields.get(name, 1)


def test_what_a_stream_is_called_is_fit_to_be_shown():
    text = dict.fromkeys(("name", "type", "hostname", "uid"), "a\x1b[2J\n\u202eb")
    stream = found_stream(Raw(**text, source_id="s" * 10_000))
    assert {stream.name, stream.type, stream.host, stream.uid} == {r"a\x1b[2J\n\u202eb"}
    assert len(stream.source_id) == LONGEST_ID


def test_a_stream_is_asked_for_by_the_name_that_it_really_has():
    stream = found_stream(Raw(name="cap\x07", type="EEG"))
    assert select_stream([stream], StreamQuery(name="cap\x07")) is stream
