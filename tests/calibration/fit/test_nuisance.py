"""What is removed, against what the simulated body truly put into BOLD."""

import numpy as np
import pytest

from rtbold.calibration.datasets.sources import body_of
from rtbold.calibration.fit.nuisance import explaining_weights
from rtbold.calibration.fit.target import (
    MeasuredScan,
    TargetSettings,
    fit_scaling,
    targets,
)
from rtbold.calibration.inputs.confound_kinds import acting
from rtbold.sim.bold import simulate_bold
from rtbold.sim.brain import draw_body, draw_brain, slow_times_s
from rtbold.sim.recording import volume_onsets_s
from rtbold.sim.settings import TwinSettings
from rtbold.sim.twin import read_rois
from rtbold.truth import lowpassed

TR_S = 2.1
DRIFT = 3


class Scan:
    """A scan of level `confound`, with the part of its BOLD that is the body's."""

    def __init__(self, seed, minutes):
        settings = TwinSettings(
            seed=seed, level="confound", duration_s=60 * minutes, tr_s=TR_S
        )
        rois = read_rois()
        brain, heard = (draw_brain(settings, rois, k) for k in ("brain", "decoy"))
        self.body = draw_body(settings, heard.arousal)
        self.volume_onsets_s = volume_onsets_s(settings)
        self.drive_t_s = slow_times_s(settings.duration_s)
        made = simulate_bold(settings, brain.drive, self.body)
        self.bold = made.measured
        self.true = made.body


@pytest.fixture(scope="module")
def scans():
    return [Scan(seed, minutes=20) for seed in (7100, 7101)]


def straight(rows):
    basis = np.polynomial.legendre.legvander(np.linspace(-1, 1, len(rows)), DRIFT)
    return rows - basis @ np.linalg.lstsq(basis, rows, rcond=None)[0]


def share(true, removed):
    """Return how much of the true part is removed, what is added counted against it."""
    return 1 - ((removed - true) ** 2).sum() / (true**2).sum()


def spanned(true, columns):
    columns = np.c_[np.ones(len(true)), columns]
    return share(
        true - true.mean(axis=0),
        columns @ np.linalg.lstsq(columns, true, rcond=None)[0] - true.mean(axis=0),
    )


def test_the_columns_as_given_hardly_hold_what_the_body_did(scans):
    """As it was: a reason to unfold them at all."""
    for scan in scans:
        raw = np.stack(list(body_of(scan).values()), axis=1)
        assert spanned(lowpassed(scan.true, TR_S, 0.15), raw) < 0.4


def test_unfolded_they_hold_it(scans):
    for scan in scans:
        held = lowpassed(acting(body_of(scan), tr_s=TR_S).values, TR_S, 0.15)
        assert spanned(lowpassed(scan.true, TR_S, 0.15), held) > 0.95


def test_what_is_taken_from_noisy_bold_is_what_the_body_did(scans):
    for scan in scans:
        x = straight(lowpassed(acting(body_of(scan), tr_s=TR_S).values, TR_S, 0.15))
        y = straight(lowpassed(scan.bold, TR_S, 0.15))
        true = straight(lowpassed(scan.true, TR_S, 0.15))
        assert share(true, x @ explaining_weights(x, y)) > 0.9


def test_targets_lose_the_same_with_the_weights_of_training_volumes(scans):
    """`--confounds`: fitted on the first three quarters, applied to the last."""
    scan = scans[0]
    found = acting(body_of(scan), tr_s=TR_S)
    rois = tuple(map(str, range(scan.bold.shape[1])))
    n = len(scan.bold)
    train, test = np.arange(3 * n // 4), np.arange(3 * n // 4 + 18, n)

    made = MeasuredScan(
        scan.bold, scan.volume_onsets_s, rois, found.values, found.names, unfolded=True
    )
    scaling = fit_scaling(made, train, TargetSettings(drift_degree=1))
    clean, scale = targets(made, test, scaling), np.array(scaling.scale)
    true = scan.true[test]
    raw = lowpassed(scan.bold[test], TR_S, 0.15)
    removed = straight(raw - clean * scale)
    assert share(straight(lowpassed(true, TR_S, 0.15)), removed) > 0.75


def test_confounds_of_another_brain_take_nothing(scans):
    one, other = scans
    x = straight(lowpassed(acting(body_of(other), tr_s=TR_S).values, TR_S, 0.15))
    y = straight(lowpassed(one.bold, TR_S, 0.15))
    taken = x @ explaining_weights(x, y)
    assert (taken**2).sum() / (y**2).sum() < 0.03


def test_nothing_given_and_nothing_measured():
    rng = np.random.default_rng(0)
    series = rng.standard_normal((50, 3))
    assert explaining_weights(np.zeros((50, 0)), series).shape == (0, 3)
    assert not explaining_weights(np.zeros((50, 2)), series).any()
    assert not explaining_weights(series, np.zeros((50, 2))).any()


def test_each_of_many_sets_is_weighed_as_if_it_were_the_only_one():
    rng = np.random.default_rng(1)
    columns = rng.standard_normal((60, 4))
    sets = rng.standard_normal((3, 60, 5))
    sets[0] += columns @ rng.standard_normal((4, 5))
    sets[1] = 0.0
    together = explaining_weights(columns, sets)
    assert together.shape == (3, 4, 5)
    for one, found in zip(sets, together, strict=True):
        np.testing.assert_allclose(explaining_weights(columns, one), found, atol=1e-10)
    left = sets[0] - columns @ together[0]
    assert (left**2).sum() < 0.5 * (sets[0] ** 2).sum()
