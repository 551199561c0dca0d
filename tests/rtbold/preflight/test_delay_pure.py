import numpy as np
import pytest

from rtbold.errors import DataFileError
from rtbold.preflight.delay import (
    Recorded,
    estimate_delay,
    estimate_onset,
    regular_times,
)


def pink(rng, n_channels, n):
    spectrum = np.fft.rfft(rng.normal(size=(n_channels, n)))
    hz = np.fft.rfftfreq(n, 1 / 1000)
    spectrum[:, 1:] /= hz[1:] ** 0.5
    spectrum[:, 0] = 0
    noise = np.fft.irfft(spectrum, n)
    return 10 * noise / noise.std()


def pair(delay_s, *, noise=0.3, seconds=60, rate_hz=250.0, start_s=81234.0, seed=0):
    """Raw at 1000 Hz, cleaned at another rate, stamped `delay_s` later."""
    rng = np.random.default_rng(seed)
    n = round(seconds * 1000)
    raw = pink(rng, 4, n)
    t_s = start_s + np.arange(n) / 1000
    step = round(1000 / rate_hz)
    # A box mean of `step` samples stands at its middle.
    cleaned = raw[:, : n // step * step].reshape(4, -1, step).mean(axis=2)
    cleaned = cleaned + noise * pink(rng, 4, cleaned.shape[1])
    middle_s = t_s[0] + (np.arange(cleaned.shape[1]) * step + (step - 1) / 2) / 1000
    offset = rng.uniform(-2e4, 2e4, size=(4, 1))
    return Recorded(t_s, raw + offset), Recorded(middle_s + delay_s, cleaned)


@pytest.mark.parametrize("delay_s", [0.0, 0.037, 0.512, 1.4, -0.08])
def test_a_known_delay_is_found_within_a_millisecond(delay_s):
    found = estimate_delay(*pair(delay_s))
    assert found.delay_s == pytest.approx(delay_s, abs=1e-3)
    assert found.iqr_s < 2e-3
    assert found.n_used >= 10
    assert found.correlation > 0.8


def test_more_noise_gives_more_spread():
    quiet, loud = (estimate_delay(*pair(0.037, noise=noise)) for noise in (0.1, 1.5))
    assert loud.sd_s > quiet.sd_s
    assert loud.delay_s == pytest.approx(0.037, abs=5e-3)


@pytest.mark.parametrize("rate_hz", [200.0, 500.0, 1000.0])
def test_rates_may_differ(rate_hz):
    found = estimate_delay(*pair(0.037, rate_hz=rate_hz))
    assert found.delay_s == pytest.approx(0.037, abs=1e-3)


def test_streams_that_have_nothing_in_common_are_refused():
    raw, _ = pair(0.0)
    _, other = pair(0.0, seed=5)
    with pytest.raises(DataFileError, match="alike in"):
        estimate_delay(raw, other)


def test_a_delay_beyond_the_lags_is_refused_not_guessed():
    with pytest.raises(DataFileError, match="--max-lag"):
        estimate_delay(*pair(2.9), max_lag_s=1.0)


def test_a_short_recording_is_refused():
    with pytest.raises(DataFileError, match="--seconds"):
        estimate_delay(*pair(0.037, seconds=10))


def scan(onset_s, rate_hz, *, starts_s=(10.0, 40.0)):
    """Gradient bursts `onset_s` after triggers every 2 s, in runs of 10."""
    rng = np.random.default_rng(0)
    t_s = 500 + np.arange(round(70 * rate_hz)) / rate_hz
    data = rng.normal(size=(3, t_s.size)) * 10
    triggers_s = np.concatenate(
        [500 + start + 2.0 * np.arange(10) for start in starts_s]
    )
    for start in starts_s:
        run = (t_s >= 500 + start + onset_s) & (t_s < 500 + start + onset_s + 20)
        data[:, run] += 2000 * rng.choice([-1, 1], size=(3, np.count_nonzero(run)))
    return Recorded(t_s, data), triggers_s


@pytest.mark.parametrize("rate_hz", [200.0, 5000.0])
@pytest.mark.parametrize("onset_s", [0.012, 0.3])
def test_the_onset_after_the_first_trigger_is_found(onset_s, rate_hz):
    found = estimate_onset(*scan(onset_s, rate_hz))
    assert found.delay_s == pytest.approx(onset_s, abs=1.5 / rate_hz)
    assert (found.n_used, found.n_seen) == (2, 2)


def test_one_start_has_no_spread():
    found = estimate_onset(*scan(0.1, 1000.0, starts_s=(10.0,)))
    assert (found.n_used, found.iqr_s, found.sd_s) == (1, None, None)


def test_a_recording_without_an_onset_is_refused():
    stream, triggers_s = scan(0.1, 200.0)
    quiet = Recorded(stream.t_s, np.random.default_rng(0).normal(size=(3, 14000)))
    with pytest.raises(DataFileError, match="start the scanner"):
        estimate_onset(quiet, triggers_s)
    with pytest.raises(DataFileError, match="0 scanner starts"):
        estimate_onset(stream, np.zeros(0))


def test_times_are_on_a_line_through_stamps_that_come_in_bursts():
    true_s = 1e5 + np.arange(5000) / 250
    stamps_s = true_s[np.arange(5000) // 50 * 50 + 49]  # 200 ms bursts, all alike
    times_s = regular_times(stamps_s)
    assert np.diff(times_s) == pytest.approx(1 / 250, rel=1e-3)
    # A burst stamped at its end is 24.5 samples late on average, and stays so.
    assert np.abs(times_s - true_s - 24.5 / 250).max() < 2e-3


def test_lost_samples_and_empty_streams_are_refused():
    stamps_s = np.concatenate([np.arange(500), np.arange(1000, 1500)]) / 250
    with pytest.raises(DataFileError, match="samples were lost"):
        regular_times(stamps_s)
    with pytest.raises(DataFileError, match="0 samples"):
        regular_times(np.zeros(0))
