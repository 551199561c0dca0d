"""What is done to check windows before a reduced precision is judged on them."""

import numpy as np
import pytest
from checked import varied_windows

from rtbold.engine.check import disturbed, range_windows

CHANNELS = ("Fp1", "Cz", "T8", "T7", "Fp2")


@pytest.fixture
def eeg_uv():
    return varied_windows(5, n_channels=len(CHANNELS))


@pytest.fixture
def worse(eeg_uv):
    return {one.name: one.eeg_uv for one in disturbed(eeg_uv, CHANNELS)}


def test_float32_of_the_same_shape_and_the_windows_untouched(eeg_uv, worse):
    np.testing.assert_array_equal(eeg_uv, varied_windows(5, n_channels=5))
    assert len(worse) == 11
    for found in worse.values():
        assert (found.dtype, found.shape) == (np.float32, eeg_uv.shape)
        assert np.isfinite(found).all()


def test_the_same_bits_each_time(eeg_uv, worse):
    for again in disturbed(eeg_uv, CHANNELS):
        np.testing.assert_array_equal(again.eeg_uv, worse[again.name])


def test_gain_and_noise(eeg_uv, worse):
    np.testing.assert_array_equal(worse["gain 4"], 4 * eeg_uv)
    added = worse["noise 5 uV"] - eeg_uv
    np.testing.assert_allclose(added.std(axis=2), 5.0, rtol=0.1)
    assert abs(np.corrcoef(added[0, 0], added[1, 1])[0, 1]) < 0.1


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("muscle 20 uV", ["T7", "T8"]),
        ("drift 100 uV", ["T7", "T8"]),
        ("blinks 100 uV", ["Fp1", "Fp2"]),
    ],
)
def test_where_muscle_drift_and_blinks_are(eeg_uv, worse, name, where):
    changed = np.abs(worse[name] - eeg_uv).max(axis=(0, 2)) > 0
    assert sorted(np.array(CHANNELS)[changed]) == where


def test_how_large_they_are(eeg_uv, worse):
    muscle = (worse["muscle 20 uV"] - eeg_uv)[:, 2]
    np.testing.assert_allclose(muscle.std(axis=1), 20.0, rtol=0.1)
    blinks = (worse["blinks 100 uV"] - eeg_uv)[0, 0]
    assert np.ptp(blinks) == pytest.approx(100.0, abs=0.1)
    assert (blinks > 0).mean() == pytest.approx(0.3 / 4, abs=0.02)
    drift = (worse["drift 100 uV"] - eeg_uv)[0, 2]
    assert np.abs(drift).max() == pytest.approx(100.0, abs=0.1)
    for added in (blinks, drift):  # as in a session, where a window's mean is removed
        assert added.mean() == pytest.approx(0.0, abs=1e-2)


def test_other_electrodes_and_none_of_the_known():
    x = varied_windows(2, n_channels=3)
    for channels, where in ((("O1", "T3", "T4"), [1, 2]), (("E1", "E2", "E3"), [0, 1])):
        worse = {one.name: one.eeg_uv for one in disturbed(x, channels)}
        changed = np.abs(worse["muscle 10 uV"] - x).max(axis=(0, 2)) > 0
        assert np.flatnonzero(changed).tolist() == where


def test_ranges_come_from_every_second_window_in_all_forms(eeg_uv, worse):
    found = range_windows(eeg_uv, CHANNELS)
    assert len(found) == 3 * 12
    np.testing.assert_array_equal(found[:3], eeg_uv[::2])
    np.testing.assert_array_equal(found[-3:], worse["drift 100 uV"][::2])
