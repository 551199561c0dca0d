import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from rtbold.truth.score import autocorrelation, effective_n, effective_n_of_mean


def ar1(n, phi, seed, columns=1):
    rng = np.random.default_rng(seed)
    x = np.zeros((n + 200, columns))
    noise = rng.standard_normal(x.shape)
    for i in range(1, len(x)):
        x[i] = phi * x[i - 1] + noise[i]
    x = x[200:]
    return x - x.mean(axis=0)


def test_autocorrelation_is_the_textbook_sum():
    x = ar1(200, 0.7, 0)
    direct = [(x[: 200 - k] * x[k:]).sum() / (x**2).sum() for k in range(20)]
    np.testing.assert_allclose(autocorrelation(x, 19)[:, 0], direct, atol=1e-12)


def test_a_constant_has_no_memory():
    rho = autocorrelation(np.zeros((50, 1)), 5)[:, 0]
    np.testing.assert_array_equal(rho, [1, 0, 0, 0, 0, 0])


def test_effective_n_of_autoregressions_is_bartletts():
    n, phi = 3000, 0.6
    whole = np.ones(n, bool)
    found = effective_n(ar1(n, phi, 1), ar1(n, phi, 2), whole)[0]
    assert found == pytest.approx(n * (1 - phi**2) / (1 + phi**2), rel=0.25)
    mean = effective_n_of_mean(ar1(n, phi, 3), whole)[0]
    assert mean == pytest.approx(n * (1 - phi) / (1 + phi), rel=0.25)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(10, 200), phi=st.floats(-0.9, 0.95), missing=st.integers(0, 4))
def test_effective_n_lies_between_three_and_what_is_there(n, phi, missing):
    mask = np.ones(n, bool)
    mask[:missing] = False
    a, b = (ar1(n, phi, seed) * mask[:, None] for seed in (4, 5))
    for found in (effective_n(a, b, mask), effective_n_of_mean(a, mask)):
        assert 3 <= found[0] <= n - missing
