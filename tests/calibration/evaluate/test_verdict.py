import json

import msgspec
import numpy as np
import pytest

pytest.importorskip("torch")

from rtbold.bundle.card import Verdict
from rtbold.calibration.evaluate.confounds import (
    Confounds,
    control_predictions,
    cross_r,
    own_rank,
    time_features,
)
from rtbold.calibration.evaluate.scores import Declared, OutOfFold
from rtbold.calibration.evaluate.verdict import evaluate
from rtbold.calibration.fit.split import strict_folds
from rtbold.errors import ConfigError, DataFileError

N = 457
ROIS = ("a", "b", "c", "d")
ONSETS_S = 16.8 + 2.1 * np.arange(N)


def slow(columns, seed):
    rng = np.random.default_rng(seed)
    raw = rng.standard_normal((N + 6, columns))
    kernel = np.hanning(7)[:, None]
    series = np.stack([(raw[i : i + 7] * kernel).sum(axis=0) for i in range(N)])
    return series / series.std(axis=0)


def scan(signal=1.0, seed=0, cause=None, strength=0.0):
    """Predictions that read each ROI, and a cause that enters everything."""
    measured = slow(4, seed)
    predicted = signal * measured + slow(4, seed + 100)
    if cause is not None:
        measured, predicted = measured + strength * cause, predicted + strength * cause
    drift = np.linspace(0, 3, N)[:, None]
    return OutOfFold(predicted + drift, 50 + measured + drift, ROIS)


def known(cause, *, as_artefact):
    """The cause under one heading, and something unrelated under the other."""
    other = slow(1, 900)
    return Confounds(
        artefacts={"motion": cause if as_artefact else other},
        vigilance={"alpha/theta": other if as_artefact else cause},
    )


def test_a_regional_prediction_is_specific():
    verdict = evaluate(
        scan(), Declared("b"), confounds=known(slow(1, 50), as_artefact=True)
    )
    assert verdict.gate.passed
    assert verdict.gate.label == "specific"
    assert verdict.fit_for_feedback
    assert verdict.specificity.rank == 1
    assert verdict.gate.r_low < verdict.gate.r < verdict.gate.r_high
    assert 0.5 < verdict.gate.r < 0.85
    assert [roi.label for roi in verdict.rois] == ["specific"] * 4


@pytest.mark.parametrize(
    ("as_artefact", "label"),
    [(True, "explained by artefact"), (False, "global or vigilance")],
)
def test_what_enters_both_is_named(as_artefact, label):
    cause = slow(1, 50)
    scored = scan(signal=0.0, cause=cause, strength=2.0)
    confounds = known(cause, as_artefact=as_artefact)
    verdict = evaluate(scored, Declared("b"), confounds=confounds)
    assert verdict.gate.passed
    assert verdict.gate.label == label
    assert not verdict.fit_for_feedback
    assert verdict.gate.r > 0.6
    assert max(verdict.specificity.partial_r.values()) > 0.6
    assert min(verdict.specificity.partial_r.values()) < 0.3


def test_shared_drift_alone_is_no_signal():
    verdict = evaluate(
        scan(signal=0.0, seed=3),
        Declared("a"),
        confounds=known(slow(1, 50), as_artefact=True),
    )
    assert verdict.gate.r_with_drift > verdict.gate.r + 0.1
    assert not verdict.gate.passed
    assert verdict.gate.label in ("no signal", "undecided")


def test_nothing_is_specific_without_confounds():
    verdict = evaluate(scan(), Declared("b"))
    assert verdict.gate.passed
    assert verdict.gate.label == "undecided"
    assert verdict.specificity.not_known == ("every nuisance",)


def test_few_volumes_are_undecided_not_worthless():
    scored = scan(signal=0.15, seed=5)
    short = OutOfFold(scored.predicted[:60], scored.measured[:60], ROIS)
    verdict = evaluate(short, Declared("a"))
    assert not verdict.gate.passed
    assert verdict.gate.label == "undecided"
    assert "too little data" in verdict.gate.reason


def test_other_subjects_are_a_control():
    shared = slow(1, 60)
    scored = scan(signal=0.0, cause=shared, strength=2.0)
    others = tuple(slow(4, seed) + 2 * shared for seed in (70, 80, 90))
    scored = OutOfFold(scored.predicted, scored.measured, ROIS, others)
    verdict = evaluate(scored, Declared("a"))
    assert verdict.gate.p_phase <= 0.05
    assert verdict.gate.p_other > 0.05
    assert verdict.gate.r_other > 0.4
    assert verdict.n_other_subjects == 3
    # Reported, and no second condition: the confounds decide what it reads
    assert verdict.gate.p == verdict.gate.p_phase
    assert verdict.gate.passed
    assert verdict.gate.label == "undecided"


def test_a_contrast_is_judged_as_one_series():
    scored = scan()
    verdict = evaluate(scored, Declared("a minus b", {"a": 1.0, "b": -1.0}))
    assert verdict.gate.weights == {"a": 1.0, "b": -1.0}
    assert verdict.gate.passed
    assert verdict.specificity.rank is None
    difference = evaluate(
        OutOfFold(
            scored.predicted[:, :1] - scored.predicted[:, 1:2],
            (scored.measured / scored.measured.std(axis=0))[:, :2] @ [[1.0], [-1.0]],
            ("x",),
        ),
        Declared("x"),
    )
    assert verdict.gate.r == pytest.approx(difference.gate.r)


def test_unscored_volumes_are_left_out():
    scored = scan()
    predicted = scored.predicted.copy()
    predicted[:8] = np.nan
    verdict = evaluate(OutOfFold(predicted, scored.measured, ROIS), Declared("a"))
    assert verdict.n_volumes == N - 8


def test_max_statistic_holds_over_rois():
    verdict = evaluate(scan(signal=0.0, seed=7), Declared("a"))
    assert all(roi.p_max >= roi.p for roi in verdict.rois)


def test_verdict_is_json_and_the_same_for_a_seed():
    one, two = (evaluate(scan(), Declared("b")) for _ in range(2))
    text = msgspec.json.encode(one)
    assert text == msgspec.json.encode(two)
    assert msgspec.json.decode(text, type=Verdict) == one
    assert json.loads(text)["gate"]["target"] == "b"


def test_matrix_and_rank_find_the_own_roi():
    scored = scan()
    r = cross_r(scored.predicted, scored.measured)
    assert own_rank(r) == [1, 1, 1, 1]
    assert own_rank(r[::-1]) != [1, 1, 1, 1]


def test_controls_find_what_they_know_and_nothing_else():
    cause = slow(3, 50)
    measured = np.concatenate([cause[:, :1] + 0.3 * slow(1, 51), slow(1, 52)], axis=1)
    found = control_predictions(
        cause, measured, folds=strict_folds(ONSETS_S), onsets_s=ONSETS_S
    )
    assert np.isfinite(found).all()
    assert np.corrcoef(found[:, 0], measured[:, 0])[0, 1] > 0.9
    assert abs(np.corrcoef(found[:, 1], measured[:, 1])[0, 1]) < 0.3


def test_control_of_a_fold_does_not_see_it():
    folds = strict_folds(ONSETS_S)
    features, measured = slow(3, 50), slow(1, 51)
    changed = measured.copy()
    changed[folds[2].test] += 100
    one, two = (
        control_predictions(features, m, folds=folds, onsets_s=ONSETS_S)
        for m in (measured, changed)
    )
    np.testing.assert_array_equal(one[folds[2].test], two[folds[2].test])


def test_a_clock_predicts_a_slope_within_the_scan():
    measured = (ONSETS_S / 60)[:, None]
    control = control_predictions(
        time_features(ONSETS_S),
        measured,
        folds=strict_folds(ONSETS_S),
        onsets_s=ONSETS_S,
    )
    confounds = Confounds(time_control=np.repeat(control, 4, axis=1))
    verdict = evaluate(scan(), Declared("a"), confounds=confounds)
    assert verdict.specificity.controls["time polynomial, with drift"] > 0.3


def test_wrong_series_and_targets_are_refused():
    scored = scan()
    with pytest.raises(ConfigError, match="the target needs V1, the model predicts a"):
        evaluate(scored, Declared("V1"))
    with pytest.raises(DataFileError, match=r"measured has shape \(457, 3\)"):
        OutOfFold(scored.predicted, scored.measured[:, :3], ROIS)
    with pytest.raises(DataFileError, match=r"others\[0\] has shape"):
        OutOfFold(scored.predicted, scored.measured, ROIS, (np.zeros((3, 4)),))
