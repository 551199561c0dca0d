import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

import torch
from planted import CHANNELS
from small_cache import planted_scan, recipe, write_scans

from rtbold.calibration.datasets.splits import split_of
from rtbold.calibration.fit.protocol import Progress
from rtbold.calibration.train import drawn as module, finish
from rtbold.calibration.train.batches import Share
from rtbold.calibration.train.demo import demo_card
from rtbold.calibration.train.drawn import (
    DrawnBatches,
    DrawnRange,
    DrawnSessions,
    draw_sessions,
    parse_drawn,
    refuse_drawn,
    scale_by,
)
from rtbold.calibration.train.machines import join_machines
from rtbold.calibration.train.recipe import parse_recipe
from rtbold.calibration.train.training import (
    TrainHooks,
    TrainSettings,
    data_sha256,
    parts_of,
    train_model,
)
from rtbold.errors import ConfigError
from rtbold.models.registry import build
from rtbold.sim.settings import TwinSettings

TINY = {"width": 8, "kept": 2, "lags": 2}
RECIPE = """\
name = "drawn"
[model]
architecture = "bandpower_net"
[model.options]
width = 8
kept = 2
lags = 2
[data]
split = "leave-one-subject-out"
drawn = ["hard:1000-1001", "varied:31000"]
[training]
select = "r"
epochs = 2
batch_size = 16
learning_rate = 1e-2
averaging = 0.9
"""


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(module, "N_PIECES", 40)


def network(n_rois=64, channels=CHANNELS):
    torch.manual_seed(0)
    return build("bandpower_net", TINY, channels=channels, n_rois=n_rois)


def card(rois=None):
    import msgspec

    whole = demo_card()
    return msgspec.structs.replace(whole, channels=CHANNELS, rois=rois or whole.rois)


def some_sessions(n=3, pieces=20):
    rng = np.random.default_rng(0)
    powers = rng.standard_normal((n, pieces, 4, 15)).astype(np.float16)
    targets = rng.standard_normal((n, pieces, 2)).astype(np.float32)
    return DrawnSessions(powers, targets, "hash")


def batches(sessions, *, size=8, jitter=0.0, seed=0, share=None):
    return DrawnBatches(
        sessions, size=size, jitter=jitter, seed=seed, share=share or Share()
    )


def test_a_recipe_names_levels_and_seeds():
    assert parse_drawn(["hard:1000-1599", "varied:31000"]) == [
        DrawnRange("hard", 1000, 1599), DrawnRange("varied", 31_000, 31_000),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("hard", "hard:1000-1599"),
        ("hard:5-1", "its seeds"),
        ("hard:a-b", "its seeds"),
        ("foreign:61000-61010", "level is 'foreign'"),
        ("medium:1-2", "level is 'medium'"),
    ],
)
def test_what_is_no_range_or_may_not_be_learned_from_is_refused(word, says):
    with pytest.raises(ConfigError, match=says):
        parse_drawn([word])


def test_subjects_that_choose_or_score_are_refused():
    wanted = parse_drawn(["hard:1000-1010"])
    refuse_drawn(wanted, [999, 1011])
    with pytest.raises(ConfigError, match="holds seed 1003"):
        refuse_drawn(wanted, [2000, 1003])


def test_a_window_is_the_eight_pieces_before_its_volume():
    sessions = some_sessions()
    (batch, *_) = batches(sessions).epoch(0)
    assert batch.windows_uv.shape == (8, 4, 8, 15)
    for x, y in zip(batch.windows_uv.numpy(), batch.targets.numpy(), strict=True):
        session, volume = np.argwhere((sessions.targets == y).all(axis=2))[0]
        before = sessions.powers[session, volume - 8 : volume]
        np.testing.assert_array_equal(x, before.transpose(1, 0, 2).astype(np.float32))


def test_batches_depend_on_seed_epoch_and_step_alone():
    sessions = some_sessions()
    whole = [b.targets for b in batches(sessions).epoch(1)]
    later = [b.targets for b in batches(sessions).epoch(1, 2)]
    assert len(whole) == 36 // 8
    assert all(torch.equal(a, b) for a, b in zip(whole[2:], later, strict=True))
    other = next(batches(sessions).epoch(2)).targets
    assert not torch.equal(whole[0], other)


def test_two_processes_share_the_batch_of_one():
    sessions = some_sessions()
    one = next(batches(sessions, size=8).epoch(0)).targets
    two = [next(batches(sessions, size=4, share=Share(rank, 2)).epoch(0)).targets
           for rank in (0, 1)]  # fmt: skip
    assert torch.equal(torch.cat(two), one)


def test_a_louder_window_is_louder_in_all_bands():
    sessions = some_sessions()
    plain, louder = (next(batches(sessions, jitter=j).epoch(0)).windows_uv
                     for j in (0.0, 0.5))  # fmt: skip
    apart = (louder - plain).flatten(1)
    torch.testing.assert_close(apart, apart[:, :1].expand_as(apart), rtol=0, atol=1e-2)
    assert apart[:, 0].std() > 0.3


def test_too_few_windows_for_a_batch_are_refused():
    with pytest.raises(ConfigError, match="has 36 windows"):
        batches(some_sessions(), size=64)


def test_the_scale_of_the_powers_is_that_of_the_sessions():
    net = network(2)
    sessions = some_sessions(10, 200)
    scale_by(net, sessions)
    table = sessions.powers.astype(np.float32)
    expected = table.mean(axis=(0, 1))
    np.testing.assert_allclose(net.power_mean[:, 0].numpy(), expected, atol=1e-3)
    np.testing.assert_allclose(net.power_scale.numpy(), 1.0, atol=0.1)


def test_sessions_are_made_once_and_kept(tmp_path):
    told = []
    wanted = parse_drawn(["varied:31000-31001"])
    given = {"folder": tmp_path, "tell": told.append}
    first = draw_sessions(wanted, network(), card(), **given)
    assert [p.done for p in told if isinstance(p, Progress)] == [1, 2]
    again = draw_sessions(wanted, network(), card(), **given)
    assert len(told) == 2
    assert first.sha256 == again.sha256
    assert first.powers.shape == (2, 40, 4, 15)
    assert len(first) == 2 * 32
    np.testing.assert_allclose(first.targets.std(axis=1), 1.0, atol=1e-5)
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".npz"]


def test_rois_come_in_the_order_of_the_card(tmp_path):
    names = card().rois
    wanted = parse_drawn(["varied:31000"])
    whole = draw_sessions(wanted, network(), card(), folder=tmp_path)
    some = draw_sessions(wanted, network(2), card(names[5:3:-1]), folder=tmp_path)
    np.testing.assert_array_equal(some.targets, whole.targets[..., 5:3:-1])


def test_a_network_that_reads_more_than_power_is_refused(tmp_path):
    other = build("efp", {"electrode": "CZ"}, channels=CHANNELS, n_rois=64)
    with pytest.raises(ConfigError, match="expected a bandpower_net"):
        draw_sessions([], other, card(), folder=tmp_path)


def test_an_roi_that_the_twin_lacks_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no ROI 'mine'"):
        draw_sessions([], network(1), card(("mine",)), folder=tmp_path)


def test_a_lost_channel_of_drawn_sessions_is_refused():
    text = RECIPE.replace("[training]", "channel_dropout = 0.1\n[training]")
    with pytest.raises(ConfigError, match=r"beside data\.drawn"):
        parse_recipe(text, where="mine")


def scans():
    names = demo_card().rois[:2]
    for seed in range(3):
        scan = planted_scan(f"sub-{seed}", seed, 40)
        twin = TwinSettings(2000 + seed, channels=CHANNELS)
        yield dataclasses.replace(scan, rois=names, twin=twin)


@pytest.mark.heavy
def test_a_model_is_trained_on_them_and_its_card_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(finish, "to_onnx", lambda *_, **__: b"graph")
    cache = write_scans(tmp_path / "cache", list(scans()))
    found, said = parse_recipe(RECIPE, where="drawn"), []
    made = train_model(
        cache,
        split_of(cache, found.data.split, fold=0),
        found,
        settings=TrainSettings(out=tmp_path / "m.rtbold"),
        machines=join_machines("cpu", environ={}),
        hooks=TrainHooks(say=said.append),
    )
    assert any("3 drawn sessions, 96 windows" in line for line in said)
    assert len(made.epochs) == 2
    text = (tmp_path / "m.rtbold" / "card.json").read_text()
    assert "learned from drawn sessions hard:1000-1001, varied:31000" in text
    assert len(list((tmp_path / "cache" / "drawn").rglob("*.npz"))) == 3
    assert made.data_sha256 != data_sha256(
        parts_of(cache, split_of(cache, found.data.split, fold=0), found), CHANNELS
    )


@pytest.mark.heavy
def test_a_subject_of_the_test_part_is_not_drawn(tmp_path):
    cache = write_scans(tmp_path / "cache", list(scans()))
    found = parse_recipe(RECIPE.replace("1000-1001", "1999-2002"), where="drawn")
    with pytest.raises(ConfigError, match="of the validation or test part"):
        train_model(
            cache,
            split_of(cache, found.data.split, fold=0),
            found,
            settings=TrainSettings(out=tmp_path / "m.rtbold"),
            machines=join_machines("cpu", environ={}),
        )


def test_an_ordinary_recipe_draws_nothing():
    assert recipe().data.drawn == ()
