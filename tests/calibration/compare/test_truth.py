from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")

from prepared_scans import prepared_scan

from rtbold.calibration.compare.material import Fold, Part
from rtbold.calibration.compare.truth import (
    BOUND,
    CEILING,
    ORACLE,
    Truth,
    ceiling,
    ceiling_and_oracle,
    oracle_weights,
)
from rtbold.calibration.compare.unmixed import (
    columns_of,
    regional_features,
    shared_features,
)
from rtbold.sim.settings import NEUROBOLT_CHANNELS, TwinSettings
from rtbold.sim.twin import simulate
from rtbold.truth import lowpassed, pearson_r

pytestmark = pytest.mark.heavy
LOWPASS_HZ = 0.15
NOTHING = np.empty(0, int)


def twin(seed, level="easy"):
    return TwinSettings(
        seed=seed, level=level, duration_s=240.0, channels=NEUROBOLT_CHANNELS[:4]
    )


def scan_of(seed, **changes):
    """A prepared scan of the twin; its EEG is of no matter here."""
    settings = twin(seed, **changes)
    recording = simulate(settings)
    volume = np.flatnonzero(recording.volume_onsets_s >= 16.1)
    rois = recording.roi_names
    bare = prepared_scan(f"t{seed}", volume=volume, rois=rois)
    bold = lowpassed(recording.bold, settings.tr_s, LOWPASS_HZ)[volume]
    onsets_s = recording.volume_onsets_s[volume]
    return replace(
        bare, scan=replace(bare.scan, bold=bold, onsets_s=onsets_s), twin=settings
    )


@pytest.fixture(scope="module")
def scans():
    return [scan_of(seed) for seed in (2961, 2962, 2963, 2964)]


@pytest.fixture(scope="module")
def found(scans):
    everything = [np.arange(len(scan)) for scan in scans]
    fold = Fold(
        0,
        (
            Part(scans[0], everything[0], NOTHING),
            Part(scans[1], everything[1], NOTHING),
            Part(scans[2], NOTHING, everything[2]),
            Part(scans[3], NOTHING, NOTHING),
        ),
    )
    return Truth(fold, lowpass_hz=LOWPASS_HZ).predict(scans[3], everything[3])


def test_the_ceiling_is_above_the_oracle_and_that_above_unmixed_sources(found, scans):
    r = {name: pearson_r(v, scans[3].scan.bold).mean() for name, v in found.items()}
    assert set(r) == {CEILING, ORACLE, BOUND}
    assert r[CEILING] > 0.9  # `easy` has little noise
    assert r[CEILING] > r[ORACLE] > 0.7
    assert r[ORACLE] > r[BOUND] > 0.3


def test_a_scan_that_is_not_simulated_has_no_truth(scans):
    real = replace(scans[0], twin=None, simulated=False)
    fold = Fold(0, (Part(real, np.arange(20), NOTHING),))
    assert Truth(fold, lowpass_hz=LOWPASS_HZ).predict(real, np.arange(5)) == {}


def test_rois_are_found_by_name_and_others_are_nan(scans):
    assert columns_of(("Cuneus", "Heschl's gyrus"), ("heschl\u2019s gyrus", "x")) == [
        1, None,
    ]  # fmt: skip
    mine = replace(scans[0], rois=("mine", *scans[0].rois[1:]))
    fold = Fold(0, (Part(mine, np.arange(60), np.arange(60, 80)),))
    truth = Truth(fold, lowpass_hz=LOWPASS_HZ).predict(mine, np.arange(80, 100))
    for name in (CEILING, ORACLE):
        assert np.isnan(truth[name][:, 0]).all()
        assert np.isfinite(truth[name][:, 1:]).all()
    nobody = replace(mine, rois=tuple(f"r{k}" for k in range(len(mine.rois))))
    fold = Fold(0, (Part(nobody, np.arange(60), np.arange(60, 80)),))
    assert Truth(fold, lowpass_hz=LOWPASS_HZ).predict(nobody, np.arange(5)) == {}


def test_ceiling_and_oracle_of_seeds_are_those_of_scans(scans):
    kept = {2961: scans[0], 2963: scans[2]}
    of_seeds = SimpleNamespace(
        card=SimpleNamespace(normalisation=SimpleNamespace(lowpass_hz=LOWPASS_HZ)),
        recording=lambda seed: simulate(twin(seed)),
        read=lambda seed: kept[seed].scan,
    )
    high, oracle = ceiling_and_oracle(of_seeds, [2961], [2963])
    test = scans[2].scan
    expected = ceiling(simulate(twin(2963)), test.onsets_s, LOWPASS_HZ)
    assert high == pytest.approx(pearson_r(expected, test.bold).mean())
    assert 0.6 < oracle < high


def test_weights_find_the_lag_of_the_response():
    recording = simulate(twin(2961))
    onsets_s = recording.volume_onsets_s[8:]
    delayed = np.stack(
        [np.interp(onsets_s - 5, recording.drive_t_s, row) for row in recording.drive],
        axis=1,
    )
    weights = oracle_weights([(recording, onsets_s, delayed)])
    assert (weights.argmax(axis=1) == 5).mean() > 0.9


def test_features_of_perfect_unmixing_have_a_place_for_every_source(scans):
    shared, regional = shared_features(scans[0]), regional_features(scans[0])
    n_own = 4 * 8  # rhythms, lags
    assert len(shared) == regional.shape[1] == len(scans[0])
    assert shared.shape[1] % n_own == 0
    assert regional.shape[2] == 2 * n_own
    np.testing.assert_allclose(regional[0, :, n_own:], regional[5, :, n_own:])
    mine = replace(scans[0], rois=("mine", scans[0].rois[0]))
    other = regional_features(mine)
    np.testing.assert_array_equal(other[0, :, :n_own], 0.0)
    np.testing.assert_array_equal(other[1], regional[0])
