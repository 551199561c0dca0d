from types import SimpleNamespace

import pipeline_rig as rig
import pytest

from rtbold.acquire.triggers import EventGate
from rtbold.errors import AmbiguousStream
from rtbold.messages import ClockOffset, Marker, StreamChanged, TimePassed


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
