import numpy as np
import pytest

from rtbold.gui.views.scatter import ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-1.0, 1.0, [-1.0, -0.5, 0.0, 0.5, 1.0]),
        (787.0, 813.0, [790, 795, 800, 805, 810]),
        (0.0, 5.0, [0, 1, 2, 3, 4, 5]),
        (3.0, 3.0, [3.0]),
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
