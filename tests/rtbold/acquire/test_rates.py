import numpy as np
import pytest

from rtbold.acquire.rates import (
    Bursts,
    RateWatch,
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


def watched(stamps_s, declared_hz=500.0, chunk_n=25):
    watch = RateWatch(declared_hz)
    for first in range(0, len(stamps_s), chunk_n):
        watch.push(stamps_s[first : first + chunk_n], first)
    return watch


@pytest.mark.parametrize("chunk_n", [1, 7, 25, 500])
@pytest.mark.parametrize(("comes_hz", "seconds"), [(250, 4), (1000, 3), (125, 5)])
def test_another_rate_than_the_declared_one_is_known_soon(comes_hz, seconds, chunk_n):
    watch = watched(np.arange(comes_hz * seconds) / comes_hz, chunk_n=chunk_n)
    assert watch.rate_hz == pytest.approx(comes_hz)
    assert f"500 Hz declared, {comes_hz} arrive" in watch.text


def test_stamps_that_a_chunk_counts_back_by_the_declared_rate_tell_it_too():
    k = np.arange(2500)
    stamps_s = (k // 25) * 0.1 + (k % 25 - 25) * 0.002  # 25 samples in 0.1 s
    assert watched(stamps_s).rate_hz == pytest.approx(250.0, rel=0.03)
    n = 250  # in half a second: with stamps of a second
    stamps_s = (k // n) * 0.5 + (k % n - n) * 0.004
    found_hz = watched(stamps_s, declared_hz=250.0).rate_hz
    assert found_hz == pytest.approx(500.0, rel=0.1)


@pytest.mark.parametrize("chunk_s", [0.1, 0.3, 0.4, 0.5])
def test_chunks_whose_samples_share_a_stamp_are_no_other_rate(chunk_s):
    chunk_n = round(250 * chunk_s)
    k = np.arange(250 * 30)
    watch = RateWatch(250.0)
    for first in range(0, len(k), chunk_n):
        watch.push((k[first : first + chunk_n] // chunk_n) * chunk_s, first)
        assert watch.rate_hz is None
    # and quite another one is told all the same
    watch = RateWatch(250.0)
    watch.push((k[: 250 * 20] // chunk_n) * chunk_s / 1.5, 0)
    assert watch.rate_hz == pytest.approx(375.0, rel=0.1)


@pytest.mark.parametrize("gap_s", [0.2, 1.0, 3.0])
@pytest.mark.parametrize("seconds", [4, 6, 9])
def test_a_gap_is_no_other_rate(gap_s, seconds):
    times_s = np.arange(500 * seconds) / 500.0
    for n in range(600, len(times_s), 100):
        stamps_s = np.where(np.arange(len(times_s)) < n, times_s, times_s + gap_s)
        assert watched(stamps_s).rate_hz is None


def test_a_step_of_the_stamps_is_no_rate():
    times_s = np.arange(3000) / 500.0
    for step_s in (-1000.0, -0.5, 0.5, 1000.0):
        stamps_s = np.where(times_s < 3.0, times_s, times_s + step_s)
        assert watched(stamps_s).rate_hz is None


def heard(times_s):
    bursts = Bursts()
    for t_s in times_s:
        bursts.heard(float(t_s))
    return bursts


@pytest.mark.parametrize("every_s", [1.0, 1.2, 2.0])
def test_bursts_are_told_with_their_length(every_s):
    parts_s = [k * every_s + part for k in range(4) for part in (0.0, 0.002, 0.004)]
    assert heard(parts_s).text == (
        f"samples come in bursts of {every_s:.2g} s, expected below 1 s"
    )


def test_samples_that_flow_come_in_no_bursts():
    flow_s = np.arange(0, 20, 0.05)
    assert heard(flow_s).text == ""
    assert heard(np.arange(0, 20, 0.5)).text == ""
    # hiccups of the network, the flow between them
    assert heard([t for t in flow_s if not 0 < t % 6 < 1.3]).text == ""
    # and bursts that have ended
    assert heard([*np.arange(0, 8, 1.2), *(8.5 + flow_s)]).text == ""
