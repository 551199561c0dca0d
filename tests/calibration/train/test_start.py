import pytest

pytest.importorskip("torch")

import msgspec
import torch
from planted import CHANNELS, ROIS

from rtbold import bundle
from rtbold.bundle import Card, Origin
from rtbold.calibration.train.recipe import ModelPart
from rtbold.calibration.train.start import start_network
from rtbold.errors import ConfigError
from rtbold.models.export.onnx import to_safetensors
from rtbold.models.registry import build, name_of, options_of

SMALL = {"dim": 40, "heads": 2, "depth": 2, "spectral_depth": 1, "spectral_heads": 2}
LABRAM = {"dim": 40, "heads": 2, "depth": 2}


def card(channels=CHANNELS, rois=ROIS, kind="group"):
    return Card(
        name="earlier",
        architecture="",
        channels=channels,
        reference="average",
        tr_s=2.0,
        rois=rois,
        scanner="inside_running",
        origin=Origin(kind=kind, simulated_lineage=False),
    )


def model(architecture="neurobolt", options=SMALL, **more):
    return ModelPart(architecture=architecture, options=dict(options), **more)


@pytest.fixture
def made(tmp_path):
    """Write a network as a bundle."""

    def write(architecture, options, whose=None, seed=7):
        whose = whose or card()
        torch.manual_seed(seed)
        network = build(
            architecture, options, channels=whose.channels, n_rois=len(whose.rois)
        )
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        named = msgspec.structs.replace(
            whose,
            architecture=name_of(network),
            architecture_config=options_of(network.config),
        )
        contents = {
            "weights.safetensors": to_safetensors(network, None, simulated=False)
        }
        return bundle.write(tmp_path / "earlier.rtbold", named, contents), network

    return write


def same(network, other, names):
    mine, theirs = network.state_dict(), other.state_dict()
    return all(torch.equal(mine[name], theirs[name]) for name in names)


def test_a_fresh_network_is_the_seed_s_and_leaves_torch_s_own_draws_alone():
    torch.manual_seed(3)
    before = torch.rand(1)
    torch.manual_seed(3)
    first, again = (start_network(model(), card(), seed=5).network for _ in range(2))
    assert torch.equal(torch.rand(1), before)
    other = start_network(model(), card(), seed=6).network
    assert same(first, again, first.state_dict())
    assert not same(first, other, ["head.weight"])


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("neurobolt", SMALL),
        ("labram", LABRAM),
        ("biot", {}),
        ("beira", {}),
        ("siren", {}),
        ("bandpower_ridge", {}),
        ("efp", {"electrode": "CZ"}),
    ],
)
def test_any_model_of_the_registry_can_be_named(architecture, options):
    network = start_network(model(architecture, options), card()).network
    assert name_of(network) == architecture
    assert network(torch.randn(2, 4, 3200)).shape == (2, 2)


def test_a_network_whose_members_share_no_head_is_refused():
    with pytest.raises(ConfigError, match="neurobolt_ensemble cannot be trained"):
        start_network(model("neurobolt_ensemble", {}), card())


def test_an_earlier_bundle_gives_all_its_weights(made):
    earlier, old = made("neurobolt", SMALL)
    started = start_network(model(), card(), base=earlier)
    assert same(started.network, old, old.state_dict())
    assert started.fresh == ()


def test_rows_of_the_head_go_by_the_names_of_rois(made):
    earlier, old = made("neurobolt", SMALL)
    wanted = card(rois=("new", "back", "front"))
    network = start_network(model(), wanted, base=earlier, seed=1).network
    assert torch.equal(network.head.weight[1], old.head.weight[1])
    assert torch.equal(network.head.weight[2], old.head.weight[0])
    fresh = start_network(model(), wanted, seed=1).network
    assert torch.equal(network.head.weight[0], fresh.head.weight[0])


def test_channel_tokens_go_by_the_names_of_electrodes(made):
    earlier, old = made("neurobolt", SMALL)
    wanted = card(channels=("C3", "FP1"))
    network = start_network(model(), wanted, base=earlier).network
    tokens = old.mss_module.channel_tokens.weight
    assert torch.equal(network.mss_module.channel_tokens.weight, tokens[[3, 0]])


def test_an_encoder_serves_a_network_that_has_more_than_it(made):
    encoder, old = made("labram", LABRAM, card(kind="start"))
    started = start_network(model(), card(), base=encoder)
    names = [n for n in old.state_dict() if not n.startswith("head.")]
    assert same(started.network, old, names)
    assert any(name.startswith("mss_module.") for name in started.fresh)
    assert "head.weight" in started.fresh


def test_a_base_of_another_kind_is_refused(made):
    earlier, _ = made("beira", {})
    with pytest.raises(ConfigError, match="nothing of base 'earlier', a beira, fits"):
        start_network(model(), card(), base=earlier)


def test_a_closed_form_has_no_start(made):
    earlier, _ = made("bandpower_ridge", {})
    with pytest.raises(ConfigError, match="solved in closed form, expected none"):
        start_network(model("bandpower_ridge", {}), card(), base=earlier)


def test_a_channel_that_the_base_lacks_is_named(made):
    earlier, _ = made("neurobolt", SMALL)
    with pytest.raises(ConfigError, match="no weights for PZ"):
        start_network(model(), card(channels=("PZ", "CZ")), base=earlier)


def test_frozen_parts_do_not_learn():
    network = start_network(model(frozen=("mss_module", "blocks.0")), card()).network
    frozen = {n for n, p in network.named_parameters() if not p.requires_grad}
    assert all(n.startswith(("mss_module.", "blocks.0.")) for n in frozen)
    assert len(frozen) > 10


def test_a_frozen_part_that_is_not_there_is_answered_with_one_that_is():
    with pytest.raises(ConfigError, match=r"'mss_modul'.*Did you mean 'mss_module'"):
        start_network(model(frozen=("mss_modul",)), card())
    everything = ("mss_module", "blocks", "patch_embed", "fc_norm", "head")
    start_network(model(frozen=everything), card())  # embeddings are left
    whole = model("efp", {"electrode": "CZ"}, frozen=("head",))
    with pytest.raises(ConfigError, match="leaves nothing to be learned"):
        start_network(whole, card())
