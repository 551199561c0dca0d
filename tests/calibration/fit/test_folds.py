import numpy as np
import pytest

torch = pytest.importorskip("torch")

from planted import material, measured, tiny_base  # noqa: E402

from rtbold.calibration.fit.folds import furthest_horizon, out_of_fold, read_scan  # noqa: E402
from rtbold.calibration.fit.head import ClosedFormHead  # noqa: E402
from rtbold.calibration.fit.split import strict_folds  # noqa: E402


def test_another_test_part_leaves_what_was_learned_as_it_is():
    windows, bold = material()
    folds = strict_folds(windows.onsets_s)
    session = read_scan(
        windows,
        measured(windows.onsets_s, bold),
        tiny_base(),
        strategy=ClosedFormHead(),
    )
    changed = bold.copy()
    changed[folds[2].test] = 7 * np.random.default_rng(0).standard_normal(
        changed[folds[2].test].shape
    )
    other = read_scan(
        windows,
        measured(windows.onsets_s, changed),
        tiny_base(),
        strategy=ClosedFormHead(),
    )
    first, second = (out_of_fold(s, folds[2:3]) for s in (session, other))
    rows = folds[2].test
    np.testing.assert_array_equal(first.network[rows], second.network[rows])
    np.testing.assert_array_equal(first.subject[rows], second.subject[rows])
    assert first.folds[0].scaling == second.folds[0].scaling
    assert not np.array_equal(first.scored[rows], second.scored[rows])


def test_series_stand_at_their_volumes():
    windows, bold = material()
    session = read_scan(
        windows,
        measured(windows.onsets_s, bold),
        tiny_base(),
        strategy=ClosedFormHead(),
    )
    folded = out_of_fold(session, strict_folds(windows.onsets_s))
    grid = folded.on_grid("network", windows.volume, 310)
    assert np.isnan(grid[:8]).all()
    np.testing.assert_array_equal(grid[windows.volume], folded.network)


def test_without_a_base_there_is_no_stack():
    windows, bold = material(n=240)
    scan = measured(windows.onsets_s, bold)
    session = read_scan(windows, scan, tiny_base(), strategy=ClosedFormHead())
    folded = out_of_fold(session, strict_folds(windows.onsets_s))
    assert not folded.stacked
    assert set(folded.smoothers) == {"network", "subject"}


def test_the_furthest_horizon_may_cost_a_fiftieth():
    assert furthest_horizon({0: 0.35, 1: 0.352, 2: 0.334, 3: 0.289}) == 2
    assert furthest_horizon({0: 0.35, 1: 0.32, 2: 0.31, 3: 0.331}) == 3
    assert furthest_horizon({0: 0.4, 1: 0.2}) == 0
