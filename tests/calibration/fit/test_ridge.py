import numpy as np
import pytest

from rtbold.calibration.fit.ridge import EarlierHead, FitFeatures, solve_head
from rtbold.errors import DataFileError

ONSETS_S = np.arange(200) * 2.0


def fit_features(prior=None, n_features=30, seed=0):
    rng = np.random.default_rng(seed)
    x = (5 + 3 * rng.standard_normal((200, n_features))).astype(np.float32)
    none = np.zeros((200, 2), np.float32)
    return FitFeatures(x, none if prior is None else prior, ONSETS_S)


def planted(x, noise=0.1):
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((x.shape[1], 2)) / x.shape[1] ** 0.5
    y = x @ weight + noise * rng.standard_normal((len(x), 2))
    return y.astype(np.float32)


@pytest.mark.parametrize("n_features", [30, 400])
def test_equals_the_primal_solution_at_the_chosen_penalty(n_features):
    given = fit_features(n_features=n_features)
    y = planted(given.features)
    rows = np.arange(20, 180)
    head = solve_head(given, y, rows)
    x = given.features[rows].astype(np.float64)
    z = (x - x.mean(0)) / x.std(0)
    # Stacked rows make numpy's least squares a ridge.
    unit = (z * z).sum() / len(z)
    penalty = np.sqrt(head.penalty * unit) * np.eye(n_features)
    design = np.vstack([z, penalty])
    target = np.vstack([y[rows] - y[rows].mean(0), np.zeros((n_features, 2))])
    weight = np.linalg.lstsq(design, target, rcond=None)[0]
    expected = z @ weight + y[rows].mean(0)
    got = head(given.features[rows], given.prior[rows])
    np.testing.assert_allclose(got, expected, atol=2e-3)


def test_rows_outside_of_the_part_are_not_read():
    given = fit_features()
    y = planted(given.features)
    rows = np.arange(100)
    before = solve_head(given, y, rows)
    y[100:] = np.nan
    given.features[100:] = np.nan
    after = solve_head(given, y, rows)
    np.testing.assert_array_equal(before.weight, after.weight)
    assert before.penalty == after.penalty


def test_a_good_prior_stays_where_the_features_say_nothing():
    y = planted(fit_features(seed=3).features)
    head = solve_head(fit_features(prior=0.5 * y), y, np.arange(200))
    assert head.slope == pytest.approx(2.0, abs=1e-4)
    assert head.penalty == np.inf
    assert not head.weight.any()


def test_a_prior_that_misleads_is_left_out():
    given = fit_features()
    y = planted(given.features)
    head = solve_head(FitFeatures(given.features, -y, ONSETS_S), y, np.arange(200))
    assert head.slope == 0.0
    assert np.isfinite(head.penalty)


def test_noise_gets_a_heavy_penalty():
    given = fit_features(n_features=400)
    y = np.random.default_rng(9).standard_normal((200, 2)).astype(np.float32)
    assert solve_head(given, y, np.arange(200)).penalty >= 1.0


def test_too_few_rows_are_refused():
    given = fit_features()
    with pytest.raises(DataFileError, match="36 s apart"):
        solve_head(given, planted(given.features), np.arange(4))


def test_few_answers_of_an_earlier_head_beat_many_features():
    given = fit_features(n_features=400)
    rng = np.random.default_rng(2)
    earlier = EarlierHead(rng.standard_normal((400, 3)) / 60, np.ones(3))
    predictions = given.features @ earlier.weight + earlier.bias
    mixed = predictions @ rng.standard_normal((3, 2))
    y = (mixed + 0.5 * rng.standard_normal(mixed.shape)).astype(np.float32)
    rows, new = np.arange(150), np.arange(168, 200)
    read = FitFeatures(given.features, given.prior, ONSETS_S, earlier)
    heads = solve_head(read, y, rows), solve_head(given, y, rows)
    errors = [
        ((head(given.features[new], given.prior[new]) - mixed[new]) ** 2).mean()
        for head in heads
    ]
    assert heads[0].through_earlier
    assert not heads[1].through_earlier
    assert errors[0] < 0.5 * errors[1]
