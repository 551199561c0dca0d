import numpy as np
import pytest

pytest.importorskip("torch")

from rtbold.calibration.train.ridge import ALPHAS, Table, fit_ridge


def table(n_scans=6, noise=0.5, seed=0):
    rng = np.random.default_rng(seed)
    weights = np.random.default_rng(99).standard_normal((10, 2))
    x = [rng.standard_normal((80, 10)) * 3 + 5 for _ in range(n_scans)]
    y = [a @ weights + noise * rng.standard_normal((80, 2)) + 7 for a in x]
    return Table(x, y)


def answer(fitted, x):
    return (x - fitted.mean) / fitted.scale @ fitted.weights + fitted.bias


def test_recovers_a_linear_truth_on_new_scans():
    fitted = fit_ridge(table())
    new = table(1, seed=1)
    np.testing.assert_allclose(
        answer(fitted, new.features[0]), new.targets[0], atol=2.5
    )
    assert fitted.r > 0.99


def test_equals_the_normal_equations():
    data = table()
    fitted = fit_ridge(data)
    x = (np.concatenate(data.features) - fitted.mean) / fitted.scale
    y = np.concatenate(data.targets) - fitted.bias
    expected = np.linalg.solve(x.T @ x + fitted.alpha * np.eye(10), x.T @ y)
    np.testing.assert_allclose(fitted.weights, expected, atol=1e-9)


def test_noise_asks_for_a_larger_penalty():
    assert fit_ridge(table(noise=100)).alpha > fit_ridge(table(noise=0.1)).alpha


def test_penalty_may_be_chosen_by_validation_scans():
    fitted = fit_ridge(table(), validation=table(2, seed=5))
    assert fitted.alpha in ALPHAS
    assert fitted.r > 0.99
