import numpy as np
import pytest

from rtbold.calibration.fit.evidence import (
    standardised,
    steady_slope,
    training_part,
    whitening,
)
from rtbold.errors import DataFileError
from rtbold.truth.score import lowpassed

TR_S = 2.1
N = 300


def slow(n=N, columns=3, seed=0):
    """Return low-passed noise, as targets are."""
    rng = np.random.default_rng(seed)
    return lowpassed(rng.standard_normal((n, columns)), TR_S, 0.15)


def part(features, targets, rows=None, prior=None):
    chosen = np.arange(len(features)) if rows is None else rows
    reading = standardised(features, chosen)
    onsets_s = np.arange(len(features)) * TR_S
    return training_part([reading], targets[chosen], chosen, onsets_s, prior=prior)


def test_noise_of_the_targets_kind_becomes_white():
    onsets_s = np.arange(N) * TR_S
    white = whitening(slow(), onsets_s)
    other = white @ slow(columns=200, seed=5) / slow(columns=200, seed=5).std()
    assert len(white) < 0.75 * N  # what the low-pass has emptied is left out
    assert np.abs(white.sum(axis=1)).max() < 1e-9
    covariance = other @ other.T / 200
    assert np.diag(covariance).mean() == pytest.approx(1.0, abs=0.15)
    apart = covariance - np.diag(np.diag(covariance))
    assert np.abs(np.diag(apart, 1)).mean() < 0.15


def test_low_passed_noise_teaches_next_to_nothing_on_new_volumes():
    features = np.random.default_rng(1).standard_normal((N, 200))
    targets = slow(seed=2)
    rows = np.arange(220)
    found = part(features, targets, rows)
    left = found.predict(found.solve(targets[rows]), np.arange(240, N))
    assert left.std() < 0.25 * targets.std()


def test_only_components_that_the_features_know_are_answered():
    rng = np.random.default_rng(3)
    features = slow(columns=12, seed=3)
    known = features @ rng.standard_normal(12)
    targets = 0.8 * slow(columns=4, seed=4)
    targets[:, 0] += 5 * known
    rows = np.arange(200)
    found = part(features, targets, rows)
    solved = found.solve(targets[rows])
    none = solved.shares[0]
    assert none[-1] < 0.01  # the largest component
    assert none[:-1].max() > 0.05
    predicted = found.predict(solved, np.arange(220, N))
    assert np.corrcoef(predicted[:, 0], known[220:])[0, 1] > 0.95


def test_sets_of_targets_are_solved_each_by_itself():
    features = slow(columns=20, seed=6)
    sets = np.stack([slow(seed=s) + features[:, :3] for s in range(4)])
    rows, test = np.arange(200), np.arange(220, N)
    found = part(features, sets[0], rows, prior=slow(seed=9))
    together = found.predict(found.solve(sets[:, rows]), test)
    for alone, own in zip(sets, together, strict=True):
        np.testing.assert_allclose(
            found.predict(found.solve(alone[rows]), test), own, atol=1e-10
        )


def test_weights_of_the_raw_features_answer_as_predicted():
    features = 7 + 3 * slow(columns=20, seed=6)
    targets, rows = slow() + features[:, :3], np.arange(200)
    found = part(features, targets, rows)
    solved = found.solve(targets[rows])
    ((weight, bias),) = found.weights(solved)
    predicted = found.predict(solved, np.arange(N))
    np.testing.assert_allclose(features @ weight + bias, predicted, atol=1e-9)


def test_a_slope_near_one_is_one_and_a_far_one_is_itself():
    exact = np.array([-1.0, 0.0, 0.3, 0.44, 0.67, 0.95, 1.0, 1.4, 2.25, 3.0])
    steady = [0.0, 0.0, 0.3, 0.44, 1.0, 1.0, 1.0, 1.0, 2.25, 3.0]
    np.testing.assert_allclose(steady_slope(exact), steady, atol=1e-9)
    fine = steady_slope(np.linspace(0.2, 3, 5000))
    assert (np.diff(fine) >= 0).all()
    assert np.diff(fine).max() < 0.01


@pytest.mark.parametrize(("true", "slope"), [(1.1, 1.0), (0.3, 0.3), (-1.0, 0.0)])
def test_the_slope_of_the_prior_is_found(true, slope):
    prior = slow(seed=7)
    found = part(np.random.default_rng(0).standard_normal((N, 5)), slow(), prior=prior)
    solved = found.solve(true * prior + 0.1 * slow())
    assert solved.slope == pytest.approx(slope, abs=0.03)


def test_odds_keep_a_component_at_the_prior():
    features, rows = slow(columns=10, seed=6), np.arange(N)
    targets = slow() + 0.25 * features[:, :3]
    reading, onsets_s = standardised(features, rows), rows * TR_S
    shares = [
        training_part([reading], targets, rows, onsets_s, odds_of_none=odds)
        .solve(targets)
        .shares[0]
        for odds in (0.0, 6.0)
    ]
    assert (shares[1] > shares[0]).all()


def test_single_precision_is_near_enough():
    features = slow(columns=20, seed=6)
    targets = slow() + features[:, :3]
    found = part(features, targets, prior=slow(seed=9))
    quick = found.in_type(np.dtype(np.float32))
    rough = quick.predict(quick.solve(targets.astype(np.float32)), np.arange(N))
    assert rough.dtype == np.float32
    exact = found.predict(found.solve(targets), np.arange(N))
    np.testing.assert_allclose(rough, exact, atol=1e-3)


def test_too_few_volumes_are_refused_in_words():
    with pytest.raises(DataFileError, match=r"20 training volumes hold .* scan longer"):
        whitening(slow(20), np.arange(20) * TR_S)
