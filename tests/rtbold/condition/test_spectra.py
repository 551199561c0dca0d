import numpy as np
import pytest

from rtbold.condition.spectra import BAND_NAMES, window_statistics

T_S = np.arange(3200) / 200


def noise(n_channels, exponent, seed=0):
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal((n_channels, 3200)))
    hz = np.fft.rfftfreq(3200, 1 / 200)
    spectrum *= np.maximum(hz, 0.2) ** (-exponent / 2)
    return np.fft.irfft(spectrum, 3200).astype(np.float32)


def test_power_of_a_sine_is_in_its_band():
    window = np.tile(10 * np.sin(2 * np.pi * 10 * T_S), (3, 1)).astype(np.float32)
    power = np.exp(window_statistics(window).log_power)
    assert power[0, BAND_NAMES.index("alpha")] == pytest.approx(50, rel=0.01)
    assert power[0, BAND_NAMES.index("beta")] < 0.1


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_slope_is_the_exponent_of_the_noise_whatever_its_size(exponent):
    window = noise(12, exponent)
    small, large = (window_statistics(gain * window).slope for gain in (20, 200))
    assert small.mean() == pytest.approx(exponent, abs=0.1)
    np.testing.assert_allclose(small, large, rtol=1e-3)


def test_alpha_does_not_change_the_slope():
    window = 20 * noise(6, 1.0)
    louder = window + (5 * np.sin(2 * np.pi * 10 * T_S)).astype(np.float32)
    np.testing.assert_allclose(
        window_statistics(window).slope, window_statistics(louder).slope, atol=0.05
    )


def test_covariance_is_that_of_the_channels_and_has_no_size():
    mixing = np.array([[1.0, 0, 0], [0.8, 0.6, 0], [0, 0, 0.5]], np.float32)
    window = mixing @ noise(3, 1.0)
    found = window_statistics(30 * window).covariance
    wanted = mixing @ mixing.T
    np.testing.assert_allclose(found, wanted / np.trace(wanted), atol=0.05)
    np.testing.assert_allclose(found, window_statistics(3 * window).covariance)
    assert np.trace(found) == pytest.approx(1)


def test_a_dead_window_has_numbers_too():
    found = window_statistics(np.zeros((4, 3200), np.float32))
    for part in (found.log_power, found.slope, found.covariance):
        assert np.isfinite(part).all()


def test_the_window_is_left_as_it_is():
    window = noise(3, 1.0)
    kept = window.copy()
    window_statistics(window)
    np.testing.assert_array_equal(window, kept)
