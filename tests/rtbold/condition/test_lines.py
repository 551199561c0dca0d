"""What counts as a line, and what does not: windows of noise with something added."""

import numpy as np
import pytest

from rtbold.condition.lines import window_lines

RATE_HZ = 200.0
N_CHANNELS = 19
T_S = np.arange(3200) / RATE_HZ
TR_S = 2.1


def noise(seed, n_channels=N_CHANNELS):
    """EEG-like noise, 1/f with 12 uV rms; channels share sources as on a head."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal((30, 3200)))
    hz = np.fft.rfftfreq(3200, 1 / RATE_HZ)
    spectrum *= (hz < 88) / np.maximum(hz, 0.5) ** 0.55
    mixed = rng.standard_normal((n_channels, 30)) @ np.fft.irfft(spectrum, 3200)
    return (12 * mixed / mixed.std()).astype(np.float32)


def tone(hz, amplitude_uv=1.0, phase=0.3):
    return amplitude_uv * np.sin(2 * np.pi * hz * T_S + phase)


def on_head(course, seed=0):
    """Put a course on all channels with a gain of its own, as a pump would."""
    rng = np.random.default_rng(seed)
    gain = rng.uniform(0.5, 1.5, N_CHANNELS) * rng.choice([-1, 1], N_CHANNELS)
    return np.outer(gain, course).astype(np.float32)


def wandering(low_hz, high_hz, amplitude_uv):
    hz = np.linspace(low_hz, high_hz, T_S.size)
    return amplitude_uv * np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ)


def narrow_band(hz, width_hz, amplitude_uv, seed):
    """A rhythm that waxes and wanes: noise of a given width."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(3200))
    bins = np.fft.rfftfreq(3200, 1 / RATE_HZ)
    course = np.fft.irfft(spectrum * np.exp(-0.5 * ((bins - hz) / width_hz) ** 2), 3200)
    return amplitude_uv * course / course.std()


def test_noise_has_no_line():
    assert not any(window_lines(noise(seed)).lines for seed in range(30))


@pytest.mark.parametrize("hz", [17.1, 21.53, 43.0, 59.97])
def test_a_tone_is_found_where_it_is_and_as_large_as_it_is(hz):
    window = noise(1)
    window[:] += tone(hz, 6.0).astype(np.float32)
    (line,) = window_lines(window).lines
    assert line.hz == pytest.approx(hz, abs=0.02)
    assert line.widespread
    assert not line.drifting
    assert np.median(line.excess_uv2) == pytest.approx(18.0, rel=0.15)


def test_strong_alpha_and_spindles_are_no_lines():
    for seed in range(20):
        alpha = on_head(narrow_band(10.0, 0.7, 20.0, seed), seed)
        spindle = narrow_band(13.5, 0.5, 15.0, seed + 100)
        spindle *= np.exp(-0.5 * ((T_S - 8.0) / 0.4) ** 2) * 3
        assert window_lines(noise(seed) + alpha + on_head(spindle, seed)).lines == ()


def test_a_line_in_one_channel_is_found():
    window = noise(2)
    window[7] += tone(31.0, 8.0).astype(np.float32)
    (line,) = window_lines(window).lines
    assert line.hz == pytest.approx(31.0, abs=0.02)
    assert int(line.excess_uv2.argmax()) == 7
    assert line.excess_uv2.sum() < 1.2 * line.excess_uv2[7]


def test_a_line_that_wanders_is_found():
    window = noise(3) + on_head(wandering(22.0, 27.0, 10.0))
    found = window_lines(window).lines
    assert found
    assert all(21.5 < line.hz < 27.5 for line in found)


@pytest.mark.parametrize("on_s", [4.0, 8.0, 12.0])
def test_a_line_that_is_switched_on_within_the_window_is_found(on_s):
    window = noise(4) + on_head(tone(33.0, 10.0) * (on_s < T_S))
    assert any(abs(line.hz - 33.0) < 0.3 for line in window_lines(window).lines)


def test_the_comb_of_the_volumes_stands_out_as_one_number():
    template = np.random.default_rng(5).standard_normal(round(TR_S * RATE_HZ))
    course = template[np.arange(3200) % template.size]
    clean, residue = noise(5), noise(5) + on_head(12 * course)
    without = window_lines(clean, tr_s=TR_S).comb
    assert without == pytest.approx(0.0, abs=0.3)
    assert window_lines(residue, tr_s=TR_S).comb > 1.0
    assert window_lines(residue, tr_s=1.9).comb < 0.5  # another TR: no comb of it


def test_too_few_volumes_or_no_tr_is_no_comb():
    assert window_lines(noise(6)).comb is None
    assert window_lines(noise(6), tr_s=5.0).comb is None


def test_rows_that_are_left_out_say_nothing():
    window = noise(7)
    window[3] += tone(31.0, 30.0).astype(np.float32)
    others = [row for row in range(N_CHANNELS) if row != 3]
    assert window_lines(window, rows=others).lines == ()
    assert window_lines(window, rows=[]).lines == ()


def test_a_window_of_zeros_has_no_lines():
    found = window_lines(np.zeros((4, 3200), np.float32), tr_s=TR_S)
    assert found.lines == ()
    assert found.comb == 0.0


def test_the_window_is_not_changed_and_the_answer_does_not_vary():
    window = noise(8) + on_head(tone(40.0, 5.0))
    before = window.copy()
    one, two = window_lines(window, tr_s=TR_S), window_lines(window, tr_s=TR_S)
    np.testing.assert_array_equal(window, before)
    assert [line.hz for line in one.lines] == [line.hz for line in two.lines]
    assert one.comb == two.comb
