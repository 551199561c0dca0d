"""The exported form answers like the network it was made of, with fewer operations."""

import pytest

torch = pytest.importorskip("torch")

import architectures  # noqa: E402
from architectures import VARIANTS, made  # noqa: E402

from rtbold.models.export.checks import flops_per_window  # noqa: E402
from rtbold.models.export.folding import folded  # noqa: E402
from rtbold.models.neurobolt import NeuroBolt, NeuroBoltConfig  # noqa: E402


def windows(n=2):
    return torch.from_numpy(architectures.windows(n))


def with_drawn_parameters(model):
    """Fresh norms are 1 and 0: nothing would be seen of how they are folded."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter += 0.3 * noise if parameter.ndim == 1 else 0.01 * noise
    return model


@pytest.mark.parametrize("name", VARIANTS)
def test_same_answers_and_the_model_is_left_as_it_is(name):
    model = with_drawn_parameters(made(name)).train()
    state = {k: value.clone() for k, value in model.state_dict().items()}
    short = folded(model)
    assert model.training
    assert not short.training
    for k, value in model.state_dict().items():
        torch.testing.assert_close(value, state[k], rtol=0, atol=0)
    with torch.inference_mode():
        expected = model.eval()(windows(3))
        limit = 1e-5 * max(1.0, float(expected.abs().max()))
        torch.testing.assert_close(short(windows(3)), expected, atol=limit, rtol=0)


def test_the_published_form_needs_four_percent_fewer_operations():
    model = NeuroBolt(NeuroBoltConfig())
    n_channels = len(model.config.channels)
    share = flops_per_window(folded(model), n_channels) / flops_per_window(
        model, n_channels
    )
    assert share == pytest.approx(0.96, abs=0.005)


def test_every_known_norm_is_folded():
    short = folded(NeuroBolt(NeuroBoltConfig()))
    left = {
        name
        for name, module in short.named_modules()
        if isinstance(module, torch.nn.LayerNorm) and module.weight is not None
    }
    assert left == {"fc_norm"}
