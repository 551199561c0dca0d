import numpy as np
import pytest

pytest.importorskip("torch")

from rtbold.calibration.evaluate.intervals import conformal_intervals
from rtbold.errors import DataFileError


def slow(n, columns, seed):
    rng = np.random.default_rng(seed)
    raw = rng.standard_normal((n + 6, columns))
    kernel = np.hanning(7)[:, None]
    return np.stack([(raw[i : i + 7] * kernel).sum(axis=0) for i in range(n)])


def test_coverage_on_new_scans_is_what_it_says():
    inside = np.zeros(2)
    for seed in range(60):
        intervals = conformal_intervals(np.zeros((300, 1)), slow(300, 1, seed))
        new = np.abs(slow(300, 1, seed + 1000))
        inside += [(new <= half).mean() / 60 for half in intervals.half_width[0]]
    assert inside[0] == pytest.approx(0.8, abs=0.03)
    assert inside[1] == pytest.approx(0.95, abs=0.03)


def test_memory_widens():
    fast, tame = np.random.default_rng(0).standard_normal((300, 1)), slow(300, 1, 0)
    assert (
        conformal_intervals(np.zeros((300, 1)), tame).n_eff[0]
        < conformal_intervals(np.zeros((300, 1)), fast).n_eff[0]
    )


def test_each_roi_has_its_own_scale_and_holes_are_left_out():
    measured = slow(300, 2, 0) * [1.0, 10.0]
    measured[:8] = np.nan
    intervals = conformal_intervals(np.zeros((300, 2)), measured)
    narrow, wide = (widths[0] for widths in intervals.half_width)
    assert wide > 5 * narrow
    assert len(intervals.quantiles[0]) == 201
    assert intervals.quantiles[0][-1] == np.nanmax(np.abs(measured[:, 0]))


def test_what_too_few_independent_residuals_cannot_bound_is_none():
    rng = np.random.default_rng(0)
    walk = rng.standard_normal((40, 1)).cumsum(axis=0)
    intervals = conformal_intervals(np.zeros((40, 1)), walk)
    assert intervals.n_eff[0] < 19
    assert intervals.half_width[0][1] is None


def test_too_few_volumes_are_refused():
    with pytest.raises(DataFileError, match="20 volumes with a residual"):
        conformal_intervals(np.zeros((20, 1)), np.ones((20, 1)))
