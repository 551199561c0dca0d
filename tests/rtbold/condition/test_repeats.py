import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from rtbold.condition.repeats import RepeatFinder, RepeatSettings

RATE_HZ = 250
BLOCK_N = 62
N_CHANNELS = 5


def noise(seconds, *, rate_hz=RATE_HZ, n_channels=N_CHANNELS, seed=0):
    n = round(seconds * rate_hz)
    rng = np.random.default_rng(seed)
    return rng.normal(0, 12, (n_channels, n)).astype(np.float32)


def search(data_uv, *, rate_hz=RATE_HZ, block_n=BLOCK_N, index0=0, finder=None):
    """Return what each block repeats: (blocks, channels), and (blocks,) for all."""
    finder = finder or RepeatFinder(len(data_uv), block_n, rate_hz)
    found = [
        finder(data_uv[:, at : at + block_n], index0 + at + block_n)
        for at in range(0, data_uv.shape[1] - block_n + 1, block_n)
    ]
    return np.array([f.channels for f in found]), np.array([f.head for f in found])


def looping(data_uv, at, period_n):
    data_uv = data_uv.copy()
    number = np.arange(data_uv.shape[1] - at) % period_n
    data_uv[:, at:] = data_uv[:, at - period_n : at][:, number]
    return data_uv


@settings(max_examples=30, deadline=None)
@given(at=st.integers(2600, 2900), period_n=st.integers(20, 2500))
def test_a_loop_of_any_length_and_phase_is_found(at, period_n):
    channels, head = search(looping(noise(24), at, period_n))
    ends = BLOCK_N * (1 + np.arange(len(head)))
    assert not channels[ends <= at].any()
    assert not head[ends <= at].any()
    after = ends >= at + 0.8 * RATE_HZ
    assert head[after].all()
    if period_n >= 75:  # a shorter one may have no place that is remembered
        assert channels[after].mean() > 0.9


@pytest.mark.parametrize(
    ("rate_hz", "block_n"), [(200, 50), (512, 128), (1000, 250), (5000, 1250)]
)
def test_a_loop_is_found_at_every_rate(rate_hz, block_n):
    data_uv = looping(noise(6, rate_hz=rate_hz), 3 * rate_hz + 7, round(0.7 * rate_hz))
    _, head = search(data_uv, rate_hz=rate_hz, block_n=block_n)
    assert not head[:12].any()
    assert head[16:].all()


def test_new_eeg_repeats_nothing_for_an_hour():
    finder = RepeatFinder(N_CHANNELS, BLOCK_N, RATE_HZ)
    for minute in range(60):
        found = search(
            np.round(noise(60, seed=minute)), finder=finder, index0=15_000 * minute
        )
        assert not found[0].any()
        assert not found[1].any()


@pytest.mark.parametrize("levels", [2, 3, 8])
def test_a_channel_of_a_few_levels_repeats_nothing(levels):
    """One channel, one or two bits: chance repeats the hash, but at no distance."""
    rng = np.random.default_rng(1)
    data_uv = rng.integers(0, levels, (1, 300 * RATE_HZ)).astype(np.float32)
    held = np.repeat(data_uv[:, :20_000], 3, axis=1)
    for data in (data_uv, held):
        channels, head = search(data)
        assert not channels.any()
        assert not head.any()


@pytest.mark.parametrize("value", [0.0, 12.5, np.nan, np.inf])
def test_what_is_flat_repeats_nothing(value):
    data_uv = noise(12)
    data_uv[:, 500:600] = data_uv[:, 1200:2000] = value
    channels, head = search(data_uv)
    assert not channels.any()
    assert not head.any()


def test_flat_with_a_glitch_now_and_then_repeats_nothing():
    data_uv = np.zeros((N_CHANNELS, 3000), np.float32)
    data_uv[:, ::50] = 1.0
    channels, _ = search(data_uv)
    assert not channels.any()


def test_samples_shown_again_under_their_index_repeat_nothing():
    data_uv = noise(12)
    finder = RepeatFinder(N_CHANNELS, BLOCK_N, RATE_HZ)
    search(data_uv[:, :1500], finder=finder)
    finder.restart()
    channels, head = search(data_uv[:, 1300:], finder=finder, index0=1300)
    assert not channels.any()
    assert not head.any()


def test_a_restart_does_not_forget_what_was_sent():
    data_uv = noise(12)
    finder = RepeatFinder(N_CHANNELS, BLOCK_N, RATE_HZ)
    search(data_uv, finder=finder)
    finder.restart()
    _, head = search(data_uv[:, 1000:2000], finder=finder, index0=5000)
    assert head[2:].all()


def test_what_is_older_than_the_history_is_forgotten():
    short = RepeatSettings(history_s=2.0)
    data_uv = noise(12)
    for period_n, found in ((400, True), (700, False)):
        finder = RepeatFinder(N_CHANNELS, BLOCK_N, RATE_HZ, settings=short)
        _, head = search(looping(data_uv, 1500, period_n), finder=finder)
        assert head[-1] == found


def test_one_channel_of_many_is_named_alone():
    data_uv = noise(12)
    data_uv[3] = looping(data_uv[3:4], 1500, 333)[0]
    channels, head = search(data_uv)
    assert channels[-4:, 3].all()
    assert not channels[:, [0, 1, 2, 4]].any()
    assert not head.any()
