import pytest
from hypothesis import given, strategies as st

from rtbold.condition.segment import SampleTimes


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
