"""BEIRA's front end is an envelope detector."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtbold.models.li2024 import Beira, BeiraConfig, EnvelopeDetector  # noqa: E402

CONFIG = BeiraConfig(channels=("C3", "PZ"), spatial_filters=1)
RATE_HZ = 200.0
T_S = np.arange(3200) / RATE_HZ


def detector(frequency_hz):
    """Listen to the second channel at one frequency, with weights set by hand."""
    model = EnvelopeDetector(CONFIG).eval()
    lag_s = (np.arange(101) - 50) / RATE_HZ
    band = np.hanning(101) * np.cos(2 * np.pi * frequency_hz * lag_s)
    with torch.no_grad():
        model.unmixing.weight.copy_(torch.tensor([[[0.0], [1.0]]]))
        model.unmixing.bias.zero_()
        model.band_pass.weight.copy_(torch.from_numpy(band)[None, None])
        model.low_pass.weight.fill_(1 / 101)
        model.low_pass.bias.zero_()
    return model


def envelope(model, second_channel):
    x = np.stack([np.sin(2 * np.pi * 10 * T_S), second_channel])[None]
    with torch.inference_mode():
        return model(torch.from_numpy(x.astype(np.float32)))[0, 0].numpy()


def test_follows_the_amplitude_in_its_band():
    amplitude = 1 + 0.8 * np.sin(2 * np.pi * 0.25 * T_S)
    heard = envelope(detector(10), amplitude * np.sin(2 * np.pi * 10 * T_S))
    inner = slice(200, -200)  # the ends are padded with zeros
    assert np.corrcoef(heard[inner], amplitude[inner])[0, 1] > 0.99


def test_hears_neither_another_band_nor_another_channel():
    own = envelope(detector(10), np.sin(2 * np.pi * 10 * T_S))[1600]
    other = envelope(detector(10), np.sin(2 * np.pi * 30 * T_S))[1600]
    silent = envelope(detector(10), np.zeros(3200))[1600]
    assert other < 0.02 * own
    assert silent == 0


def test_five_steps_of_the_encoder_reach_the_head():
    model = Beira(CONFIG).eval()
    assert model.head.in_features == 5 * CONFIG.width
    with torch.inference_mode():
        assert model.features(torch.ones(2, 2, 3200)).shape == (2, 640)
