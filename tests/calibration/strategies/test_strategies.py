from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from planted import material, measured, tiny_base  # noqa: E402

from rtbold.bundle.card import Cleaning  # noqa: E402
from rtbold.calibration import predictions  # noqa: E402
from rtbold.calibration.fit import tuned  # noqa: E402
from rtbold.calibration.fit.choice import caution, strategy_of  # noqa: E402
from rtbold.calibration.fit.folds import (  # noqa: E402
    FitOptions,
    _task,
    fit_all,
    out_of_fold,
    read_scan,
)
from rtbold.calibration.fit.head import ClosedFormHead  # noqa: E402
from rtbold.calibration.fit.protocol import CancellationToken  # noqa: E402
from rtbold.calibration.fit.split import final_part, strict_folds  # noqa: E402
from rtbold.calibration.fit.tail import Capture, Tail  # noqa: E402
from rtbold.calibration.fit.target import fit_scaling  # noqa: E402
from rtbold.calibration.fit.tuned import (  # noqa: E402
    ChannelDropout,
    TrainingSettings,
    Tuned,
    groups,
)
from rtbold.calibration.settings import CalibrationSettings, ScanFiles  # noqa: E402
from rtbold.errors import ConfigError  # noqa: E402

QUICK = TrainingSettings(epochs=2, learning_rate=3e-3, batch_size=32)
STRATEGIES = {
    "head": ClosedFormHead(),
    "last": Tuned("last", QUICK),
    "adapters": Tuned("adapters", QUICK),
    "all": Tuned("all", QUICK),
}
BLOCKS = [
    "neurobolt axes",
    "neurobolt published form",
    "neurobolt log, tokens, laplacian",
    "neurobolt spectral, linformer",
    "neurobolt spatiotemporal",
    "labram",
    "biot",
]


@pytest.fixture(scope="module")
def scan():
    windows, bold = material()
    return windows, measured(windows.onsets_s, bold)


@pytest.fixture(scope="module")
def short():
    windows, bold = material(n=120)
    return windows, measured(windows.onsets_s, bold)


def one_fit(scan, name, cancel=None, seed=0):
    windows, bold = scan
    session = read_scan(windows, bold, tiny_base(), strategy=STRATEGIES[name])
    options = FitOptions(cancel=cancel or CancellationToken(), seed=seed)
    return fit_all(session, final_part(windows.onsets_s), options)


@pytest.mark.parametrize("name", STRATEGIES)
def test_module_answers_as_predicted(short, name):
    fit = one_fit(short, name)
    rows = np.array([3, 50, 119])
    with torch.inference_mode():
        predictions = fit.fitted.module()(torch.from_numpy(short[0].windows_uv[rows]))
    np.testing.assert_allclose(fit.fitted.predict(rows), predictions, atol=1e-4)
    assert not fit.fitted.module().training
    assert not any(isinstance(m, tuned.LowRank) for m in fit.fitted.module().modules())


@pytest.mark.parametrize("name", ["last", "adapters", "all"])
def test_same_seed_same_weights_another_seed_others(short, name):
    states = [
        one_fit(short, name, seed=s).fitted.module().state_dict() for s in (0, 0, 1)
    ]
    same = [torch.equal(states[0][key], states[1][key]) for key in states[0]]
    other = [torch.equal(states[0][key], states[2][key]) for key in states[0]]
    assert all(same)
    assert not all(other)


def test_a_planted_signal_is_found_out_of_fold(scan):
    windows, bold = scan
    folds = strict_folds(windows.onsets_s)
    session = read_scan(windows, bold, tiny_base(), strategy=STRATEGIES["head"])
    folded = out_of_fold(session, folds)
    assert np.isfinite(folded.network).all()
    assert folded.r("network").min() > 0.3
    assert folded.r("subject").min() > 0.5
    assert not folded.base.any()  # a fresh head says nothing
    assert not folded.interrupted


@pytest.mark.parametrize("name", ["last", "adapters", "all"])
def test_training_ends_no_worse_than_its_start(short, name):
    fitted = one_fit(short, name).fitted
    assert len(fitted.errors) == 3
    assert min(fitted.errors) == fitted.errors[int(fitted.notes["best_epoch"])]


def test_the_base_is_never_trained_in_place(short):
    windows, bold = short
    base = tiny_base()
    before = {k: v.clone() for k, v in base.network.state_dict().items()}
    for strategy in STRATEGIES.values():
        session = read_scan(windows, bold, base, strategy=strategy)
        fit_all(session, final_part(windows.onsets_s))
    for key, value in base.network.state_dict().items():
        assert torch.equal(value, before[key])


@pytest.mark.parametrize("variant", BLOCKS)
def test_tail_answers_like_the_whole_network(variant):
    network = tiny_base(variant).network
    torch.nn.init.normal_(network.head.weight)
    x = torch.from_numpy(material(n=4)[0].windows_uv)
    capture = Capture(network, 4, max_bytes=10**9)
    with torch.no_grad():
        expected = network(x)
        capture.after_batch(slice(0, 4))
        kept = capture.close()
        torch.testing.assert_close(Tail(network)(*kept), expected)
    assert not any(m._forward_pre_hooks for m in network.modules())


def test_cache_halves_where_float32_does_not_fit():
    network = tiny_base().network
    capture = Capture(network, 4, max_bytes=10)
    with torch.no_grad():
        network(torch.from_numpy(material(n=4)[0].windows_uv))
    capture.after_batch(slice(0, 4))
    assert {x.dtype for x in capture.close()} == {torch.float16}


@pytest.mark.parametrize("variant", BLOCKS)
def test_adapters_start_as_the_network_and_merge_exactly(variant):
    network = tiny_base(variant).network
    torch.nn.init.normal_(network.head.weight)
    x = torch.from_numpy(material(n=3)[0].windows_uv)
    names = set(network.state_dict())
    with torch.no_grad():
        plain = network(x)
        tuned.attach_low_rank(network, rank=2, alpha=2.0)
        torch.testing.assert_close(network(x), plain)
        for module in network.modules():
            if isinstance(module, tuned.LowRank):
                module.up.normal_(std=0.1)
        adapted = network(x)
        assert not torch.allclose(adapted, plain, atol=1e-3)
        tuned.merge_low_rank(network)
        torch.testing.assert_close(network(x), adapted, atol=1e-5, rtol=1e-4)
    assert set(network.state_dict()) == names
    assert all(p.requires_grad for p in network.parameters())


def test_only_adapters_and_head_learn():
    network = tiny_base().network
    tuned.attach_low_rank(network, rank=2, alpha=2.0)
    learned = {
        n.split(".")[-1] for n, p in network.named_parameters() if p.requires_grad
    }
    assert learned == {"up", "down", "weight", "bias"}


def test_ctrl_c_keeps_the_best_so_far_and_says_so(short, monkeypatch):
    from rtbold.calibration.fit import tuned as training

    taken = []
    take = training._Steps.take

    def interrupted(self, rows):
        taken.append(rows)
        if len(taken) == 2:
            raise KeyboardInterrupt
        take(self, rows)

    monkeypatch.setattr(training._Steps, "take", interrupted)
    cancel = CancellationToken()
    fit = one_fit(short, "all", cancel)
    assert fit.fitted.interrupted
    assert cancel.interrupted
    assert fit.fitted.notes["best_epoch"] == 0
    again = one_fit(short, "all", cancel)  # what is left gets its start, at once
    assert len(taken) == 2
    rows = np.arange(5)
    np.testing.assert_array_equal(fit.fitted.predict(rows), again.fitted.predict(rows))


def test_a_cancellation_ends_training_at_a_step(short):
    asked = iter([False, False, True])
    fit = one_fit(short, "last", CancellationToken(requested=lambda: next(asked)))
    assert fit.fitted.interrupted
    assert len(fit.fitted.errors) == 1


def test_time_left_is_told(short):
    windows, bold = short
    seconds, told = iter(range(1000)), []
    options = FitOptions(now_s=lambda: float(next(seconds)), tell=told.append)
    session = read_scan(
        windows, bold, tiny_base(), strategy=STRATEGIES["last"], options=options
    )
    fit_all(session, final_part(windows.onsets_s), options)
    features = [p for p in told if p.stage == "features"]
    assert features[0].left_s == features[0].total - 1
    assert features[-1].share == 1.0
    assert features[-1].left_s == 0.0
    assert [p.done for p in told if p.stage == "final"][:2] == [1, 2]


def test_looking_ahead_pairs_windows_with_later_volumes_of_their_part(scan):
    windows, bold = scan
    part = strict_folds(windows.onsets_s)[2]
    session = read_scan(windows, bold, tiny_base(), strategy=STRATEGIES["head"])
    scaling = fit_scaling(bold, part.train)
    now = _task(session, part, scaling, FitOptions())
    ahead = _task(session, part, scaling, FitOptions(horizon_tr=2))
    for row in ahead.train:
        np.testing.assert_array_equal(ahead.targets[row], now.targets[row + 2])
    runs = 1 + int((np.diff(part.train) > 1).sum())
    assert len(ahead.train) == len(now.train) - 2 * runs
    folded = out_of_fold(
        session, strict_folds(windows.onsets_s), FitOptions(horizon_tr=2)
    )
    assert np.isnan(folded.network[:2]).all()
    assert np.isfinite(folded.network).all(axis=1).sum() == 300 - 5 * 2


def test_windows_are_not_changed_and_lost_channels_come_from_neighbours():
    channels = ("FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2")
    drop = ChannelDropout(channels, 0.3, seed=0)
    x = torch.randn(2, 10, 50)
    kept = x.clone()
    out = drop(x)
    torch.testing.assert_close(x, kept)
    changed = (out != x).any(dim=2)
    assert 0 < changed[0].sum() <= 4
    constant = torch.ones(1, 10, 5)
    torch.testing.assert_close(drop(constant), constant, atol=1e-4, rtol=1e-4)


def test_a_network_without_blocks_says_what_else_there_is():
    base = tiny_base("beira")
    with pytest.raises(ConfigError, match="--strategy head or all"):
        strategy_of("last", base)
    with pytest.raises(ConfigError, match="no attention"):
        strategy_of("adapters", base)


def test_rates_fall_towards_the_input_and_vectors_do_not_decay():
    network = tiny_base("labram").network
    settings = TrainingSettings(learning_rate=1.0)
    named = [n for n, _ in network.named_parameters()]
    by_name = dict(zip(named, groups(network, settings), strict=True))
    assert by_name["pos_embed"]["lr"] == pytest.approx(0.65**2)
    assert by_name["blocks.0.mlp.fc1.weight"]["lr"] == pytest.approx(0.65)
    assert by_name["head.weight"]["lr"] == 1.0
    assert by_name["pos_embed"]["weight_decay"] == 0.0
    assert by_name["head.bias"]["weight_decay"] == 0.0
    assert by_name["head.weight"]["weight_decay"] == 0.05


def test_the_recipe_takes_the_strategy_of_the_option_and_says_its_caution():
    def of(name, base):
        settings = CalibrationSettings(
            subject="S01", scan=ScanFiles(eeg=Path("S.xdf"), bold="S.tsv"),
            cleaning=Cleaning(mode="none"), root=Path(), strategy=name,
        )  # fmt: skip
        said = []
        return predictions._strategy(settings, base, said.append).name, " ".join(said)

    assert of("ridge", tiny_base("ridge")) == ("head", "")
    assert of("all", tiny_base()) == ("all", "")
    name, said = of("last", tiny_base())
    assert name == "last"
    assert "never trained" in said
    with pytest.raises(ConfigError, match="no attention"):
        of("adapters", tiny_base("beira"))


def test_strategies_come_by_name_and_random_encoders_with_a_warning():
    base = tiny_base()
    names = ("head", "last", "adapters", "all")
    assert tuple(strategy_of(name, base).name for name in names) == names
    assert "take the ridge" in caution("head", base)
    assert caution("head", tiny_base("ridge")) is None
