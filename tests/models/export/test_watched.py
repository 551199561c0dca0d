"""The graph's second output: how far the last layer is from calibration."""

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402
from architectures import CHANNELS, made, windows  # noqa: E402

from rtbold.bundle import store as bundle  # noqa: E402
from rtbold.bundle.card import Card, Origin  # noqa: E402
from rtbold.calibration.evaluate.likeness import FeatureScale, head_inputs  # noqa: E402
from rtbold.engine.opening import open_engine  # noqa: E402
from rtbold.models.export import onnx as export  # noqa: E402
from rtbold.models.export.onnx import Watched, can_be_watched  # noqa: E402
from rtbold.models.registry import name_of, options_of  # noqa: E402


def written(folder, model, watch):
    card = Card(
        name="t", architecture=name_of(model),
        architecture_config=options_of(model.config), channels=CHANNELS,
        reference="average", tr_s=2.1, rois=("a", "b", "c"), scanner="simulated",
        origin=Origin(kind="simulated", simulated_lineage=True),
    )  # fmt: skip
    contents = {
        "model.onnx": export.to_onnx(model, len(CHANNELS), watch=watch),
        "weights.safetensors": export.to_safetensors(model),
    }
    return bundle.write(folder / "t.rtbold", card, contents)


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["neurobolt log, tokens, laplacian", "ridge"])
def test_engine_gives_bold_as_before_and_the_distance_beside_it(name, tmp_path):
    model, x = made(name), windows(6)
    features = head_inputs(model, [x])
    scale = FeatureScale.of(features)
    made_bundle = written(tmp_path, model, (scale.mean, scale.sd))
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
