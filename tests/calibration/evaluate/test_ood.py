import numpy as np
import pytest

pytest.importorskip("torch")

from rtbold.calibration.evaluate.ood import FeatureScale, ood_reference
from rtbold.condition.spectra import WindowStatistics
from rtbold.errors import DataFileError
from rtbold.predict.ood import Comparison, ood_score


def statistics(n, *, level=0.0, seed=0):
    """Windows of four channels whose statistics are plain random numbers."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        x = rng.standard_normal((4, 40))
        covariance = x @ x.T
        out.append(
            WindowStatistics(
                log_power=level + rng.standard_normal((4, 5)),
                slope=1 + 0.1 * rng.standard_normal(4),
                covariance=covariance / np.trace(covariance),
            )
        )
    return out


def test_half_a_percent_of_the_calibration_itself_lies_beyond_the_limit():
    windows = statistics(2000)
    found = ood_reference(windows)
    compare = Comparison(found)
    worst = [ood_score(compare(w), found.spreads) / found.limit for w in windows]
    assert np.mean(np.array(worst) > 1) == pytest.approx(0.005, abs=0.004)
    assert (found.n_windows, found.groups) == (2000, "blocks")


def test_drift_inside_the_scan_widens_what_is_taken_for_granted():
    steady = ood_reference(statistics(300))
    steps = [w for i in range(5) for w in statistics(60, level=0.5 * i, seed=i)]
    drifting = ood_reference(steps)
    assert drifting.spreads["level"].high > 1.5 * steady.spreads["level"].high


def test_subjects_are_compared_with_the_other_subjects():
    windows = [w for i in range(4) for w in statistics(50, level=float(i), seed=i)]
    found = ood_reference(windows, group=np.repeat(np.arange(4), 50))
    assert found.groups == "subjects"
    blind = ood_reference(windows, group=np.tile(np.arange(4), 50))
    assert found.spreads["level"].high > blind.spreads["level"].high


def test_features_are_scaled_by_the_other_blocks():
    features = np.random.default_rng(0).standard_normal((100, 400))
    found = ood_reference(statistics(100), features=features)
    # Their own scale would give exactly 1 on average: held out they are further.
    assert found.spreads["features"].middle > 1.0
    assert found.spreads["features"].low is None


def test_a_feature_that_never_moved_does_not_rule():
    features = np.random.default_rng(0).standard_normal((100, 10))
    features[:, 3] = 7.0
    distance = FeatureScale.of(features).distance(features + 1e-4)
    assert distance.max() < 5


def test_too_short_a_scan_is_refused():
    with pytest.raises(DataFileError, match=r"59 windows.*60"):
        ood_reference(statistics(59))
