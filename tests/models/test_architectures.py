"""Every architecture: one call, one training step, what it refuses."""

import copy

import pytest

torch = pytest.importorskip("torch")

import architectures  # noqa: E402
from architectures import CHANNELS, IDLE, TINY_NEUROBOLT, VARIANTS, made  # noqa: E402

from rtbold.bundle.store import load  # noqa: E402
from rtbold.errors import ConfigError  # noqa: E402
from rtbold.models.registry import (  # noqa: E402
    ARCHITECTURES,
    PRESETS,
    build,
    name_of,
    options_of,
    preset,
)


@pytest.fixture(params=VARIANTS)
def variant(request):
    return request.param


def windows(n=2):
    return torch.from_numpy(architectures.windows(n))


def test_every_architecture_is_tried():
    assert {name for name, _ in VARIANTS.values()} == set(ARCHITECTURES)


def test_one_call_and_batches_do_not_mix(variant):
    model = made(variant).eval()
    x = windows(3)
    with torch.inference_mode():
        bold = model(x)
        alone = model(x[1:2])
    assert bold.shape == (3, 3)
    assert bold.dtype == torch.float32
    torch.testing.assert_close(bold[1:2], alone, atol=1e-4, rtol=1e-4)


def test_the_head_reads_the_features(variant):
    model = made(variant).eval()
    with torch.inference_mode():
        features = model.features(windows())
        assert features.shape == (2, model.head.in_features)
        if hasattr(model, "scale"):
            features = (features - model.mean) / model.scale
        torch.testing.assert_close(model.head(features), model(windows()))


def test_one_training_step_lowers_the_loss_and_moves_everything(variant):
    model = made(variant).train()
    target = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    x = windows(8)
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-4)
    torch.manual_seed(1)
    before = torch.nn.functional.mse_loss(model(x), target)
    before.backward()
    idle = {name for name, value in model.named_parameters() if value.grad is None}
    assert idle == IDLE.get(variant, set())
    for parameter in model.parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all()
    optimiser.step()
    torch.manual_seed(1)  # the same dropout
    after = torch.nn.functional.mse_loss(model(x), target)
    assert after < before


def test_the_newest_and_the_oldest_samples_count(variant):
    model = made(variant).eval()
    x = windows(1)
    with torch.inference_mode():
        features = model.features(x)
        for piece in (slice(0, 100), slice(3100, 3200)):
            changed = x.clone()
            changed[..., piece] *= -3.0
            assert (model.features(changed) - features).abs().max() > 1e-4


def test_flat_channel_stays_finite_forward_and_backward(variant):
    model = made(variant).train()
    x = windows(2)
    x[:, 1] = 0.0
    bold = model(x)
    bold.sum().backward()
    assert torch.isfinite(bold).all()
    for parameter in model.parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all()


def test_options_rebuild_the_same_network(variant):
    model = made(variant)
    again = build(
        name_of(model),
        options_of(model.config),
        channels=CHANNELS,
        n_rois=3,
    )
    again.load_state_dict(model.state_dict())
    assert name_of(model) == VARIANTS[variant][0]


def test_a_module_of_no_architecture_has_no_name():
    with pytest.raises(ConfigError, match="Identity is no registered architecture"):
        name_of(torch.nn.Identity())


@pytest.mark.parametrize("n_rois", [1, 7, 64])
def test_any_number_of_rois(n_rois):
    for architecture, _ in VARIANTS.values():
        electrode = {"electrode": "CZ"} if architecture == "efp" else {}
        small = TINY_NEUROBOLT if architecture.startswith("neurobolt") else electrode
        model = build(architecture, small, channels=CHANNELS, n_rois=n_rois)
        assert model.head.out_features == n_rois


def test_presets_build():
    assert set(PRESETS) <= set(ARCHITECTURES)
    channels = ("FP1", "CZ", "O2", "T7")
    small = build(
        "neurobolt", preset("neurobolt", "small"), channels=channels, n_rois=2
    )
    assert small.config.dim == 64
    assert preset("labram", "base") == {}
    with torch.inference_mode():
        assert small.eval()(windows()).shape == (2, 2)


def test_the_demo_is_the_small_preset():
    config = load("demo").card.architecture_config
    assert config == preset("neurobolt", "small")


def test_unknown_preset_lists_what_there_is():
    with pytest.raises(ConfigError, match="no preset 'large', expected one of base, s"):
        preset("neurobolt", "large")
    with pytest.raises(ConfigError, match="biot has no preset 'small'"):
        preset("biot", "small")
    with pytest.raises(
        ConfigError, match="expected one of neurobolt, neurobolt_ensemble, lab"
    ):
        preset("gpt", "base")


@pytest.mark.parametrize(
    ("architecture", "options", "message"),
    [
        ("gpt", {}, "expected one of neurobolt"),
        ("neurobolt", {"width": 2}, "no option width"),
        ("neurobolt", {"dim": 64}, "multiple of its 10 heads; change dim or heads"),
        ("neurobolt", {"magnitude": "cubic"}, "magnitude is 'cubic'"),
        ("neurobolt", {"dim": "64"}, "dim is '64', expected int such as 200"),
        ("neurobolt", {"depth": True}, "depth is True, expected int"),
        ("labram", {"heads": 0}, "multiple of its 0 heads"),
        ("biot", {"normalisation": "z"}, "normalisation is 'z', expected one of p95"),
        ("beira", {"filter_samples": 50}, "filter_samples is 50, expected an odd"),
        ("beira", {"width": 0}, "expected at least 1 of each"),
        ("siren", {"sine_layers": 0}, "expected at least 1 of each"),
        ("siren", {"frequency": 0.0}, "frequency is 0.0, expected a positive"),
        ("efp", {}, "electrode is 'PZ', expected one of the model's channels: FP1"),
        ("bandpower_ridge", {"unmixing": "ica"}, "unmixing is 'ica'"),
    ],
)
def test_what_cannot_be_built_is_said(architecture, options, message):
    with pytest.raises(ConfigError, match=message):
        build(architecture, options, channels=CHANNELS, n_rois=1)


def test_a_whole_number_serves_where_a_fraction_is_expected():
    model = build("siren", {"frequency": 20}, channels=CHANNELS, n_rois=1)
    assert model.sines[0].frequency == 20


def test_no_rois_and_no_channels():
    with pytest.raises(ConfigError, match="4 channels and 0 ROIs"):
        build("biot", {}, channels=CHANNELS, n_rois=0)
    with pytest.raises(ConfigError, match="0 channels and 1 ROIs"):
        build("biot", {}, channels=(), n_rois=1)


def test_unknown_electrodes_are_told_their_neighbours():
    with pytest.raises(
        ConfigError, match=r"no position row for E1, Ftt9h.*Ftt9h: FTT9h"
    ):
        build("labram", {}, channels=("CZ", "E1", "Ftt9h"), n_rois=1)
    with pytest.raises(ConfigError, match=r"Cz: CZ"):
        build("neurobolt", TINY_NEUROBOLT, channels=("Cz",), n_rois=1)


def test_position_and_time_reach_the_labram_tokens():
    model = made("labram").eval()
    with torch.inference_mode():
        before = model.features(windows())
        moved = copy.deepcopy(model)
        moved.position_index = model.position_index.flip(0)
        assert (moved.features(windows()) - before).abs().max() > 1e-4
