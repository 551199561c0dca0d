import numpy as np
import pytest
from compared_scans import smooth

from rtbold.calibration.compare.scores import (
    Predicted,
    Target,
    direction_agreement,
    first_component_share,
    null_of,
    score,
)
from rtbold.errors import DataFileError

ROIS = ("A", "B", "C", "D")


def target(plain, gsr=None, *, scan="s1", subject="s1", **changes):
    known = {
        "scan": scan, "subject": subject, "session": "1", "fold": 0,
        "simulated": True, "rois": ROIS[: plain.shape[1]],
        "volume": np.arange(len(plain)) + 8,
        "onsets_s": 2.1 * (np.arange(len(plain)) + 8.0),
        "plain": plain, "gsr": plain if gsr is None else gsr,
    }  # fmt: skip
    return Target(**(known | changes))


def predicted(values, of, *, model="m", kind="bundle"):
    return Predicted(model=model, kind=kind, target=of, values=values)


def series(n=400, rois=4, seed=0, width=1.0):
    return smooth(np.random.default_rng(seed), (n, rois), width)


def test_known_predictions_give_known_scores():
    # Two orthogonal series of sd 1: cos(angle) of one and sin(angle) of the other.
    y = series(rois=2)
    x, z = y[:, 0], y[:, 1] - y[:, 0] * (y[:, 0] @ y[:, 1]) / (y[:, 0] @ y[:, 0])
    z = z / z.std()
    guess = 0.6 * x + 0.8 * z
    found = score(predicted(guess[:, None], target(x[:, None])))
    assert found.r[0] == pytest.approx(0.6)
    assert found.mse[0] == pytest.approx(2 - 2 * 0.6)  # both of variance 1
    assert found.r_of_mean == pytest.approx(0.6)
    assert found.n == 400
    nothing = score(predicted(np.zeros((400, 1)), target(x[:, None])))
    assert nothing.mse[0] == pytest.approx(1.0)  # the mean as a prediction
    assert nothing.r[0] == 0.0


def test_both_targets_have_their_own_r():
    y = series(rois=4)
    common = smooth(np.random.default_rng(9), (400, 1), 1.0)
    plain = common + 0.2 * y
    found = score(predicted(np.repeat(common, 4, axis=1), target(plain, y)))
    assert (found.r > 0.9).all()
    assert np.abs(found.r_gsr).max() < 0.25
    assert found.first_share == pytest.approx(1.0)


def test_direction_agreement_is_that_of_two_normal_series():
    np.testing.assert_allclose(direction_agreement(np.array([-1, 0, 1])), [0, 0.5, 1])
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 200_000))
    b = 0.3 * a + np.sqrt(1 - 0.09) * b
    assert np.mean(a * b > 0) == pytest.approx(direction_agreement(0.3), abs=0.005)


def test_a_model_that_says_one_thing_is_known_by_its_first_component():
    y = series(rois=3)
    one = y[:, :1] * [1.0, 2.0, -1.0]
    assert first_component_share(one) == pytest.approx(1.0)
    assert first_component_share(y) < 0.6
    assert np.isnan(first_component_share(np.ones((40, 3))))


def test_own_roi_ranks_first_where_predictions_are_regional():
    y = series(rois=4)
    own = score(predicted(y, target(y)))
    np.testing.assert_array_equal(own.own_rank, [1, 1, 1, 1])
    turned = score(predicted(y[:, [1, 2, 3, 0]], target(y)))
    assert (turned.own_rank > 1).all()
    flat = score(predicted(np.ones((400, 4)), target(y)))
    assert np.isnan(flat.own_rank).all()


def test_rois_and_volumes_without_a_prediction_are_left_out():
    y = series(rois=3)
    guess = y.copy()
    guess[:, 1] = np.nan
    guess[:5] = np.nan
    found = score(predicted(guess, target(y)))
    assert found.n == 395
    assert np.isnan(found.r[1])
    assert np.isnan(found.mse[1])
    np.testing.assert_allclose(found.r[[0, 2]], 1.0)


def test_too_few_volumes_are_refused_and_few_have_no_null():
    y = series(n=400)
    guess = np.full_like(y, np.nan)
    guess[:2] = y[:2]
    with pytest.raises(DataFileError, match=r"m predicts 2 of the 400 .* of s1"):
        score(predicted(guess, target(y)))
    short = predicted(y[:20], target(y[:20]))
    assert score(short).r_without_drift is None
    assert null_of(short, seed=0, cross_fitted=False) is None


def test_the_null_is_centred_and_holds_what_chance_gives():
    rng = np.random.default_rng(4)
    y, other = (smooth(rng, (300, 3), 3.0) for _ in range(2))
    null = null_of(predicted(other, target(y)), seed=0, cross_fitted=False)
    assert null.shape == (999, 3)
    assert np.abs(null.mean(axis=0)).max() < 0.03
    wide = null_of(predicted(other, target(y)), seed=0, cross_fitted=True)
    np.testing.assert_allclose(wide, null * np.sqrt(2))
    # Rough series of as many volumes scatter less: their volumes are independent.
    rough = rng.standard_normal((2, 300, 3))
    calm = null_of(predicted(rough[0], target(rough[1])), seed=0, cross_fitted=False)
    assert calm.std() < null.std()


def test_series_of_another_shape_are_refused():
    y = series()
    with pytest.raises(DataFileError, match=r"s1: target 'gsr' has shape \(400, 2\)"):
        target(y, y[:, :2])
