import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from planted import CHANNELS, ROIS
from small_cache import planted_scan, recipe, write_scans, write_small_cache

from rtbold import bundle
from rtbold.calibration.datasets.splits import Sealed, split_of
from rtbold.calibration.train import finish
from rtbold.calibration.train.machines import join_machines
from rtbold.calibration.train.recipe import load_recipe
from rtbold.calibration.train.results import read_results
from rtbold.calibration.train.training import TrainHooks, TrainSettings, train_model
from rtbold.errors import BundleError, ConfigError, DataFileError
from rtbold.sim import ForeignSettings

pytestmark = pytest.mark.heavy
RIDGE = load_recipe("ridge")


@pytest.fixture(scope="module")
def machines():
    return join_machines("cpu", environ={})


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return write_small_cache(tmp_path_factory.mktemp("data") / "cache")


@pytest.fixture(scope="module")
def one_scan(tmp_path_factory):
    """A cache of one scan that is long enough to be split in time."""
    return write_small_cache(tmp_path_factory.mktemp("long") / "cache", 1, 240)


@pytest.fixture(autouse=True)
def no_graph(monkeypatch):
    """Leave the export to its own tests: it takes seconds."""
    monkeypatch.setattr(finish, "to_onnx", lambda *_, **__: b"graph")


@pytest.fixture
def train(cache, machines, tmp_path):
    def run(found=None, *, fold=0, rule="leave-one-subject-out", name="m", **more):
        given = {k: more.pop(k) for k in ("seed", "base") if k in more}
        settings = TrainSettings(out=tmp_path / f"{name}.rtbold", **given)
        source = more.pop("cache", cache)
        split = more.pop("split", None) or split_of(source, rule, fold=fold)
        return train_model(
            source,
            split,
            found or recipe(),
            settings=settings,
            machines=machines,
            **more,
        )

    return run


def test_writes_a_bundle_that_loads_and_its_results_beside_it(train, tmp_path):
    results = train(hooks=TrainHooks(today="2026-11-30"))
    made = bundle.load(tmp_path / "m.rtbold")
    work = tmp_path / "m.training"
    assert read_results(work / "results.json") == results
    assert [path.name for path in work.iterdir()] == ["results.json"]
    card = made.card
    assert (card.name, card.created) == ("m", "2026-11-30")
    assert (card.channels, card.rois) == (CHANNELS, ROIS)
    assert card.architecture == "neurobolt"
    assert card.check.windows == "simulated"
    assert card.origin.kind == "simulated"
    assert card.origin.simulated_lineage
    assert "SIMULATED" in card.note
    assert f"recipe tiny ({recipe().sha256[:12]})" in card.note
    assert "fold 0, seed 0" in card.note
    assert card.lineage.complete
    assert len(card.lineage.scans) == 3  # two that it learned from, one that chose
    assert card.training_data_sha256 == results.data_sha256
    assert card.software.keys() >= {"torch", "lightning-fabric", "rtbold-eeg", "python"}
    assert card.likeness.known
    assert card.scores.mean_r is None  # of the test part nothing is known
    assert card.baseline.n == 60
    assert results.sha256 == made.sha256


def test_results_tell_every_epoch_and_the_kept_one(train):
    results = train()
    assert len(results.epochs) == 4
    best = results.epochs[results.best_epoch - 1]
    assert best.r == max(epoch.r for epoch in results.epochs)
    assert results.figures.r == pytest.approx(best.r, abs=1e-5)
    assert results.train.windows == 120
    assert results.validation.windows == 60
    assert results.tests == "sub-0"
    assert not {"sub-0"} & {*results.train.scans, *results.validation.scans}
    assert results.speed.processes == 1
    assert results.head == "gradient"
    assert results.simulated


def test_the_test_part_stays_sealed(train, cache, monkeypatch):
    def opened(self, reason):
        raise AssertionError(f"training opened the test part: {reason}")

    monkeypatch.setattr(Sealed, "open", opened)
    split = split_of(cache, "leave-one-subject-out", fold=1)
    train(split=split)
    assert split.test.opened_for is None


def test_the_foreign_generator_may_be_tested_on_and_not_learned_from(train, tmp_path):
    made = [planted_scan(f"s{n}", n) for n in range(3)]
    made.append(replace(planted_scan("s3", 3), twin=ForeignSettings(seed=61000)))
    cache = write_scans(tmp_path / "mixed", made)
    folds = [split_of(cache, "leave-one-subject-out", fold=n) for n in range(4)]
    allowed = next(one for one in folds if "s3" in one.test.scans)
    assert train(RIDGE, cache=cache, split=allowed) is not None
    for n, split in enumerate(one for one in folds if one is not allowed):
        with pytest.raises(ConfigError, match=r"seed 61000 is of the foreign"):
            train(RIDGE, cache=cache, split=split, name=f"m{n}")


def test_windows_that_are_not_in_a_part_change_nothing(cache, machines, tmp_path):
    """Neither EEG nor BOLD of the test scan reaches weights, card or results."""
    import dataclasses

    split = split_of(cache, "leave-one-subject-out", fold=0)
    made = []
    for name in ("as it is", "spoilt"):
        if name == "spoilt":
            (test,) = (s for s in cache.scans if s.name == "sub-0")
            spoilt = dataclasses.replace(
                test, scan=dataclasses.replace(test.scan, bold=test.scan.bold * 7 + 1)
            )
            others = tuple(s for s in cache.scans if s.name != "sub-0")
            monkey = type(cache)(cache.folder, cache.settings, cache.entries)
            monkey.__dict__["scans"] = (spoilt, *others)
        settings = TrainSettings(out=tmp_path / f"{name[:2]}.rtbold")
        source = cache if name == "as it is" else monkey
        made.append(
            train_model(source, split, recipe(), settings=settings, machines=machines)
        )
    first, second = made
    assert first.epochs == second.epochs
    assert first.data_sha256 == second.data_sha256


def test_ridge_is_solved_and_its_penalty_chosen_by_validation(train, tmp_path):
    said = []
    results = train(RIDGE, hooks=TrainHooks(say=said.append))
    assert results.figures.r > 0.3
    assert results.head == "closed-form"
    assert results.penalty is not None
    assert results.epochs == ()
    assert results.speed is None
    assert any("chosen by validation" in line for line in said)
    assert "null" in json.dumps(
        json.loads((tmp_path / "m.training/results.json").read_text())["figures"]
    )


def test_one_scan_split_in_time_is_enough_for_ridge(train, one_scan):
    results = train(RIDGE, rule="published-within", cache=one_scan)
    assert results.train.scans.keys() == results.validation.scans.keys()


def test_a_penalty_by_training_scans_needs_two(train, one_scan):
    how = msgspec.structs.replace(RIDGE.training, penalty_by="training")
    found = msgspec.structs.replace(RIDGE, training=how)
    assert train(found).penalty is not None
    with pytest.raises(ConfigError, match="has one scan, expected two"):
        train(found, rule="published-within", name="n", cache=one_scan)


def test_efp_finds_its_electrode(train):
    model = msgspec.structs.replace(RIDGE.model, architecture="efp", options={})
    said = []
    results = train(
        msgspec.structs.replace(RIDGE, model=model), hooks=TrainHooks(say=said.append)
    )
    assert any(line in ("electrode FP1", "electrode O2") for line in said)
    assert results.figures.r > 0.1


@pytest.mark.parametrize(
    ("architecture", "method", "expected"),
    [("neurobolt", "closed-form", "'gradient'"), ("efp", "gradient", "'closed-form'")],
)
def test_a_method_that_does_not_fit_the_model_is_refused(
    train, architecture, method, expected
):
    found = recipe(method=method)
    options = (
        found.model.options if architecture == "neurobolt" else {"electrode": "CZ"}
    )
    model = msgspec.structs.replace(
        found.model, architecture=architecture, options=options
    )
    with pytest.raises(ConfigError, match=expected):
        train(msgspec.structs.replace(found, model=model))


def test_the_head_is_solved_once_more_and_kept_if_it_is_better(train):
    results = train(recipe(head="closed-form", epochs=1))
    plain = train(recipe(epochs=1), name="n")
    assert results.figures.r >= plain.figures.r
    assert (results.head == "closed-form") == (results.figures.r > plain.figures.r)


def test_targets_without_the_global_signal_are_another_training(train):
    data = "global_regression = true"
    results, plain = train(recipe(data=data)), train(name="n")
    assert results.data_sha256 != plain.data_sha256
    assert results.figures.mse != plain.figures.mse


@pytest.mark.parametrize(
    "how", [{"loss": "mse+centred"}, {"targets": "whitened"}, {"select": "loss"}]
)
def test_every_loss_learns(train, how):
    assert train(recipe(**{"epochs": 6, **how})).figures.r > 0.4


def test_channels_may_be_lost_only_where_enough_stay(train):
    # Four channels: none can be spared, and nothing is changed
    results = train(recipe(data="channel_dropout = 0.1"))
    assert results.epochs == train(name="n").epochs


def test_a_bundle_that_is_there_is_not_written_over(train):
    train()
    with pytest.raises(BundleError, match="exists already"):
        train()


def test_a_run_that_was_killed_before_its_results_ends_as_the_others(train, tmp_path):
    def weights():
        files = bundle.load(tmp_path / "m.rtbold").card.files
        return {f.path: f.sha256 for f in files}["weights.safetensors"]

    first, before = train(), weights()
    (tmp_path / "m.training" / "results.json").unlink()
    second = train()
    assert second.epochs == first.epochs
    assert weights() == before


def test_a_base_that_has_seen_validation_or_test_is_refused(train, tmp_path):
    train(name="earlier")  # fold 0: it has learned from all but sub-0
    earlier = str(tmp_path / "earlier.rtbold")
    with pytest.raises(
        ConfigError, match=r"'earlier' has learned from the EEG and BOLD of sub-\d"
    ):
        train(fold=1, base=earlier)


def test_a_base_that_has_seen_no_such_scan_is_a_start(machines, tmp_path):
    """Its scans stay in the lineage of what is trained from it."""
    first = write_small_cache(tmp_path / "first", n_subjects=3)
    train_model(
        first,
        split_of(first, "leave-one-subject-out"),
        recipe(epochs=1),
        settings=TrainSettings(out=tmp_path / "first.rtbold"),
        machines=machines,
    )
    second = write_small_cache(tmp_path / "second", n_subjects=3, first_seed=10)
    said = []
    results = train_model(
        second,
        split_of(second, "leave-one-subject-out"),
        recipe(epochs=1, learning_rate=1e-6, end_rate=0.0),
        settings=TrainSettings(
            out=tmp_path / "second.rtbold", base=str(tmp_path / "first.rtbold")
        ),
        machines=machines,
        hooks=TrainHooks(say=said.append),
    )
    assert results.base == "first"
    assert any(line.startswith("start: first, ") for line in said)
    card = bundle.load(tmp_path / "second.rtbold").card
    assert len(card.lineage.scans) == 4
    assert card.origin.base_sha256 == bundle.load(tmp_path / "first.rtbold").sha256


def test_real_scans_make_a_group_s_model(machines, tmp_path):
    cache = write_small_cache(tmp_path / "cache", n_subjects=3, simulated=False)
    results = train_model(
        cache,
        split_of(cache, "leave-one-subject-out"),
        RIDGE,
        settings=TrainSettings(out=tmp_path / "m.rtbold"),
        machines=machines,
    )
    card = bundle.load(tmp_path / "m.rtbold").card
    assert not results.simulated
    assert card.origin.kind == "group"
    assert not card.origin.simulated_lineage
    assert card.check.windows == "recorded"
    assert "SIMULATED" not in card.note


@pytest.mark.parametrize("out", ["m", "m.bundle", ".rtbold"])
def test_a_name_that_is_no_bundle_s_is_refused(tmp_path, out):
    with pytest.raises(
        ConfigError, match=r"expected a folder to be made: NAME\.rtbold"
    ):
        TrainSettings(out=tmp_path / out)


def test_results_of_another_version_are_refused(tmp_path):
    path = tmp_path / "results.json"
    path.write_text('{"format": 1}')
    with pytest.raises(DataFileError, match=r"results\.json cannot be read"):
        read_results(path)


def test_targets_that_are_no_numbers_are_refused(cache, machines, tmp_path):
    import dataclasses

    bold = cache.scans[1].scan.bold.copy()
    bold[3] = np.nan
    broken = type(cache)(cache.folder, cache.settings, cache.entries)
    scan = dataclasses.replace(
        cache.scans[1], scan=dataclasses.replace(cache.scans[1].scan, bold=bold)
    )
    broken.__dict__["scans"] = (cache.scans[0], scan, *cache.scans[2:])
    with pytest.raises(DataFileError, match="target of sub-1 holds values"):
        train_model(
            broken,
            split_of(cache, "leave-one-subject-out"),
            recipe(),
            settings=TrainSettings(out=tmp_path / "m.rtbold"),
            machines=machines,
        )


def test_less_in_common_is_taken_out_of_the_head_that_is_kept(train):
    whole = train(recipe(epochs=1), name="whole")
    less = train(recipe(epochs=1, common=0.5), name="less")
    assert less.figures.r_centred == pytest.approx(whole.figures.r_centred, abs=1e-5)
    assert less.figures.r != pytest.approx(whole.figures.r, abs=1e-5)
