"""The finger-print sees one electrode, by frequency and delay."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtbold.models.linear import FREQUENCIES_HZ, N_DELAYS, Efp, EfpConfig  # noqa: E402

CHANNELS = ("C3", "PZ", "O2")


def noise():
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.standard_normal((2, 3, 3200)).astype(np.float32))


def test_a_tone_lands_at_its_frequency_and_delay():
    t_s = np.arange(3200) / 200.0
    tone = 10 * np.sin(2 * np.pi * 12 * t_s) * (t_s >= 14) * (t_s < 15)
    x = torch.zeros(1, 3, 3200)
    x[0, 1] = torch.from_numpy(tone)
    features = Efp(EfpConfig(CHANNELS)).features(x)
    features = features.reshape(N_DELAYS, len(FREQUENCIES_HZ))
    at = np.unravel_index(int(features.argmax()), features.shape)
    assert at == (14, FREQUENCIES_HZ.index(12))


def test_only_its_electrode_counts():
    model = Efp(EfpConfig(CHANNELS, electrode="O2"))
    x = noise()
    before = model.features(x)
    changed = x.clone()
    changed[:, :2] = 0
    torch.testing.assert_close(model.features(changed), before)
    changed = x.clone()
    changed[:, 2] *= 2
    assert (model.features(changed) - before).abs().median() > 1


def test_answers_by_frozen_scaling():
    model = Efp(EfpConfig(CHANNELS, n_rois=2))
    with torch.no_grad():
        model.mean.fill_(1.5)
        model.scale.fill_(2.0)
    x = noise()
    expected = model.head((model.features(x) - 1.5) / 2.0)
    torch.testing.assert_close(model(x), expected)
