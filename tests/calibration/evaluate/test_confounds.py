"""A body that acts late is found behind a prediction, and a brain is left alone."""

import numpy as np
import pytest

pytest.importorskip("torch")

from rtbold.calibration.evaluate.confounds import (
    ARTEFACT,
    Beside,
    explained,
    scan_confounds,
)
from rtbold.calibration.evaluate.scores import Declared, OutOfFold
from rtbold.calibration.evaluate.verdict import evaluate
from rtbold.calibration.fit.split import Part
from rtbold.calibration.inputs.confound_kinds import cardiac_response
from rtbold.calibration.inputs.windows import CalibrationScan
from rtbold.truth import lowpassed

N, TR_S, ROIS = 300, 2.0, ("a", "b")
CHANNELS = ("FZ", "T7", "T8", "OZ")
FOLDS = [
    Part(np.setdiff1d(np.arange(N), test), np.arange(0), test)
    for test in np.array_split(np.arange(N), 5)
]


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(21)


@pytest.fixture(scope="module")
def windows(rng):
    return (5 * rng.standard_normal((N, len(CHANNELS), 3200))).astype(np.float32)


def smooth(rng, width, n=1):
    kernel = np.hanning(width)
    rows = [
        np.convolve(rng.standard_normal(N + width - 1), kernel, mode="valid")
        for _ in range(n)
    ]
    series = np.stack(rows, axis=1)
    return series / series.std(axis=0)


def known(windows, measured, given):
    scan = CalibrationScan(
        name="made", rois=ROIS, tr_s=TR_S, windows=windows, volume=np.arange(N),
        bold=measured, onsets_s=np.arange(N) * TR_S, confounds=given, left_out=(),
        degraded={}, simulated=True,
    )  # fmt: skip
    return scan_confounds(scan, CHANNELS, Beside(measured, FOLDS, scan.onsets_s))


@pytest.fixture(scope="module")
def heart(rng):
    """Return a heart rate, and what it does to all of BOLD."""
    rate = smooth(rng, 9)[:, 0]
    answer = np.convolve(rate, cardiac_response(np.arange(0, 50, TR_S)))[:N]
    return 60 + 5 * rate, (answer / answer.std())[:, None]


def test_heart_rate_behind_a_prediction_is_found_though_it_acts_late(
    rng, windows, heart
):
    rate, answer = heart
    measured = lowpassed(1.2 * answer + smooth(rng, 5, 2), TR_S, 0.15)
    scored = OutOfFold(answer + 0.7 * smooth(rng, 5, 2), measured, ROIS)
    confounds = known(windows, measured, {"heart_rate": rate})
    verdict = evaluate(scored, Declared("a"), confounds=confounds)
    assert verdict.gate.r > 0.4
    assert verdict.gate.label == "explained by artefact"
    assert abs(verdict.specificity.partial_r[ARTEFACT]) < 0.15
    assert "heart rate" not in verdict.specificity.not_known
    # The column as it was given hardly goes along with what it did
    raw = np.corrcoef(rate, answer[:, 0])[0, 1]
    assert raw**2 < 0.3


def test_a_brain_beside_it_is_left(rng, windows, heart):
    rate, answer = heart
    brain = smooth(rng, 5, 2)
    measured = lowpassed(answer + brain, TR_S, 0.15)
    scored = OutOfFold(brain + smooth(rng, 5, 2), measured, ROIS)
    confounds = known(windows, measured, {"heart_rate": rate})
    verdict = evaluate(scored, Declared("a"), confounds=confounds)
    left = verdict.specificity.partial_r[ARTEFACT]
    assert left > 0.9 * verdict.gate.r


def test_motion_or_displacement_tells_of_motion(rng, windows):
    measured = smooth(rng, 5, 2)
    nothing = known(windows, measured, {})
    assert {"motion", "heart rate", "respiration"} <= set(nothing.not_known)
    assert nothing.given_control is None
    moved = known(windows, measured, {"rot_x": smooth(rng, 3)[:, 0]})
    assert "motion" not in moved.not_known


def test_the_global_signal_is_no_artefact(rng, windows):
    measured = smooth(rng, 5, 2)
    table = {"global_signal": measured.mean(axis=1), "gs_power2": measured[:, 0] ** 2}
    found = known(windows, measured, table)
    assert found.acting is None
    np.testing.assert_array_equal(found.global_signal, table["global_signal"])


def test_where_nothing_was_scored_nothing_is_explained(rng):
    columns, series = smooth(rng, 5, 3), smooth(rng, 5, 1)
    series[:50] = np.nan
    found = explained(columns, series)
    assert np.isnan(found[:50]).all()
    assert np.isfinite(found[50:]).all()
    series[:] = np.nan
    assert np.isnan(explained(columns, series)).all()
