from types import SimpleNamespace

import numpy as np
import pytest

from rtbold.calibration.explain.windows import WindowKeeper, windows_of
from rtbold.errors import DataFileError


def window(value):
    return np.full((1, 2, 3200), value, np.float32)


def predictions(keeper, n, *, usable=lambda i: True):
    for i in range(n):
        values = keeper(window(i))[0] if usable(i) else None
        reasons = () if values is not None else ("gap",)
        yield SimpleNamespace(values=values, reasons=reasons, t_end_s=2.0 * i)


@pytest.mark.parametrize("n", [1, 5, 10, 11, 21, 137, 1000])
def test_at_most_so_many_and_all_over_the_recording(n):
    keeper = WindowKeeper(10, n_rois=3)
    found = windows_of(predictions(keeper, n), keeper)
    assert len(found.eeg_uv) == min(n, 10)
    assert found.n_usable == n
    values = found.eeg_uv[:, 0, 0]
    np.testing.assert_array_equal(found.t_end_s, 2.0 * values)
    assert values[0] == 0
    assert values[-1] >= 0.85 * (n - 1)
    if n > 20:
        assert np.diff(values).max() <= 2 * np.diff(values).min() + 1


def test_memory_does_not_grow_with_the_recording():
    keeper = WindowKeeper(4, n_rois=1)
    for i in range(200):
        keeper(window(i))
        assert len(keeper.chosen()[0]) <= 4
    assert len(keeper._kept) <= 8


def test_invalid_windows_are_left_out_and_counted():
    keeper = WindowKeeper(50, n_rois=1)
    made = predictions(keeper, 30, usable=lambda i: i % 3)
    found = windows_of(made, keeper)
    assert (found.n_usable, found.n_left_out) == (20, 10)
    assert all(value % 3 for value in found.eeg_uv[:, 0, 0])


def test_no_usable_window_is_told_with_its_reasons():
    keeper = WindowKeeper(50, n_rois=1)
    with pytest.raises(DataFileError, match=r"none of 5 windows.*gap \(5\)"):
        windows_of(predictions(keeper, 5, usable=lambda i: False), keeper)


def test_windows_are_copies():
    keeper = WindowKeeper(4, n_rois=1)
    buffer = window(1)
    keeper(buffer)
    buffer[:] = 9
    assert keeper.chosen()[1][0].max() == 1
