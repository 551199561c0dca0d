import numpy as np
import pytest

from rtbold.condition.clock_model import ArrivalLags, Chunk
from rtbold.condition.clocks import ForeignClock

NAN = float("nan")


def arrivals(*lags_s):
    judge = ArrivalLags(tolerance_s=0.5, backlog_s=1.0)
    for lag_s in lags_s:
        judge.add(lag_s)
    return judge


def test_lag_is_the_age_of_the_newest_sample():
    assert Chunk(100, 149, 20.0).lag_s(140, 19.0, period_s=0.01) == pytest.approx(0.91)


@pytest.mark.parametrize(
    ("usual", "seconds", "lag_s", "kind"),
    [
        ((0.02,), 3.0, 0.02, "gap"),
        ((0.02,), 3.0, 0.4, "gap"),
        ((0.02,), 20.0, -19.98, "step"),  # stamps run ahead of arrivals
        ((0.02,), -20.0, 20.02, "step"),
        ((0.02, 0.9), 3.0, 0.02, "gap"),  # one slow chunk is no reference
        ((), 3.0, 57.0, "gap"),  # first chunk, a backlog
        ((40.0,), 3.0, 37.0, "gap"),  # in a backlog
        ((), 20.0, -19.0, "step"),
        ((), 3.0, NAN, "gap"),
        ((), -3.0, NAN, "step"),
    ],
)
def test_kind_of_a_jump(usual, seconds, lag_s, kind):
    assert arrivals(*usual).classify(seconds, lag_s) == kind


@pytest.mark.parametrize(
    ("usual", "since", "late_s"),
    [
        ((0.02,), (3.3, 3.02), 3.0),
        ((0.02,), (3.02, 0.4), 0.0),  # caught up
        ((40.0,), (43.0,), 0.0),  # a backlog is no reference
        ((0.02,), (), 0.0),
        ((), (3.0,), 0.0),
        ((0.02,), (NAN,), 0.0),
    ],
)
def test_arrivals_that_stay_late(usual, since, late_s):
    judge = arrivals(*usual)
    judge.watch()
    for lag_s in since:
        judge.add(lag_s)
    assert judge.stays_late_s == pytest.approx(late_s)


def test_smallest_lag_is_forgotten_after_two_turns():
    judge = arrivals(0.1, NAN, 0.4)
    judge.turn()
    judge.add(0.3)
    assert judge.usual_s == 0.1
    judge.turn()
    assert judge.usual_s == 0.3
    assert judge.late(0.81)
    assert not judge.late(0.79)


def test_foreign_clock_is_aligned_by_the_smallest_lag():  # fault 7
    rng = np.random.default_rng(8)
    foreign = ForeignClock()
    assert np.isnan(foreign.offset_s)
    assert foreign.uncertainty_s == np.inf
    for k in range(400):
        arrived_s = 300 + 0.1 * k
        stamps = arrived_s + 1.7e9 - 0.004 - rng.exponential(0.02) - np.arange(5) / 50
        foreign.push(stamps, arrived_s)
    assert foreign.offset_s == pytest.approx(-1.7e9 + 0.004, abs=0.001)
    assert 0 < foreign.uncertainty_s < 0.01


def test_foreign_clock_forgets_and_skips_what_is_no_number():
    foreign = ForeignClock(bucket_s=1, n_buckets=3)
    for k in range(10):
        foreign.push(np.array([k - 100.0 - 0.01 * k, NAN]), float(k))
    foreign.push(np.array([NAN]), 99.0)
    assert foreign.offset_s == pytest.approx(100.07)
    assert foreign.uncertainty_s == pytest.approx(0.01)
