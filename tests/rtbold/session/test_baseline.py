import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from volumes import blocks, card, prediction

from rtbold.config import FeedbackSettings, RunSettings
from rtbold.errors import ConfigError
from rtbold.feedback.chain import FeedbackChain
from rtbold.run_names import RunGroup
from rtbold.session.baseline import (
    BASELINE_NAME,
    as_kept,
    find_baseline,
    keep_baseline,
    whole_run,
)
from rtbold.session.open import feedback_chain

GROUP = RunGroup(subject="S01")
MODEL = "ab" * 32
BLOCK = FeedbackSettings(baseline="block", skip_n=0)
CARD = card()


def measured(settings=BLOCK, n=80, seed=0):
    chain = FeedbackChain(settings, CARD)
    values = np.random.default_rng(seed).normal(1.0, 2.0, n)
    for i, (now, value) in enumerate(zip(blocks(("baseline", n)), values, strict=True)):
        chain.push(prediction(value, i), now)
    return chain


@pytest.fixture
def root(tmp_path):
    return tmp_path


def run_folder(root, number):
    folder = GROUP.run(number).folder(root)
    folder.mkdir(parents=True)
    return folder


def kept(root, number, chain, *, model=MODEL):
    found = as_kept(chain.measured, chain, model_sha256=model)
    keep_baseline(run_folder(root, number), found)
    return chain.measured


def found(root, settings=BLOCK, *, model=MODEL, target=None):
    chain = FeedbackChain(replace(settings, target=target), CARD)
    weights = dict(chain.target.weights)
    return find_baseline(root, GROUP, settings, weights=weights, model_sha256=model)


def test_the_newest_run_with_a_baseline_is_begun_with_to_the_last_bit(root):
    kept(root, 1, measured(seed=1))
    newest = kept(root, 10, measured(seed=2))
    run_folder(root, 11)
    again = found(root)
    assert again.reference == newest
    assert "run-10: 80 volumes" in again.text


def test_the_last_whole_line_of_a_run_holds(root):
    kept(root, 1, measured(seed=1))
    chain = measured(seed=2)
    folder = GROUP.run(1).folder(root)
    keep_baseline(folder, as_kept(chain.measured, chain, model_sha256=MODEL))
    with (folder / BASELINE_NAME).open("ab") as file:
        file.write(b'{"model_sha256": "ab')  # a crash
    assert found(root).reference == chain.measured


def test_another_model_target_or_smoothing_is_passed_over(root):
    first = kept(root, 1, measured())
    kept(root, 2, measured(), model="cd" * 32)
    kept(root, 3, measured(replace(BLOCK, smooth="mean")))
    kept(root, 4, measured(replace(BLOCK, target="Caudate")))
    assert found(root).reference == first
    nothing = found(root, replace(BLOCK, smooth="exponential"))
    assert nothing.reference is None
    assert "(4 of another model, target or smoothing)" in nothing.text


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000, '{"reference": {"sd": 0}}'])
def test_a_file_that_is_broken_is_no_baseline(root, text):
    first = kept(root, 1, measured())
    (run_folder(root, 2) / BASELINE_NAME).write_text(text, encoding="utf-8")
    assert found(root).reference == first


def test_a_run_that_begins_with_one_feeds_back_from_its_first_volume(root):
    reference = kept(root, 1, measured())
    chain = FeedbackChain(BLOCK, CARD, carried=found(root).reference)
    made = chain.push(prediction(3.0, 0), None)
    assert (made.status, made.norm.baseline) == ("ok", "baseline 1")
    assert made.z == pytest.approx((3.0 - reference.mean) / reference.sd)


def test_what_settings_keep_of_it_reads_as_the_same():
    reference = measured().measured
    text = json.dumps(msgspec.to_builtins(reference))
    assert msgspec.json.decode(text, type=type(reference)) == reference


def test_a_running_baseline_takes_the_place_of_a_carried_one_when_it_is_as_good():
    carried = measured().measured
    settings = FeedbackSettings(baseline="running", skip_n=0)
    chain = FeedbackChain(settings, CARD, carried=carried)
    values = np.random.default_rng(5).normal(0.0, 1.0, 61)
    names = [
        chain.push(prediction(value, i), now).norm.baseline
        for i, (now, value) in enumerate(zip(blocks(("rest", 61)), values, strict=True))
    ]
    assert names == ["baseline 1"] * 60 + ["running"]


def test_a_baseline_run_without_a_protocol_is_one_block_that_ends_with_it():
    chain, where = FeedbackChain(BLOCK, CARD), whole_run("baseline", 3)
    values = np.random.default_rng(0).normal(0.0, 1.0, 65)
    for i, value in enumerate(values):
        given = prediction(value, i)
        assert chain.push(given, where(given)).status == "warmup"
    assert chain.measured is None
    chain.finish()
    assert (chain.measured.name, chain.measured.n) == ("baseline", 65)
    assert where(prediction(1.0, None)) is None


@pytest.mark.parametrize("kind", ["transfer", "localiser", "baseline"])
def test_a_run_that_is_no_training_shows_nothing_also_without_a_protocol(kind):
    ranged = FeedbackSettings(low=-1.0, high=1.0)
    for each, shown in ((kind, None), ("training", 0.75)):
        given, chain = prediction(0.5, 0), FeedbackChain(ranged, CARD)
        made = chain.push(given, whole_run(each)(given))
        assert (made.value, made.shown) == (0.5, shown)


# Of a run


def test_a_measured_baseline_that_nothing_measures_is_refused():
    run = RunSettings(feedback=BLOCK)
    with pytest.raises(ConfigError, match=r"none was measured.*--kind baseline"):
        feedback_chain(run, CARD)
    carried = measured().measured
    assert feedback_chain(run, CARD, carried=carried).measured is None  # not its own
    assert feedback_chain(replace(run, kind="baseline"), CARD).measured is None
    assert feedback_chain(run, CARD, has_protocol=True).measured is None
