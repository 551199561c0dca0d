import math

import pytest

from rtbold.condition.arrival_lag import LagWatch

RATE_HZ = 100.0
NAN = float("nan")


def watch(lags_s, *, watch=None, seconds=None, n=10, aligned=False):
    """Note one lag per chunk of 0.1 s; returns the watch and one past the newest."""
    watch = watch or LagWatch(RATE_HZ, aligned=aligned)
    end = watch._end
    for lag_s in lags_s:
        end += n
        watch.note(lag_s, end)
    return watch, end


def usual(lag_s=0.05, seconds=20):
    return watch([lag_s, lag_s + 0.04] * (5 * seconds))


def test_nothing_is_known_before_the_first_chunk():
    lags = LagWatch(RATE_HZ)
    assert (lags.usual_s, lags.lag_s) == (None, None)
    assert (lags.change_s(0), lags.lead_s(0)) == (0.0, 0.0)
    lags.note(NAN, 10)
    assert (lags.usual_s, lags.lag_s) == (None, None)


def test_the_smallest_lag_of_the_first_window_is_the_usual_one():
    lags, end = watch([60.0, 20.0, 0.9, 0.3, *[0.06, 0.05, 0.09] * 60])
    assert (lags.usual_s, lags.lag_s) == (0.05, 0.05)
    assert lags.change_s(end - 1600) == 0.0
    watch([0.03] * 10, watch=lags)
    assert lags.usual_s == 0.05  # it stands


@pytest.mark.parametrize("rise_s", [0.15, 0.5, 2.0])
def test_a_rise_is_believed_at_the_first_chunk(rise_s):
    lags, end = usual()
    lags.note(0.05 + rise_s, end + 10)
    assert lags.change_s(end - 1600) == pytest.approx(rise_s)


def test_a_rise_of_a_tenth_is_none():
    lags, end = usual()
    watch([0.149] * 400, watch=lags)
    assert lags.change_s(end) == 0.0


def test_a_rise_ends_with_a_proof():
    lags, end = usual()
    watch([0.9, 0.4, 0.3], watch=lags)
    assert lags.change_s(end - 1600) == pytest.approx(0.25)
    watch([0.1], watch=lags)
    assert lags.change_s(end - 1600) == 0.0


def test_three_small_rises_add_up():
    lags, end = usual()
    for k in range(1, 4):
        watch([0.05 + 0.06 * k] * 200, watch=lags)
    assert lags.change_s(end) == pytest.approx(0.18)


def test_late_parts_of_bursts_are_this_streams_manner():
    burst = [0.4, 0.3, 0.2, 0.1, 0.0]
    lags, end = watch(burst * 40)
    watch(burst[:1], watch=lags)
    assert lags.change_s(end - 1600) == 0.0
    watch([0.45] * 150, watch=lags)  # no proof for 15 s
    assert lags.change_s(end) == 0.0
    watch([0.45] * 10, watch=lags)
    assert lags.change_s(end) == pytest.approx(0.45)


def test_a_rise_beyond_the_manner_is_believed_with_the_latest_part():
    burst = [0.4, 0.3, 0.2, 0.1, 0.0]
    lags, end = watch(burst * 40)
    watch([lag_s + 0.15 for lag_s in burst], watch=lags)
    assert lags.change_s(end) == pytest.approx(0.15)


def test_a_rise_that_grows_is_told_as_it_is():
    lags, end = usual()
    watch([0.05 + 0.01 * k for k in range(200)], watch=lags)
    assert lags.change_s(end) == pytest.approx(1.99, abs=0.5)


def test_what_was_late_once_is_no_manner():
    lags, end = usual()
    watch([3.0, 0.05], watch=lags)
    watch([0.4], watch=lags)
    assert lags.change_s(end) == pytest.approx(0.35)


def test_a_fall_lasts_as_long_as_it_is_in_the_window():
    lags, end = usual(0.4)
    watch([0.2], watch=lags)
    assert lags.change_s(end - 1600) == pytest.approx(-0.2)
    watch([0.4] * 30, watch=lags)
    assert lags.change_s(end) == pytest.approx(-0.2)
    assert lags.change_s(end + 110) == 0.0


def test_stamps_that_run_fast_from_the_start_fall():
    lags, end = watch([0.3 - 0.0005 * k for k in range(260)])  # 0.5 % in 26 s
    assert lags.change_s(end - 1600) == pytest.approx(-0.11, abs=0.005)
    watch([0.3 - 0.0005 * k for k in range(260, 600)], watch=lags)
    assert lags.change_s(end) < -0.2


def test_a_start_that_was_slow_is_got_over():
    lags, end = watch([0.4] * 50 + [0.05] * 110)
    assert lags.change_s(end - 1600) == pytest.approx(-0.35)
    lags, end = watch([0.05] * 160, watch=lags)
    assert lags.change_s(end - 1600) == 0.0
    watch([0.2], watch=lags)
    assert lags.change_s(end - 1600) == pytest.approx(0.15)


def test_the_lead_is_that_of_the_window():
    lags, end = usual()
    watch([-0.07], watch=lags)
    watch([0.05] * 30, watch=lags)
    assert lags.lead_s(end) == pytest.approx(0.07)
    assert lags.lead_s(end + 110) == 0.0


def test_a_restart_forgets_samples_and_keeps_what_is_usual():
    lags, end = usual()
    watch([0.6], watch=lags)
    lags.restart(end + 500)
    assert lags.change_s(end) == 0.0
    assert (lags.usual_s, lags.lag_s) == (0.05, None)
    lags.note(0.65, end + 510)
    assert lags.change_s(end + 500) == pytest.approx(0.6)


def test_an_aligned_clock_has_no_usual_lag_and_can_be_shifted():
    lags, end = watch([0.0, -0.3], aligned=True)
    assert lags.usual_s == 0.0
    assert lags.change_s(0) == pytest.approx(-0.3)
    lags.shift(0.3)
    assert lags.change_s(0) == 0.0
    watch([0.5], watch=lags)
    assert lags.change_s(end) == pytest.approx(0.5)


def test_an_unknown_arrival_says_nothing():
    lags, end = usual()
    watch([NAN] * 500, watch=lags)
    assert lags.change_s(end) == 0.0
    assert not math.isnan(lags.lag_s)
