import numpy as np
import pytest
from scipy.signal import welch

from rtbold.condition.spectra import BAND_NAMES, MONITOR_BANDS_HZ, band_powers
from rtbold.errors import ConfigError

RATE_HZ = 200.0


def tone(hz, *, rms_uv=10.0, seconds=4.0, rate_hz=RATE_HZ):
    t_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (rms_uv * np.sqrt(2) * np.sin(2 * np.pi * hz * t_s)).astype(np.float32)[None]


@pytest.mark.parametrize(
    ("hz", "band"),
    [(2.5, "delta"), (6, "theta"), (10, "alpha"), (20, "beta"), (38, "gamma")],
)
@pytest.mark.parametrize("rate_hz", [200.0, 250.0, 256.0])
def test_a_tone_has_its_power_in_its_band(hz, band, rate_hz):
    (found,) = band_powers(tone(hz, rate_hz=rate_hz), rate_hz)
    powers = dict(zip(BAND_NAMES, found, strict=True))
    assert powers.pop(band) == pytest.approx(100, rel=0.05)
    assert sum(powers.values()) < 5


def test_agrees_with_scipy():
    noise = np.random.default_rng(0).normal(size=(3, 800)).astype(np.float32)
    hz, density = welch(noise.astype(float), RATE_HZ, nperseg=200, noverlap=100)
    expected = np.stack(
        [
            density[:, (hz >= low) & (hz < high)].sum(axis=1)
            for low, high in MONITOR_BANDS_HZ.values()
        ],
        axis=1,
    )
    np.testing.assert_allclose(band_powers(noise, RATE_HZ), expected, rtol=1e-4)


def test_only_the_newest_seconds_count():
    window = np.concatenate([tone(10, seconds=12), tone(20, seconds=4)], axis=1)
    alpha = band_powers(window, RATE_HZ)[0, BAND_NAMES.index("alpha")]
    assert alpha < 1


def test_the_newest_sample_counts():
    window = tone(10, seconds=3.3)
    louder = window.copy()
    louder[:, -40:] *= 5
    assert (band_powers(louder, RATE_HZ) > band_powers(window, RATE_HZ)).any()


def test_nan_stays_in_its_channel():
    window = np.concatenate([tone(10), tone(10)])
    window[1, -1] = np.nan
    powers = band_powers(window, RATE_HZ)
    assert np.isfinite(powers[0]).all()
    assert np.isnan(powers[1]).all()


@pytest.mark.parametrize(("n", "rate_hz"), [(100, 200.0), (0, 200.0), (400, 80.0)])
def test_too_short_or_too_slow_is_an_error(n, rate_hz):
    with pytest.raises(ConfigError, match="expected at least"):
        band_powers(np.zeros((2, n), np.float32), rate_hz)


def test_alpha_rises_with_closed_eyes_in_simple_synthetic_eeg():
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(2, 800)).astype(np.float32) * 10
    closed = noise + tone(9.5, rms_uv=12)
    alpha = BAND_NAMES.index("alpha")
    open_uv2, closed_uv2 = (band_powers(x, RATE_HZ)[:, alpha] for x in (noise, closed))
    assert (closed_uv2 > 2 * open_uv2).all()
