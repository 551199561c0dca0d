import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from rtbold.condition.block_statistics import HeldValues
from rtbold.condition.channel_quality import ChannelMonitor, ChannelQualitySettings
from rtbold.errors import ConfigError
from rtbold.messages import Channel

RATE_HZ = 250.0
LABELS = ("Fp1", "Fp2", "C3", "C4", "O1", "O2", "Pz")
CHANNELS = tuple(Channel(label) for label in LABELS)


def eeg(seconds=20.0, *, rate_hz=RATE_HZ, n_channels=7, seed=0):
    """Pink-like noise and alpha, about 12 uV RMS."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate_hz)
    t_s = np.arange(n) / rate_hz
    spectrum = np.fft.rfft(rng.normal(size=(n_channels, n)))
    hz = np.fft.rfftfreq(n, 1 / rate_hz)
    spectrum *= np.where(hz > 0.5, 1 / np.maximum(hz, 0.5), 0)
    noise = np.fft.irfft(spectrum, n)
    noise *= 10 / noise.std()
    alpha = 8 * np.sin(2 * np.pi * 10 * t_s + rng.uniform(0, 6, (n_channels, 1)))
    return (noise + alpha).astype(np.float32)


def monitor_of(data_uv, *, rate_hz=RATE_HZ, channels=CHANNELS):
    monitor = ChannelMonitor(rate_hz, channels)
    monitor.push(data_uv, 0)
    return monitor


def flags_of(monitor):
    return {state.label: set(state.flags) for state in monitor.report() if state.flags}


@pytest.mark.parametrize(
    "rate_hz", [200.0, 250.0, 499.7, 512.0, 1024.0, 2048.0, 5000.0]
)
def test_clean_eeg_is_clean_at_every_rate(rate_hz):
    data = eeg(6, rate_hz=rate_hz)
    monitor = monitor_of(data, rate_hz=rate_hz)
    assert flags_of(monitor) == {}
    assert monitor.bad_between(0, data.shape[1]) == {}
    assert monitor.amplitude_between(0, data.shape[1]) == "plausible"
    assert monitor.amplitude_text() == ""


@pytest.mark.parametrize("rate_hz", [200.0, 1024.0, 5000.0])
def test_rms_is_that_of_a_known_tone(rate_hz):
    t_s = np.arange(round(4 * rate_hz)) / rate_hz
    data = np.tile(20 * np.sqrt(2) * np.sin(2 * np.pi * 10 * t_s), (len(LABELS), 1))
    state = monitor_of(data.astype(np.float32), rate_hz=rate_hz).report()[0]
    assert state.rms_uv == pytest.approx(20, rel=0.02)
    assert state.line_ratio == pytest.approx(0, abs=0.01)


def _flat(x):
    x[:] = 12.5


def _railed(x):
    x[:] = 3276.7


def _clipped(x):
    x[:] = np.clip(x * 400, -3276.7, 3276.7)


def _mains(hz):
    def add(x):
        x += 40 * np.sin(2 * np.pi * hz * np.arange(x.size) / RATE_HZ)

    return add


def _nan(x):
    x[x.size // 2] = np.nan


def _infinite(x):
    x[x.size // 2] = -np.inf


def _absurd(x):
    x[x.size // 2] = 1e35


def _loose(x):
    x *= 60


def _dead(x):
    x *= 0.01


FAULTS = {
    "flat": (_flat, "channel_flat"),
    "railed": (_railed, "channel_railed"),
    "clipped": (_clipped, "channel_railed"),
    "50 Hz": (_mains(50), "line_noise"),
    "60 Hz": (_mains(60), "line_noise"),
    "59.8 Hz": (_mains(59.8), "line_noise"),
    "NaN": (_nan, "nonfinite"),
    "inf": (_infinite, "nonfinite"),
    "1e35": (_absurd, "nonfinite"),
    "loose": (_loose, "amplitude"),
    "dead": (_dead, "amplitude"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_within_two_seconds(name):
    spoil, flag = FAULTS[name]
    data = eeg(20)
    onset, until = round(10.1 * RATE_HZ), round(12.1 * RATE_HZ)
    spoil(data[3, onset:until])
    monitor = monitor_of(data[:, :until])
    assert flag in flags_of(monitor)["C4"]
    assert set(flags_of(monitor)) == {"C4"}
    assert flag in monitor.bad_between(0, until)["C4"]


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_ended_leaves_the_state_but_not_the_window(name):
    spoil, flag = FAULTS[name]
    data = eeg(20)
    spoil(data[3, 1000:1500])
    monitor = monitor_of(data)
    assert flags_of(monitor) == {}
    assert flag in monitor.bad_between(1000, 5000)["C4"]
    assert monitor.bad_between(2000, 5000) == {}


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("flat", "flat"),
        ("railed", "railed"),
        ("50 Hz", "line_noise"),
        ("NaN", "nonfinite"),
        ("loose", "amplitude"),
    ],
)
def test_the_gravest_flag_is_the_word_for_the_channel(name, word):
    data = eeg(3)
    FAULTS[name][0](data[0, 400:])
    states = monitor_of(data).report()
    assert states[0].state == word
    assert states[1].state == "good"


def test_an_offset_of_a_dc_coupled_amplifier_is_no_fault():
    data = np.round(eeg(10) / 0.5) * 0.5 + np.float32(10_000)
    monitor = monitor_of(data)
    assert monitor.bad_between(0, data.shape[1]) == {}


def test_blinks_are_no_fault():
    data = eeg(10)
    t_s = np.arange(data.shape[1]) / RATE_HZ
    blink = 250 * np.exp(-((((t_s % 2) - 1) / 0.1) ** 2))
    data[:2] += blink.astype(np.float32)
    assert monitor_of(data).bad_between(0, data.shape[1]) == {}


def test_one_nan_is_found_at_the_edges_of_the_window_and_only_there():
    data = eeg(10)
    data[2, 1234] = np.nan
    monitor = monitor_of(data)
    nonfinite = {"C3": frozenset({"nonfinite"})}
    assert monitor.bad_between(1234, 2000) == nonfinite
    assert monitor.bad_between(500, 1235) == nonfinite
    assert monitor.bad_between(1235, 2400) == {}
    assert monitor.bad_between(500, 1234) == {}


def test_a_nan_in_the_block_that_is_not_full_yet_is_found():
    data = eeg(5.1)
    data[2, -1] = np.nan
    monitor = monitor_of(data)
    assert "nonfinite" in monitor.bad_between(0, data.shape[1])["C3"]
    assert monitor.bad_between(0, data.shape[1] - 1) == {}


def test_other_kinds_are_watched_but_have_no_eeg_amplitude():
    channels = (
        Channel("ECG", kind="ecg"),
        Channel("TRIG", kind="trigger"),
        Channel("ACC", kind="motion"),
        *CHANNELS[3:],
    )
    data = eeg(5)
    data[0] *= 100
    data[1] = 0
    data[2] = np.nan
    found = monitor_of(data, channels=channels).bad_between(0, data.shape[1])
    assert found == {"ACC": frozenset({"nonfinite"})}
    data[0] = 0
    found = monitor_of(data, channels=channels).bad_between(0, data.shape[1])
    assert found["ECG"] == frozenset({"channel_flat"})


@pytest.mark.parametrize(
    ("factor", "amplitude", "text"),
    [(1e-6, "too_small", "--unit"), (1e-3, "too_small", "--unit"),
     (100, "too_large", "scanner artefact"), (1e6, "too_large", "unit")],
)  # fmt: skip
def test_wrong_units_and_raw_artefact_are_implausible(factor, amplitude, text):
    data = (eeg(4) * factor).astype(np.float32)
    monitor = monitor_of(data)
    assert monitor.amplitude == amplitude
    assert monitor.amplitude_between(0, data.shape[1]) == amplitude
    assert text in monitor.amplitude_text()


def test_one_bad_channel_does_not_make_the_amplitude_implausible():
    data = eeg(4)
    data[0] *= 1e4
    data[1] = np.nan
    data[2] = 0
    assert monitor_of(data).amplitude == "plausible"


def test_nothing_is_said_before_a_second_of_data():
    monitor = ChannelMonitor(RATE_HZ, CHANNELS)
    assert monitor.amplitude == "unknown"
    assert not monitor.settled
    monitor.push(np.zeros((len(LABELS), 0), np.float32), 0)
    monitor.push(eeg(0.8), 0)
    assert all(s.rms_uv is None and not s.flags for s in monitor.report())


def test_restart_forgets_and_takes_the_next_index():
    data = eeg(4)
    data[0] = 0
    monitor = monitor_of(data)
    monitor.restart()
    assert not monitor.settled
    monitor.push(eeg(2, seed=1), 5000)
    assert monitor.oldest_index == 5000
    assert monitor.bad_between(0, 5500) == {}
    assert monitor.amplitude_between(5000, 5500) == "plausible"


def test_a_window_older_than_the_history_is_an_error():
    monitor = monitor_of(eeg(40))
    with pytest.raises(LookupError, match="history"):
        monitor.bad_between(0, 4000)


def test_a_stream_of_other_width_is_an_error():
    with pytest.raises(ValueError, match="got 3 channels, expected 7"):
        ChannelMonitor(RATE_HZ, CHANNELS).push(np.zeros((3, 5), np.float32), 0)


def test_input_is_not_changed():
    data = eeg(3)
    data[0, 100] = np.nan
    before = data.copy()
    monitor_of(data)
    np.testing.assert_array_equal(data, before)


@pytest.mark.parametrize(
    ("changed", "text"),
    [({"judged_blocks": 12}, "within 2 s"), ({"channel_rms_uv": (5.0, 1.0)}, "rising")],
)
def test_settings_that_make_no_sense_are_refused(changed, text):
    with pytest.raises(ConfigError, match=text):
        ChannelQualitySettings(**changed)


def spoilt_eeg():
    data = eeg(12, seed=3)
    for row, name in enumerate(("flat", "clipped", "50 Hz", "NaN", "dead")):
        FAULTS[name][0](data[row, 500 + 150 * row : 1500 + 150 * row])
    return data


SPOILT = spoilt_eeg()
WHOLE = monitor_of(SPOILT)


@settings(max_examples=25, deadline=None)
@given(end=st.integers(1, SPOILT.shape[1]))
def test_later_samples_do_not_matter(end):
    only_until_end = monitor_of(SPOILT[:, :end])
    first = max(end - 2000, 0)
    assert WHOLE.bad_between(first, end) == only_until_end.bad_between(first, end)
    assert WHOLE.amplitude_between(first, end) == only_until_end.amplitude_between(
        first, end
    )


def test_a_channel_that_sends_the_same_again_is_flat_and_a_head_is_no_data():
    data = eeg(20)
    at = round(12.1 * RATE_HZ)
    data[2, at : at + 500] = data[2, at - 1000 : at - 500]
    monitor = monitor_of(data)
    assert monitor.bad_between(0, data.shape[1]) == {"C3": {"channel_flat"}}
    assert not monitor.repeated_between(0, data.shape[1])
    data[:, at : at + 500] = data[:, at - 1000 : at - 500]
    monitor = monitor_of(data)
    assert monitor.repeated_between(0, data.shape[1])
    assert not monitor.repeated_between(0, at)
    assert not monitor.repeated_between(at + 600, data.shape[1])


def test_what_is_no_eeg_may_repeat():
    channels = (
        *CHANNELS[:5],
        Channel("trig", kind="trigger"),
        Channel("n", kind="misc"),
    )
    data = eeg(20)
    data[5] = np.arange(data.shape[1]) % 50
    assert monitor_of(data, channels=channels).bad_between(0, data.shape[1]) == {}


def begun_flat(held_s, *, after_s=4.0, value=0.0, step_uv=0.01):
    data = eeg(after_s + held_s)
    data = (np.round(data / step_uv) * step_uv).astype(np.float32)
    data[2, round(after_s * RATE_HZ) :] = value
    return data


@pytest.mark.parametrize("held_s", [0.252, 0.3, 0.4, 0.63, 0.9])
@pytest.mark.parametrize("chunk_n", [1, 17, 250])
def test_a_channel_that_holds_a_value_is_flat_within_a_block(held_s, chunk_n):
    data = begun_flat(held_s)
    monitor, n = ChannelMonitor(RATE_HZ, CHANNELS), data.shape[1]
    for first in range(0, n, chunk_n):
        monitor.push(data[:, first : first + chunk_n], first)
    assert monitor.bad_between(0, n) == {"C3": {"channel_flat"}}
    # later samples change nothing
    after = eeg(0.6, seed=1)
    monitor.push(after, n)
    assert monitor.bad_between(0, n) == {"C3": {"channel_flat"}}
    assert monitor.bad_between(0, n - round((held_s - 0.1) * RATE_HZ)) == {}


def test_a_shorter_one_is_none_nor_one_that_is_no_eeg():
    data = begun_flat(0.2)
    assert monitor_of(data).bad_between(0, data.shape[1]) == {}
    data = begun_flat(0.5)
    channels = (*CHANNELS[:2], Channel("C3", kind="ecg"), *CHANNELS[3:])
    assert monitor_of(data, channels=channels).bad_between(0, data.shape[1]) == {}


@pytest.mark.parametrize("begins_s", [4.0, 4.07, 4.13, 4.2])
def test_a_value_that_was_held_for_a_moment_is_told_of_the_whole_window(begins_s):
    data = eeg(6.0)
    first = round(begins_s * RATE_HZ)
    data[2, first : first + 68] = 3.0
    assert monitor_of(data).bad_between(0, data.shape[1]) == {"C3": {"channel_flat"}}


@pytest.mark.parametrize("step_uv", [0.5, 5.0, 10.0])
def test_large_steps_of_an_amplifier_hold_no_value(step_uv):
    data = eeg(30) / 3
    data = (np.round(data / step_uv) * step_uv).astype(np.float32)
    held = HeldValues(len(LABELS), 62, history_n=120)
    blocks = range(0, data.shape[1] - 62, 62)
    assert not any(held.close(data[:, at : at + 62], at).any() for at in blocks)
