import numpy as np
import pytest

torch = pytest.importorskip("torch")

from bundles import CHANNELS, tiny_card  # noqa: E402

from rtbold.bundle.check_windows import unpack  # noqa: E402
from rtbold.models.export.checks import check_file, synthetic_windows  # noqa: E402
from rtbold.models.linear import BandPowerRidge, BandPowerRidgeConfig  # noqa: E402


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return BandPowerRidge(BandPowerRidgeConfig(channels=CHANNELS, n_rois=3))


def test_answers_are_torchs_in_evaluation_mode(model):
    model.train()
    found = unpack(check_file(model, synthetic_windows(19, n=4)), tiny_card())
    assert model.training  # as it came
    model.eval()
    with torch.inference_mode():
        expected = torch.cat([model(torch.tensor(w[None])) for w in found.eeg_uv])
    np.testing.assert_array_equal(found.bold, expected.numpy())
    assert found.bold.std(axis=0).min() > 0  # windows differ, and so do answers


def test_synthetic_windows_are_pink_noise_of_the_live_chains_kind():
    x = synthetic_windows(19, n=6)
    assert (x.shape, x.dtype) == ((6, 19, 3200), np.float32)
    np.testing.assert_array_equal(x, synthetic_windows(19, n=6))
    assert np.abs(x.mean(axis=2)).max() < 1e-4
    assert 14 < x.std(axis=2).min() < x.std(axis=2).max() < 61
    power = (np.abs(np.fft.rfft(x)) ** 2).mean(axis=(0, 1))
    hz = np.fft.rfftfreq(3200, 1 / 200)
    at = [power[(hz > f - 1) & (hz < f + 1)].mean() for f in (5, 10, 40)]
    assert at[0] / at[1] == pytest.approx(2, rel=0.2)
    assert at[1] / at[2] == pytest.approx(4, rel=0.2)
    assert power[hz > 81].max() < 1e-6 * at[2]
