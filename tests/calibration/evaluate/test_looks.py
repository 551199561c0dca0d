"""Bounds of O'Brien and Fleming, computed."""

import numpy as np
import pytest

from rtbold.calibration.evaluate.looks import look_bounds, look_levels, look_of
from rtbold.errors import ConfigError


def test_bounds_are_those_of_the_tables():
    # Jennison and Turnbull 2000, one-sided 0.05 (two-sided 0.1), constants 1.678, 1.710
    assert look_bounds((10, 20), 0.05) == pytest.approx((2.373, 1.678), abs=0.002)
    assert look_bounds((10, 20, 30), 0.05) == pytest.approx(
        (2.961, 2.094, 1.710), abs=0.002
    )
    assert look_bounds((15,), 0.05) == pytest.approx((1.645,), abs=0.001)


def test_all_looks_together_hold_the_level():
    rng = np.random.default_rng(0)
    minutes = np.array([8.0, 10.0, 25.0])
    steps = rng.standard_normal((200_000, 3)) * np.sqrt(np.diff([0, *minutes]))
    z = steps.cumsum(axis=1) / np.sqrt(minutes)
    crossed = (z >= look_bounds(minutes, 0.05)).any(axis=1).mean()
    assert crossed == pytest.approx(0.05, abs=0.002)


def test_levels_rise_and_the_last_is_nearly_the_whole():
    levels = look_levels((10, 20, 30), 0.05)
    assert list(levels) == sorted(levels)
    assert levels[0] == pytest.approx(0.0015, abs=0.0001)
    assert 0.04 < levels[-1] < 0.05


def test_a_scan_is_the_last_look_that_it_is_long_enough_for():
    assert [look_of((10, 20), minutes) for minutes in (5, 9.6, 14, 19.8, 40)] == [
        0, 1, 1, 2, 2,
    ]  # fmt: skip


@pytest.mark.parametrize("minutes", [(), (20, 10), (0, 10), (10, 10), range(1, 20)])
def test_looks_that_are_none(minutes):
    with pytest.raises(ConfigError, match="expected 1 to 10 rising numbers of minutes"):
        look_bounds(minutes, 0.05)
    with pytest.raises(ConfigError, match="alpha is 5, expected a level"):
        look_bounds((10, 20), 5)
