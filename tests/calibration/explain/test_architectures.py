"""Every architecture has gradients, and can be explained by both methods."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("captum")

from architectures import CHANNELS, VARIANTS, made
from bundles import tiny_card

from rtbold.calibration.explain.attribution import ExplainSettings, as_method, attribute

pytestmark = pytest.mark.heavy

ROIS = ("Cuneus", "Putamen", "Caudate")


def eeg_uv():
    noise = np.random.default_rng(0).standard_normal((8, len(CHANNELS), 3200))
    out = 20 * noise * np.linspace(0.2, 2, 8)[:, None, None]
    return (out - out.mean(axis=2, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("method", ["integrated-gradients", "occlusion"])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_architecture_can_be_explained(name, method):
    model = made(name).requires_grad_(False).eval()
    found = attribute(
        model,
        eeg_uv(),
        card=tiny_card(CHANNELS, ROIS),
        roi="Putamen",
        settings=ExplainSettings(
            method=as_method(method), n_partners=1, n_steps=4, n_draws=20
        ),
    )
    assert np.isfinite(found.channel.share).all()
    assert np.abs(found.channel.share).max() > 0
    assert np.isfinite(found.doubled).all()
    assert np.abs(found.doubled).max() > 0
