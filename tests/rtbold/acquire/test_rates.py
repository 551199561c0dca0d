import numpy as np
import pytest

from rtbold.acquire.rates import (
    is_simple,
    set_rate_hz,
    simple_rate_hz,
    stamped_rate,
)
from rtbold.condition.conditioner import exact_ratio
from rtbold.errors import RateMismatch


@pytest.mark.parametrize(
    "rate_hz", [200.0, 250.0, 256.0, 499.7, 512.0, 600.6, 2048.0, 4999.0]
)
def test_a_rate_that_the_resampler_takes_stays(rate_hz):
    assert is_simple(rate_hz)
    assert simple_rate_hz(rate_hz) == rate_hz
    exact_ratio(rate_hz, 200.0)


@pytest.mark.parametrize(("rate_hz", "set_hz"), [(249.9983, 250), (500.0123, 500)])
def test_a_measured_rate_is_the_whole_number_beside_it(rate_hz, set_hz):
    with pytest.raises(RateMismatch):
        exact_ratio(rate_hz, 200.0)
    assert simple_rate_hz(rate_hz) == set_hz


def test_a_rate_that_is_near_no_whole_number_stays():
    assert simple_rate_hz(300.3123456789) == 300.3123456789
    assert set_rate_hz(3.3) == 3.3
    assert simple_rate_hz(0.0) == 0.0


def test_stamps_of_one_clock_tell_the_rate():
    found = stamped_rate(np.arange(2500) / 250.0)
    assert found.rate_hz == pytest.approx(250.0)
    assert found.step_hz == pytest.approx(250.0)
    assert found.regular
    assert found.off(500.0) == pytest.approx(0.5)
    assert found.off(250.0) == 0.0


def test_events_have_no_rate():
    times_s = np.cumsum(np.random.default_rng(1).exponential(0.3, 400))
    found = stamped_rate(times_s)
    assert found.step_hz is None
    assert not found.regular


@pytest.mark.parametrize(
    "stamps_s", [np.empty(0), np.zeros(50), np.full(50, np.nan), np.arange(5.0)]
)
def test_few_stamps_or_none_have_no_rate(stamps_s):
    assert stamped_rate(stamps_s) is None
