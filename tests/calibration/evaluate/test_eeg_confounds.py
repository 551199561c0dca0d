import numpy as np
import pytest

pytest.importorskip("torch")

from rtbold.calibration.evaluate.eeg_confounds import ConfoundSettings, window_confounds
from rtbold.errors import ConfigError

CHANNELS = ("FP1", "FP2", "T7", "T8", "CZ", "PZ", "O1", "O2")
N = 12
T_S = np.arange(3200) / 200
SETTINGS = ConfoundSettings(CHANNELS, tr_s=2.1, slices_per_tr=38)


def noise(seed=0):
    rng = np.random.default_rng(seed)
    shape = (N, len(CHANNELS), 3200)
    return (5 * rng.standard_normal(shape)).astype(np.float32)


def grown(wave, rows=slice(None)):
    """A wave that grows from window to window, in some channels."""
    windows = noise()
    windows[:, rows] += np.linspace(0, 3, N)[:, None, None] * wave.astype(np.float32)
    return windows


def rise(columns):
    """R of a feature's mean column with the window's number."""
    return np.corrcoef(columns.mean(axis=1), np.arange(N))[0, 1]


def band(low_hz, high_hz):
    hz = np.fft.rfftfreq(3200, 1 / 200)
    spectrum = np.fft.rfft(np.random.default_rng(9).standard_normal(3200))
    wave = np.fft.irfft(spectrum * ((hz >= low_hz) & (hz < high_hz)))
    return 5 * wave / wave.std()


def pulse(rate_hz):
    return sum(3 * np.cos(2 * np.pi * h * rate_hz * T_S + h) for h in range(1, 6))


CASES = {
    "temporal 30-80 Hz": grown(band(35, 75), rows=[2, 3]),
    "movement 0.5-2.5 Hz": grown(band(0.6, 2.4)),
    "pulse artefact": grown(pulse(1.15)),
    "comb at 1/TR": grown(
        sum(np.cos(2 * np.pi * k / 2.1 * T_S + k * k) for k in range(12, 80))
    ),
    "comb at slice rate": grown(
        sum(np.cos(2 * np.pi * k * 38 / 2.1 * T_S) for k in (1, 2, 3, 4))
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_artefact_shows_in_its_own_feature(name):
    found = window_confounds([CASES[name]], SETTINGS)
    assert rise(found.artefacts[name]) > 0.8
    assert set(found.artefacts) == {*CASES, "heart rate in EEG"}


def test_heart_rate_is_found():
    found = window_confounds([grown(pulse(1.15))], SETTINGS)
    assert np.exp(found.artefacts["heart rate in EEG"][-1, 0]) == pytest.approx(
        1.15, abs=0.04
    )


def test_vigilance_index_rises_with_posterior_alpha_and_falls_with_theta():
    alpha = window_confounds([grown(band(9, 11), rows=[5, 6, 7])], SETTINGS)
    theta = window_confounds([grown(band(4.5, 7.5))], SETTINGS)
    assert rise(alpha.vigilance["alpha/theta"]) > 0.8
    assert rise(theta.vigilance["alpha/theta"]) < -0.8


def test_batches_do_not_matter_and_gain_only_shifts():
    windows = noise()
    whole = window_confounds([windows], SETTINGS)
    pieces = window_confounds([windows[:5], windows[5:]], SETTINGS)
    louder = window_confounds([3 * windows], SETTINGS)
    for name, columns in whole.artefacts.items():
        assert columns.shape[0] == N
        np.testing.assert_allclose(pieces.artefacts[name], columns)
        shift = louder.artefacts[name] - columns
        np.testing.assert_allclose(shift, shift[0, 0], atol=1e-4)


def test_summaries_and_features_have_the_promised_columns():
    found = window_confounds([noise()], SETTINGS)
    artefacts, vigilance = found.summaries()
    assert all(columns.shape == (N, 1) for columns in artefacts.values())
    assert vigilance["alpha/theta"].shape == (N, 1)
    controls = found.features()
    assert [c.shape for c in controls] == [(N, 8 + 8 + 4), (N, 8)]


def test_unknown_slices_and_few_channels_are_fine():
    settings = ConfoundSettings(("CZ", "FZ"), tr_s=2.1)
    found = window_confounds([noise()[:, :2]], settings)
    assert "comb at slice rate" not in found.artefacts
    assert all(np.isfinite(c).all() for c in found.artefacts.values())


def test_flat_windows_stay_finite():
    found = window_confounds([np.zeros((2, 8, 3200), np.float32)], SETTINGS)
    assert all(np.isfinite(c).all() for c in found.artefacts.values())


def test_wrong_settings_are_refused():
    with pytest.raises(ConfigError, match="looks like ms"):
        ConfoundSettings(CHANNELS, tr_s=2100)
    with pytest.raises(ConfigError, match="count groups"):
        ConfoundSettings(CHANNELS, tr_s=0.8, slices_per_tr=72)
