"""Every architecture: one call, one training step, one graph that every engine runs."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtbold import bundle  # noqa: E402
from rtbold.card import Card, Origin  # noqa: E402
from rtbold.engine import open_engine  # noqa: E402
from rtbold.errors import BundleError, ConfigError, EngineError  # noqa: E402
from rtbold.models.export import to_onnx, to_safetensors  # noqa: E402
from rtbold.models.registry import ARCHITECTURES, build, options_of  # noqa: E402

CHANNELS = ("FP1", "CZ", "O2", "FTT9h")
TINY = {"dim": 16, "heads": 2, "depth": 1, "spectral_depth": 1, "spectral_heads": 2}
VARIANTS = {
    "neurobolt published form": ("neurobolt", TINY),
    "neurobolt log, tokens, laplacian": (
        "neurobolt",
        {
            **TINY,
            "magnitude": "log",
            "head": "tokens",
            "unmixing": "laplacian",
            "spectral_steps": 8,
        },
    ),
    "neurobolt linformer": ("neurobolt", {**TINY, "attention": "linformer"}),
    "neurobolt spectral": ("neurobolt", {**TINY, "branches": "spectral"}),
    "neurobolt spatiotemporal": ("neurobolt", {**TINY, "branches": "spatiotemporal"}),
    "labram": ("labram", {"dim": 16, "heads": 2, "depth": 1}),
    "biot": ("biot", {"dim": 16, "heads": 2, "depth": 1}),
    "biot at a fixed scale": (
        "biot",
        {"dim": 16, "heads": 2, "depth": 1, "normalisation": "fixed"},
    ),
    "beira": ("beira", {"spatial_filters": 3, "filter_samples": 11, "width": 4}),
    "siren": ("siren", {"sine_layers": 2, "sine_units": 6, "width": 4}),
    "efp": ("efp", {"electrode": "CZ"}),
    "ridge": ("bandpower_ridge", {}),
    "ridge on the laplacian": ("bandpower_ridge", {"unmixing": "laplacian"}),
}


@pytest.fixture(params=VARIANTS)
def variant(request):
    return VARIANTS[request.param]


def channels_for(options):
    # The Laplacian needs positions, which mixed-case names of the table do not have.
    return ("FP1", "CZ", "O2", "T7") if "unmixing" in options else CHANNELS


def made(variant, n_rois=3):
    architecture, options = variant
    torch.manual_seed(0)
    return build(architecture, options, channels=channels_for(options), n_rois=n_rois)


def windows(n=2):
    noise = np.random.default_rng(0).standard_normal((n, 4, 3200))
    return torch.from_numpy((20 * noise).astype(np.float32))


def test_every_architecture_is_tried():
    assert {architecture for architecture, _ in VARIANTS.values()} == set(ARCHITECTURES)


def test_one_call_and_batches_do_not_mix(variant):
    model = made(variant).eval()
    x = windows(3)
    with torch.inference_mode():
        bold = model(x)
        alone = model(x[1:2])
    assert bold.shape == (3, 3)
    assert bold.dtype == torch.float32
    torch.testing.assert_close(bold[1:2], alone, atol=1e-4, rtol=1e-4)


def test_one_training_step_lowers_the_loss(variant):
    model = made(variant).train()
    target = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    x = windows(8)
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-4)
    torch.manual_seed(1)
    before = torch.nn.functional.mse_loss(model(x), target)
    before.backward()
    optimiser.step()
    torch.manual_seed(1)  # the same dropout
    after = torch.nn.functional.mse_loss(model(x), target)
    assert after < before


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
    _, options = variant
    again = build(
        variant[0], options_of(model.config), channels=channels_for(options), n_rois=3
    )
    again.load_state_dict(model.state_dict())


def write(model, variant, folder, n_rois=3):
    architecture, options = variant
    card = Card(
        name="t",
        architecture=architecture,
        architecture_config=options,
        channels=channels_for(options),
        reference="average",
        tr_s=2.1,
        rois=tuple(f"roi {i}" for i in range(n_rois)),
        scanner="simulated",
        origin=Origin(kind="simulated", simulated_lineage=True),
    )
    contents = {
        "model.onnx": to_onnx(model, len(card.channels)),
        "weights.safetensors": to_safetensors(model),
    }
    return bundle.write(folder / "t.rtbold", card, contents)


@pytest.mark.integration
def test_openvino_agrees_with_torch(variant, tmp_path):
    made_bundle = write(made(variant), variant, tmp_path)
    x = windows(3).numpy()
    reference = open_engine(made_bundle, engine="torch")(x)
    many = open_engine(made_bundle, batch_size=None)(x)
    one = open_engine(made_bundle)
    single = np.concatenate([one(window[None]) for window in x])
    np.testing.assert_allclose(many, reference, atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(single, reference, atol=1e-4, rtol=1e-4)


@pytest.mark.integration
def test_export_is_reproducible_and_names_no_path(tmp_path):
    variant = VARIANTS["ridge"]
    model = made(variant)
    data = to_onnx(model, 4)
    assert data == to_onnx(model, 4)
    assert b"/models/" not in data


def test_torch_engine_refuses_weights_of_another_shape(tmp_path, monkeypatch):
    variant = VARIANTS["ridge"]
    monkeypatch.setitem(globals(), "to_onnx", lambda model, n: b"unused")
    mixed = write(made(variant, n_rois=2), variant, tmp_path, n_rois=3)
    with pytest.raises(BundleError, match="does not fit its architecture"):
        open_engine(mixed, engine="torch")


def test_a_failing_torch_is_an_error_of_the_engine(tmp_path, monkeypatch):
    variant = VARIANTS["ridge"]
    monkeypatch.setitem(globals(), "to_onnx", lambda model, n: b"unused")
    engine = open_engine(write(made(variant), variant, tmp_path), engine="torch")

    def no_memory(eeg_uv):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(engine, "_model", no_memory)
    with pytest.raises(EngineError, match=r"torch failed.*out of memory"):
        engine(windows(1).numpy())


def test_unknown_architecture_option_channel_and_size():
    with pytest.raises(ConfigError, match="expected one of neurobolt"):
        build("gpt", {}, channels=CHANNELS, n_rois=1)
    with pytest.raises(ConfigError, match="no option width"):
        build("neurobolt", {"width": 2}, channels=CHANNELS, n_rois=1)
    with pytest.raises(ConfigError, match="no position row for E1"):
        build("neurobolt", TINY, channels=("CZ", "E1"), n_rois=1)
    with pytest.raises(ConfigError, match="multiple of its 10 heads"):
        build("neurobolt", {"dim": 64}, channels=CHANNELS, n_rois=1)
    with pytest.raises(ConfigError, match="magnitude is 'cubic'"):
        build("neurobolt", {"magnitude": "cubic"}, channels=CHANNELS, n_rois=1)
