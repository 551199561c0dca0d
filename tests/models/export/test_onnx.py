"""Every architecture as the graph that the engines run."""

from functools import cache

import onnx
import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402
from architectures import CHANNELS, VARIANTS, made, windows  # noqa: E402

from rtbold.bundle import store as bundle  # noqa: E402
from rtbold.bundle.card import Card, Origin  # noqa: E402
from rtbold.calibration.evaluate.ood import FeatureScale, head_inputs  # noqa: E402
from rtbold.engine.opening import open_engine  # noqa: E402
from rtbold.engine.openvino import open_core  # noqa: E402
from rtbold.engine.openvino_compile import float_products  # noqa: E402
from rtbold.errors import BundleError, EngineError  # noqa: E402
from rtbold.models.export import onnx as export  # noqa: E402
from rtbold.models.export.onnx import Watched, can_be_watched  # noqa: E402
from rtbold.models.registry import name_of, options_of  # noqa: E402

# Their operators are all in the variants that are exported.
SAME_GRAPH = {
    "neurobolt spatiotemporal",
    "neurobolt ensemble with every option",
    "biot at a fixed scale",
    "ridge",
}
# Exported with the second output: how far the last layer is from calibration.
WATCHED = ("neurobolt log, tokens, laplacian", "ridge")


def write(model, folder, *, n_rois=3, onnx_file=None, watch=None):
    card = Card(
        name="t",
        architecture=name_of(model),
        architecture_config=options_of(model.config),
        channels=CHANNELS,
        reference="average",
        tr_s=2.1,
        rois=tuple(f"roi {i}" for i in range(n_rois)),
        scanner="simulated",
        origin=Origin(kind="simulated", simulated_lineage=True),
    )
    contents = {
        "model.onnx": onnx_file
        or export.to_onnx(model, len(card.channels), watch=watch),
        "weights.safetensors": export.to_safetensors(model),
    }
    return bundle.write(folder / "t.rtbold", card, contents)


def scale_of(model):
    """Return what the head reads, and its scale."""
    features = head_inputs(model, [windows(6)])
    return features, FeatureScale.of(features)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return a function from a variant to its bundle; an export takes seconds."""

    @cache
    def of(name):
        model, watch = made(name), None
        if name in WATCHED:
            _, scale = scale_of(model)
            watch = (scale.mean, scale.sd)
        return write(model, tmp_path_factory.mktemp("exported"), watch=watch)

    return of


@pytest.mark.heavy
def test_int8_leaves_every_spectrum_in_floating_point(tmp_path):
    graph = write(made("neurobolt published form"), tmp_path).file("model.onnx")
    model = open_core().read_model(graph)
    model.reshape({"eeg_uv": [1, len(CHANNELS), 3200]})
    products = [n for n in model.get_ops() if n.get_type_name() == "MatMul"]
    rows = [100, 100, 200, 400]  # of cosines and sines: a piece, then halves of three
    waves = {
        n.get_friendly_name(): shape[0]
        for n in products
        for shape in [tuple(n.input(1).get_shape())]
        if shape in {(100, 102), (100, 100), (200, 200), (400, 400)}
    }
    assert sorted(waves.values()) == rows
    assert (
        set(waves) <= float_products(model) < {n.get_friendly_name() for n in products}
    )


@pytest.mark.heavy
@pytest.mark.parametrize("name", sorted(set(VARIANTS) - SAME_GRAPH))
def test_openvino_agrees_with_torch(name, exported):
    made_bundle = exported(name)
    graph = onnx.load(made_bundle.file("model.onnx"))
    onnx.checker.check_model(graph, full_check=True)
    assert [entry.version for entry in graph.opset_import] == [export.OPSET]
    x = windows(3)
    reference = open_engine(made_bundle, engine="torch")(x)
    many = open_engine(made_bundle, batch_size=None)(x)
    one = open_engine(made_bundle)
    single = np.concatenate([one(window[None]) for window in x])
    limit = made_bundle.card.tolerance * np.maximum(1, np.abs(reference))
    assert (np.abs(many - reference) <= limit).all()
    assert (np.abs(single - reference) <= limit).all()


@pytest.mark.heavy
@pytest.mark.parametrize("name", WATCHED)
def test_engine_gives_bold_as_before_and_the_distance_beside_it(name, exported):
    made_bundle, x = exported(name), windows(6)
    features, scale = scale_of(made(name))
    engine = open_engine(made_bundle)
    wanted = scale.distance(features)
    reference = open_engine(made_bundle, engine="torch")
    for window, distance in zip(x, wanted, strict=True):
        bold = engine(window[None])
        np.testing.assert_allclose(bold, reference(window[None]), rtol=1e-4, atol=1e-4)
        assert engine.feature_distance == pytest.approx([distance], rel=1e-3)
    engine(10 * x[:1])
    assert engine.feature_distance[0] > 2 * wanted.max()


def test_only_a_single_linear_head_can_be_watched():
    assert can_be_watched(made("biot"))
    assert not can_be_watched(torch.nn.Flatten())


def test_a_scale_of_another_size_is_refused():
    model = made("biot")
    with pytest.raises(ValueError, match="what the head reads"):
        Watched(model, torch.zeros(3), torch.ones(3))


@pytest.mark.heavy
def test_export_is_reproducible_and_names_no_path():
    model = made("ridge")
    data = export.to_onnx(model, 4)
    assert data == export.to_onnx(model, 4)
    assert b"/models/" not in data


def test_torch_engine_refuses_weights_of_another_shape(tmp_path):
    mixed = write(made("ridge", n_rois=2), tmp_path, onnx_file=b"unused")
    with pytest.raises(BundleError, match="does not fit its architecture"):
        open_engine(mixed, engine="torch")


@pytest.fixture(params=["ridge", "biot", "beira"])
def engine(request, tmp_path):
    made_bundle = write(made(request.param), tmp_path, onnx_file=b"unused")
    return open_engine(made_bundle, engine="torch")


def test_a_failing_torch_is_an_error_of_the_engine(engine, monkeypatch):
    def no_memory(eeg_uv):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(engine, "_model", no_memory)
    with pytest.raises(EngineError, match=r"torch failed.*out of memory"):
        engine(windows(1))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (windows(1).astype(np.float64), "float64, expected float32"),
        (windows(1).astype(np.int16), "int16, expected float32"),
        (windows(1, n_channels=3), r"shape \(1, 3, 3200\), expected \(batch, 4, 3200"),
        (windows(1)[..., :-1], r"shape \(1, 4, 3199\), expected"),
        (windows(1)[0], r"shape \(4, 3200\), expected"),
        (windows(0), "no window in the batch"),
        (windows(1) * np.nan, "not finite"),
    ],
)
def test_wrong_windows_are_said(engine, x, message):
    with pytest.raises(EngineError, match=message):
        engine(x)
