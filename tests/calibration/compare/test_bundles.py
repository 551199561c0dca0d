from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("torch")

from bundles import tiny_card
from compared_scans import answer, marks, scan_of, tiny_bundle
from prepared_scans import ROIS

from rtbold.bundle.card import (
    Conditioning,
    Intervals,
    Lineage,
    Normalisation,
)
from rtbold.calibration.compare.bundles import (
    COVERAGE_LEVELS,
    BundleChoice,
    Models,
    check_fits,
    coverage_of,
    in_sd,
    parse_choice,
    refuse_learned,
    rows_ahead,
    shared_rois,
)
from rtbold.errors import ConfigError

PREPARED = tiny_card()


@pytest.fixture(scope="module")
def scan():
    return scan_of("sub-1", subject="s1", n=40)


@pytest.fixture
def opened(tmp_path):
    """Return the models of bundles in a folder."""
    models = []

    def of(*bundles):
        choices = [BundleChoice("", str(bundle.path)) for bundle in bundles]
        models.append(Models(choices, n_threads=1, simulated=True))
        return models[-1]

    yield of
    for each in models:
        each.close()


def test_predictions_are_those_of_the_sessions_engine(opened, tmp_path, scan):
    bundle = tiny_bundle(tmp_path)
    rows = np.array([3, 0, 39])
    found = opened(bundle).predict(str(bundle.path), scan, rows)
    np.testing.assert_allclose(found, answer(scan.scan.windows_uv(rows)), rtol=1e-4)


def test_rois_are_matched_by_name_and_the_rest_is_named(opened, tmp_path, scan):
    mine = ("Motor", "elsewhere", "default")
    bundle = tiny_bundle(tmp_path, rois=mine)
    models = opened(bundle)
    found = models.predict(str(bundle.path), scan, np.arange(4))
    assert np.isnan(found[:, 0]).all()  # "visual" is none of the bundle's
    of_windows = answer(scan.scan.windows_uv(range(4)))
    np.testing.assert_allclose(found[:, 1], of_windows[:, 0], rtol=1e-4)
    notes = " / ".join(models.notes.lines)
    assert "does not predict 1 of the cache's 3 ROIs: visual" in notes
    assert "1 ROIs of model 'tiny' are not in the cache: elsewhere" in notes


def test_channels_may_stand_in_another_order_but_not_be_others(opened, tmp_path, scan):
    turned = replace(scan, channels=("PZ", "FZ", "CZ"))
    bundle = tiny_bundle(tmp_path)
    found = opened(bundle).predict(str(bundle.path), turned, np.arange(2))
    windows = scan.scan.windows_uv(range(2))[:, [1, 2, 0]]
    np.testing.assert_allclose(found, answer(windows), rtol=1e-4)
    with pytest.raises(ConfigError, match=r"3 channels, .* for 3: it lacks CZ"):
        check_fits(bundle.card, replace(scan, channels=("PZ", "FZ", "OZ")), PREPARED)


def test_another_conditioning_or_reference_is_refused(tmp_path, scan):
    card = tiny_bundle(tmp_path).card
    assert check_fits(card, scan, PREPARED) == ""
    published = tiny_card(conditioning=Conditioning(source="published"))
    with pytest.raises(ConfigError, match="source 'live' against 'published'"):
        check_fits(card, scan, published)
    other = tiny_bundle(tmp_path, "cz", reference="CZ").card
    with pytest.raises(ConfigError, match=r"to CZ, the windows .* to average"):
        check_fits(other, scan, PREPARED)
    ahead = tiny_bundle(tmp_path, "ahead", horizon_tr=1, tr_s=1.0).card
    assert "volumes of 1 s ahead" in check_fits(ahead, scan, PREPARED)


def test_no_roi_in_common_is_refused(tmp_path, scan):
    card = tiny_bundle(tmp_path, rois=("a", "b", "c"), atlas="mine").card
    with pytest.raises(ConfigError, match=r"no ROI in common.*atlas \(mine\)"):
        shared_rois(card, scan.rois)


def test_a_model_that_has_seen_a_test_scan_is_refused(tmp_path, scan):
    other = scan_of("sub-2", subject="s2", n=20)
    card = tiny_bundle(tmp_path, lineage=Lineage(scans=(marks("sub-1"),))).card
    refuse_learned(card, other)
    with pytest.raises(ConfigError, match="EEG and BOLD of test scan sub-1 already"):
        refuse_learned(card, scan)
    half = replace(scan, scan=replace(scan.scan, seen=replace_eeg(marks("sub-1"))))
    with pytest.raises(ConfigError, match="learned from the BOLD of test scan"):
        refuse_learned(card, half)


def replace_eeg(seen):
    return type(seen)(eeg=marks("nobody").eeg, bold=seen.bold)


def test_it_is_said_where_a_model_does_not_say_what_it_has_seen(opened, tmp_path):
    bundle = tiny_bundle(tmp_path)
    models = opened(bundle)
    models.card(str(bundle.path))
    (note,) = models.notes.lines
    assert note.startswith("model 'tiny' does not list every scan")


def test_a_model_that_looks_ahead_answers_from_an_earlier_window(
    opened, tmp_path, scan
):
    bundle = tiny_bundle(tmp_path, horizon_tr=2)
    found = opened(bundle).predict(str(bundle.path), scan, np.arange(5))
    assert np.isnan(found[:2]).all()
    expected = answer(scan.scan.windows_uv(range(3)))
    np.testing.assert_allclose(found[2:], expected, rtol=1e-4)
    read, asked = rows_ahead(replace(scan, volume=scan.volume * 2), np.arange(5), 1)
    assert len(read) == len(asked) == 0


def test_constant_eeg_gives_one_answer(opened, tmp_path, scan):
    bundle = tiny_bundle(tmp_path)
    found = opened(bundle).constant(str(bundle.path), scan, np.arange(40))
    assert found.shape == (40, 3)
    np.testing.assert_allclose(found - found[0], 0, atol=1e-5)


def test_units_of_the_published_scaling_become_sd(tmp_path, scan):
    n = len(ROIS)
    scaled = Normalisation(method="p95", mean=(0.0,) * n, scale=(1.0,) * n)
    card = tiny_bundle(tmp_path, normalisation=scaled).card
    y = scan.scan.bold - scan.scan.bold.mean(axis=0)
    factor = in_sd(card, scan)
    published = y / np.percentile(np.abs(y), 95, axis=0)
    np.testing.assert_allclose(published * factor, y / y.std(axis=0))


def test_coverage_is_that_of_the_cards_quantiles(tmp_path, scan):
    rng = np.random.default_rng(0)
    residual = rng.standard_normal((4000, 3))
    quantiles = np.quantile(np.abs(residual), np.linspace(0, 1, 201), axis=0).T
    intervals = Intervals(
        half_width=((1.0, 2.0),) * 3,
        n_eff=(100.0,) * 3,
        quantiles=tuple(tuple(row) for row in quantiles.tolist()),
    )
    card = tiny_bundle(tmp_path, intervals=intervals).card
    values = np.zeros((4000, 3))
    found = coverage_of(card, scan, values=values, measured=residual)
    assert [each.level for each in found] == list(COVERAGE_LEVELS)
    for each in found:
        assert each.held == pytest.approx(each.level, abs=0.01)
    narrow = coverage_of(card, scan, values=values, measured=3 * residual)
    assert narrow[9].held < 0.3
    assert coverage_of(tiny_bundle(tmp_path, "b").card, scan, values=values,
                       measured=residual) == ()  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name", "path"),
    [
        ("demo", "", "demo"),
        ("a=b/c.rtbold", "a", "b/c.rtbold"),
        ("./a=b.rtbold", "", "./a=b.rtbold"),
        ("first = out/fold{fold}.rtbold", "first", "out/fold{fold}.rtbold"),
    ],
)
def test_a_model_may_be_given_a_name(text, name, path):
    assert parse_choice(text) == BundleChoice(name, path)


def test_paths_are_filled_in_by_fold_and_scan(scan):
    choice = parse_choice("m=out/{subject}/{scan}-{fold}.rtbold")
    assert choice.path_for(scan, 3) == "out/s1/sub-1-3.rtbold"
    assert parse_choice("m={session}{seed}").path_for(scan, 0, seed=4) == "14"
    for wrong in ("m={where}", "m={", "m={0}"):
        with pytest.raises(ConfigError, match=r"nothing in braces but \{fold\}"):
            parse_choice(wrong).path_for(scan, 0)
    with pytest.raises(ConfigError, match="names no bundle"):
        parse_choice("a=")
