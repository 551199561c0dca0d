"""Each scenario has a truth: when the samples were taken. Stamps only describe it."""

import itertools

import numpy as np
import pytest
from hypothesis import given, strategies as st

from rtbold.condition.timebase import SampleClock, SampleClockSettings
from rtbold.errors import ConfigError

TRANSPORT_S = 0.02
NAN = float("nan")


def clock_at(rate_hz, **options):
    return SampleClock(SampleClockSettings(rate_hz, **options))


def feed(clock, stamps, truth=None, chunk_n=None, cuts=None, index0=0):
    """Push in chunks that arrive 20 ms after their last sample was taken.

    Returns the jumps, with the count of the first sample after each.
    """
    truth = stamps if truth is None else truth
    if cuts is None:
        cuts = range(chunk_n, len(stamps), chunk_n)
    jumps = []
    bounds = [0, *sorted(cuts), len(stamps)]
    for first, stop in itertools.pairwise(bounds):
        arrived_s = truth[stop - 1] + TRANSPORT_S if stop else 0.0
        found = clock.push(stamps[first:stop], arrived_s, index0 + first)
        jumps += [(jump.source_index - index0, jump) for jump in found]
    return jumps


def regular(rate_hz, duration_s, start_s=5000.0):
    return start_s + np.arange(round(rate_hz * duration_s)) / rate_hz


def lost(times, first, n):
    return np.delete(times, np.s_[first : first + n])


def error_at_end_s(clock, truth):
    return clock.time_of(len(truth) - 1) - truth[-1]


@pytest.mark.parametrize("rate_hz", [200, 250, 512, 1000, 5000])
@pytest.mark.parametrize("chunk_s", [0.01, 0.25])
def test_regular_stamps_are_followed_exactly(rate_hz, chunk_s):
    clock = clock_at(rate_hz)
    truth = regular(rate_hz, 12)
    assert feed(clock, truth, chunk_n=round(rate_hz * chunk_s)) == []
    assert clock.settled
    np.testing.assert_allclose(
        [clock.time_of(p) for p in range(len(truth))], truth, atol=1e-7
    )
    assert clock.effective_rate_hz == pytest.approx(rate_hz, rel=1e-6)
    assert clock.drift_s(16 * rate_hz) == pytest.approx(0, abs=1e-6)


@pytest.fixture(scope="module")
def noisy_clock():
    clock = clock_at(200)
    noise = np.random.default_rng(0).normal(0, 0.01, 2400)
    feed(clock, regular(200, 12) + noise, chunk_n=20)
    return clock


@given(index=st.floats(-1e4, 1e6), ahead=st.floats(1e-3, 1e4))
def test_time_is_monotone(noisy_clock, index, ahead):
    assert noisy_clock.time_of(index + ahead) > noisy_clock.time_of(index)


def test_one_chunk_of_sixty_seconds_equals_small_ones():  # fault 12
    stamps = regular(200, 60) + np.random.default_rng(1).normal(0, 0.001, 12000)
    at_once, slowly = clock_at(200), clock_at(200)
    assert feed(at_once, stamps, cuts=[]) == feed(slowly, stamps, chunk_n=10) == []
    assert at_once.time_of(11999) == slowly.time_of(11999)


@pytest.mark.parametrize("step_s", [20.0, -20.0, 2e5, -2e5, 0.4 - 1.2])
def test_a_stamp_step_does_not_move_time(step_s):  # fault 8
    clock = clock_at(200)
    truth = regular(200, 40)
    noise = np.random.default_rng(2).normal(0, 0.002, len(truth))
    stamps = truth + noise
    stamps[4003:] += step_s
    jumps = feed(clock, stamps, truth, chunk_n=20)
    assert [(count, j.kind, j.n_missing) for count, j in jumps] == [(4003, "step", 0)]
    assert jumps[0][1].seconds == pytest.approx(step_s, abs=0.01)
    assert abs(error_at_end_s(clock, truth)) < 0.002
    assert clock.step_s == pytest.approx(step_s, abs=0.002)
    assert clock.settled
    assert abs(clock.drift_s(3200)) < 0.005


def test_a_second_step_adds():
    clock = clock_at(500)
    truth = regular(500, 40)
    stamps = truth.copy()
    stamps[5000:] += 20
    stamps[12000:] -= 25
    kinds = [j.kind for _, j in feed(clock, stamps, truth, chunk_n=50)]
    assert kinds == ["step", "step"]
    assert clock.step_s == pytest.approx(-5)
    assert abs(error_at_end_s(clock, truth)) < 1e-6


@pytest.mark.parametrize("chunk_n", [1, 10, 40, 333])
@pytest.mark.parametrize("missing_s", [0.15, 3.0, 40.0])
def test_a_gap_is_found_where_it_is(chunk_n, missing_s):  # fault 11
    clock = clock_at(200)
    n_missing = round(missing_s * 200)
    truth = lost(regular(200, 30 + missing_s), 3001, n_missing)
    jumps = feed(clock, truth, chunk_n=chunk_n)
    assert [(c, j.kind, j.n_missing) for c, j in jumps] == [(3001, "gap", n_missing)]
    assert jumps[0][1].seconds == pytest.approx(missing_s, abs=1e-6)
    assert abs(error_at_end_s(clock, truth)) < 1e-6
    assert clock.drift_s(3200) == pytest.approx(0, abs=1e-6)


def test_a_gap_unsettles_for_a_second():
    clock = clock_at(200)
    truth = lost(regular(200, 30), 3001, 600)
    feed(clock, truth[:3050], chunk_n=50)
    assert not clock.settled
    feed(clock, truth[3050:3250], chunk_n=50, index0=3050)
    assert clock.settled


def test_after_a_gap_samples_keep_their_index():
    truth = lost(regular(200, 30), 3001, 30)
    clock = clock_at(200)
    ((count, jump),) = feed(clock, truth, chunk_n=20)
    assert count == jump.source_index == 3001
    assert clock.time_of(3001) == pytest.approx(truth[3001])
    assert clock.time_of(len(truth) - 1) == pytest.approx(truth[-1])


def test_without_arrivals_forward_is_a_gap_and_backward_a_step():
    stamps = regular(200, 30)
    stamps[2000:] += 20
    stamps[4000:] -= 7
    clock = clock_at(200)
    jumps = [
        *clock.push(stamps[:3000], NAN, 0),
        *clock.push(stamps[3000:], NAN, 3000),
    ]
    assert [(j.source_index, j.kind, j.n_missing) for j in jumps] == [
        (2000, "gap", 4000),
        (4000, "step", 0),
    ]


def test_a_gap_inside_one_late_chunk_is_still_a_gap():
    clock = clock_at(200)
    truth = lost(regular(200, 30), 3100, 600)
    jumps = feed(clock, truth, cuts=[1000, 2000, 3000])
    assert [(c, j.kind, j.n_missing) for c, j in jumps] == [(3100, "gap", 600)]


def test_samples_missing_at_a_step_are_not_passed_over():
    clock = clock_at(200)
    truth = lost(regular(200, 30), 3000, 600)
    stamps = truth.copy()
    stamps[3000:] -= 2e5
    jumps = feed(clock, stamps, truth, chunk_n=20)
    assert [(j.kind, j.n_missing) for _, j in jumps] == [("step", 0), ("gap", 600)]
    assert jumps[0][0] == 3000
    assert 3400 <= jumps[1][0] <= 3420
    assert abs(error_at_end_s(clock, truth)) < 0.01


def test_a_step_while_the_network_is_slow_is_no_gap():
    clock = clock_at(200)
    truth = regular(200, 30)
    stamps = truth.copy()
    stamps[3000:] -= 20
    arrivals = truth + TRANSPORT_S
    arrivals[2900:3200] = np.maximum(arrivals[2900:3200], truth[3199])
    jumps = []
    for first in range(0, len(truth), 20):
        part = slice(first, first + 20)
        jumps += clock.push(stamps[part], arrivals[part][-1], first)
    assert [j.kind for j in jumps] == ["step"]
    assert abs(error_at_end_s(clock, truth)) < 0.001


@pytest.mark.parametrize("burst_n", [40, 100])
def test_bursts_stamped_at_sending_keep_their_true_time(burst_n):  # fault 9
    clock = clock_at(200)
    truth = regular(200, 30)
    stamps = np.repeat(truth[burst_n - 1 :: burst_n], burst_n)
    stamps += 1e-6 * (np.arange(len(stamps)) % burst_n)
    assert feed(clock, stamps, truth[: len(stamps)], chunk_n=burst_n) == []
    assert abs(error_at_end_s(clock, truth[: len(stamps)])) < 0.001


def test_a_gap_between_bursts_is_measured_to_the_sample():
    truth = lost(regular(200, 33), 3000, 600)
    stamps = np.repeat(truth[39::40], 40)
    clock = clock_at(200)
    jumps = feed(clock, stamps, truth, chunk_n=40)
    assert [(c, j.kind, j.n_missing) for c, j in jumps] == [(3000, "gap", 600)]


def test_bursts_stamped_backwards_with_jitter_are_no_jumps():
    clock = clock_at(200)
    truth = regular(200, 60)
    late_s = np.random.default_rng(3).uniform(0, 0.15, 300)
    stamps = truth + np.repeat(late_s, 40)
    assert feed(clock, stamps, truth, chunk_n=40) == []
    assert abs(error_at_end_s(clock, truth) - 0.075) < 0.04


def test_a_sender_that_stalls_once_costs_nothing():
    clock = clock_at(200)
    truth = regular(200, 30)
    stamps = truth.copy()
    stamps[3000:3060] = truth[3060]  # 0.3 s sent at once
    assert feed(clock, stamps, truth, chunk_n=10) == []
    assert abs(error_at_end_s(clock, truth)) < 1e-4


def test_a_late_chunk_that_looked_like_a_gap_is_taken_back():
    clock = clock_at(200)
    truth = regular(200, 30)
    sent, stamps = truth.copy(), truth.copy()
    stamps[3000:3020] += 0.3
    sent[3019] += 0.3
    kinds = [(c, j.kind) for c, j in feed(clock, stamps, sent, chunk_n=20)]
    assert kinds == [(3000, "gap"), (3020, "step")]
    assert abs(error_at_end_s(clock, truth)) < 1e-4


@pytest.mark.parametrize("step_s", [0.12, 0.3, 0.7])
def test_a_short_step_that_arrivals_do_not_follow_is_no_gap(step_s):
    clock = clock_at(200)
    truth = regular(200, 40)
    stamps = truth.copy()
    stamps[4003:] += step_s
    jumps = feed(clock, stamps, truth, chunk_n=20)
    assert [(count, j.kind) for count, j in jumps] == [(4003, "step")]
    assert abs(error_at_end_s(clock, truth)) < 1e-6


@pytest.mark.parametrize("chunk_n", [1, 10, 40, 333])
@pytest.mark.parametrize("missing_n", [11, 16, 19])
def test_a_short_gap_is_told_at_its_second_sample_and_followed(chunk_n, missing_n):
    clock = clock_at(200)
    truth = lost(regular(200, 30), 3001, missing_n)
    jumps = feed(clock, truth[:3004], chunk_n=chunk_n)
    assert [(c, j.kind, j.n_missing) for c, j in jumps] == [
        (3001, "short_gap", missing_n)
    ]
    assert feed(clock, truth[3004:], chunk_n=chunk_n, index0=3004) == []
    assert clock.settled
    assert abs(error_at_end_s(clock, truth)) < 1e-6
    assert clock.drift_s(3200) == pytest.approx(missing_n / 200, abs=1e-6)
    assert clock.effective_rate_hz == pytest.approx(200, rel=1e-6)


@pytest.mark.parametrize("step_s", [0.07, -0.07])
def test_a_short_step_moves_no_time(step_s):
    clock = clock_at(200)
    truth = regular(200, 30)
    stamps = truth.copy()
    stamps[3001:] += step_s
    jumps = feed(clock, stamps, truth, chunk_n=10)
    assert [(c, j.kind, j.n_missing) for c, j in jumps] == [(3001, "short_step", 0)]
    assert clock.step_s == pytest.approx(step_s)
    assert abs(error_at_end_s(clock, truth)) < 1e-6


def test_a_chunk_that_was_stamped_late_is_no_short_gap():
    clock = clock_at(200)
    truth = regular(200, 30)
    sent, stamps = truth.copy(), truth.copy()
    stamps[3000:3020] += 0.08
    sent[3019] += 0.08
    kinds = [(c, j.kind) for c, j in feed(clock, stamps, sent, chunk_n=20)]
    assert kinds == [(3000, "short_gap"), (3000, "taken_back")]
    assert abs(error_at_end_s(clock, truth)) < 1e-3


def test_a_chunk_that_stays_late_too_long_comes_back_as_a_short_gap():
    clock = clock_at(200)
    truth = regular(200, 40)
    sent, stamps = truth.copy(), truth.copy()
    stamps[3000:3500] += 0.08
    sent[3000:3500] += 0.08
    kinds = [(c, j.kind) for c, j in feed(clock, stamps, sent, chunk_n=20)]
    assert kinds == [(3000, "short_gap"), (3500, "short_gap")]
    assert abs(error_at_end_s(clock, truth)) < 1e-3


def test_what_jitter_makes_look_like_a_short_gap_is_taken_back():
    clock = clock_at(200)
    truth = regular(200, 120)
    late_s = np.repeat(np.random.default_rng(4).exponential(0.01, 1200), 20)
    jumps = feed(clock, truth + late_s, truth + late_s, chunk_n=20)
    told = [j.source_index for _, j in jumps if j.kind == "short_gap"]
    assert [j.source_index for _, j in jumps if j.kind == "taken_back"] == told
    assert len(jumps) == 2 * len(told) <= 6


def test_single_bad_stamps_are_passed_over():
    rng = np.random.default_rng(4)
    clock = clock_at(1000)
    truth = regular(1000, 30)
    stamps = truth + rng.normal(0, 1e-4, len(truth))
    bad = rng.choice(np.arange(10, len(truth), 7), 300, replace=False)
    stamps[bad] += rng.choice([-30, -0.2, 0.2, 5, np.nan, np.inf], 300)
    assert feed(clock, stamps, truth, chunk_n=50) == []
    assert abs(error_at_end_s(clock, truth)) < 0.001


@pytest.mark.parametrize("first", [NAN, 0.0, 5000.2])
def test_a_bad_first_stamp_is_got_over(first):
    clock = clock_at(200)
    truth = regular(200, 10)
    stamps = truth.copy()
    stamps[0] = first
    feed(clock, stamps, truth, chunk_n=10)
    assert abs(error_at_end_s(clock, truth)) < 0.001


def test_lost_samples_one_by_one_show_as_drift():  # fault 10
    clock = clock_at(200)
    rng = np.random.default_rng(5)
    truth = regular(200, 60)
    truth = truth[rng.random(len(truth)) > 0.01]
    assert feed(clock, truth, chunk_n=10) == []
    assert clock.drift_s(3200) == pytest.approx(0.16, abs=0.06)
    assert clock.drift_s(3200) > 0.1
    assert clock.effective_rate_hz == pytest.approx(198, rel=0.003)
    assert abs(error_at_end_s(clock, truth)) < 0.02


def test_time_follows_even_when_every_tenth_sample_is_lost():
    clock = clock_at(500)
    truth = regular(500, 60)
    truth = truth[np.random.default_rng(9).random(len(truth)) > 0.1]
    feed(clock, truth, chunk_n=10)
    assert abs(error_at_end_s(clock, truth)) < 0.1
    assert clock.drift_s(8000) > 1


def test_a_lower_bound_finds_gaps_short_enough_to_bridge():
    clock = clock_at(200, jump_min_s=0.0075)
    truth = lost(regular(200, 30), 3001, 10)
    stamps = truth + np.random.default_rng(10).normal(0, 2e-4, len(truth))
    ((count, jump),) = feed(clock, stamps, truth, chunk_n=20)
    assert (count, jump.kind, jump.n_missing) == (3001, "gap", 10)


def test_a_sample_clock_off_for_an_hour_stays_within_a_sample():  # fault 13
    clock = clock_at(200)
    n_chunk = 20
    rng = np.random.default_rng(6)
    truth = 5000 + np.arange(3600 * 200) * 1.0005 / 200
    stamps = truth + np.repeat(rng.normal(0, 0.002, len(truth) // n_chunk), n_chunk)
    worst_s = worst_move_s = 0.0
    for first in range(0, len(truth), 200):
        chunk = slice(first, first + 200)
        expected_s = clock.time_of(first + 199)
        t_arrived_s = truth[chunk][-1] + TRANSPORT_S
        assert clock.push(stamps[chunk], t_arrived_s, first) == ()
        error_s = clock.time_of(first + 199) - truth[first + 199]
        worst_s = max(worst_s, abs(error_s))
        if first > 2000:
            moved_s = clock.time_of(first + 199) - expected_s
            worst_move_s = max(worst_move_s, abs(moved_s))
    assert worst_s < 0.005
    assert worst_move_s < 0.005
    assert clock.drift_s(3200) == pytest.approx(0.008, abs=0.003)
    assert clock.effective_rate_hz == pytest.approx(200 / 1.0005, rel=2e-4)


def test_clock_corrections_of_milliseconds_are_no_jumps():
    clock = clock_at(500)
    truth = regular(500, 60)
    wobble_s = np.random.default_rng(7).normal(0, 0.003, 12)
    stamps = truth + np.repeat(wobble_s, 2500)
    assert feed(clock, stamps, truth, chunk_n=25) == []
    assert abs(error_at_end_s(clock, truth)) < 0.006


def test_frozen_stamps_are_noticed():
    clock = clock_at(200)
    truth = regular(200, 30)
    stamps = truth.copy()
    stamps[3000:] = stamps[3000]
    jumps = feed(clock, stamps, truth, chunk_n=20)
    assert jumps
    assert {j.kind for _, j in jumps} == {"step"}
    assert abs(error_at_end_s(clock, truth)) < 0.6


def test_restart_forgets_everything():
    clock, fresh = clock_at(200), clock_at(200)
    stamps = regular(200, 15)
    stamps[1500:] -= 300
    feed(clock, stamps, regular(200, 15), chunk_n=20)
    clock.restart()
    assert (clock.settled, clock.step_s) == (False, 0.0)
    assert np.isnan(clock.time_of(0))
    other = regular(200, 12, start_s=9.0)
    feed(clock, other, chunk_n=20)
    feed(fresh, other, chunk_n=20)
    assert clock.time_of(2000) == fresh.time_of(2000)


def test_before_the_first_sample_nothing_is_known():
    clock = clock_at(200)
    assert clock.push(np.empty(0), 3.0, 0) == ()
    assert np.isnan(clock.time_of(0))
    assert clock.drift_s(3200) == 0
    assert not clock.settled


@pytest.mark.parametrize("rate_hz", [0, -1, NAN])
def test_a_rate_that_no_stream_has_is_refused(rate_hz):
    with pytest.raises(ConfigError, match="nominal rate above 0"):
        SampleClockSettings(rate_hz)
