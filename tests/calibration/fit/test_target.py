import msgspec
import numpy as np
import pytest

pytest.importorskip("torch")

from rtbold.calibration.fit.split import strict_folds
from rtbold.calibration.fit.target import (
    MeasuredScan,
    TargetScaling,
    TargetSettings,
    fit_scaling,
    scored_target,
    target_map,
    targets,
)
from rtbold.errors import ConfigError, DataFileError
from rtbold.truth.score import lowpassed

TR_S = 2.1


def scan(n=457, seed=0, confounds=True):
    rng = np.random.default_rng(seed)
    onsets_s = 16.8 + np.arange(n) * TR_S
    motion = rng.standard_normal((n, 2)).cumsum(axis=0)
    bold = 1000 + 20 * rng.standard_normal((n, 3)) + 0.05 * onsets_s[:, None]
    bold += motion @ np.array([[3.0, 0.0, -1.0], [0.0, 2.0, 1.0]])
    if not confounds:
        return MeasuredScan(bold, onsets_s, ("a", "b", "c"))
    return MeasuredScan(bold, onsets_s, ("a", "b", "c"), motion, ("x", "y"))


def changed(whole, rows):
    bold, motion = whole.bold.copy(), whole.confounds.copy()
    bold[rows] *= -7.0
    motion[rows] += 100.0
    return MeasuredScan(bold, whole.onsets_s, whole.rois, motion, whole.confound_names)


@pytest.mark.parametrize("method", ["zscore", "p95"])
@pytest.mark.parametrize("fold", range(5))
def test_changing_the_test_part_changes_no_bit_of_training(fold, method):
    whole = scan()
    part = strict_folds(whole.onsets_s)[fold]
    other = changed(whole, part.test)
    chosen = TargetSettings(method=method, drift_degree=3)
    one, two = (fit_scaling(s, part.train, chosen) for s in (whole, other))
    assert one == two
    for rows in (part.train, part.stop):
        np.testing.assert_array_equal(
            targets(whole, rows, one), targets(other, rows, two)
        )
    assert not np.array_equal(
        targets(whole, part.test, one), targets(other, part.test, two)
    )


def test_gap_volumes_touch_nothing_either():
    whole = scan()
    part = strict_folds(whole.onsets_s)[2]
    gap = np.setdiff1d(np.arange(457), np.concatenate([part.train, part.stop]))
    other = changed(whole, gap)
    one, two = (fit_scaling(s, part.train) for s in (whole, other))
    assert one == two
    np.testing.assert_array_equal(
        targets(whole, part.train, one), targets(other, part.train, two)
    )


def test_targets_are_a_linear_map_of_what_was_measured_but_for_the_scale():
    whole = scan()
    part = strict_folds(whole.onsets_s)[1]
    scaling = fit_scaling(whole, part.train)
    maps = target_map(whole, (part.train, part.stop))
    for rows, matrix in zip((part.train, part.stop), maps, strict=True):
        expected = targets(whole, rows, scaling) * np.array(scaling.scale)
        np.testing.assert_allclose(matrix @ whole.bold, expected, atol=1e-4)


def test_training_targets_are_standard():
    whole = scan()
    part = strict_folds(whole.onsets_s)[1]
    units = targets(whole, part.train, fit_scaling(whole, part.train))
    np.testing.assert_allclose(units.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(units.std(axis=0), 1, atol=1e-5)


def test_p95_scale_is_the_95th_percentile_of_the_magnitude():
    whole = scan()
    train = np.arange(300)
    scaling = fit_scaling(whole, train, TargetSettings(method="p95"))
    units = targets(whole, train, scaling)
    np.testing.assert_allclose(np.percentile(np.abs(units), 95, axis=0), 1, atol=1e-5)


def test_planted_weights_and_drift_are_found():
    whole = scan()
    scaling = fit_scaling(whole, np.arange(457))
    np.testing.assert_allclose(
        scaling.confound_weights, [[3, 0, -1], [0, 2, 1]], atol=0.5
    )
    slope = (
        np.array(scaling.drift[0]) * 2 / (scaling.drift_end_s - scaling.drift_start_s)
    )
    np.testing.assert_allclose(slope, 0.05, atol=0.02)


def test_scored_series_keeps_drift_and_unit():
    whole = scan(confounds=False)
    scaling = fit_scaling(whole, np.arange(300))
    series = scored_target(whole, np.arange(350, 457), scaling)
    expected = lowpassed(whole.bold[350:457], TR_S, 0.15)
    np.testing.assert_allclose(series, expected, rtol=1e-12)


def test_scaling_survives_json():
    whole = scan()
    scaling = fit_scaling(whole, np.arange(300))
    back = msgspec.json.decode(msgspec.json.encode(scaling), type=TargetScaling)
    assert back == scaling
    rows = np.arange(100)
    np.testing.assert_array_equal(
        targets(whole, rows, back), targets(whole, rows, scaling)
    )


def test_a_constant_roi_is_named():
    whole = scan(confounds=False)
    bold = whole.bold.copy()
    bold[:, 1] = 1234.5
    with pytest.raises(DataFileError, match=r"1 ROIs do not vary .*\(b\)"):
        fit_scaling(MeasuredScan(bold, whole.onsets_s, whole.rois), np.arange(300))


def test_bad_tables_are_refused_in_words():
    whole = scan()
    bold = whole.bold.copy()
    bold[3, 2] = np.nan
    with pytest.raises(DataFileError, match=r"not finite in 1 columns \(c\)"):
        MeasuredScan(bold, whole.onsets_s, whole.rois)
    with pytest.raises(DataFileError, match="457 volumes with 2 ROIs"):
        MeasuredScan(whole.bold, whole.onsets_s, ("a", "b"))
    with pytest.raises(DataFileError, match="one row a volume"):
        MeasuredScan(
            whole.bold, whole.onsets_s, whole.rois, whole.confounds[:10], ("x", "y")
        )
    twice = np.repeat(whole.confounds[:, :1], 2, axis=1)
    doubled = MeasuredScan(whole.bold, whole.onsets_s, whole.rois, twice, ("x", "y"))
    with pytest.raises(DataFileError, match="constant or depend"):
        fit_scaling(doubled, np.arange(300))


def test_confounds_of_the_fit_are_needed_to_apply_it():
    scaling = fit_scaling(scan(), np.arange(300))
    with pytest.raises(DataFileError, match="same columns"):
        targets(scan(confounds=False), np.arange(10), scaling)


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="lowpass_hz is 150"):
        TargetSettings(lowpass_hz=150)
    with pytest.raises(ConfigError, match="drift_degree is 7"):
        TargetSettings(drift_degree=7)
