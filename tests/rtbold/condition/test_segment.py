import pytest
from hypothesis import given, strategies as st

from rtbold.condition.conditioner import Resampler
from rtbold.condition.segment import SampleTimes, Segment


def test_a_sample_keeps_the_time_that_it_was_given():
    times = SampleTimes()
    times.add(0, 10.0, 0.005)
    before = times.time_of(150)
    times.add(200, 11.002, 0.00501)
    assert times.time_of(150) == before
    assert times.time_of(200) == 11.002
    assert times.time_of(201) == pytest.approx(11.00701)


def test_before_the_first_piece_it_extrapolates():
    times = SampleTimes()
    assert not times
    times.add(0, 10.0, 0.005)
    assert times.time_of(-200) == pytest.approx(9.0)
    assert times.index_at(9.0) == pytest.approx(-200)


@given(st.floats(0, 599.5))
def test_index_is_the_inverse_of_time(index):
    times = SampleTimes()
    for piece in range(3):
        times.add(200 * piece, 10.0 + piece, 0.005)
    assert times.index_at(times.time_of(index)) == pytest.approx(index)


def segment_at(source_first):
    return Segment(source_first, Resampler(250, 1))


def test_a_segment_speaks_of_source_indices():
    segment = segment_at(1000)
    assert (segment.timed, segment.newest_s) == (False, None)
    segment.note_line(10.0, 0.004)
    segment.advance(500, 12.1)
    segment.advance(250, 13.1)
    assert (segment.n_source, segment.source_end) == (750, 1750)
    assert segment.newest_s == segment.time_of(1749) == 10.0 + 749 * 0.004
    assert segment.first_at(11.0) == 1250
    assert segment.first_at(11.001) == 1251
    assert segment.end_200hz(1250) == 200
    assert segment.time_of_200hz(200) == pytest.approx(11.0)
    assert segment.needed(200) == 1000 + Resampler(250, 1).needed(200)


def test_arrivals_bridges_and_steps_are_found_by_source_index():
    segment = segment_at(1000)
    segment.advance(500, 12.1)
    segment.note_bridge(10)
    segment.note_step(ahead=20)
    segment.advance(250, 13.1)
    assert [segment.arrival_of(i) for i in (999, 1000, 1499, 1500)] == [
        None, 12.1, 12.1, 13.1,
    ]  # fmt: skip
    assert segment.n_bridged(1000, 1750) == 10
    assert segment.n_bridged(1505, 1750) == 5
    assert segment.stepped(1520, 1521)
    assert not segment.stepped(1521, 1750)
