import numpy as np
import pytest

torch = pytest.importorskip("torch")

from planted import CHANNELS, ROIS, material, tiny_base  # noqa: E402

from rtbold.calibration.fit.protocol import Pace, ignore_progress, untimed  # noqa: E402
from rtbold.calibration.fit.subject import (  # noqa: E402
    PEAK_S,
    band_power_reading,
    band_power_table,
    lag_prior,
    response,
    subject_model,
    subject_part,
)
from rtbold.models.linear import LogBandPower  # noqa: E402


@pytest.fixture(scope="module")
def planted():
    windows, bold = material(n=150)
    pace = Pace("features", 10, now_s=untimed, tell=ignore_progress)
    return windows, band_power_table(windows, CHANNELS, pace), bold - bold.mean(axis=0)


def fitted(planted, prior=None):
    windows, table, bold = planted
    rows = np.arange(120)
    part = subject_part(table, bold[rows], rows, windows.onsets_s, prior=prior)
    return subject_model(table, part, bold[rows])


def test_the_prior_has_the_shape_of_a_response():
    assert response(np.array([PEAK_S]))[0] == pytest.approx(1.0)
    size = np.sqrt(np.diag(lag_prior()))
    assert size.argmax() == 5  # the newest lag is the last: 5 s ago is the third
    assert size[0] < 0.3 * size[5]
    prior = lag_prior()
    alike = prior[5, 4] / (size[5] * size[4])
    assert 0.9 < alike < 1.0
    np.testing.assert_allclose(prior, prior.T)


def test_looking_ahead_moves_the_prior_to_newer_eeg():
    now, later = (np.diag(lag_prior(ahead_s)) for ahead_s in (0.0, 4.0))
    np.testing.assert_allclose(later[2:], now[:-2])


def test_laplacian_and_potentials_stand_side_by_side(planted):
    windows, table, _ = planted
    grid = table.features.reshape(150, len(CHANNELS), 2, -1)
    potentials = LogBandPower()(torch.from_numpy(windows.windows_uv[:5])).numpy()
    np.testing.assert_allclose(
        grid[:5, :, 1].reshape(5, -1), potentials, rtol=1e-5, atol=1e-5
    )
    assert not np.allclose(grid[:, :, 0], grid[:, :, 1])


def test_weights_under_the_prior_are_weights_of_band_power(planted):
    _, table, _ = planted
    reading = band_power_reading(table, np.arange(100))
    weight = np.random.default_rng(0).standard_normal((reading.z.shape[1], 2))
    raw, bias = reading.affine(weight)
    np.testing.assert_allclose(
        table.features @ raw + bias, reading.z @ weight, rtol=1e-4, atol=1e-3
    )


def test_what_two_electrodes_say_is_found(planted):
    _, table, bold = planted
    model = fitted(planted)
    none = np.zeros((30, len(ROIS)), np.float32)
    predicted = model.predict(table.features[120:], none)
    r = np.corrcoef(predicted[:, 1], bold[120:, 1])[0, 1]
    assert r > 0.6
    assert model.slope is None


def test_the_module_answers_as_predicted(planted):
    windows, table, _ = planted
    model = fitted(planted)
    with torch.inference_mode():
        answers = model.module()(torch.from_numpy(windows.windows_uv[:5]))
    np.testing.assert_allclose(model.own(table.features[:5]), answers, atol=1e-3)


@pytest.mark.parametrize("name", ["smallest", "ridge"])
def test_on_top_of_a_base_it_is_one_network(planted, name):
    windows, table, _ = planted
    base = tiny_base(name).network
    torch.nn.init.normal_(base.head.weight, std=0.1)
    with torch.inference_mode():
        answers = base(torch.from_numpy(windows.windows_uv)).numpy()
        model = fitted(planted, prior=answers.astype(np.float64))
        assert model.slope is not None
        both = model.stacked(base)(torch.from_numpy(windows.windows_uv[:5])).numpy()
    expected = model.predict(table.features[:5], answers[:5])
    np.testing.assert_allclose(both, expected, atol=1e-3)
