from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from planted import CHANNELS, ROIS, material, measured, tiny_base  # noqa: E402

from rtbold.calibration.fit.folds import (  # noqa: E402
    KEPT,
    FitOptions,
    out_of_fold,
    read_scan,
)
from rtbold.calibration.fit.head import ClosedFormHead  # noqa: E402
from rtbold.calibration.fit.split import StrictSettings, strict_folds  # noqa: E402
from rtbold.calibration.inputs.confound_kinds import acting  # noqa: E402
from rtbold.calibration.inputs.windows import OtherEeg  # noqa: E402

N_VOLUMES = 240


@pytest.fixture(scope="module")
def session():
    windows, bold = material(n=N_VOLUMES - 8)
    base = tiny_base()
    torch.nn.init.normal_(base.network.head.weight, std=0.3)
    known = replace(base, known=(True,) * len(ROIS))
    scan = measured(windows.onsets_s, bold)
    return read_scan(windows, scan, known, strategy=ClosedFormHead())


def on_grid(session, bold):
    grid = np.full((N_VOLUMES, len(ROIS)), 100.0)
    grid[session.material.volume] = bold
    return grid


@pytest.mark.parametrize("horizon_tr", [0, 2])
@pytest.mark.parametrize("stop_share", [0.0, 0.15])
def test_refitting_to_the_measurement_gives_the_series_again(
    session, horizon_tr, stop_share
):
    split = StrictSettings(stop_share=stop_share)
    parts = strict_folds(session.material.onsets_s, split)
    folded = out_of_fold(session, parts, FitOptions(horizon_tr=horizon_tr))
    bold = on_grid(session, session.measured.bold)
    assert set(folded.smoothers) == {"network", "subject", "stack"}
    for name, smoother in folded.smoothers.items():
        series = folded.on_grid(name, session.material.volume, N_VOLUMES)
        np.testing.assert_allclose(smoother.refit(bold), series, atol=1e-5)


def test_a_surrogate_is_calibrated_as_if_it_had_been_measured(session):
    parts = strict_folds(session.material.onsets_s, StrictSettings(stop_share=0.0))
    folded = out_of_fold(session, parts)
    flipped = session.measured.bold[::-1]
    sets = np.stack([on_grid(session, b) for b in (session.measured.bold, flipped)])
    refitted = folded.smoothers["subject"].refit(sets)
    assert refitted.shape == sets.shape
    # Of the same autocorrelation, so that the noise is what it was.
    other = replace(session, measured=replace(session.measured, bold=flipped))
    expected = out_of_fold(other, parts)
    series = expected.on_grid("subject", session.material.volume, N_VOLUMES)
    known = np.isfinite(series)
    np.testing.assert_array_equal(np.isfinite(refitted[1]), known)
    r = np.corrcoef(refitted[1][known], series[known])[0, 1]
    assert r > 0.99


def test_single_precision_stays_single(session):
    parts = strict_folds(session.material.onsets_s)
    folded = out_of_fold(session, parts[:1])
    bold = on_grid(session, session.measured.bold)
    rough = folded.smoothers["stack"].refit(bold.astype(np.float32))
    assert rough.dtype == np.float32
    exact = folded.smoothers["stack"].refit(bold)
    np.testing.assert_allclose(rough, exact, atol=0.01)
    assert np.isnan(rough[: session.material.volume[0]]).all()
    assert CHANNELS == session.table.channels


def test_the_own_eeg_taken_for_anothers_gets_the_own_answers(session):
    windows = np.asarray(session.material.windows_uv)
    itself = OtherEeg("itself", windows, np.arange(len(windows)))
    parts = strict_folds(session.material.onsets_s)[:2]
    folded = out_of_fold(session, parts, others=[itself])
    assert set(folded.others) == set(KEPT)
    for name, (series,) in folded.others.items():
        np.testing.assert_allclose(series, getattr(folded, name), atol=1e-4)


# Confounds that are taken out of the targets are weighed for every measurement anew.


@pytest.fixture(scope="module")
def with_confounds(session):
    """The scan, with a body in all ROIs that its table tells of, and its folds."""
    scan = session.measured
    n = len(scan.bold)
    rng = np.random.default_rng(3)
    rate = np.convolve(rng.standard_normal(n + 8), np.hanning(9), "valid")
    found = acting({"heart_rate": rate, "trans_x": rng.standard_normal(n)}, tr_s=2.1)
    body = found.values[:, :3] @ rng.standard_normal((3, len(ROIS)))
    bold = scan.bold + 2 * scan.bold.std() * body / body.std()
    measured = replace(
        scan, bold=bold, confounds=found.values, confound_names=found.names,
        unfolded=True,
    )  # fmt: skip
    own = replace(session, measured=measured)
    parts = strict_folds(own.material.onsets_s, StrictSettings(stop_share=0.0))
    return own, parts, out_of_fold(own, parts)


def test_with_confounds_too_the_measurement_gives_the_series_again(with_confounds):
    own, _, folded = with_confounds
    bold = on_grid(own, own.measured.bold)
    for name, smoother in folded.smoothers.items():
        series = folded.on_grid(name, own.material.volume, N_VOLUMES)
        np.testing.assert_allclose(smoother.refit(bold), series, atol=1e-5)


def test_what_is_scored_lacks_what_each_fold_took_for_confounds(with_confounds):
    own, parts, folded = with_confounds
    bold = on_grid(own, own.measured.bold)
    _, left = folded.smoothers["subject"].anew(bold)
    for fold, part in zip(folded.folds, parts, strict=True):
        weights = np.array(fold.scaling.confound_weights)
        expected = own.measured.bold - own.measured.confounds @ weights
        rows = own.material.volume[part.test]
        np.testing.assert_allclose(left[rows], expected[part.test], atol=1e-6)
    assert left.std() < 0.7 * bold.std()


def test_a_surrogate_has_its_own_share_of_the_confounds(with_confounds):
    """Weights of the scan itself would put its body into every surrogate."""
    own, parts, folded = with_confounds
    alone = own.measured.bold[::-1]  # the body runs backwards: no table tells of it
    sets = np.stack([on_grid(own, b) for b in (own.measured.bold, alone)])
    refitted, left = folded.smoothers["subject"].anew(sets)
    flipped = replace(own, measured=replace(own.measured, bold=alone))
    expected = out_of_fold(flipped, parts)
    series = expected.on_grid("subject", own.material.volume, N_VOLUMES)
    known = np.isfinite(series)
    assert np.corrcoef(refitted[1][known], series[known])[0, 1] > 0.99
    rows = own.material.volume[parts[2].test]
    taken = [(sets[k] - left[k])[rows].var() / sets[k][rows].var() for k in (0, 1)]
    assert taken[1] < 0.2 * taken[0]
