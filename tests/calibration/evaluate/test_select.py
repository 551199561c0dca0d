"""Which model is kept, and what its p is over."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")

from rtbold.bundle.card import Cleaning, Declaration
from rtbold.calibration.declaration import Tries
from rtbold.calibration.evaluate.scores import Declared
from rtbold.calibration.evaluate.select import Candidates, redraw_of, select
from rtbold.calibration.evaluate.verdict import VerdictSettings, judge
from rtbold.calibration.fit.folds import FoldedScan
from rtbold.calibration.settings import CalibrationSettings, ScanFiles
from rtbold.truth import lowpassed

N, TR_S, ROIS = 160, 2.1, ("a", "b", "c")


def slow(columns, seed):
    rng = np.random.default_rng(seed)
    raw = rng.standard_normal((N + 6, columns))
    kernel = np.hanning(7)[:, None]
    return np.stack([(raw[i : i + 7] * kernel).sum(axis=0) for i in range(N)])


class RidgeFolds:
    """A small closed form: ridge in five folds, counting how often it was refitted."""

    def __init__(self, features, penalty=20.0):
        self.n = 0
        self.hat = np.zeros((N, N))
        for test in np.array_split(np.arange(N), 5):
            learn = np.setdiff1d(np.arange(N), test)
            mean = features[learn].mean(axis=0)
            x = features[learn] - mean
            gram = x.T @ x + penalty * np.eye(x.shape[1])
            solved = np.linalg.solve(gram, x.T - x.T.mean(axis=1, keepdims=True))
            self.hat[np.ix_(test, learn)] = (features[test] - mean) @ solved

    def refit(self, measured):
        self.n += int(np.prod(measured.shape[:-2], initial=1))
        return self.hat.astype(measured.dtype) @ measured

    def anew(self, measured):
        return self.refit(measured), measured


def settings(**changes):
    return CalibrationSettings(
        subject="S01", scan=ScanFiles(eeg=Path("-"), bold="-"), root=Path("-"),
        cleaning=Cleaning(mode="none"), base="demo", target="a", **changes,
    )  # fmt: skip


@pytest.fixture(scope="module")
def bold():
    return 100 + slow(3, 0) + np.linspace(0, 4, N)[:, None]


def candidates(bold, *, signal=0.6, **changes):
    """A base that hears the target, a closed form that hears nothing, and steps."""
    scored = lowpassed(bold, TR_S, 0.15)
    ridge = RidgeFolds(slow(30, 5))
    series = {
        "base": signal * (scored - scored.mean(axis=0)) + slow(3, 7),
        "subject": ridge.refit(bold),
        "network": slow(3, 8),
        "stack": np.full((N, 3), np.nan),
    }
    folded = FoldedScan(
        horizon_tr=0, target=scored, scored=scored, folds=(), interrupted=False,
        smoothers={"subject": ridge}, **series,
    )  # fmt: skip
    scan = SimpleNamespace(
        bold=bold, volume=np.arange(N), rois=ROIS, tr_s=TR_S, confounds={}
    )
    card = SimpleNamespace(name="demo", origin=SimpleNamespace(simulated_lineage=True))
    return Candidates(
        settings(**changes), Declared("a"), SimpleNamespace(card=card), {0: folded},
        scan,
    )  # fmt: skip


def test_each_candidate_has_the_null_of_its_kind(bold):
    found = candidates(bold, strategy="last")
    choice, looked = select(found)
    assert list(looked) == ["network", "subject", "base"]
    reuse = {name: each.scores.reuse for name, each in looked.items()}
    assert (reuse["base"] == 1).all()  # it learned nothing from the scan
    assert (reuse["network"] == 2).all()  # by steps: the worst case
    assert 1.1 < reuse["subject"][3] < 1.9  # as this fit has it, for the target
    smoother = found.folded[0].smoothers["subject"]
    assert smoother.n == 1 + 999  # the scan, and each surrogate
    assert choice.kept == "base"
    assert choice.n_choices == 3


def test_p_is_over_the_candidates_and_all_calibrations(bold):
    _, looked = select(candidates(bold, signal=0.1))
    gate = judge(looked, "base").gate
    assert gate.candidates.keys() == looked.keys()
    assert gate.p_phase < gate.p <= len(looked) * gate.p_phase + 0.01
    again = judge(
        looked, "base", settings=VerdictSettings(tries=Tries(n=3, n_models=2))
    )
    assert again.gate.p == pytest.approx(min(1.0, 3 * gate.p))
    assert again.gate.n_calibrations == 3
    first = judge(looked, "base")
    for before, after in zip(first.rois, again.rois, strict=True):
        assert after.p_max == pytest.approx(min(1.0, 2 * before.p_max))


def test_before_the_first_planned_look_nothing_passes(bold):
    plan = Declaration(sha256="s", declared="d", alpha=0.05, looks_min=(9.0,), look=0)
    strict = VerdictSettings(alpha=0.0, declaration=plan)
    choice, looked = select(candidates(bold), strict)
    gate = judge(looked, choice.kept, settings=strict).gate
    assert gate.p <= 0.01
    assert not gate.passed
    assert gate.label == "undecided"
    assert gate.declaration == plan


def test_surrogates_are_of_the_whole_measurement_and_scored_as_it_is(bold):
    ridge = RidgeFolds(slow(30, 5))
    predicted, measured = redraw_of(ridge, bold, TR_S)(np.zeros((2, N // 2)))
    np.testing.assert_allclose(predicted[0], ridge.refit(bold), atol=1e-3)
    np.testing.assert_allclose(measured[1], lowpassed(bold, TR_S, 0.15), atol=1e-3)


def test_the_less_others_column_stands_beside_a_single_roi(bold):
    _, looked = select(candidates(bold))
    verdict = judge(looked, "base")
    less = verdict.less_others
    assert less.target == "a less all others"
    own = bold / lowpassed(bold, TR_S, 0.15).std(axis=0)
    by_hand = own[:, 0] - own[:, 1:].mean(axis=1)
    series = looked["base"].columns.measured[:, -1]
    assert (
        np.corrcoef(lowpassed(by_hand[:, None], TR_S, 0.15)[:, 0], series)[0, 1] > 0.99
    )
