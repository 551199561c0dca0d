import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtbold.models.layers import (  # noqa: E402
    PowerSpectrum,
    surface_laplacian,
)
from rtbold.models.linear import FEATURE_BANDS_HZ, N_LAGS, LogBandPower  # noqa: E402


@pytest.mark.parametrize("n", [100, 200, 400, 800])
def test_product_equals_fft(n):
    x = torch.randn(3, n, generator=torch.Generator().manual_seed(0))
    spectrum = PowerSpectrum(n)
    by_fft = spectrum(x)
    spectrum.by_product = True
    torch.testing.assert_close(by_fft, spectrum(x), atol=1e-3, rtol=1e-4)
    reference = np.abs(np.fft.rfft(x.numpy().astype(np.float64))) ** 2
    np.testing.assert_allclose(by_fft.numpy(), reference, rtol=1e-4, atol=1e-4)


def test_tone_lands_in_its_band_and_lag():
    t_s = np.arange(3200) / 200.0
    tone = 10 * np.sin(2 * np.pi * 10 * t_s) * (t_s >= 14)
    x = torch.from_numpy(tone[None, None].astype(np.float32))
    features = LogBandPower()(x).reshape(N_LAGS, len(FEATURE_BANDS_HZ))
    at = np.unravel_index(int(features.argmax()), features.shape)
    assert at == (N_LAGS - 1, list(FEATURE_BANDS_HZ).index("alpha"))


def test_laplacian_ignores_a_constant_and_sharpens():
    channels = ("FP1", "FP2", "C3", "CZ", "C4", "PZ", "O1", "O2", "T7", "T8")
    laplacian = surface_laplacian(channels)
    np.testing.assert_allclose(laplacian @ np.ones(len(channels)), 0, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(laplacian, axis=1), 1)
    assert (np.abs(laplacian).argmax(axis=1) == np.arange(len(channels))).all()
    assert (np.diag(laplacian) > 0).all()
