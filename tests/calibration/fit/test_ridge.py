import numpy as np
import pytest

from rtbold.calibration.fit.ridge import (
    EarlierHead,
    FitFeatures,
    ridge_weights,
    solve_head,
)
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


def test_a_ridge_equals_least_squares_with_stacked_rows():
    x = fit_features().features.astype(np.float64)
    y = planted(x)
    (weight,) = ridge_weights(x.T @ x, x.T @ y, [7.0])
    design = np.vstack([x, np.sqrt(7.0) * np.eye(30)])
    expected = np.linalg.lstsq(design, np.vstack([y, np.zeros((30, 2))]), rcond=None)[0]
    np.testing.assert_allclose(weight, expected, atol=1e-6)


def test_planted_weights_predict_what_was_not_learned_from():
    given = fit_features()
    y = planted(given.features)
    head = solve_head(given, y, np.arange(150))
    new = np.arange(150, 200)
    predicted = head(given.features[new], given.prior[new])
    assert np.corrcoef(predicted[:, 0], y[new, 0])[0, 1] > 0.95
    assert head.none < 0.01


def test_rows_outside_of_the_part_are_not_read():
    given = fit_features()
    y = planted(given.features)
    rows = np.arange(100)
    before = solve_head(given, y, rows)
    y[100:] = np.nan
    given.features[100:] = np.nan
    after = solve_head(given, y, rows)
    np.testing.assert_array_equal(before.weight, after.weight)
    assert before.none == after.none


@pytest.mark.parametrize(("share", "slope"), [(0.4, 2.5), (0.9, 1.0), (2.5, 0.4)])
def test_a_good_prior_is_all_where_the_features_say_nothing(share, slope):
    """Near 1 it is not scaled, so that folds do not differ by noise."""
    y = planted(fit_features(seed=3).features)
    y -= y.mean(axis=0)
    noisy = y + 0.3 * np.random.default_rng(5).standard_normal(y.shape)
    prior = (share * y).astype(np.float32)
    given = fit_features(prior=prior)
    head = solve_head(given, noisy.astype(np.float32), np.arange(200))
    assert head.slope == pytest.approx(slope, rel=0.05)
    answers = head(given.features, prior)
    assert np.corrcoef(answers[:, 0], prior[:, 0])[0, 1] > 0.98


def test_a_prior_that_misleads_is_left_out():
    given = fit_features()
    y = planted(given.features)
    head = solve_head(FitFeatures(given.features, -y, ONSETS_S), y, np.arange(200))
    assert head.slope == 0.0


def test_noise_teaches_next_to_nothing():
    given = fit_features(n_features=400)
    y = np.random.default_rng(9).standard_normal((200, 2)).astype(np.float32)
    head = solve_head(given, y, np.arange(150))
    left = head(given.features[150:], given.prior[150:])
    assert left.std() < 0.2


def test_too_few_rows_are_refused():
    given = fit_features()
    with pytest.raises(DataFileError, match="independent values, expected at least 20"):
        solve_head(given, planted(given.features), np.arange(14))


def test_few_answers_of_an_earlier_head_beat_many_features():
    given = fit_features(n_features=400)
    rng = np.random.default_rng(2)
    earlier = EarlierHead(rng.standard_normal((400, 3)) / 60, np.ones(3))
    predictions = given.features @ earlier.weight + earlier.bias
    mixed = predictions @ rng.standard_normal((3, 2))
    y = (mixed + 0.5 * rng.standard_normal(mixed.shape)).astype(np.float32)
    y -= y[:150].mean(axis=0)
    rows, new = np.arange(150), np.arange(168, 200)
    read = FitFeatures(given.features, given.prior, ONSETS_S, earlier)
    heads = solve_head(read, y, rows), solve_head(given, y, rows)
    r = [
        np.corrcoef(head(given.features[new], given.prior[new])[:, 0], mixed[new, 0])
        for head in heads
    ]
    assert heads[0].earlier > 0.9
    assert heads[1].earlier == 0.0
    assert r[0][0, 1] > 0.9 > r[1][0, 1]
