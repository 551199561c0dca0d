from dataclasses import replace

import numpy as np
import pytest

from rtbold.calibration.inputs.lag import LagSettings, lag_scan, log_power
from rtbold.calibration.inputs.windows import CalibrationScan

TR_S = 2.0
N = 150
RATE_HZ = 200
BOLD_DELAY_S = 5.0


def slow(rng, n, rate_hz):
    """A slow latent of variance 1."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    hz = np.fft.rfftfreq(n, 1 / rate_hz)
    spectrum *= (hz > 0.01) & (hz < 0.08)
    values = np.fft.irfft(spectrum, n)
    return values / values.std()


def scan(*, delay_s=BOLD_DELAY_S, n=N, coupling=1.0, seed=0):
    """Alpha waxes and wanes; BOLD follows it after `delay_s`."""
    rng = np.random.default_rng(seed)
    start_s = 40.0
    seconds = start_s + n * TR_S + 40.0
    t_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    latent = slow(rng, len(t_s), RATE_HZ)
    alpha = np.sin(2 * np.pi * 10 * t_s) * np.exp(0.5 * latent)
    eeg_uv = 3 * rng.standard_normal((3, len(t_s))) + 6 * alpha
    onsets_s = start_s + TR_S * np.arange(n)
    ends = np.round(onsets_s * RATE_HZ).astype(int)
    windows = np.stack([eeg_uv[:, end - 3200 : end] for end in ends])
    followed = np.interp(onsets_s - delay_s, t_s, latent)
    noise = rng.standard_normal((n, 2))
    return CalibrationScan(
        name="made",
        rois=("a", "b"),
        tr_s=TR_S,
        windows=windows.astype(np.float32),
        volume=np.arange(n),
        bold=coupling * followed[:, None] + 0.5 * noise + 1000.0,
        onsets_s=onsets_s,
        confounds={},
        left_out=(),
        degraded={},
        simulated=True,
    )


def test_the_peak_is_where_bold_follows_the_eeg():
    found = lag_scan(scan())
    assert abs(found.peak_s - BOLD_DELAY_S) <= 1
    assert found.peak_r > 0.6
    assert found.clear
    assert found.warning == ""
    low_s, high_s = found.interval_s
    assert low_s <= found.peak_s <= high_s
    assert 2 <= found.width_s <= 16
    np.testing.assert_allclose(found.lags_s, np.arange(-10, 21))


@pytest.mark.parametrize("off_s", [-8.0, 8.0])
def test_a_scan_that_is_off_by_volumes_is_warned_about_and_left_as_it_is(off_s):
    made = scan(delay_s=BOLD_DELAY_S + off_s)
    before = made.bold.copy(), made.onsets_s.copy()
    found = lag_scan(made)
    assert abs(found.peak_s - (BOLD_DELAY_S + off_s)) <= 1
    assert "dummy or dropped volumes" in found.warning
    assert "Nothing was shifted" in found.warning
    np.testing.assert_array_equal(made.bold, before[0])
    np.testing.assert_array_equal(made.onsets_s, before[1])


def test_without_coupling_nothing_is_said_of_the_alignment():
    found = [lag_scan(scan(coupling=0.0, seed=seed)) for seed in range(6)]
    assert sum(f.clear for f in found) <= 1
    told = next(f for f in found if not f.clear)
    assert "says nothing about the alignment" in told.warning


def test_volumes_without_a_window_are_left_out_of_it():
    made = scan()
    kept = np.delete(np.arange(N), [30, 31, 32, 77])
    holey = replace(made, windows=made.windows[kept], volume=kept)
    found = lag_scan(holey)
    assert found.n_volumes == N - 4
    assert abs(found.peak_s - BOLD_DELAY_S) <= 1


def test_too_short_a_scan_says_so():
    found = lag_scan(scan(n=40))
    assert "40 windows over 78 s are too few" in found.warning
    assert np.isnan(found.r).all()
    assert not found.clear


def test_the_same_seed_gives_the_same_numbers():
    made = scan(n=100)
    a, b = lag_scan(made), lag_scan(made)
    assert (a.p, a.interval_s) == (b.p, b.interval_s)
    coarse = lag_scan(made, LagSettings(from_s=0, to_s=10, step_s=2.5))
    np.testing.assert_allclose(coarse.lags_s, [0, 2.5, 5, 7.5, 10])


def test_power_is_of_the_last_two_seconds():
    made = scan(n=100)
    loud = made.windows.copy()
    loud[:, :, :-400] *= 10
    np.testing.assert_array_equal(log_power(loud), log_power(made.windows))
    loud[:, :, -400:] *= 10
    np.testing.assert_allclose(
        log_power(loud) - log_power(made.windows),
        np.log(100.0),
        atol=1e-3,
    )
