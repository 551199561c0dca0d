import numpy as np
import pytest
from scipy.signal import resample_poly

from rtbold.sim import artefacts as upsample
from rtbold.sim.artefacts import upsampled

RATES_HZ = [250.0, 256.0, 500.0, 512.0, 1000.0, 1024.0, 2048.0, 2500.0, 5000.0]


def whole(eeg_uv, rate_hz):
    return np.concatenate(list(upsampled(eeg_uv, rate_hz, seed=1)), axis=1)


@pytest.fixture
def without_noise(monkeypatch):
    monkeypatch.setattr(upsample, "BROADBAND_UV", 0.0)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.usefixtures("without_noise")
def test_blocks_join_without_a_seam(rate_hz):
    rng = np.random.default_rng(0)
    eeg_uv = rng.standard_normal((2, 5137)).astype(np.float32)
    ratio = upsample.Fraction(rate_hz / 200).limit_denominator(1000)
    expected = resample_poly(eeg_uv, ratio.numerator, ratio.denominator, axis=1)
    got = whole(eeg_uv, rate_hz)
    assert got.shape[1] == round(5137 * rate_hz / 200)
    edge = round(rate_hz * 0.3)  # the edges are padded otherwise
    same = slice(edge, got.shape[1] - edge)
    np.testing.assert_allclose(got[:, same], expected[:, same], atol=1e-4)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.usefixtures("without_noise")
def test_a_tone_keeps_its_time_and_size(rate_hz):
    t_s = np.arange(200 * 25) / 200
    got = whole(np.sin(2 * np.pi * 20 * t_s)[None].astype(np.float32), rate_hz)[0]
    fine_s = np.arange(got.size) / rate_hz
    middle = (fine_s > 1) & (fine_s < 24)
    np.testing.assert_allclose(
        got[middle], np.sin(2 * np.pi * 20 * fine_s[middle]), atol=0.02
    )


def test_200_hz_is_left_as_it_is():
    eeg_uv = np.arange(9000, dtype=np.float32).reshape(2, -1)
    np.testing.assert_array_equal(whole(eeg_uv, 200.0), eeg_uv)


def test_the_noise_of_the_full_rate_is_the_same_each_time():
    eeg_uv = np.zeros((3, 4500), np.float32)
    first = whole(eeg_uv, 1000.0)
    np.testing.assert_array_equal(first, whole(eeg_uv, 1000.0))
    assert first.std() == pytest.approx(0.3, rel=0.05)
