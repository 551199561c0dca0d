import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtbold.models.layers import (  # noqa: E402
    HalvedSpectra,
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


@pytest.mark.parametrize("scales", [(100,), (8, 16), (100, 200, 400, 800)])
def test_long_spectra_from_their_halves_are_the_same(scales):
    x = 30 * torch.randn(2, 3, 1600, generator=torch.Generator().manual_seed(1))
    halved = HalvedSpectra(scales)
    for n, order, power in zip(scales, halved.order, halved(x), strict=True):
        assert sorted(order.tolist()) == list(range(n // 2 + 1))
        pieces = x.unflatten(2, (-1, n)).numpy().astype(np.float64)
        expected = np.abs(np.fft.rfft(pieces))[..., order.numpy()] ** 2
        scale = expected.max()
        np.testing.assert_allclose(
            power.numpy(), expected, rtol=1e-4, atol=1e-6 * scale
        )


def test_four_scales_take_three_tenths_of_the_products():
    n_each = [3200 * (n + 2) for n in (100, 200, 400, 800)]
    halved = HalvedSpectra((100, 200, 400, 800))
    n_now = sum(
        3200 // (n if i == 0 else 2 * n) * halved.get_buffer(f"waves_{i}").numel()
        for i, n in enumerate(halved.n_samples)
    )
    assert n_now / sum(n_each) == pytest.approx(0.3, abs=0.005)


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
