"""Which stream a session reads once it has had one."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from rtbold.acquire.known import (
    BESIDE_S,
    GONE_S,
    KnownStream,
    choose_again,
    difference,
    was_beside,
)
from rtbold.acquire.streams import LONGEST_ID, FoundStream, StreamQuery

CAP = FoundStream("cap", "EEG", "lab-a", "s1", "u1", 500.0, 32, "float32", 100.0)
ALIVE_S = 500.0
KNOWN = KnownStream(CAP, "u1", alive_s=ALIVE_S, offset_s=0.0)
REPLACED = replace(KNOWN, read_uid="u2")
AGAIN = replace(CAP, uid="u9", created_s=ALIVE_S + 1)  # started anew, the same id
COPY = replace(CAP, uid="u8", created_s=ALIVE_S - 60)  # was there beside it
OTHER = replace(CAP, uid="u2", source_id="s2", created_s=ALIVE_S - 60)
THIRD = replace(OTHER, uid="u3", source_id="s3")
ELSEWHERE = replace(OTHER, uid="u4", host="lab-b")
QUERY = StreamQuery(name="cap")


def choose(*found, known=KNOWN, unseen_s=0.0, closed=True, query=QUERY):
    return choose_again(found, known, query=query, unseen_s=unseen_s, closed=closed)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("unseen_s", [0.0, 3.0, 1000.0])
@pytest.mark.parametrize("known", [KNOWN, REPLACED])
@pytest.mark.parametrize(
    "others", [(), (OTHER,), (AGAIN,), (COPY, ELSEWHERE), (OTHER, THIRD, AGAIN)]
)
def test_the_known_outlet_is_taken_as_long_as_it_is_announced(
    others, known, unseen_s, closed
):
    choice = choose(*others, CAP, known=known, unseen_s=unseen_s, closed=closed)
    assert choice.stream is CAP
    assert choice.other == ""
    assert bool(choice.problem) is bool(others)


@pytest.mark.parametrize("found", [OTHER, AGAIN, COPY, ELSEWHERE])
@pytest.mark.parametrize(
    ("unseen_s", "closed", "taken"),
    [
        (0.0, True, True),  # its connection was closed: nothing to wait for
        (3.0, False, False),  # a stall
        (GONE_S - 0.1, False, False),
        (GONE_S, False, True),
    ],
)
def test_only_a_sender_that_is_gone_is_replaced(found, unseen_s, closed, taken):
    choice = choose(found, unseen_s=unseen_s, closed=closed)
    assert (choice.stream is found) is taken


def test_the_known_sender_under_its_source_id_is_no_other():
    assert choose(AGAIN).other == ""
    assert choose(AGAIN, OTHER, THIRD, ELSEWHERE).stream is AGAIN
    changed = replace(AGAIN, n_channels=16, rate_hz=250.0, format="int16")
    assert choose(changed) == replace(choose(AGAIN), stream=changed)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (OTHER, "'s2' instead of 's1', on the same computer, 32 channels .* as before"),
        (ELSEWHERE, "on another computer"),
        (replace(AGAIN, host="lab-b"), "on another computer"),
        (COPY, "'s1' like the known one, which it was there beside"),
        (replace(OTHER, n_channels=16), "16 channels of .* instead of 32 channels"),
        (replace(OTHER, rate_hz=250.0), "at 250 Hz instead of .* at 500 Hz"),
        (replace(OTHER, source_id=""), "'' instead of 's1'"),
    ],
)
def test_one_other_sender_is_taken_and_told_as_that(found, said):
    choice = choose(found)
    assert choice.stream is found
    assert choice.problem == ""
    with pytest.raises(ValueError, match=said):
        raise ValueError(choice.other)


@pytest.mark.parametrize(
    "found",
    [
        (OTHER, THIRD),
        (OTHER, COPY),
        (AGAIN, replace(AGAIN, uid="u7")),  # twice the same id: which is it?
        (ELSEWHERE, replace(ELSEWHERE, host="lab-c", uid="u5")),
    ],
)
def test_of_two_none_is_taken_and_that_is_said(found):
    choice = choose(*found)
    assert choice.stream is None
    assert "2 others have that name" in choice.problem
    assert "none is taken" in choice.problem


def test_the_old_host_is_preferred():
    assert choose(OTHER, ELSEWHERE).stream is OTHER
    assert choose(OTHER, THIRD, ELSEWHERE).stream is None


def test_another_sender_is_read_on_until_the_known_one_is_back():
    for found in ([OTHER], [OTHER, THIRD], [OTHER, COPY, ELSEWHERE]):
        choice = choose(*found, known=REPLACED, closed=False)
        assert choice.stream is OTHER
        assert choice.other
    assert choose(OTHER, AGAIN, known=REPLACED, closed=False).stream is AGAIN
    assert choose(OTHER, CAP, known=REPLACED, closed=False).stream is CAP


@pytest.mark.parametrize("source_id", ["", "x" * LONGEST_ID])
def test_a_source_id_that_tells_nothing_proves_nothing(source_id):
    known = replace(KNOWN, sender=replace(CAP, source_id=source_id))
    choice = choose(replace(AGAIN, source_id=source_id), known=known)
    assert choice.stream is not None
    assert "without a source id that could tell them apart" in choice.other


@pytest.mark.parametrize("change", [{"name": "other"}, {"type": "Quality"}])
def test_what_is_called_otherwise_is_never_taken(change):
    assert choose(replace(AGAIN, **change), unseen_s=1e6).stream is None


def test_a_host_that_was_asked_for_goes_on_counting():
    query = StreamQuery(name="cap", host="lab-a")
    assert choose(ELSEWHERE, query=query).stream is None
    assert choose(ELSEWHERE).stream is ELSEWHERE


@pytest.mark.parametrize(
    ("change", "beside"),
    [
        ({}, True),
        ({"created_s": ALIVE_S - BESIDE_S}, False),
        ({"created_s": 0.0}, False),  # a sender that does not say it
        ({"host": "lab-b"}, False),  # another clock
        ({"uid": "u1"}, False),
    ],
)
def test_an_outlet_was_beside_if_it_is_older_than_the_last_sign(change, beside):
    assert was_beside(replace(COPY, **change), KNOWN) is beside
    assert not was_beside(COPY, replace(KNOWN, alive_s=None))
    assert not was_beside(COPY, replace(KNOWN, offset_s=None))


def test_the_hosts_clock_is_brought_to_ours():
    far = replace(KNOWN, offset_s=10_000.0, alive_s=10_000.0 + ALIVE_S)
    assert was_beside(COPY, far)
    assert not was_beside(AGAIN, far)


def test_markers_have_no_rate_to_tell():
    sender = replace(CAP, type="Markers", rate_hz=0.0, n_channels=1, format="string")
    known = replace(KNOWN, sender=sender)
    other = replace(sender, uid="u2", source_id="s2")
    assert "1 channels of string at no regular rate as before" in difference(
        other, known
    )


STREAMS = st.builds(
    FoundStream,
    name=st.just("cap"),
    type=st.sampled_from(["EEG", "Markers"]),
    host=st.sampled_from(["lab-a", "lab-b"]),
    source_id=st.sampled_from(["", "s1", "s2"]),
    uid=st.sampled_from(["u1", "u2", "u3", "u4"]),
    rate_hz=st.just(500.0),
    n_channels=st.just(32),
    format=st.just("float32"),
    created_s=st.sampled_from([0.0, ALIVE_S - 60, ALIVE_S + 1]),
)


@given(
    st.lists(STREAMS, max_size=5, unique_by=lambda s: s.uid),
    st.sampled_from([KNOWN, REPLACED]),
    st.sampled_from([0.0, 3.0, 100.0]),
    st.booleans(),
)
def test_whatever_is_there_another_one_is_never_taken_in_silence(
    found, known, unseen_s, closed
):
    choice = choose(*found, known=known, unseen_s=unseen_s, closed=closed)
    taken = choice.stream
    if taken is None:
        assert choice.other == ""
        return
    assert taken.type == "EEG"
    same = (taken.source_id, taken.host) == ("s1", "lab-a") or taken.uid == "u1"
    assert same or choice.other
    if not known.is_replaced and not closed and unseen_s < GONE_S:
        assert taken.uid == "u1"
