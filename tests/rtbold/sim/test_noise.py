import numpy as np
import pytest
from scipy.signal import welch

from rtbold.sim.settings import generator, narrow_band, power_law, standardised


def test_power_law_has_unit_variance_and_its_slope():
    rows = power_law(
        generator(1, "test"),
        (20, 60000),
        rate_hz=200.0,
        band_hz=(0.3, 88.0),
        exponent=1.1,
    )
    assert rows.var() == pytest.approx(1.0, rel=0.1)
    freqs_hz, power = welch(rows, 200.0, nperseg=1000)
    inside = (freqs_hz > 2) & (freqs_hz < 80)
    slope = np.polyfit(np.log(freqs_hz[inside]), np.log(power.mean(0)[inside]), 1)[0]
    assert slope == pytest.approx(-1.1, abs=0.05)
    assert power.mean(0)[freqs_hz > 92].max() < 1e-4


def test_narrow_band_sits_at_its_peak():
    rows = narrow_band(
        generator(1, "test"),
        60000,
        rate_hz=200.0,
        peaks_hz=np.array([9.0, 20.0]),
        width_hz=0.7,
    )
    freqs_hz, power = welch(rows, 200.0, nperseg=2000)
    centre_hz = (power * freqs_hz).sum(axis=1) / power.sum(axis=1)
    np.testing.assert_allclose(centre_hz, [9.0, 20.0], atol=0.1)
    np.testing.assert_allclose(rows.var(axis=1), 1.0, rtol=0.2)


def test_purposes_do_not_share_numbers():
    a, b = (generator(7, name).standard_normal(500) for name in ("one", "two"))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.2
    np.testing.assert_array_equal(a, generator(7, "one").standard_normal(500))


def test_standardised_rows_and_flat_ones():
    rows = standardised(np.array([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]]))
    assert rows[0].std() == pytest.approx(1.0)
    np.testing.assert_array_equal(rows[1], 0.0)
