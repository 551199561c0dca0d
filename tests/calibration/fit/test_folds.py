import numpy as np
import pytest

torch = pytest.importorskip("torch")

from planted import CHANNELS, ROIS, material, measured, tiny_base  # noqa: E402

from rtbold.calibration.fit.folds import furthest_horizon, out_of_fold, read_scan  # noqa: E402
from rtbold.calibration.fit.head import ClosedFormHead  # noqa: E402
from rtbold.calibration.fit.protocol import (  # noqa: E402
    Material,
    Pace,
    ignore_progress,
    untimed,
)
from rtbold.calibration.fit.split import strict_folds  # noqa: E402
from rtbold.calibration.fit.subject_ridge import fit_subject_ridge, ridge_tables  # noqa: E402
from rtbold.models.linear import LogBandPower  # noqa: E402


def tables(windows):
    pace = Pace("features", 10, now_s=untimed, tell=ignore_progress)
    return ridge_tables(windows, CHANNELS, len(ROIS), pace)


def test_another_test_part_leaves_what_was_learned_as_it_is():
    windows, bold = material()
    folds = strict_folds(windows.onsets_s)
    session = read_scan(
        windows,
        measured(windows.onsets_s, bold),
        tiny_base(),
        strategy=ClosedFormHead(),
    )
    changed = bold.copy()
    changed[folds[2].test] = 7 * np.random.default_rng(0).standard_normal(
        changed[folds[2].test].shape
    )
    other = read_scan(
        windows,
        measured(windows.onsets_s, changed),
        tiny_base(),
        strategy=ClosedFormHead(),
    )
    first, second = (out_of_fold(s, folds[2:3]) for s in (session, other))
    rows = folds[2].test
    np.testing.assert_array_equal(first.network[rows], second.network[rows])
    np.testing.assert_array_equal(first.ridge[rows], second.ridge[rows])
    assert first.folds[0].scaling == second.folds[0].scaling
    assert not np.array_equal(first.scored[rows], second.scored[rows])


def test_series_stand_at_their_volumes():
    windows, bold = material()
    session = read_scan(
        windows,
        measured(windows.onsets_s, bold),
        tiny_base(),
        strategy=ClosedFormHead(),
    )
    folded = out_of_fold(session, strict_folds(windows.onsets_s))
    grid = folded.on_grid("network", windows.volume, 310)
    assert np.isnan(grid[:8]).all()
    np.testing.assert_array_equal(grid[windows.volume], folded.network)


def test_lags_up_to_24_s_are_those_of_the_eeg_before_the_window():
    windows, _ = material(n=40)
    forms = tables(windows).forms
    long = forms["none", 24.0].features.reshape(40, 4, 12, 5)
    near = forms["none", 16.0].features.reshape(40, 4, 8, 5)
    np.testing.assert_array_equal(long[:, :, 4:], near)
    # A volume every 2 s: 24 to 16 s ago is 16 to 8 s before the volume 8 s ago.
    np.testing.assert_allclose(long[4:, :, :4], near[:-4, :, :4], rtol=1e-5)
    np.testing.assert_array_equal(long[:4, :, 0], near[:4, :, 0])


def test_a_hole_in_the_scan_is_no_earlier_eeg():
    windows, _ = material(n=40)
    keep = np.r_[0:10, 13:40]
    holed = Material(
        windows.windows_uv[keep], windows.onsets_s[keep], windows.volume[keep]
    )
    long = tables(holed).forms["none", 24.0].features.reshape(37, 4, 12, 5)
    whole = tables(windows).forms["none", 24.0].features.reshape(40, 4, 12, 5)
    row = int(np.flatnonzero(keep == 15)[0])  # what it needs is volume 11: lost
    np.testing.assert_array_equal(long[row, :, 0], long[row, :, 4])
    last = int(np.flatnonzero(keep == 39)[0])
    np.testing.assert_allclose(long[last], whole[39], rtol=1e-6)


def test_module_of_the_ridge_answers_as_predicted():
    windows, bold = material(n=150)
    target = bold.astype(np.float32)
    ridge = fit_subject_ridge(tables(windows), target, np.arange(150), live=True)
    assert ridge.form[1] == 16.0
    with torch.inference_mode():
        predictions = ridge.module()(torch.from_numpy(windows.windows_uv[:5]))
    np.testing.assert_allclose(ridge.predict(np.arange(5)), predictions, atol=1e-3)
    power = LogBandPower()(torch.from_numpy(windows.windows_uv[:5]))
    assert power.shape == (5, 4 * 8 * 5)


def test_a_form_of_24_s_does_not_run_live():
    windows, bold = material(n=150)
    ridge = fit_subject_ridge(tables(windows), bold.astype(np.float32), np.arange(150))
    long = type(ridge)(("none", 24.0), ridge.head, ridge.fit_features, ridge.channels)
    with pytest.raises(ValueError, match="24 s does not fit"):
        long.module()


def test_the_furthest_horizon_may_cost_a_fiftieth():
    assert furthest_horizon({0: 0.35, 1: 0.352, 2: 0.334, 3: 0.289}) == 2
    assert furthest_horizon({0: 0.35, 1: 0.32, 2: 0.31, 3: 0.331}) == 3
    assert furthest_horizon({0: 0.4, 1: 0.2}) == 0
