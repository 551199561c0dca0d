import numpy as np
import pytest

torch = pytest.importorskip("torch")

from architectures import TINY_NEUROBOLT, VARIANTS, windows  # noqa: E402
from planted import material  # noqa: E402

from rtbold.bundle import store as bundle  # noqa: E402
from rtbold.bundle.card import Card, Origin  # noqa: E402
from rtbold.calibration.fit.base import Start, adapt_base, fresh_base  # noqa: E402
from rtbold.calibration.fit.protocol import Pace  # noqa: E402
from rtbold.engine.torch import load_network  # noqa: E402
from rtbold.errors import ConfigError  # noqa: E402
from rtbold.models.export.onnx import to_safetensors  # noqa: E402
from rtbold.models.registry import build, options_of  # noqa: E402

CHANNELS = ("FP1", "CZ", "O2", "C3")
ROIS = ("a", "b", "c")


def written(path, name, *, kind="simulated"):
    architecture, options = VARIANTS.get(name, ("neurobolt", TINY_NEUROBOLT))
    torch.manual_seed(1)
    network = build(architecture, options, channels=CHANNELS, n_rois=3)
    card = Card(
        name="small",
        architecture=architecture,
        architecture_config=options_of(network.config),
        channels=CHANNELS,
        reference="average",
        tr_s=2.0,
        rois=ROIS,
        scanner="simulated",
        origin=Origin(kind=kind, simulated_lineage=kind == "simulated"),
    )
    weights = {"weights.safetensors": to_safetensors(network)}
    return bundle.write(path / "small.rtbold", card, weights)


@pytest.mark.parametrize("name", VARIANTS)
def test_same_channels_and_rois_answer_as_the_bundle(tmp_path, name):
    if name.startswith("neurobolt ensemble"):
        pytest.skip("refused: see below")
    if VARIANTS[name][0] == "efp":
        VARIANTS[name][1]["electrode"] = "CZ"
    found = written(tmp_path, name)
    base = adapt_base(found, CHANNELS, ROIS)
    x = torch.from_numpy(windows())
    with torch.inference_mode():
        torch.testing.assert_close(base.network(x), load_network(found)(x))
    assert base.known == (True,) * 3
    assert base.simulated_lineage
    assert base.fresh == ()


def test_rois_are_found_by_name_and_new_ones_start_at_zero(tmp_path):
    found = written(tmp_path, "neurobolt log, tokens, laplacian")
    base = adapt_base(found, CHANNELS, ("c", "new"))
    x = torch.from_numpy(windows())
    with torch.inference_mode():
        predictions, whole = base.network(x), load_network(found)(x)
    torch.testing.assert_close(predictions[:, 0], whole[:, 2])
    assert not predictions[:, 1].any()
    assert base.known == (True, False)


def test_a_start_in_the_published_form_has_more_to_read(tmp_path):
    found = written(tmp_path, "neurobolt published form", kind="start")
    base = adapt_base(found, CHANNELS, ("new",))
    assert base.network.config.head == "axes"
    assert base.earlier is None
    encoder = load_network(found).state_dict()
    for key, value in base.network.state_dict().items():
        if not key.startswith("head."):
            assert torch.equal(value, encoder[key])


def test_unknown_rois_can_be_learned_through_the_earlier_head(tmp_path):
    found = written(tmp_path, "neurobolt published form")
    base = adapt_base(found, CHANNELS, ("new",))
    assert base.known == (False,)
    x = torch.from_numpy(windows())
    with torch.inference_mode():
        features, whole = base.network.features(x).numpy(), load_network(found)(x)
    predictions = features @ base.earlier.weight + base.earlier.bias
    np.testing.assert_allclose(predictions, whole, atol=1e-5)


def test_a_start_has_no_head_to_carry(tmp_path):
    base = adapt_base(written(tmp_path, "labram", kind="start"), CHANNELS, ROIS)
    assert base.known == (False,) * 3
    assert not base.simulated_lineage
    assert not base.head.weight.any()


@pytest.mark.parametrize(
    "name",
    ["labram", "biot", "neurobolt published form", "neurobolt spectral, linformer"],
)
def test_fewer_channels_pick_their_tokens_by_name(tmp_path, name):
    found = written(tmp_path, name)
    picked = ("O2", "FP1")
    base = adapt_base(found, picked, ROIS)
    old = load_network(found).state_dict()
    for key, value in base.network.state_dict().items():
        if key.endswith("channel_tokens.weight"):
            assert torch.equal(value, old[key][[2, 0]])
        if key.endswith("shorten_k"):
            steps = len(old[key]) // 4
            assert torch.equal(value[:steps], old[key][2 * steps : 3 * steps])
    with torch.inference_mode():
        predictions = base.network(torch.from_numpy(windows(n_channels=2)))
    assert np.isfinite(predictions.numpy()).all()
    assert base.known == (True,) * 3


def test_ridge_on_fewer_channels_adds_up_their_shares(tmp_path):
    found = written(tmp_path, "ridge")
    x = torch.from_numpy(windows())
    parts = []
    for channels, rows in ((("FP1", "O2"), [0, 2]), (("CZ", "C3"), [1, 3])):
        base = adapt_base(found, channels, ROIS)
        with torch.inference_mode():
            parts.append(base.network(x[:, rows]) - base.head.bias)
    whole = load_network(found)
    with torch.inference_mode():
        torch.testing.assert_close(sum(parts), whole(x) - whole.head.bias)


def test_another_montage_has_a_laplacian_of_its_own(tmp_path):
    found = written(tmp_path, "neurobolt log, tokens, laplacian")
    base = adapt_base(found, CHANNELS[:3], ROIS)
    assert base.fresh == ("unmixing.weight",)


def test_a_missing_channel_says_what_can_be_done(tmp_path):
    found = written(tmp_path, "labram")
    with pytest.raises(
        ConfigError, match=r"no weights for PZ.*--channels CZ,O2"
    ) as told:
        adapt_base(found, ("CZ", "PZ", "O2"), ROIS)
    assert "--interpolate" in str(told.value)
    assert "--base nothing" in str(told.value)


def test_networks_tied_to_their_montage_are_refused_on_another(tmp_path):
    found = written(tmp_path, "beira")
    with pytest.raises(ConfigError, match="tied to the montage"):
        adapt_base(found, CHANNELS[:3], ROIS)


def test_an_ensemble_is_no_base(tmp_path):
    name = next(name for name in VARIANTS if name.startswith("neurobolt ensemble"))
    with pytest.raises(ConfigError, match="share no head"):
        adapt_base(written(tmp_path, name), CHANNELS, ROIS)


def test_from_nothing_answers_zero_and_is_the_same_for_a_seed():
    bases = [fresh_base(CHANNELS, ROIS, Start(seed=s)) for s in (0, 0, 1)]
    assert not bases[0].learned
    weights = [
        b.network.state_dict()["mss_module.channel_tokens.weight"] for b in bases
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    with torch.inference_mode():
        x = torch.from_numpy(material(n=2)[0].windows_uv)
        assert not bases[0].network(x).any()
    published = fresh_base(CHANNELS, ROIS, Start("neurobolt", "base"))
    assert published.network.config.head == "axes"
    assert fresh_base(CHANNELS, ROIS, Start("bandpower_ridge", "base")).learned


def test_pace_counts_what_is_saved():
    told, now = [], iter([0.0, 2.0, 4.0])
    pace = Pace("folds", 10, now_s=lambda: next(now), tell=told.append)
    pace.step()
    pace.saved(5)
    pace.step()
    assert [p.left_s for p in told] == [18.0, 6.0]
    assert told[-1].share == pytest.approx(0.4)
