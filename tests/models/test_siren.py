"""SIREN's layers start as Sitzmann et al. 2020 prescribe."""

import pytest

torch = pytest.importorskip("torch")

from rtbold.models.li2024 import SineLayer, Siren, SirenConfig  # noqa: E402


def test_weights_start_within_the_bounds_of_the_paper():
    first = SineLayer(10, 500, frequency=30.0, is_first=True).linear.weight
    later = SineLayer(64, 500, frequency=30.0, is_first=False).linear.weight
    assert 0.95 / 10 < first.abs().max() <= 1 / 10
    bound = (6 / 64) ** 0.5 / 30
    assert 0.95 * bound < later.abs().max() <= bound


def test_activations_stay_spread_through_the_layers():
    torch.manual_seed(0)
    model = Siren(SirenConfig(sine_layers=5))
    x = torch.rand(1, 26, 3200) * 2 - 1
    with torch.inference_mode():
        for layer in model.sines:
            x = layer(x)
            # Sines of wide normals are arcsine distributed: sd 0.71.
            assert 0.5 < x.std() < 0.85


def test_a_sine_layer_is_the_sine_of_a_linear_map():
    layer = SineLayer(2, 1, frequency=3.0, is_first=True)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[[0.5], [-1.0]]]))
        layer.linear.bias.fill_(0.25)
    x = torch.tensor([[[1.0, 0.0], [2.0, 0.5]]])
    expected = torch.sin(3.0 * torch.tensor([[[0.5 - 2.0 + 0.25, -0.5 + 0.25]]]))
    torch.testing.assert_close(layer(x), expected)
