import numpy as np
import pytest

pytest.importorskip("torch")

from rtbold.calibration.evaluate.nulls import (
    null_r,
    other_subjects_null,
    p_above,
    p_above_max,
    p_above_rivals,
    pairing,
    random_phases,
    redrawn_r,
    surrogates_for,
    turned,
)
from rtbold.errors import ConfigError, DataFileError


def slow(n, columns, seed):
    """Low-passed noise, as BOLD is."""
    rng = np.random.default_rng(seed)
    raw = rng.standard_normal((n + 20, columns))
    kernel = np.hanning(7)[:, None]
    return np.stack([(raw[i : i + 7] * kernel).sum(axis=0) for i in range(n)])


def test_r_is_that_of_the_residuals_of_a_cubic():
    a, b = slow(200, 3, 0), slow(200, 3, 1)
    u = np.linspace(-1, 1, 200)
    drift = np.stack([u**3, 5 * u, u**2 - u], axis=1)
    t = np.vander(u, 4)
    left = [s - t @ np.linalg.lstsq(t, s, rcond=None)[0] for s in (a, b)]
    expected = [np.corrcoef(left[0][:, i], left[1][:, i])[0, 1] for i in range(3)]
    np.testing.assert_allclose(pairing(a + 9 * drift, b - drift).r, expected)


def test_surrogates_are_phase_randomised_predictions():
    a, b = slow(100, 2, 0), slow(100, 2, 1)
    pair = pairing(a, b)
    phases = random_phases(100, n_surrogates=999, seed=3)
    turned = np.fft.rfft(pair.predicted, axis=0)[1:] * np.exp(1j * phases[7])[:, None]
    series = np.fft.irfft(np.concatenate([np.zeros((1, 2)), turned]), 100, axis=0)
    by_hand = (series * pair.measured).sum(axis=0)
    norm = np.sqrt((pair.predicted**2).sum(axis=0) * (pair.measured**2).sum(axis=0))
    np.testing.assert_allclose(pair.surrogate_r(phases)[7], by_hand / norm, atol=1e-3)


def test_phase_zero_gives_r_back():
    pair = pairing(slow(101, 2, 0), slow(101, 2, 1))
    np.testing.assert_allclose(pair.surrogate_r(np.zeros((1, 50)))[0], pair.r)


def test_cross_fitted_null_is_wider_by_root_two():
    pair = pairing(slow(150, 1, 0), slow(150, 1, 1))
    phases = random_phases(150, n_surrogates=999, seed=0)
    once = null_r(pair, phases, reuse=1.0)
    np.testing.assert_allclose(null_r(pair, phases, reuse=2.0), once * np.sqrt(2))


def test_an_independent_series_passes_about_as_often_as_alpha_says():
    passed = 0
    for seed in range(120):
        pair = pairing(slow(150, 1, 2 * seed), slow(150, 1, 2 * seed + 1))
        phases = random_phases(150, n_surrogates=999, seed=seed)
        null = null_r(pair, phases, reuse=1.0)
        passed += int(p_above(pair.r, null)[0] <= 0.05)
    assert passed <= 13  # 6 expected


def test_a_signal_passes_and_missing_volumes_do_not_stop_it():
    a = slow(300, 1, 0)
    b = a + slow(300, 1, 1)
    a[[5, 6, 120]] = np.nan
    pair = pairing(a, b)
    assert pair.mask.sum() == 297
    phases = random_phases(300, n_surrogates=999, seed=0)
    assert p_above(pair.r, null_r(pair, phases, reuse=2.0))[0] == 0.001


def test_a_confound_takes_its_share_and_costs_certainty():
    cause, own = slow(300, 1, 0), slow(300, 1, 1)
    a, b = cause + 0.3 * own, cause + 0.3 * slow(300, 1, 2)
    plain, partial = pairing(a, b), pairing(a, b, cause)
    assert plain.r[0] > 0.8
    assert abs(partial.r[0]) < 0.3
    phases = random_phases(300, n_surrogates=999, seed=0)
    used = null_r(partial, phases, reuse=1.0)
    assert used.std() > partial.surrogate_r(phases).std()


def test_a_missing_confound_counts_as_its_mean():
    a, b, cause = slow(100, 1, 0), slow(100, 1, 1), slow(100, 2, 2)
    cause[:, 1] = np.nan  # says nothing at all
    cause[3, 0] = np.nan
    filled = cause[:, :1].copy()
    filled[3] = np.nanmean(filled)
    np.testing.assert_allclose(pairing(a, b, cause).r, pairing(a, b, filled).r)


def test_constant_predictions_explain_nothing():
    pair = pairing(np.full((100, 1), 3.7), slow(100, 1, 0))
    assert pair.r[0] == 0
    phases = random_phases(100, n_surrogates=999, seed=0)
    null = null_r(pair, phases, reuse=2.0)
    assert p_above(pair.r, null)[0] == 1
    assert p_above_max(pair.r, null)[0] == 1


def test_max_statistic_is_stricter_than_each_alone():
    a, b = slow(200, 20, 0), slow(200, 20, 1)
    b[:, 4] = a[:, 4] + 0.5 * b[:, 4]
    pair = pairing(a, b)
    null = null_r(pair, random_phases(200, n_surrogates=999, seed=0), reuse=2.0)
    alone, over_all = p_above(pair.r, null), p_above_max(pair.r, null)
    assert (over_all >= alone).all()
    assert over_all[4] <= 0.05
    assert (over_all <= 0.05).sum() == 1


def test_what_others_share_is_no_excess():
    n = 300
    shared = slow(n, 1, 0)
    measured = shared + 0.5 * slow(n, 1, 1)
    own = shared + 0.5 * slow(n, 1, 2)
    others = tuple(shared + 0.5 * slow(n, 1, seed) for seed in (3, 4, 5))
    phases = random_phases(n, n_surrogates=999, seed=0)
    excess, null, r_other = other_subjects_null(
        (own, measured), others, phases, reuse=2.0
    )
    assert p_above(pairing(own, measured).r, null)[0] == 0.001
    assert p_above(excess, null)[0] > 0.05
    assert r_other[0] > 0.6


def test_others_may_be_shorter_but_not_by_half():
    n = 200
    own, measured, other = slow(n, 1, 0), slow(n, 1, 1), slow(n, 1, 2)
    phases = random_phases(n, n_surrogates=999, seed=0)
    other[120:] = np.nan
    other_subjects_null((own, measured), (other,), phases, reuse=2.0)
    other[90:] = np.nan
    with pytest.raises(DataFileError, match="covers 90 of 200 scored volumes"):
        other_subjects_null((own, measured), (other,), phases, reuse=2.0)


def test_too_little_is_refused_in_words():
    a = slow(100, 1, 0)
    a[25:] = np.nan
    with pytest.raises(DataFileError, match=r"25 of 100 volumes .* at least 30"):
        pairing(a, slow(100, 1, 1))
    with pytest.raises(ConfigError, match="at least 999"):
        random_phases(100, n_surrogates=99, seed=0)


def ridge_folds(features, n_folds=5, penalty=30.0):
    """Return the matrix that maps targets to out-of-fold ridge predictions."""
    n = len(features)
    hat = np.zeros((n, n))
    for test in np.array_split(np.arange(n), n_folds):
        learn = np.setdiff1d(np.arange(n), test)
        x = features[learn] - features[learn].mean(axis=0)
        asked = features[test] - features[learn].mean(axis=0)
        inner = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T)
        centre = np.eye(len(learn)) - 1 / len(learn)
        hat[np.ix_(test, learn)] = asked @ inner @ centre
    return hat


def redraw_with(hat, measured):
    def redraw(phases):
        drawn = turned(measured, phases)
        return np.einsum("vw,swc->svc", hat, drawn), drawn

    return redraw


def test_turned_measurements_are_the_surrogates_of_an_independent_prediction():
    a, b = slow(120, 2, 0), slow(120, 2, 1) + np.linspace(0, 5, 120)[:, None]
    pair = pairing(a, b)
    phases = random_phases(120, n_surrogates=999, seed=3)[:40]
    drawn = turned(b, phases)
    r = np.stack([pairing(a, one).r for one in drawn])
    # But for what a cubic takes of a turned series
    assert np.abs(r - pair.surrogate_r(phases)).max() < 0.1
    np.testing.assert_allclose(turned(b, np.zeros((1, 60)))[0], b, atol=1e-9)


def test_a_closed_form_is_refitted_to_each_surrogate():
    n = 150
    features, measured = slow(n, 30, 0), slow(n, 2, 1)
    hat = ridge_folds(features)
    pair = pairing(hat @ measured, measured)
    phases = random_phases(n, n_surrogates=999, seed=0)
    found = redrawn_r(redraw_with(hat, measured), pair.mask, phases)
    assert found.shape == (999, 2)
    one = turned(measured, phases[7:8])[0]
    np.testing.assert_allclose(found[7], pairing(hat @ one, one).r)
    wider = found.std(axis=0) / pair.surrogate_r(phases).std(axis=0)
    assert (wider > 1.0).all()
    assert (wider < 1.5).all()


def test_null_scans_pass_a_refitted_gate_about_as_often_as_alpha_says():
    n, passed, by_phases = 120, 0, 0
    hat = ridge_folds(slow(n, 30, 0))
    for seed in range(100):
        measured = slow(n, 1, 1000 + seed)
        pair = pairing(hat @ measured, measured)
        phases = random_phases(n, n_surrogates=999, seed=seed)[:199]
        null = redrawn_r(redraw_with(hat, measured), pair.mask, phases)
        passed += int(p_above(pair.r, null)[0] <= 0.05)
        plain = null_r(pair, phases, reuse=1.0)
        by_phases += int(p_above(pair.r, plain)[0] <= 0.05)
    assert passed <= 11  # 5 expected
    assert passed <= by_phases


def test_the_best_of_alike_candidates_costs_little_and_of_unlike_ones_more():
    rng = np.random.default_rng(0)
    null = rng.standard_normal(1999)
    other = rng.standard_normal(1999)
    (alone,) = p_above_rivals([1.8], [null])
    assert alone == p_above(np.array([1.8]), null[:, None])[0]
    twice = p_above_rivals([1.8, 1.8], [null, null])
    assert twice == [alone, alone]
    apart = p_above_rivals([1.8, 0.3], [null, other])
    assert apart[0] == pytest.approx(2 * alone, rel=0.2)
    assert apart[1] > 0.5
    # A candidate that never answers costs nothing
    assert p_above_rivals([1.8, 0.0], [null, np.zeros(1999)])[0] == alone


def test_a_strict_level_gets_more_surrogates():
    assert surrogates_for(0.05) == 999
    assert surrogates_for(0.0015) == 3334
    assert surrogates_for(0.0) == 999
