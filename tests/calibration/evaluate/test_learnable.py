"""What a participant could learn from a prediction."""

import numpy as np
import pytest

pytest.importorskip("torch")

from rtbold.calibration.evaluate.learnable import (
    ScanFacts,
    best_lag,
    block_r,
    learnable,
    r_within,
    right_side,
)

N, TR_S = 2000, 2.0


def slow(seed, n=N):
    rng = np.random.default_rng(seed)
    kernel = np.hanning(7)
    series = np.convolve(rng.standard_normal(n + 6), kernel, "valid")
    return series / series.std()


def pair(r, seed=0):
    measured = slow(seed)
    return r * measured + np.sqrt(1 - r**2) * slow(seed + 1), measured


def test_right_side_is_the_share_of_volumes_with_the_same_sign():
    rng = np.random.default_rng(0)
    a = rng.standard_normal(200_000)
    b = 0.3 * a + np.sqrt(1 - 0.09) * rng.standard_normal(200_000)
    assert right_side(0.3) == pytest.approx((a * b > 0).mean(), abs=0.004)
    assert [right_side(r) for r in (-1, 0, 1)] == [0, 0.5, 1]


def test_a_block_mean_is_more_reliable_where_noise_is_faster():
    measured = np.convolve(slow(0, N + 30), np.ones(31) / 31, "valid")
    predicted = measured / measured.std() + 2 * slow(1)
    found = block_r(predicted, measured, TR_S)
    assert list(found) == ["20 s", "40 s"]
    r = np.corrcoef(predicted, measured)[0, 1]
    assert r < found["20 s"] < found["40 s"]


def test_blocks_are_means_of_neighbours_that_are_all_scored():
    predicted, measured = pair(0.5)
    predicted[100:110] = np.nan
    rows = [i for i in range(N - 9) if np.isfinite(predicted[i : i + 10]).all()]
    means = [[s[i : i + 10].mean() for i in rows] for s in (predicted, measured)]
    by_hand = np.corrcoef(means)[0, 1]  # but for the drift
    found = block_r(predicted, measured, TR_S)
    assert found["20 s"] == pytest.approx(by_hand, abs=0.02)
    assert block_r(predicted[:60], measured[:60], TR_S).keys() == {"20 s"}


@pytest.mark.parametrize("lag", [-2, 0, 3])
def test_the_best_lag_is_found(lag):
    predicted, measured = pair(0.6)
    later = np.roll(measured, lag)
    found_s, r = best_lag(predicted, later, TR_S)
    assert found_s == lag * TR_S
    assert r == pytest.approx(0.6, abs=0.05)


def test_what_sets_blocks_apart_is_not_inside_them():
    task = np.arange(N) // 20 % 2 == 0
    predicted, measured = slow(3) + 3 * task, slow(4) + 3 * task
    assert np.corrcoef(predicted, measured)[0, 1] > 0.5
    found = r_within(predicted, measured, {"regulate": task, "rest": ~task})
    assert max(abs(r) for r in found.values()) < 0.2
    assert r_within(predicted, measured, {"short": np.arange(N) < 20}) == {}


def test_all_of_it_at_once():
    shared = slow(9)
    predicted, measured = pair(0.3)
    predicted, measured = predicted + 2 * shared, measured + 2 * shared
    found = learnable(predicted, measured, ScanFacts(TR_S), global_signal=shared)
    assert found.right_side > 0.75
    assert found.r_without_global == pytest.approx(0.3, abs=0.06)
    assert found.best_lag_s == 0
    unknown = learnable(predicted, measured, ScanFacts(TR_S))
    assert unknown.r_without_global is None
