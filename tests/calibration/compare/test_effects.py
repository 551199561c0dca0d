import numpy as np
import pytest

from rtbold.calibration.compare.effects import (
    by_subject,
    effect,
    estimate,
    mean_with_interval,
    medians,
)


def test_effect_of_known_differences():
    rng = np.random.default_rng(0)
    difference = rng.standard_normal(400) + 0.5
    found = effect(difference)
    assert found["mean"] == pytest.approx(difference.mean())
    assert found["dz"] == pytest.approx(difference.mean() / difference.std(ddof=1))
    assert found["low"] < 0.5 < found["high"]
    # The t interval of so many is nearly the bootstrap's.
    half = 1.966 * difference.std(ddof=1) / 20
    assert found["high"] - found["mean"] == pytest.approx(half, rel=0.05)


@pytest.mark.parametrize("n", [1, 2])
def test_two_subjects_have_no_interval(n):
    values = np.arange(1.0, n + 1)
    found = estimate(values)
    assert found.n == n
    assert found.median == pytest.approx(values.mean())
    assert found.low is found.high is found.mean_low is found.mean_high is None
    assert np.isnan(effect(values)["low"])
    assert np.isnan(effect(values)["dz"]) == (n == 1)  # one has no spread
    assert np.isnan(medians(values[:, None])[1]).all()


def test_scans_of_one_subject_count_once():
    values = np.array([[1.0, 0.0], [3.0, np.nan], [10.0, np.nan]])
    found = by_subject(values, ["a", "a", "b"])
    np.testing.assert_array_equal(found, [[2.0, 0.0], [10.0, np.nan]])
    # The interval is one over subjects: eight scans of two persons have none.
    scans = by_subject(np.arange(8.0), ["a"] * 4 + ["b"] * 4)
    assert estimate(scans).low is None


def test_median_and_mean_are_told_apart():
    values = np.array([0.0, 0.1, 0.2, 0.3, 5.0])
    found = estimate(values)
    assert (found.median, found.mean) == pytest.approx((0.2, 1.12))
    assert found.low <= 0.2 <= found.high
    median, low, high = medians(np.stack([values, values + 1], axis=1))
    np.testing.assert_allclose(median, [0.2, 1.2])
    np.testing.assert_allclose(low + 1, low[0] + [1, 2])
    assert (high >= median).all()


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(1).standard_normal(12)
    assert estimate(values, seed=3) == estimate(values, seed=3)
    assert mean_with_interval(values)["low"] < values.mean()
