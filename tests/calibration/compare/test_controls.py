from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from compared_scans import scan_of, smooth
from prepared_scans import TR_S

from rtbold.calibration.compare.controls import (
    BODY,
    LAST,
    PLS,
    PREVIOUS,
    RIDGE,
    TIME,
    Controls,
    body_features,
    time_basis,
)
from rtbold.calibration.compare.material import (
    BandPower,
    Fold,
    Part,
    learned_and_chosen,
    standard,
)
from rtbold.errors import DataFileError
from rtbold.truth import pearson_r

NOTHING = np.empty(0, int)


def fold_over_subjects(scans):
    """The last scan is tested, the one before chooses, the others are learned from."""
    parts = [Part(scan, np.arange(len(scan)), NOTHING) for scan in scans[:-2]]
    parts.append(Part(scans[-2], NOTHING, np.arange(len(scans[-2]))))
    return Fold(0, (*parts, Part(scans[-1], NOTHING, NOTHING)))


def within(scan, train, validation):
    return Fold(0, (Part(scan, np.asarray(train), np.asarray(validation)),))


@pytest.fixture(scope="module")
def scans():
    return [scan_of(f"sub-{k}", subject=f"s{k}", noise=0.7) for k in range(6)]


@pytest.fixture(scope="module")
def power(tmp_path_factory):
    return BandPower(tmp_path_factory.mktemp("features"))


@pytest.fixture(scope="module")
def across(scans, power):
    """What every control says of a subject that nobody learned from."""
    controls = Controls(fold_over_subjects(scans), power, tr_s=TR_S)
    found = controls.predict(scans[-1], np.arange(len(scans[-1])))
    return {each.model: each for each in found}, controls


def r_of(control, scan, rows=None):
    y = standard(scan)
    y = y if rows is None else y[rows]
    known = np.isfinite(control.values).all(axis=1)
    return pearson_r(control.values[known], y[known])


def test_ridge_and_pls_find_what_is_in_the_band_power(across, scans):
    found, _ = across
    for name in (RIDGE, PLS):
        assert found[name].kind == "baseline"
        assert r_of(found[name], scans[-1]).mean() > 0.45


def test_time_and_an_unseen_scan_say_nothing(across, scans):
    found, _ = across
    assert abs(r_of(found[TIME], scans[-1]).mean()) < 0.35
    np.testing.assert_array_equal(found[LAST].values, 0.0)


def test_a_drift_that_all_scans_share_is_read_off_the_clock(scans, power):
    drift = np.linspace(2, -2, len(scans[0]))[:, None]
    falling = [
        replace(s, scan=replace(s.scan, bold=s.scan.bold + 2 * drift)) for s in scans
    ]
    controls = Controls(fold_over_subjects(falling), power, tr_s=TR_S)
    found = {c.model: c for c in controls.predict(falling[-1], np.arange(len(drift)))}
    assert r_of(found[TIME], falling[-1]).min() > 0.7


def test_a_cache_without_a_body_says_that_it_is_not_known(across, scans, power):
    found, _ = across
    assert abs(r_of(found[BODY], scans[-1]).mean()) < 0.3  # it made nothing here
    bare = [replace(scan, confounds={"csf": scan.volume * 1.0}) for scan in scans]
    controls = Controls(fold_over_subjects(bare), power, tr_s=TR_S)
    names = [each.model for each in controls.predict(bare[-1], np.arange(20))]
    assert BODY not in names
    assert controls.notes[BODY].startswith("not known")


def test_motion_is_found_where_it_makes_the_bold(scans, power):
    rng = np.random.default_rng(1)
    moved = []
    for scan in scans:
        motion = smooth(rng, (len(scan), 1), 1.5)
        later = np.roll(motion, 2, axis=0)
        bold = scan.scan.bold + 3 * later
        moved.append(
            replace(
                scan,
                scan=replace(scan.scan, bold=bold),
                confounds={"trans_x": motion[:, 0], "csf": rng.standard_normal(120)},
            )
        )
    controls = Controls(fold_over_subjects(moved), power, tr_s=TR_S)
    found = {c.model: c for c in controls.predict(moved[-1], np.arange(120))}
    assert r_of(found[BODY], moved[-1]).min() > 0.7
    assert body_features(moved[0], ["trans_x"], tr_s=TR_S).shape == (120, 8)
    heart = replace(moved[0], confounds={"heart_rate": moved[0].confounds["trans_x"]})
    assert body_features(heart, ["heart_rate"], tr_s=TR_S).shape == (120, 12)


def test_a_column_that_does_not_vary_or_is_not_known_is_nothing(scans):
    flat = replace(scans[0], confounds={"fd": np.full(120, 0.3)})
    np.testing.assert_allclose(body_features(flat, ["fd"], tr_s=TR_S), 0, atol=1e-9)
    unknown = replace(scans[0], confounds={"fd": np.full(120, np.nan)})
    np.testing.assert_array_equal(body_features(unknown, ["fd"], tr_s=TR_S), 0)


def test_a_leak_is_caught_by_the_last_volumes_alone(scans, power):
    scan, n = scans[0], len(scans[0])
    apart = within(scan, np.arange(70), np.arange(80, 90))
    test = np.arange(100, n)
    leaky_test = np.arange(1, n, 2)
    leaky = within(scan, np.arange(0, n, 4), np.arange(2, n, 4))
    r = {}
    for name, fold, rows in (("apart", apart, test), ("leaky", leaky, leaky_test)):
        controls = Controls(fold, power, tr_s=TR_S)
        found = {c.model: c for c in controls.predict(scan, rows)}
        r[name] = r_of(found[LAST], scan, rows).mean()
    assert r["leaky"] > 0.6
    assert abs(r["apart"]) < 0.35


def test_scored_volumes_are_never_among_the_last_ones(scans, power):
    scan, rows = scans[0], np.arange(60, 120)
    controls = Controls(within(scan, rows, rows[:9]), power, tr_s=TR_S)
    np.testing.assert_array_equal(controls._last_volumes(scan, rows), 0.0)


def test_the_previous_volume_is_a_reference_and_no_model(across, scans):
    found, _ = across
    control = found[PREVIOUS]
    assert control.kind == "reference"
    assert np.isnan(control.values[0]).all()
    np.testing.assert_array_equal(control.values[1:], standard(scans[-1])[:-1])
    assert r_of(control, scans[-1]).min() > 0.5  # the target is smooth


def test_baselines_of_a_split_within_scans_learn_from_that_scan_alone(scans):
    parts = [Part(s, np.arange(60), np.arange(70, 80)) for s in scans]
    fold = Fold(0, tuple(parts))
    assert [p.scan.name for p in fold.lessons(scans[2])] == [scans[2].name]
    over = fold_over_subjects(scans)
    assert len(over.lessons(scans[-1])) == len(scans) - 1


def test_without_a_validation_part_the_end_of_training_chooses(scans):
    part = Part(scans[0], np.arange(100), NOTHING)
    x = np.arange(120.0)[:, None]
    train, validation = learned_and_chosen([part], [x])
    np.testing.assert_array_equal(train.features[0][:, 0], np.arange(80))
    np.testing.assert_array_equal(validation.features[0][:, 0], np.arange(80, 100))
    with pytest.raises(DataFileError, match="no train rows for the baselines"):
        learned_and_chosen([Part(scans[0], NOTHING, NOTHING)], [x])


def test_the_clock_goes_no_further_than_the_longest_scan():
    basis = time_basis(np.array([0.0, 50.0, 100.0, 130.0]), 100.0)
    assert basis.shape == (4, 5)
    np.testing.assert_array_equal(basis[2], basis[3])
