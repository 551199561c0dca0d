import itertools

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from rtbold.gui.views.summary_page import ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-1.0, 1.0, [-1.0, -0.5, 0.0, 0.5, 1.0]),
        (787.0, 813.0, [790, 795, 800, 805, 810]),
        (0.0, 5.0, [0, 1, 2, 3, 4, 5]),
        (3.0, 3.0, [3.0]),
        (813.0, np.nextafter(813.0, 900.0), [813.0]),  # the last bit is no range
        (0.0, 5e-324, [0.0]),
    ],
)
def test_ticks_are_round_numbers_within_the_range(low, high, expected):
    assert ticks(np.array([low, high])) == pytest.approx(expected)


def test_there_are_always_some_ticks_and_not_many():
    rng = np.random.default_rng(0)
    for _ in range(300):
        values = rng.normal() * 10.0 ** rng.integers(-3, 5) * rng.normal(size=9)
        found = ticks(values)
        assert 2 <= len(found) <= 7, values
        assert values.min() <= found[0] < found[-1] <= values.max()


@given(st.floats(-1e38, 1e38), st.floats(0, 1e38))
@example(0.0, 0.6 - 1e-16)  # a step is no exact number, the end lies just below
@example(1e6, 1e-9)
@example(0.0, 1e-320)
def test_ticks_rise_within_the_range_of_whatever_was_measured(low, more):
    found = ticks(np.array([low, low + more]))
    assert 1 <= len(found) <= 8
    assert low <= found[0]
    assert found[-1] <= low + more
    assert all(a < b for a, b in itertools.pairwise(found))
