from dataclasses import replace

import msgspec
import numpy as np
import pytest
from pipeline_rig import (
    TR_S,
    RecordingModel,
    card,
    eeg,
    every,
    in_order,
    passing,
    run,
    samples,
    stream,
    triggers,
)

from rtbold.bundle.card import Card, LikenessReference, Spread
from rtbold.calibration.evaluate.ood import ood_reference, statistics_of
from rtbold.errors import ConfigError
from rtbold.predict.lines import LineSettings
from rtbold.predict.ood import OodMonitor, OodSettings, ood_score
from rtbold.predict.pipeline import Pipeline, PipelineSettings
from rtbold.window.schedule import ScheduleSettings

RATE_HZ = 200.0
N_WINDOWS = 90
SETTINGS = OodSettings(sustained_s=10 * TR_S)  # 10 windows
MIXING = np.random.default_rng(7).standard_normal((6, 6)).astype(np.float32)


def windows(n, seed=0, gain=1.0):
    """Independent windows of one kind of EEG, (n, 6, 3200), microvolt."""
    sources = eeg(RATE_HZ, 16 * n, seed=seed).reshape(6, n, 3200).swapaxes(0, 1)
    mixed = np.einsum("cd,nds->ncs", MIXING, sources)
    mixed -= mixed.mean(axis=1, keepdims=True)
    return (gain * mixed).astype(np.float32)


@pytest.fixture(scope="module")
def reference():
    distance = np.random.default_rng(1).standard_normal((N_WINDOWS, 20))
    return ood_reference(statistics_of([windows(N_WINDOWS)]), features=distance)


def judged(reference, batch, **given):
    monitor = OodMonitor(reference, tr_s=TR_S, settings=SETTINGS)
    return [monitor(window, **given) for window in batch]


def test_more_of_the_same_is_like_it(reference):
    found = judged(reference, windows(100, seed=5), features=1.0)
    assert sum(f.fact is None for f in found) >= 95
    assert all(f.fact != "long_unlike" for f in found)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda w: 3 * w, id="gain"),
        pytest.param(lambda w: w[:, [1, 0, 2, 3, 4, 5]], id="two cables swapped"),
        pytest.param(lambda w: np.cumsum(w, axis=2) / 8, id="steeper spectrum"),
    ],
)
def test_what_is_wrong_is_unlike_at_once_and_long_so_when_it_lasts(reference, change):
    found = judged(reference, change(windows(20, seed=5)))
    facts = [f.fact for f in found]
    assert facts[0] == "unlike"
    assert found[0].unlikeness > 1
    assert facts[8:] == ["long_unlike"] * 12 or facts[7:] == ["long_unlike"] * 13


def test_features_alone_can_tell(reference):
    found = judged(reference, windows(12, seed=5), features=3.0)
    assert [f.fact for f in found][-1] == "long_unlike"


def test_it_recovers_when_half_of_the_span_is_like_it_again(reference):
    monitor = OodMonitor(reference, tr_s=TR_S, settings=SETTINGS)
    bad = [monitor(w).fact for w in 3 * windows(10, seed=5)]
    good = [monitor(w).fact for w in windows(10, seed=6)]
    assert bad[-1] == "long_unlike"
    assert good[0] == "long_unlike"  # one good window proves nothing
    assert good[-1] is None


def test_a_channel_that_was_interpolated_says_nothing_of_its_own(reference):
    broken = windows(12, seed=5)
    broken[:, 3] = broken[:, [2, 4]].mean(axis=1)
    told = judged(reference, broken, skip=[3])
    untold = judged(reference, broken)
    assert sum(f.fact is None for f in told) > sum(f.fact is None for f in untold)


def test_nothing_known_means_nothing_said():
    found = judged(LikenessReference(), windows(2))
    assert [(f.fact, f.unlikeness) for f in found] == [(None, None)] * 2


def test_ood_score_is_one_at_either_quantile():
    spreads = {
        "level": Spread(low=-2.0, middle=0.0, high=1.0),
        "pattern": Spread(middle=1.0, high=3.0),
    }
    assert ood_score({"level": -2.0}, spreads) == 1.0
    assert ood_score({"level": 0.5, "pattern": 7.0}, spreads) == 3.0
    assert ood_score({"pattern": -9.0}, spreads) == 0.0  # nearer than usual
    assert ood_score({"features": 99.0}, spreads) == 0.0  # nothing to compare with
    assert ood_score({"level": np.nan}, spreads) == np.inf


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ConfigError, match="sustained_s is 5"):
        OodSettings(sustained_s=5)
    with pytest.raises(ConfigError, match="recovered_share"):
        OodSettings(sustained_share=0.3)


def test_cards_of_the_first_version_still_load():
    old = {"quantiles": [0.005, 0.5], "log_power_alpha_uv2": [1.0, 2.0]}
    body = msgspec.to_builtins(card()) | {"likeness": old}
    assert msgspec.convert(body, Card).likeness == LikenessReference()


def session(reference, gain, cuts=None):
    """Return the predictions of 70 s of EEG of the calibration's kind."""
    settings = PipelineSettings(
        schedule=ScheduleSettings(tr_s=TR_S, mode="trigger"),
        likeness=replace(SETTINGS, lines=LineSettings()),
    )
    model = RecordingModel()
    pipe = Pipeline(card(likeness=reference), model, settings)
    data = gain * (MIXING @ eeg(RATE_HZ, 70, seed=9))
    chunks = samples(data.astype(np.float32), RATE_HZ, cuts or every(RATE_HZ, 70))
    events = in_order(chunks, triggers(70), passing(70))
    return run(pipe, stream(RATE_HZ), events), model


def test_pipeline_marks_and_then_withholds_what_is_unlike(reference):
    found, _ = session(reference, 4.0)
    predicted = [p for p in found if p.unlikeness is not None]
    assert all("unlike_calibration" in p.reasons for p in predicted)
    assert predicted[0].status == "degraded"
    assert predicted[0].values is not None
    assert predicted[-1].status == "invalid"
    assert predicted[-1].values is None


def test_verdicts_do_not_depend_on_the_chunks(reference):
    one, _ = session(reference, 1.3)
    other, _ = session(reference, 1.3, cuts=every(RATE_HZ, 70, 0.31))
    assert [(p.status, p.unlikeness) for p in one] == [
        (p.status, p.unlikeness) for p in other
    ]
    assert len({p.unlikeness for p in one}) > 10


def test_pipeline_asks_the_engine_for_its_features(reference):
    class Telling(RecordingModel):
        feature_distance = np.array([50.0], np.float32)

    settings = PipelineSettings(schedule=ScheduleSettings(tr_s=TR_S, mode="free_run"))
    pipe = Pipeline(card(likeness=reference), Telling(), settings)
    data = MIXING @ eeg(RATE_HZ, 40, seed=9)
    events = in_order(samples(data, RATE_HZ, every(RATE_HZ, 40)), passing(40))
    found = run(pipe, stream(RATE_HZ), events)
    known = [p.unlikeness for p in found if p.unlikeness is not None]
    assert known
    assert min(known) > 20
