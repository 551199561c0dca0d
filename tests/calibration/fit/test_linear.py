from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from planted import CHANNELS, ROIS, material, measured, tiny_base  # noqa: E402

from rtbold.calibration.fit.folds import FitOptions, out_of_fold, read_scan  # noqa: E402
from rtbold.calibration.fit.head import ClosedFormHead  # noqa: E402
from rtbold.calibration.fit.split import StrictSettings, strict_folds  # noqa: E402

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
