"""Published weights by their names: which network, which channels, what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import checkpoint_files as files  # noqa: E402
from eager_neurobolt import EagerNeuroBolt  # noqa: E402

from rtbold.errors import CheckpointError, ConfigError  # noqa: E402
from rtbold.models.biot import Biot, BiotConfig  # noqa: E402
from rtbold.models.labram import Labram, LabramConfig  # noqa: E402
from rtbold.models.montage import (  # noqa: E402
    PUBLISHED_CHANNELS,
    Montage,
)
from rtbold.models.neurobolt import NeuroBolt, NeuroBoltConfig  # noqa: E402
from rtbold.models.published.checkpoints import read_checkpoint  # noqa: E402
from rtbold.models.published.recognise import neurobolt, recognise  # noqa: E402
from rtbold.models.published.starts import biot, labram  # noqa: E402

GOLDEN = json.loads(
    (Path(__file__).parent / "data" / "neurobolt_golden.json").read_text()
)["bold"]


@pytest.fixture(scope="module")
def golden_file(tmp_path_factory):
    state = files.drawn(NeuroBolt(NeuroBoltConfig()))
    return files.save(tmp_path_factory.mktemp("golden") / "golden.pth", state)


@pytest.fixture(scope="module")
def golden_windows():
    return files.golden_generator().eeg_uv(len(PUBLISHED_CHANNELS))


def imported(*paths, montage=None, heads=None):
    read = [read_checkpoint(path) for path in paths]
    return neurobolt(read, montage or Montage(), heads=heads)


def answers(network, windows):
    with torch.inference_mode():
        return network(torch.from_numpy(np.ascontiguousarray(windows))).numpy()


def assert_close(found, expected):
    limit = 1e-4 * np.maximum(1, np.abs(expected))
    assert (np.abs(found - expected) <= limit).all()


def test_golden_values_come_out_of_a_checkpoint(golden_file, golden_windows):
    found = imported(golden_file)
    assert_close(answers(found.network, golden_windows), GOLDEN)
    (account,) = found.accounts
    assert len(account.matched) == 293
    assert account.missing == {}
    assert account.left == ("optimizer", "epoch", "args", "mss_module.index")


def test_channels_are_picked_by_name_in_any_order(golden_file, golden_windows):
    """All 26 in another order, windows reordered alike: the answer cannot change.

    Rows or tokens that went to a wrong channel would change it, as the counter-check
    without reordered windows shows.
    """
    order = np.random.default_rng(3).permutation(len(PUBLISHED_CHANNELS))
    wanted = tuple(PUBLISHED_CHANNELS[i] for i in order)
    found = imported(golden_file, montage=Montage(wanted=wanted))
    assert found.channels == wanted
    assert_close(answers(found.network, golden_windows[:, order]), GOLDEN)
    wrong = answers(found.network, golden_windows)
    assert (np.abs(wrong - GOLDEN) > 1e-2).any()


def test_a_subset_is_the_published_network_on_fewer_channels(
    golden_file, golden_windows
):
    """What the published arithmetic gives with the picked rows and tokens.

    Nothing in the network but the position rows and the channel tokens knows which or
    how many channels there are: convolutions, norms, attention and means take what they
    are given. So the subset must equal a computation that shares no code with ours
    (tests/support/eager_neurobolt.py, which gives the golden values for all 26), fed
    with the rows and tokens of these channels. Both are written out by hand here.
    """
    names = ("O2", "T4", "CZ", "TP9")  # T4 is T8 to these weights
    tokens = [9, 13, 18, 24]  # places in the published order
    rows = torch.tensor([83, 46, 42, 48])  # places in LaBraM's table, plus 1
    found = imported(golden_file, montage=Montage(wanted=names))
    assert found.channels == ("O2", "T8", "CZ", "TP9")

    eager = eager_network(golden_file, tokens, rows)
    windows = golden_windows[:, tokens]
    expected = answers(eager, windows)
    assert_close(answers(found.network, windows), expected)
    for other in ([9, 12, 18, 24], [9, 13, 18, 25]):  # a neighbour's token instead
        wrong = answers(eager_network(golden_file, other, rows), windows)
        assert (np.abs(wrong - expected) > 1e-3).any()


def test_the_reference_of_the_subset_gives_the_golden_values(
    golden_file, golden_windows
):
    rows = torch.tensor(
        [
            *(1, 3, 18, 22, 40, 44, 62, 66, 81, 83, 16, 24, 38, 46, 60, 68),
            *(2, 20, 42, 64, 75, 82, 26, 36, 48, 58),
        ]
    )
    eager = eager_network(golden_file, list(range(26)), rows)
    assert_close(answers(eager, golden_windows), GOLDEN)


def eager_network(path, tokens, rows):
    state = dict(read_checkpoint(path).state)
    name = "mss_module.channel_tokens.weight"
    state[name] = state[name][tokens]
    return EagerNeuroBolt(state, rows)


@pytest.fixture
def tiny(tmp_path):
    def write(name="tiny.pth", n_rois=1, **options):
        return files.save(tmp_path / name, files.tiny_neurobolt(n_rois, **options))

    return write


def test_several_rois_in_one_file(tiny):
    found = imported(tiny(n_rois=7))
    assert found.n_rois == 7
    assert found.architecture == "neurobolt"
    assert answers(found.network, windows(1)).shape == (1, 7)


def windows(n, n_channels=26):
    return files.golden_generator().eeg_uv(n_channels, n_windows=n)


def test_several_files_are_members_with_weights_of_their_own(tiny):
    paths = [tiny(f"{seed}.pth", seed=seed) for seed in ("a", "b", "c")]
    found = imported(*paths)
    assert found.architecture == "neurobolt_ensemble"
    assert found.n_rois == len(found.accounts) == 3
    x = windows(2)
    together = answers(found.network, x)
    for i, path in enumerate(paths):
        alone = answers(imported(path).network, x)
        np.testing.assert_allclose(together[:, [i]], alone, atol=1e-5)
    assert np.ptp(together, axis=1).min() > 0.01


def test_sizes_are_read_from_the_shapes(tiny):
    config = imported(
        tiny(depth=2, spectral_depth=3, heads=5, spectral_steps=16, mlp_ratio=2)
    ).config
    assert (config.depth, config.spectral_depth, config.heads) == (2, 3, 5)
    assert (config.spectral_steps, config.mlp_ratio, config.dim) == (16, 2, 200)


def test_files_that_differ_are_refused(tiny):
    first = tiny("a.pth", seed="a")
    for options in ({"depth": 2}, {"n_rois": 2}, {"spectral_steps": 16}):
        other = tiny("b.pth", seed="b", **options)
        for pair in ((first, other), (other, first)):
            with pytest.raises(CheckpointError, match="one ROI each"):
                imported(*pair)
    with pytest.raises(CheckpointError, match="2 ROIs"):
        imported(tiny("c.pth", 2, seed="c"), tiny("d.pth", 2, seed="d"))


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (("CZ", "C5"), "C5.*no channel token"),
        (("CZ", "A1"), "A1.*no channel token"),
        (("CZ", "M1"), "M1.*no channel token"),  # M1 is not TP9
        (("T3", "O1", "T7"), "T3, T7 name one electrode"),
        (("CZ", "cz"), "CZ, cz name one electrode"),
    ],
)
def test_channels_that_the_weights_do_not_know(tiny, wanted, words):
    with pytest.raises(ConfigError, match=words):
        imported(tiny(), montage=Montage(wanted=wanted))


def test_old_names_and_small_letters(tiny):
    wanted = ("T3", "t4", "T5", "T6", "Fpz")
    found = imported(tiny(), montage=Montage(wanted=wanted))
    assert found.channels == ("T7", "T8", "P7", "P8", "FPZ")


def test_another_montage_must_be_named(tiny):
    # T3 has a row of its own, which a training under that name has used.
    trained = ("FTT9h", "CZ", "T3", "AF7")
    path = tiny(channels=trained)
    with pytest.raises(ConfigError, match=r"4 channel tokens.*--trained-channels"):
        imported(path)
    with pytest.raises(ConfigError, match="names 3 electrodes, the checkpoint has 4"):
        imported(path, montage=Montage(trained=trained[:3]))
    lower = tuple(name.lower() for name in trained)
    found = imported(path, montage=Montage(trained=lower, wanted=("T7", "ftt9h")))
    assert found.channels == ("T3", "FTT9h")
    assert found.network.position_index.tolist() == [89, 115]
    with pytest.raises(ConfigError, match="no position row for E1"):
        imported(path, montage=Montage(trained=("FTT9h", "CZ", "T3", "E1")))


def changed(tmp_path, change):
    state = files.tiny_neurobolt()
    change(state)
    return files.save(tmp_path / "changed.pth", state)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("blocks.0.attn.proj.bias"), "lacks blocks.0.attn.proj.bias"),
        (
            lambda s: s.update({"blocks.0.attn.qkv.bias": torch.zeros(600)}),
            "has blocks.0.attn.qkv.bias besides",
        ),
        (
            lambda s: s.update(time_embed=torch.zeros(1, 8, 200)),
            r"time_embed is \(1, 8, 200\), expected \(1, 16, 200\)",
        ),
        (lambda s: s.pop("cls_token"), "no weights cls_token"),
        (lambda s: s.pop("head.bias"), "lacks head.bias"),
        (
            lambda s: s["mss_module.positional_encoding.pe"].mul_(2),
            "not the sines and cosines",
        ),
        (
            lambda s: s.update({f"blocks.{i}.x": torch.ones(1) for i in range(10**4)}),
            "names 10001 blocks",
        ),
    ],
)
def test_another_network_under_the_same_names(tmp_path, change, words):
    with pytest.raises(CheckpointError, match=words):
        imported(changed(tmp_path, change))


def test_parts_that_the_network_has_not_are_left(tmp_path):
    path = changed(tmp_path, lambda s: s.update({"mask_token": torch.zeros(1, 1, 200)}))
    (account,) = imported(path).accounts
    assert "mask_token" in account.left


def test_an_index_and_a_position_need_not_be_in_the_file(tmp_path):
    path = changed(tmp_path, lambda s: [s.pop(name) for name in files.NOT_DRAWN])
    (account,) = imported(path).accounts
    assert account.missing == {files.NOT_DRAWN[1]: "fixed sines and cosines"}


def test_heads_of_another_width_must_be_given(tiny):
    path = tiny(dim=16, heads=2, spectral_heads=4)
    with pytest.raises(ConfigError, match=r"16 wide, not 200.*--heads N"):
        imported(path)
    assert imported(path, heads=4).config.spectral_heads == 4
    with pytest.raises(ConfigError, match="multiple of its 3 heads"):
        imported(path, heads=3)


def test_what_is_none_of_them(tmp_path):
    path = files.save(tmp_path / "x.pth", {"conv.weight": torch.ones(2)})
    with pytest.raises(CheckpointError, match=r"holds conv\.weight, which is none"):
        recognise(read_checkpoint(path))


def labram_file(tmp_path, **beside):
    """What the pre-training writes: the encoder as student, with a decoder."""
    config = LabramConfig(depth=1)
    state = files.drawn(Labram(config))
    encoder = {
        f"student.{name}": value
        for name, value in state.items()
        if not name.startswith(("fc_norm.", "head."))
    }
    decoder = {
        "student.norm.weight": torch.ones(200),
        "student.mask_token": torch.zeros(1, 1, 200),
        "student.lm_head.weight": torch.zeros(10, 200),
        "projection_head.0.weight": torch.zeros(200, 200),
    }
    return state, files.save(tmp_path / "labram.pth", {**encoder, **decoder, **beside})


def test_labram_is_a_start_without_a_head(tmp_path):
    state, path = labram_file(tmp_path)
    checkpoint = read_checkpoint(path)
    assert recognise(checkpoint) == "labram"
    found = labram(checkpoint, Montage(wanted=("T3", "FTT9h", "CZ")), n_rois=2)
    assert not found.trained_head
    assert found.channels == ("T7", "FTT9h", "CZ")
    (account,) = found.accounts
    assert set(account.missing) == {
        *("fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias")
    }
    assert {"norm.weight", "mask_token", "lm_head.weight"} < set(account.left)
    assert "projection_head.0.weight" in account.left
    assert (answers(found.network, windows(1, 3)) == 0).all()

    reference = Labram(LabramConfig(channels=("T7", "FTT9h", "CZ"), depth=1))
    reference.load_state_dict(state)
    torch.nn.init.ones_(reference.fc_norm.weight)
    torch.nn.init.zeros_(reference.fc_norm.bias)
    x = torch.from_numpy(windows(1, 3))
    with torch.inference_mode():
        features = found.network.features(x)
        torch.testing.assert_close(features, reference.eval().features(x))
        assert features.abs().max() > 0.01


def test_the_head_of_another_task_is_left(tmp_path):
    beside = {
        "student.head.weight": torch.ones(6, 200),
        "student.head.bias": torch.ones(6),
    }
    _, path = labram_file(tmp_path, **beside)
    found = labram(read_checkpoint(path), Montage(), n_rois=1)
    assert {"head.weight", "head.bias"} < set(found.accounts[0].left)
    assert (found.network.head.weight == 0).all()


def biot_file(tmp_path, prefix, n_tokens=18, **beside):
    network = Biot(BiotConfig(channels=PUBLISHED_CHANNELS[:n_tokens], depth=1))
    state = files.drawn(network.biot)
    named = {prefix + name: value for name, value in state.items()}
    path = tmp_path / "biot.ckpt"
    torch.save({**named, **beside}, path)
    return state, path


@pytest.mark.parametrize("prefix", ["", "biot."])
def test_biot_is_a_start_with_fresh_channel_tokens(tmp_path, prefix):
    beside = {"classifier.clshead.1.weight": torch.ones(1, 256)} if prefix else {}
    state, path = biot_file(tmp_path, prefix, **beside)
    checkpoint = read_checkpoint(path)
    assert recognise(checkpoint) == "biot"
    found = biot(checkpoint, Montage(wanted=("CZ", "O1")), n_rois=1, heads=None)
    assert found.channels == ("CZ", "O1")
    (account,) = found.accounts
    assert set(account.missing) == {
        *("head.weight", "head.bias", "biot.channel_tokens.weight")
    }
    assert "the file has 18" in account.missing["biot.channel_tokens.weight"]
    assert {prefix + "index", prefix + "channel_tokens.weight", *beside} == set(
        account.left
    )
    name = "transformer.layers.layers.0.1.fn.fn.w2.weight"
    torch.testing.assert_close(found.network.biot.state_dict()[name], state[name])
    assert (answers(found.network, windows(1, 2)) == 0).all()


def test_biot_tokens_of_named_electrodes_are_taken_over(tmp_path):
    state, path = biot_file(tmp_path, "", n_tokens=3)
    montage = Montage(trained=("C3", "CZ", "C4"), wanted=("C4", "C3"))
    found = biot(read_checkpoint(path), montage, n_rois=1, heads=None)
    expected = state["channel_tokens.weight"][[2, 0]]
    torch.testing.assert_close(found.network.biot.channel_tokens.weight, expected)


def test_starts_refuse_what_they_cannot_know(tmp_path):
    _, path = biot_file(tmp_path, "")
    with pytest.raises(ConfigError, match="no position is known for"):
        biot(read_checkpoint(path), Montage(wanted=("E7",)), n_rois=1, heads=None)
    _, path = labram_file(tmp_path)
    with pytest.raises(ConfigError, match="no position row for P100"):
        labram(read_checkpoint(path), Montage(wanted=("P100",)), n_rois=1)
    with pytest.raises(ConfigError, match="--trained-channels was given"):
        labram(read_checkpoint(path), Montage(trained=("CZ",)), n_rois=1)
