import numpy as np
import pytest
from scipy import signal

from rtbold.bundle.card import Conditioning
from rtbold.condition.conditioner import Conditioner, Resampler, highpass_delay_s

CARD = Conditioning()
RATES = (200, 250, 256, 500, 512, 1000, 1024, 2048, 2500, 5000)


def condition(data_uv, rate_hz):
    return Conditioner(rate_hz, len(data_uv), CARD)(data_uv)


def rough(rate_hz, seconds=1.5, seed=0):
    """Steps, a long transient, electrode offsets, samples that are no number."""
    random = np.random.default_rng(seed)
    n = int(rate_hz * seconds)
    x = random.normal(scale=20, size=(4, n)) + np.array([[0], [3e4], [-1e5], [5]])
    x[1, n // 3 :] += 5e3
    x[2] += 1e4 * np.exp(-np.arange(n) / rate_hz)
    x[3, :9] = np.nan
    x[3, n // 2 : n // 2 + 30] = [np.inf, -np.inf, np.nan] * 10
    return x.astype(np.float32)


def tones(f_hz, rate_hz, seconds):
    t_s = np.arange(int(rate_hz * seconds)) / rate_hz
    return np.sin(2 * np.pi * np.asarray(f_hz)[:, None] * t_s)


@pytest.mark.parametrize("rate_hz", RATES)
def test_equals_the_offline_filters(rate_hz):
    x = np.random.default_rng(1).normal(scale=30, size=(2, 3 * rate_hz)) + 1e4
    sos = signal.butter(2, 0.5, "highpass", fs=rate_hz, output="sos")
    start = signal.sosfilt_zi(sos)[:, None, :] * x[None, :, :1]
    offline = Resampler(rate_hz, 2)(signal.sosfilt(sos, x, zi=start)[0])
    np.testing.assert_allclose(condition(x, rate_hz), offline, atol=1e-4)


@pytest.mark.parametrize("rate_hz", RATES)
def test_tones_of_the_passband_keep_their_amplitude(rate_hz):
    f_hz = np.array([2, 5, 10, 20, 40, 60, 80])
    out = condition(tones(f_hz, rate_hz, 10), rate_hz)[:, 800:1800]  # 5 s: whole cycles
    gain_db = 20 * np.log10(out.std(axis=1) * np.sqrt(2))
    assert np.abs(gain_db).max() < 0.5


@pytest.mark.parametrize("rate_hz", [r for r in RATES if r > 200])
def test_tones_above_100_hz_leave_no_alias(rate_hz):
    f_hz = np.unique(np.linspace(101, min(0.99 * rate_hz / 2, 500), 17))
    x = tones(f_hz, rate_hz, 6)
    out = condition(x, rate_hz)[:, 800:]
    assert (20 * np.log10(out.std(axis=1) / x.std(axis=1))).max() < -60


def test_the_delay_of_the_highpass_is_the_documented_curve():
    documented = highpass_delay_s(np.array([0.5, 2.0, 8.0]), CARD)
    np.testing.assert_allclose(documented, [0.450, 0.030, 0.002], atol=5e-4)

    b, a = signal.butter(2, 0.5, "highpass", fs=250)
    f_hz = np.array([0.5, 1.0, 2.0, 4.0, 8.0, 30.0])
    digital = signal.group_delay((b, a), w=f_hz, fs=250)[1] / 250
    np.testing.assert_allclose(highpass_delay_s(f_hz, CARD), digital, atol=1e-3)


def test_a_slow_burst_comes_late_by_the_documented_delay():
    rate_hz, f_hz = 500, 1.0
    t_s = np.arange(40 * rate_hz) / rate_hz
    envelope = np.exp(-(((t_s - 20) / 4) ** 2))
    out = condition((100 * envelope * np.sin(2 * np.pi * f_hz * t_s))[None], rate_hz)
    power = np.abs(signal.hilbert(out[0])) ** 2
    centre_s = (power * np.arange(len(power))).sum() / power.sum() / 200
    assert centre_s - 20 == pytest.approx(highpass_delay_s(f_hz, CARD), abs=0.01)


@pytest.mark.parametrize("rate_hz", [200, 250, 500, 1000, 5000])
def test_an_impulse_comes_out_at_its_own_time(rate_hz):
    for index in (rate_hz, rate_hz + rate_hz // 25):
        x = np.zeros((1, 3 * rate_hz), np.float32)
        x[0, index] = 100.0
        stage = Conditioner(rate_hz, 1, CARD)
        m = int(stage(x)[0].argmax())
        assert stage.resampler.source_position(m) == pytest.approx(index)


@pytest.mark.parametrize("rate_hz", [200, 500, 5000])
def test_a_step_at_the_start_has_died_down_when_the_filters_have_settled(rate_hz):
    stage = Conditioner(rate_hz, 2, CARD)
    x = np.full((2, 6 * rate_hz), 1e5)  # 100 mV of electrode offset: no matter at all
    x[0, 1:] += 1e3  # the first sample off by 1 mV
    out = stage(x)

    assert np.abs(out[0, int(stage.settle_s * 200) :]).max() <= 1.0
    assert np.abs(out[0, : int(stage.settle_s * 200)]).max() > 100
    np.testing.assert_allclose(out[1], 0, atol=1e-6)
    assert 2 < stage.settle_s < 4


def test_delay_is_constant_and_below_100_ms():
    delays = {Conditioner(rate_hz, 1, CARD).delay_s for rate_hz in RATES}
    assert len(delays) == 1
    assert delays.pop() <= 0.1


def test_needed_and_available_speak_of_the_same_samples():
    stage = Conditioner(512, 1, CARD)
    resampler = stage.resampler
    assert resampler.available(resampler.needed(77) + 1) == 78
    assert resampler.available(resampler.needed(77)) == 77


def test_numbers_that_are_none_are_held_at_the_last_value():
    x = rough(500)[:1]
    held = x.copy()
    x[0, 300:320] = np.nan
    x[0, 500] = np.inf
    held[0, 300:320] = held[0, 299]
    held[0, 500] = held[0, 499]
    np.testing.assert_array_equal(condition(x, 500), condition(held, 500))


def test_a_channel_that_begins_late_begins_at_steady_state():
    x = np.full((2, 1000), 5e4, np.float32)
    x[0, :200] = np.nan
    x[1] = np.nan
    np.testing.assert_array_equal(condition(x, 250), 0)


def test_empty_chunks_pass_and_inputs_stay():
    stage, x = Conditioner(500, 4, CARD), rough(500)
    before = x.copy()
    assert stage(x[:, :0]).shape == (4, 0)
    out = np.concatenate([stage(x), stage(x[:, :0])], axis=1)
    np.testing.assert_array_equal(out, condition(before, 500))
    np.testing.assert_array_equal(x, before)


def test_restart_forgets_everything():
    stage, x = Conditioner(500, 4, CARD), rough(500)
    stage(rough(500, 1.1, seed=3) * 100)
    stage.restart()
    np.testing.assert_array_equal(stage(x), condition(x, 500))


def test_the_card_decides_on_the_highpass():
    x = tones([0.5], 250, 60)
    third = Conditioner(250, 1, Conditioning(highpass_hz=2.0, highpass_order=3))(x)
    second = condition(x, 250)
    assert second[0, 4000:].std() / third[0, 4000:].std() == pytest.approx(
        45.3, rel=0.05
    )
