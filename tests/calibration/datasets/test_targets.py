import numpy as np
import pytest

from rtbold.calibration.datasets.targets import MeasuredBold, scan_targets
from rtbold.calibration.fit.target import TargetSettings
from rtbold.errors import ConfigError, DataFileError
from rtbold.truth import lowpassed

N, TR_S = 300, 2.1
PLAIN = TargetSettings(drift_degree=0)


def slow(rng, n=N):
    """A series below the cutoff, far from its edges."""
    return lowpassed(rng.standard_normal((n, 1)), TR_S, 0.1)[:, 0]


def measured(rng, n_rois=4, **changes):
    bold = np.stack([slow(rng) for _ in range(n_rois)], axis=1) + 1000
    known = {
        "bold": bold, "rois": tuple(f"roi {k}" for k in range(n_rois)), "tr_s": TR_S,
        "confounds": {}, "global_signal": None,
    }  # fmt: skip
    return MeasuredBold(**(known | changes))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_targets_have_mean_0_and_sd_1(rng):
    made = scan_targets(measured(rng), PLAIN)
    np.testing.assert_allclose(made.bold.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(made.bold.std(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(made.bold_gsr.std(axis=0), 1, rtol=1e-5)


def test_targets_are_scaled_as_published(rng):
    made = scan_targets(measured(rng), TargetSettings(drift_degree=0, method="p95"))
    np.testing.assert_allclose(made.bold.mean(axis=0), 0, atol=1e-5)
    assert np.percentile(np.abs(made.bold), 95, axis=0) == pytest.approx(1, rel=1e-5)
    assert made.scaling.method == "p95"


def test_the_low_pass_has_no_delay(rng):
    """Zero phase: the target of a slow series is that series."""
    given = measured(rng)
    made = scan_targets(given, PLAIN)
    for target, series in zip(made.bold.T, given.bold.T, strict=True):
        assert np.corrcoef(target[20:-20], series[20:-20])[0, 1] > 0.99


def test_what_is_faster_than_the_cutoff_goes(rng):
    given = measured(rng)
    fast = given.bold + 5 * np.sin(2 * np.pi * 0.2 * TR_S * np.arange(N))[:, None]
    again = scan_targets(measured(rng, bold=fast), PLAIN).bold
    for target, series in zip(again.T, given.bold.T, strict=True):
        assert np.corrcoef(target[20:-20], series[20:-20])[0, 1] > 0.95


def test_units_can_be_had_back(rng):
    given = measured(rng)
    made = scan_targets(given, TargetSettings(drift_degree=0, lowpass_hz=None))
    again = made.bold * np.array(made.scaling.scale) + np.array(made.scaling.mean)
    np.testing.assert_allclose(again, given.bold, rtol=1e-6)


# Confounds.


def test_confounds_are_regressed_out(rng):
    clean, motion = measured(rng), slow(rng)
    dirty = measured(
        rng, bold=clean.bold + 3 * motion[:, None], confounds={"motion": motion}
    )
    made = scan_targets(dirty, PLAIN)
    assert made.regressed == ("motion",)
    for target in made.bold.T:
        assert abs(np.corrcoef(target, motion)[0, 1]) < 0.05
    kept = scan_targets(dirty, PLAIN, ())
    assert kept.regressed == ()
    assert abs(np.corrcoef(kept.bold[:, 0], motion)[0, 1]) > 0.5


def test_confounds_are_chosen_by_pattern(rng):
    columns = {name: slow(rng) for name in ("trans_x", "trans_y", "csf")}
    made = scan_targets(measured(rng, confounds=columns), PLAIN, ("trans_*",))
    assert made.regressed == ("trans_x", "trans_y")


def test_a_confound_that_is_not_there_is_refused(rng):
    given = measured(rng, confounds={"trans_x": slow(rng)})
    with pytest.raises(ConfigError, match=r"no confound trans_q.*trans_x"):
        scan_targets(given, PLAIN, ("trans_q",))


def test_the_first_value_of_a_derivative_may_be_missing(rng):
    derivative = slow(rng)
    derivative[0] = np.nan
    made = scan_targets(measured(rng, confounds={"d": derivative}), PLAIN)
    assert made.regressed == ("d",)
    assert np.isfinite(made.bold).all()


def test_a_confound_with_holes_is_refused(rng):
    holey = slow(rng)
    holey[[0, 7, 8]] = np.nan
    with pytest.raises(DataFileError, match=r"'d' has no number at 3 of 300"):
        scan_targets(measured(rng, confounds={"d": holey}), PLAIN)


def test_redundant_confounds_are_left_out_and_named(rng):
    a, b = slow(rng), slow(rng)
    columns = {"a": a, "b": b, "sum": a - 2 * b + 7, "flat": np.ones(N)}
    made = scan_targets(measured(rng, confounds=columns), PLAIN)
    assert made.regressed == ("a", "b")
    assert any("flat is constant" in note for note in made.notes)
    assert any(
        "follow from the others" in note and "sum" in note for note in made.notes
    )


def test_too_many_confounds_are_refused(rng):
    columns = {f"c{k}": rng.standard_normal(N) for k in range(N // 2 + 1)}
    with pytest.raises(DataFileError, match="151 confounds for 300 volumes"):
        scan_targets(measured(rng, confounds=columns), PLAIN)


# The global signal.


def common(rng):
    """ROIs that share a signal, and that signal."""
    given, shared = measured(rng, n_rois=10), slow(rng)
    return measured(rng, bold=given.bold + 2 * shared[:, None],
                    rois=given.rois), shared  # fmt: skip


def test_both_targets_are_made_with_and_without_the_global_signal(rng):
    given, shared = common(rng)
    made = scan_targets(given, PLAIN)
    with_it = [np.corrcoef(target, shared)[0, 1] for target in made.bold.T]
    without = [np.corrcoef(target, shared)[0, 1] for target in made.bold_gsr.T]
    assert np.mean(with_it) > 0.8
    assert abs(np.mean(without)) < 0.1
    assert made.global_signal == "mean over 10 ROIs"
    assert made.scaling.confound_names == ()
    assert made.scaling_gsr.confound_names == ("global signal",)


def test_the_data_sets_own_global_signal_goes_first(rng):
    given, shared = common(rng)
    own = MeasuredBold(given.bold, given.rois, TR_S, {}, 40 * shared + 2000)
    made = scan_targets(own, PLAIN)
    assert made.global_signal == "of the data set"
    for target in made.bold_gsr.T:
        assert abs(np.corrcoef(target, shared)[0, 1]) < 0.02


def test_a_roi_of_another_unit_does_not_rule_the_mean(rng):
    given, _ = common(rng)
    bold = given.bold * np.array([1e4] + [1] * 9)
    made = scan_targets(measured(rng, bold=bold, rois=given.rois), PLAIN)
    alike = scan_targets(given, PLAIN)
    np.testing.assert_allclose(made.bold_gsr, alike.bold_gsr, atol=1e-4)


def test_one_roi_has_no_global_signal_of_its_own(rng):
    made = scan_targets(measured(rng, n_rois=1), PLAIN)
    assert np.isfinite(made.bold).all()
    assert np.isnan(made.bold_gsr).all()
    assert made.global_signal == "none"
    assert any("not known" in note for note in made.notes)


def test_a_mean_over_few_rois_is_told(rng):
    made = scan_targets(measured(rng, n_rois=3), PLAIN)
    assert any("of so few" in note for note in made.notes)
    assert not scan_targets(common(rng)[0], PLAIN).notes


def test_a_global_signal_among_the_confounds_is_regressed_once(rng):
    given, shared = common(rng)
    own = MeasuredBold(given.bold, given.rois, TR_S, {"csf": shared}, shared * 2)
    made = scan_targets(own, PLAIN)
    np.testing.assert_array_equal(made.bold, made.bold_gsr)


@pytest.mark.parametrize("signal", [np.full(N, np.nan), np.ones(N)])
def test_a_global_signal_without_numbers_is_refused(rng, signal):
    with pytest.raises(DataFileError, match="global signal is constant or has no"):
        scan_targets(measured(rng, global_signal=signal), PLAIN)


# ROIs and volumes that are not there.


def test_nan_and_constant_rois_are_named_and_dropped(rng):
    given = measured(rng)
    bold = given.bold.copy()
    bold[5, 0] = np.nan
    bold[:, 2] = 1000.0
    made = scan_targets(measured(rng, bold=bold), PLAIN)
    assert made.rois == ("roi 1", "roi 3")
    assert made.dropped == {
        "roi 0": "no number at 1 of 300 volumes",
        "roi 2": "constant",
    }
    assert made.bold.shape == (N, 2)
    assert len(made.scaling.mean) == 2


def test_a_scan_without_a_single_good_roi_is_refused(rng):
    with pytest.raises(DataFileError, match=r"not one of the 4 ROIs.*constant"):
        scan_targets(measured(rng, bold=np.ones((N, 4))), PLAIN)


def test_volumes_without_a_row_stay_without_a_target(rng):
    bold = measured(rng).bold
    bold[[10, 11, 200]] = np.nan
    made = scan_targets(measured(rng, bold=bold), PLAIN)
    missing = np.isnan(made.bold).all(axis=1)
    assert list(np.flatnonzero(missing)) == [10, 11, 200]
    assert np.isfinite(made.bold[~missing]).all()
    assert len(made.rois) == 4


def test_the_low_pass_does_not_cross_a_hole(rng):
    bold = measured(rng).bold
    bold[100:103] = np.nan
    one = scan_targets(measured(rng, bold=bold), TargetSettings(drift_degree=0))
    moved = bold.copy()
    moved[103:] += rng.standard_normal((N - 103, 1)) * 30
    other = scan_targets(measured(rng, bold=moved), TargetSettings(drift_degree=0))
    for a, b in zip(one.bold[:100].T, other.bold[:100].T, strict=True):
        assert abs(np.corrcoef(a, b)[0, 1]) > 0.999999  # but for mean and scale


def test_a_scan_without_measured_bold_is_refused(rng):
    with pytest.raises(DataFileError, match="0 volumes have measured BOLD"):
        scan_targets(measured(rng, bold=np.full((N, 4), np.nan)), PLAIN)
