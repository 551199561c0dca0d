from types import SimpleNamespace

import numpy as np
import pipeline_rig as rig
import pytest
from hypothesis import strategies as st

from rtbold.acquire.triggers import (
    MARKERS_THAT_MAY_BE_ASKED_ABOUT,
    MOST_TOLD,
    EventGate,
    RisingEdges,
    channel_markers,
    find_channel,
    labelled,
    marker_labels,
    prefix_hint,
    same_label,
    select_label,
)
from rtbold.errors import AmbiguousStream, StreamMismatch
from rtbold.messages import (
    Channel,
    ClockOffset,
    Marker,
    StreamChanged,
    StreamDescription,
    TimePassed,
)

LEVELS = st.lists(st.sampled_from([0.0, 1.0, 3.0, np.nan]), min_size=1, max_size=60)


def edges_of(values):
    values = np.array(values, dtype=float)
    return RisingEdges()(values, np.arange(values.size) / 10)


def test_each_rise_is_a_marker_at_its_own_sample():
    assert edges_of([0, 0, 1, 1, 0, 2, 0]) == [("1", 0.2), ("2", 0.5)]


def test_a_fall_is_no_marker():
    # bits: 1 is the volume, 2 something else that comes and goes while it is held
    assert edges_of([0, 1, 3, 1, 0]) == [("1", 0.1), ("3", 0.2)]


def test_a_level_that_was_up_before_is_no_marker():
    assert edges_of([1, 1, 0, 1]) == [("1", 0.3)]


def test_after_a_reset_a_held_level_is_no_new_rise():
    edges = RisingEdges()
    edges(np.array([0.0]), np.array([0.0]))
    edges.reset()
    assert edges(np.array([1.0, 1.0]), np.array([1.0, 2.0])) == []


def test_labels_differ_in_blanks_case_and_group_only():
    assert same_label("R  1", "R1")
    assert same_label("Response/R  1", "r1")
    assert same_label("R128", "Response/R128")
    assert not same_label("R10", "R1")
    assert not same_label("Stimulus/S  1", "Response/S  1")
    assert not same_label("New Segment/", "")


def test_two_spellings_are_one_label():
    assert select_label({" R128 ", "r128"}) == " R128 "
    assert select_label({"R128", "Response/R128"}, "R128") == "R128"


def test_one_label_is_chosen_several_are_not():
    assert select_label(set()) is None
    assert select_label({"R128"}) == "R128"
    assert select_label({"R128", "S  1"}, "S1") == "S  1"
    assert select_label({"R128"}, "S1") is None
    with pytest.raises(AmbiguousStream, match=r"'R128', 'S  1'.*--trigger"):
        select_label({"R128", "S  1"})


def test_a_wanted_label_is_passed_on_in_the_wanted_spelling():
    assert labelled("R  1", "R1") == "R1"
    assert labelled("S  1", "R1") == "S  1"
    assert labelled("R  1", None) == "R  1"


def test_markers_of_a_channel_carry_the_stamp_of_their_sample():
    assert channel_markers([("1", 0.2)], "1", 0.5) == [Marker("1", 0.2, 0.5, "channel")]


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (["R128 "], ["R128"]),
        ([""], []),
        (["R1\x1b[2J\nstatus ok"], [r"R1\x1b[2J\nstatus ok"]),
        ([5], ["5"]),
        ([2.0], ["2"]),
        ([0.5], ["0.5"]),
    ],
)
def test_one_channel_gives_its_value(values, labels):
    stream = StreamDescription("m", "Markers", 0.0, (Channel("x"),))
    assert marker_labels(values, stream) == labels


@pytest.mark.parametrize(
    ("kind", "labels", "values", "expected"),
    [
        ("Markers", ("R128", "S  1"), [0.0, 0.2], ["S  1"]),
        ("annotations", ("R128",), [2.0], ["R128"]),
        ("annotations", ("R128", "S  1"), [0.1, 0.1], ["R128", "S  1"]),
    ],
)
def test_a_channel_per_event_gives_the_channel_s_label(kind, labels, values, expected):
    channels = tuple(Channel(label) for label in labels)
    stream = StreamDescription("m", kind, 0.0, channels)
    assert marker_labels(values, stream) == expected


def test_the_trigger_channel_is_found_by_its_label():
    channels = [Channel("Cz"), Channel("STI 014", "", "trigger")]
    assert find_channel(channels, "sti 014") == 1
    with pytest.raises(StreamMismatch, match=r"0 channels.*'TRIG'.*STI 014"):
        find_channel(channels, "TRIG")


def sources(eeg_host="scanner", marker_host="scanner"):
    return SimpleNamespace(
        description=rig.stream(250.0, host=eeg_host),
        marker_description=rig.stream(250.0, host=marker_host),
    )


def gate(label=None, **hosts):
    said = []
    return EventGate(label, sources(**hosts), say=said.append), said


def marker(label, t_s=1.0):
    return Marker(label, t_s, t_s)


def test_only_the_trigger_that_was_named_is_a_volume():
    pass_on, said = gate("R128")
    volume, spaced = marker("R128"), marker("Response/R128")
    assert pass_on(volume) == (volume,)
    assert pass_on(spaced) == (spaced,)
    for label in ("S  1", "S 99", "R1280", "comment"):
        assert pass_on(marker(label)) == ()
    assert said == []


def test_a_stimulus_before_the_scanner_starts_is_no_volume():
    pass_on, _ = gate("R128")
    assert pass_on(marker("S  1")) == ()
    volume = marker("R128")
    assert pass_on(volume) == (volume,)


def test_two_labels_without_a_named_one_are_asked_about():
    pass_on, _ = gate()
    first = marker("R128")
    assert pass_on(first) == (first,)
    with pytest.raises(AmbiguousStream, match=r"'R128' and 'S  1'.*--trigger"):
        pass_on(marker("S  1"))


def test_later_a_second_label_is_kept_out_and_told_once():
    pass_on, said = gate()
    for k in range(12):
        pass_on(marker("R128", float(k)))
    assert pass_on(marker("S  1")) == ()
    assert pass_on(marker("S  1")) == ()
    assert len(said) == 1
    assert "kept out" in said[0]


def test_on_one_host_the_markers_offset_is_held_back():
    offset = ClockOffset(1.0, 0.0, stream="marker")
    pass_on, _ = gate()
    assert pass_on(offset) == ()
    eeg = ClockOffset(1.0, 0.0)
    assert pass_on(eeg) == (eeg,)
    other, _ = gate(marker_host="stimulus-pc")
    assert other(offset) == (offset,)


def test_when_the_eeg_moves_to_another_host_the_held_offset_follows():
    where = sources()
    pass_on = EventGate(None, where, say=lambda _: None)
    offset = ClockOffset(1.0, 0.0, stream="marker")
    assert pass_on(offset) == ()
    where.description = rig.stream(250.0, host="spare")
    changed = StreamChanged(where.description)
    assert pass_on(changed) == (changed, offset)
    assert pass_on(changed) == (changed,)


def test_everything_else_goes_on():
    pass_on, _ = gate("R128")
    passed = TimePassed(3.0)
    assert pass_on(passed) == (passed,)


def test_of_thousands_of_other_labels_only_some_are_told():
    pass_on, said = gate()
    for _ in range(MARKERS_THAT_MAY_BE_ASKED_ABOUT):
        pass_on(marker("R128"))
    for n in range(1000):
        assert pass_on(marker(f"trial {n}")) == ()
    assert len(said) == MOST_TOLD


def test_a_star_names_all_labels_that_begin_so():
    assert same_label('{"event": "volume", "n": 3}', '{"event":"volume"*')
    assert not same_label('{"event": "button"}', '{"event":"volume"*')
    assert labelled("volume 7", "volume*") == "volume*"
    assert same_label("S*", "S*")


def test_labels_that_begin_alike_are_offered_by_their_beginning():
    many = [f"volume {k}" for k in range(12)]
    assert prefix_hint(many) == " For all that begin so: --trigger 'volume *'."
    assert prefix_hint(["R128", "S  1", "S  2", "S  3"]) == ""
    assert prefix_hint(["S  1", "S  2"]) == ""
    assert prefix_hint([]) == ""
    with pytest.raises(AmbiguousStream, match=r"'volume 2' and 7 more.*'volume \*'"):
        select_label(many)
