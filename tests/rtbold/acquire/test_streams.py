from dataclasses import replace

import pytest

from rtbold.acquire.streams import (
    FoundStream,
    KnownStream,
    StreamQuery,
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


def test_the_old_host_is_preferred_in_a_session():
    returned = replace(CAP, uid="u6", source_id="new")
    known = KnownStream(CAP.host, CAP.source_id, CAP.uid)
    assert select_stream([TWIN_CAP, returned], StreamQuery(), known) is returned


def test_two_on_the_old_host_are_told_apart_by_source_id_or_refused():
    known = KnownStream(CAP.host, "s1", "gone")
    same = replace(CAP, uid="u7")
    new = replace(CAP, uid="u8", source_id="new")
    assert select_stream([new, same], StreamQuery(), known) is same
    with pytest.raises(AmbiguousStream):
        select_stream([new, replace(new, uid="u9")], StreamQuery(), known)


def test_a_listing_says_what_has_no_rate():
    assert "irregular rate" in list_streams([MARKERS])
    assert "500 Hz" in list_streams([CAP])
