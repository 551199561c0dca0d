import numpy as np
import pytest

pytest.importorskip("torch")

from rtbold.calibration.evaluate.scores import (
    mean_r,
    other_scan_r,
    pearson_r,
    per_roi,
    r_of_scans,
    shuffled_r,
)


def scans(n_scans=6, n=200, signal=1.0, seed=0):
    rng = np.random.default_rng(seed)
    measured = [rng.standard_normal((n, 3)).astype(np.float32) for _ in range(n_scans)]
    predicted = [signal * m + rng.standard_normal((n, 3)) for m in measured]
    return [p.astype(np.float32) for p in predicted], measured


def test_pearson_r_is_numpys():
    (predicted, *_), (measured, *_) = scans()
    expected = [np.corrcoef(predicted[:, i], measured[:, i])[0, 1] for i in range(3)]
    np.testing.assert_allclose(pearson_r(predicted, measured), expected, atol=1e-6)


def test_a_constant_has_r_zero_not_nan():
    _, (measured, *_) = scans()
    np.testing.assert_array_equal(pearson_r(np.ones((200, 3)), measured), 0)


def test_interval_covers_and_p_is_small_for_a_signal():
    r = r_of_scans(*scans()).mean(axis=1)
    summary = mean_r(r)
    assert summary.low < summary.r < summary.high
    assert summary.p < 1e-4
    assert summary.r == pytest.approx(0.7, abs=0.05)


def test_interval_of_nothing_holds_zero_about_as_often_as_it_says():
    inside = 0
    for seed in range(200):
        r = r_of_scans(*scans(signal=0.0, n=60, seed=seed)).mean(axis=1)
        summary = mean_r(r)
        inside += summary.low <= 0 <= summary.high
    assert 180 <= inside <= 199


def test_one_scan_has_no_interval():
    summary = mean_r(np.array([0.4]))
    assert (summary.low, summary.high, summary.p) == (-1.0, 1.0, 1.0)


def test_controls_take_the_pairing_away():
    predicted, measured = scans()
    assert abs(other_scan_r(predicted, measured).mean()) < 0.1
    assert abs(shuffled_r(predicted, measured, seed=0).mean()) < 0.1


def test_per_roi_names_each():
    rows = per_roi(r_of_scans(*scans()), ["a", "b", "c"])
    assert [row.roi for row in rows] == ["a", "b", "c"]
    assert all(row.r_low < row.r < row.r_high for row in rows)
