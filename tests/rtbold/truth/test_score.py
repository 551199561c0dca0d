import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import signal

from rtbold.truth.score import (
    ENOUGH_EFFECTIVE_N,
    CausalLowpass,
    Pair,
    PairHistory,
    autocorrelation,
    centred_r,
    effective_n,
    effective_n_of_mean,
    lowpassed,
    pearson_r,
    rolling_r,
)


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


RNG = np.random.default_rng


def correlated(n, r, *, seed=0, columns=1):
    a, b = RNG(seed).standard_normal((2, n, columns))
    return a, r * a + np.sqrt(1 - r**2) * b


def slow(n, seed, *, tr_s=2.1):
    series = RNG(seed).standard_normal((n + 200, 1))
    lowpass = CausalLowpass(0.03, tr_s)
    return np.array([lowpass(row) for row in series])[200:]


def test_of_white_series_every_volume_counts():
    found = rolling_r(*correlated(150, 0.6))
    assert found.n_eff[0] == pytest.approx(150, rel=0.15)
    assert found.low[0] < 0.6 < found.high[0]
    assert found.n[0] == 150


def test_a_straight_drift_makes_no_correlation():
    a, b = correlated(150, 0.0)
    drift = np.linspace(0, 50, 150)[:, None]
    assert rolling_r(a + drift, b + drift).r == pytest.approx(rolling_r(a, b).r)


def test_slow_series_have_fewer_independent_volumes_and_say_no_r():
    a, b = slow(60, 1), slow(60, 2)
    found = rolling_r(a, b)
    assert found.n_eff[0] < ENOUGH_EFFECTIVE_N < found.n[0]
    assert np.isnan([found.r[0], found.low[0], found.high[0]]).all()


def test_missing_volumes_count_for_nothing_and_only_in_their_column():
    a, b = correlated(120, 0.5, columns=2)
    b[::2, 1] = np.nan
    found = rolling_r(a, b)
    assert found.n.tolist() == [120, 60]
    apart = [rolling_r(a[:, [k]], b[:, [k]]) for k in range(2)]
    np.testing.assert_allclose(found.r, [one.r[0] for one in apart])
    garbage = np.where(np.isnan(b), 1e9, b)
    assert abs(rolling_r(a, garbage).r[1] - found.r[1]) > 0.05


@pytest.mark.parametrize("series", [np.full((100, 1), 7.0), np.full((100, 1), 1e9)])
def test_what_does_not_vary_has_no_r(series):
    found = rolling_r(series, RNG(0).standard_normal((100, 1)))
    assert np.isnan(found.r).all()


@pytest.mark.parametrize("n", [0, 1, 7, 15])
def test_too_few_volumes_say_nothing(n):
    found = rolling_r(*correlated(n, 0.9))
    assert np.isnan(found.r).all()
    assert found.n.tolist() == [n]


def test_the_interval_holds_the_true_r_about_as_often_as_it_says():
    inside = 0
    for seed in range(300):
        a, b = correlated(100, 0.4, seed=seed)
        found = rolling_r(a, b)
        inside += found.low[0] <= 0.4 <= found.high[0]
    assert 270 <= inside <= 297  # 95 % of 300 is 285, sd 3.8


def test_the_causal_filter_sees_no_future():
    series = RNG(3).standard_normal((50, 2))
    first = CausalLowpass(0.15, 2.1)
    whole = np.array([first(row) for row in series])
    second = CausalLowpass(0.15, 2.1)
    other = np.concatenate([series[:30], 100 + series[30:]])
    changed = np.array([second(row) for row in other])
    np.testing.assert_array_equal(whole[:30], changed[:30])
    assert np.isnan(whole[:2]).all()  # until it has settled
    assert np.isfinite(whole[2:]).all()


def test_the_filter_starts_without_a_step():
    lowpass = CausalLowpass(0.15, 2.1)
    rows = np.array([lowpass(np.array([1000.0])) for _ in range(10)])
    np.testing.assert_allclose(rows[2:], 1000.0)


def test_a_short_hole_is_bridged_and_a_long_one_starts_anew():
    def filtered(holes):
        lowpass = CausalLowpass(0.15, 2.1)
        series = np.sin(np.arange(40) / 4)[:, None] + 5
        series[20 : 20 + holes] = np.nan
        return np.isfinite([lowpass(row)[0] for row in series])

    assert filtered(2)[20:24].tolist() == [False, False, True, True]
    assert filtered(3)[20:27].tolist() == [False] * 5 + [True, True]


def test_a_column_that_comes_later_begins_there():
    lowpass = CausalLowpass(0.15, 2.1)
    rows = [lowpass(np.array([1.0, np.nan if k < 5 else 3.0])) for k in range(12)]
    assert np.isnan(rows[4]).tolist() == [False, True]
    np.testing.assert_allclose(rows[-1], [1.0, 3.0])


@pytest.mark.parametrize(("cutoff_hz", "tr_s"), [(None, 2.1), (0.15, 4.0)])
def test_without_a_cutoff_below_nyquist_nothing_is_filtered(cutoff_hz, tr_s):
    lowpass = CausalLowpass(cutoff_hz, tr_s)
    series = RNG(0).standard_normal((30, 1))
    np.testing.assert_array_equal([lowpass(row) for row in series], series)
    np.testing.assert_array_equal(lowpassed(series, tr_s, cutoff_hz), series)


def test_the_target_filter_has_no_delay():
    t = np.arange(200) * 2.1
    series = np.sin(2 * np.pi * 0.03 * t)[:, None]
    noisy = series + np.where(np.arange(200) % 2, 0.5, -0.5)[:, None]
    found = lowpassed(noisy, 2.1, 0.15)
    np.testing.assert_allclose(found[20:-20], series[20:-20], atol=0.02)


@pytest.mark.parametrize(("n", "scored"), [(19, False), (200, True)])
def test_a_score_after_the_run_needs_twenty_volumes(n, scored):
    history = PairHistory(0.15, 2.1)
    values = RNG(0).standard_normal((n, 1))
    for volume, row in enumerate(values):
        history.add(Pair(volume, row, row))
    found = history.after_run(1)
    assert (found is not None) == scored


def test_lowpass_is_butterworth_5_run_forward_and_backward():
    n = 2000
    t = np.arange(n) * 2.1
    slow, fast = (np.sin(2 * np.pi * f * t)[:, None] for f in (0.02, 0.2))
    out = lowpassed(slow + fast, 2.1, 0.15)
    np.testing.assert_allclose(out[100:-100], slow[100:-100], atol=0.01)
    b, a = signal.butter(5, 0.15, fs=1 / 2.1)
    expected = signal.filtfilt(b, a, slow + fast, axis=0)
    np.testing.assert_allclose(out[100:-100], expected[100:-100], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 40))
def test_runs_of_any_length_are_filtered(n):
    run = np.random.default_rng(n).standard_normal((n, 2))
    out = lowpassed(run, 2.1, 0.15)
    assert out.shape == run.shape
    assert np.isfinite(out).all()


def test_a_slow_scanner_needs_no_lowpass():
    run = np.random.default_rng(0).standard_normal((50, 2))
    assert lowpassed(run, 3.5, 0.15) is run
    assert lowpassed(run, 2.1, None) is run


def test_pearson_r_is_numpys_and_a_constant_has_the_r_that_was_asked_for():
    a, b = RNG(1).standard_normal((2, 50, 3))
    expected = [np.corrcoef(x, y)[0, 1] for x, y in zip(a.T, b.T, strict=True)]
    np.testing.assert_allclose(pearson_r(a, b), expected, atol=1e-12)
    np.testing.assert_array_equal(
        pearson_r(a, b), centred_r(a - a.mean(axis=0), b - b.mean(axis=0))
    )
    constant = np.full((50, 3), 0.1)
    np.testing.assert_array_equal(pearson_r(a, constant), 0.0)
    assert np.isnan(pearson_r(constant, b, constant=np.nan)).all()
