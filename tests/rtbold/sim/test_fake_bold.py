import numpy as np
import pytest

from rtbold.sim.fake_script import LOOP_VOLUMES, R_RANGE, FakeBold, target_wave


def both(seed=0, n=LOOP_VOLUMES):
    bold = FakeBold(5, 2, seed=seed)
    predicted = np.array([bold.predicted(k, None) for k in range(n)])
    measured = np.array([bold.measured(k, None) for k in range(n)])
    return predicted, measured


def test_the_target_is_what_the_script_says():
    bold = FakeBold(5, 2, seed=0)
    assert bold.predicted(7, 0.25)[2] == 0.25
    assert bold.predicted(7, None)[2] == pytest.approx(target_wave(0)[7])
    others = [0, 1, 3, 4]
    np.testing.assert_array_equal(
        bold.predicted(7, 0.25)[others], bold.predicted(7, None)[others]
    )


def test_measured_bold_follows_the_prediction_as_far_as_it_is_said_to():
    predicted, measured = both()
    r = [np.corrcoef(predicted[:, k], measured[:, k])[0, 1] for k in range(5)]
    assert r[2] == pytest.approx(R_RANGE[1], abs=0.08)
    assert R_RANGE[0] - 0.08 < min(r) <= max(r) < R_RANGE[1] + 0.08


def test_it_is_the_same_for_the_same_seed_only():
    for once, again in zip(both(n=20), both(n=20), strict=True):
        np.testing.assert_array_equal(once, again)
    assert not np.allclose(both(seed=1, n=20)[0], both(n=20)[0])
