import warnings

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from sklearn.cross_decomposition import PLSRegression

from rtbold.calibration.compare.pls import fit_pls, pls_weights
from rtbold.calibration.train.ridge import Table


def drawn(n=300, seed=0):
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((n, 3))
    x = latent @ rng.standard_normal((3, 12)) + 0.3 * rng.standard_normal((n, 12))
    y = latent @ rng.standard_normal((3, 4)) + 0.3 * rng.standard_normal((n, 4))
    return x - x.mean(axis=0), y - y.mean(axis=0)


@pytest.mark.parametrize("n_components", [1, 2, 3, 5])
def test_weights_are_those_of_scikit_learn(n_components):
    x, y = drawn()
    (weights,) = pls_weights(x.T @ x, x.T @ y, [n_components])
    reference = PLSRegression(n_components, scale=False, max_iter=5000, tol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own, about the iteration
        reference.fit(x, y)
    np.testing.assert_allclose(x @ weights, reference.predict(x), atol=1e-5)


def test_one_pass_gives_every_number_of_components():
    x, y = drawn()
    gram, product = x.T @ x, x.T @ y
    together = pls_weights(gram, product, [1, 3, 6])
    for n, weights in zip((1, 3, 6), together, strict=True):
        np.testing.assert_allclose(weights, pls_weights(gram, product, [n])[0])


def test_all_components_are_least_squares():
    x, y = drawn()
    (weights,) = pls_weights(x.T @ x, x.T @ y, [12])
    np.testing.assert_allclose(weights, np.linalg.lstsq(x, y, rcond=None)[0], atol=1e-6)


def test_more_components_than_the_data_hold_are_no_matter():
    x, y = drawn()
    x[:, 2:] = 0
    (two,), (many,) = (pls_weights(x.T @ x, x.T @ y, [n]) for n in (2, 24))
    np.testing.assert_allclose(x @ two, x @ many, atol=1e-8)
    nothing = pls_weights(np.zeros((3, 3)), np.zeros((3, 2)), [1, 2])
    assert all((weights == 0).all() for weights in nothing)


def test_the_number_of_components_is_chosen_on_validation():
    x, y = drawn(600)
    rng = np.random.default_rng(5)
    train = Table([x[:150] + 3, x[150:300] + 3], [y[:150], y[150:300]])
    validation = Table([x[300:] + 3], [y[300:]])
    found = fit_pls(train, validation)
    assert found.n_components >= 3  # as many as the latent ones
    guess = (x[300:] + 3 - found.mean) / found.scale @ found.weights + found.bias
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(guess.T, y[300:].T, strict=True)]
    assert np.mean(r) == pytest.approx(found.r)
    assert found.r > 0.8
    noise = Table([rng.standard_normal((300, 12))], [y[:300]])
    assert abs(fit_pls(noise, validation).r) < 0.6
