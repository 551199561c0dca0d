import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtbold.calibration.datasets.scan import Scan  # noqa: E402
from rtbold.calibration.evaluate.scores import r_of_scans  # noqa: E402
from rtbold.calibration.train.batches import Part  # noqa: E402
from rtbold.calibration.train.ridge import features_table, fit_efp, fit_linear  # noqa: E402
from rtbold.calibration.train.trainer import predict  # noqa: E402
from rtbold.models.linear import BandPowerRidge, BandPowerRidgeConfig, Efp, EfpConfig  # noqa: E402  # noqa: E402

CHANNELS = ("C3", "PZ")


def split(seed, n_scans=4, n=40):
    """Make scans whose BOLD follows the loudness of PZ over each window."""
    rng = np.random.default_rng(seed)
    scans, targets = [], []
    for i in range(n_scans):
        loud = np.exp(0.5 * rng.standard_normal((n, 2)))
        eeg = np.repeat(loud, 3200, axis=0).T * rng.standard_normal((2, n * 3200))
        scans.append(
            Scan(
                name=f"s{i}",
                eeg_uv=eeg.astype(np.float32),
                first=np.arange(n) * 3200,
                bold=np.zeros((n, 1)),
                onsets_s=np.arange(n) * 16.0,
            )
        )
        targets.append(np.log(loud[:, 1:]).astype(np.float32))
    return Part.whole(scans, targets)


def test_finger_print_finds_the_electrode_that_bold_follows():
    model, fitted = fit_efp(EfpConfig(CHANNELS), split(0))
    assert model.config.electrode == "PZ"
    new = split(1, n_scans=1)
    r = r_of_scans(predict(model, new), new.targets)
    assert r.min() > 0.8
    assert fitted.r > 0.8


def test_electrodes_to_choose_from_can_be_given():
    model, fitted = fit_efp(EfpConfig(CHANNELS), split(0), electrodes=["C3"])
    assert model.config.electrode == "C3"
    assert fitted.r < 0.4


def test_the_module_answers_as_the_fit():
    model = BandPowerRidge(BandPowerRidgeConfig(CHANNELS))
    part = split(0)
    fitted = fit_linear(model, part)
    x = features_table(model.features, part).features[0]
    expected = (x - fitted.mean) / fitted.scale @ fitted.weights + fitted.bias
    np.testing.assert_allclose(predict(model, part)[0], expected, atol=1e-4)


def test_table_keeps_scans_apart():
    part = split(0, n_scans=2, n=5)
    table = features_table(Efp(EfpConfig(CHANNELS)).features, part)
    assert [rows.shape for rows in table.features] == [(5, 640), (5, 640)]
    assert table.targets[0].dtype == np.float64


def test_the_validation_part_chooses_the_penalty():
    model = BandPowerRidge(BandPowerRidgeConfig(CHANNELS))
    one_scan = split(0, n_scans=1)  # nothing to leave out of it
    fitted = fit_linear(model, one_scan, split(1, n_scans=1))
    assert fitted.r > 0.8


def test_rows_of_a_scan_are_a_table_of_their_own():
    part = split(0, n_scans=2, n=6)
    some = Part(part.scans, part.targets, [np.array([1, 4]), np.array([], int)])
    features = Efp(EfpConfig(CHANNELS)).features
    whole, chosen = features_table(features, part), features_table(features, some)
    assert len(chosen.features) == 1
    np.testing.assert_allclose(chosen.features[0], whole.features[0][[1, 4]], atol=1e-4)
    np.testing.assert_array_equal(chosen.targets[0], whole.targets[0][[1, 4]])
