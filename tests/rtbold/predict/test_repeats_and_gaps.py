"""Old samples sent again, and gaps too short to be one: never `ok`."""

import live_rig as live
import numpy as np
import pipeline_rig as rig
import pytest

pytestmark = pytest.mark.heavy

RATE_HZ = live.RATE_HZ
FOUND_S = 0.8  # after the first sample that was sent before


def looping(data_uv, at_s, period_s, rows=slice(None)):
    """Return the data whose driver sends its last buffer for ever from `at_s` on."""
    at, n = round(at_s * RATE_HZ), round(period_s * RATE_HZ)
    data_uv = data_uv.copy()
    number = np.arange(data_uv.shape[1] - at) % n
    data_uv[rows, at:] = data_uv[rows, at - n : at][:, number]
    return data_uv


@pytest.mark.parametrize("period_s", [0.1, 0.3, 2.0, 7.0, 30.0])
@pytest.mark.parametrize("chunk_n", [12, 250])
def test_a_driver_that_repeats_its_buffer_sends_no_data(period_s, chunk_n):
    at_s = 31.013
    taken_s = live.taken_times(75)
    data_uv = looping(rig.eeg(RATE_HZ, 75), at_s, period_s)
    found, _ = live.session(taken_s, taken_s, data_uv=data_uv, chunk_n=chunk_n)
    assert live.statuses(live.between(found, 18, at_s)) == {"ok"}
    after = live.between(found, at_s + FOUND_S, 75)
    assert live.statuses(after) == {"invalid"}
    assert all("no_data" in p.reasons for p in after)


def test_one_repeat_of_a_second_costs_a_window():
    taken_s = live.taken_times(70)
    data_uv = rig.eeg(RATE_HZ, 70)
    at = round(30.1 * RATE_HZ)
    data_uv[:, at : at + 250] = data_uv[:, at - 777 : at - 527]
    found, _ = live.session(taken_s, taken_s, data_uv=data_uv)
    assert live.statuses(live.between(found, 32, 46)) == {"invalid"}
    assert live.statuses(live.between(found, 48.5, 70)) == {"ok"}


def test_a_channel_that_repeats_alone_is_a_bad_channel():
    taken_s = live.taken_times(60)
    data_uv = looping(rig.eeg(RATE_HZ, 60), 30.0, 2.0, rows=slice(2, 3))
    found, _ = live.session(taken_s, taken_s, data_uv=data_uv)
    assert live.statuses(live.between(found, 18, 30)) == {"ok"}
    after = live.between(found, 32, 60)
    assert live.statuses(after) == {"degraded"}
    assert {p.reasons for p in after} == {("channel_flat", "interpolated")}


@pytest.mark.parametrize("step_uv", [0.1, 0.5, 2.0])
def test_eeg_in_whole_steps_is_no_repeat(step_uv):
    taken_s = live.taken_times(60)
    data_uv = np.round(rig.eeg(RATE_HZ, 60) / step_uv) * np.float32(step_uv)
    data_uv[:, 5000:5030] = data_uv[:, 5000:5001]  # held for a moment
    found, _ = live.session(taken_s, taken_s, data_uv=data_uv)
    assert live.statuses(live.between(found, 38, 60)) == {"ok"}
    assert not any("no_data" in p.reasons for p in found)


def test_zeros_are_flat():
    taken_s = live.taken_times(60)
    data_uv = rig.eeg(RATE_HZ, 60)
    data_uv[:, round(30 * RATE_HZ) :] = 0.0
    found, _ = live.session(taken_s, taken_s, data_uv=data_uv)
    after = live.between(found, 33, 60)
    assert live.statuses(after) == {"invalid"}
    assert all("channel_flat" in p.reasons for p in after)
    assert not any("no_data" in p.reasons for p in after)


@pytest.mark.parametrize("long_s", [0.06, 0.08, 0.096])
@pytest.mark.parametrize("chunk_n", [1, 12, 125])
def test_a_gap_of_eighty_milliseconds_is_told_at_once(long_s, chunk_n):
    taken_s = live.lost(live.taken_times(75), (31.0, long_s))
    found, pipe = live.session(taken_s, taken_s, chunk_n=chunk_n)
    assert live.statuses(live.between(found, 18, 31)) == {"ok"}
    touched = live.between(found, 31.0 + long_s, 47.0)
    assert live.statuses(touched) == {"degraded"}
    assert all("bridged" in p.reasons for p in touched)
    assert live.statuses(live.between(found, 47.2, 75)) == {"ok"}
    assert pipe.counters.n_missing == round(long_s * RATE_HZ)
    assert live.ok_errors_s(found, taken_s) < 0.02


def test_two_short_gaps_in_a_window_are_a_gap():
    taken_s = live.lost(live.taken_times(75), (31.0, 0.08), (36.0, 0.08))
    found, _ = live.session(taken_s, taken_s)
    assert live.statuses(live.between(found, 39.0, 46.9)) == {"invalid"}
    assert live.statuses(live.between(found, 54, 75)) == {"ok"}


def test_a_sender_held_up_once_is_back_at_once():
    """A chunk that is stamped and sent 80 ms late; nothing is lost."""
    taken_s = live.taken_times(75)
    stamps_s = taken_s.copy()
    stamps_s[7800:7812] += 0.08
    found, pipe = live.session(
        taken_s,
        stamps_s,
        delays_s=lambda t_s: 0.08 * (abs(t_s - taken_s[7811]) < 1e-6),
    )
    assert live.statuses(live.between(found, 32, 75)) == {"ok"}
    assert (pipe.counters.n_missing, pipe.counters.n_stamp_steps) == (0, 0)


@pytest.mark.parametrize("step_s", [0.07, -0.07])
def test_stamps_that_step_a_little_are_told_and_move_no_window(step_s):
    taken_s = live.taken_times(75)
    stamps_s = taken_s + step_s * (np.arange(len(taken_s)) >= 7800)
    found, pipe = live.session(taken_s, stamps_s)
    touched = live.between(found, 31.3, 47.1)
    assert live.statuses(touched) == {"degraded"}
    assert all("stamp_step" in p.reasons for p in touched)
    assert live.statuses(live.between(found, 47.3, 75)) == {"ok"}
    assert pipe.counters.n_stamp_steps == 1
    late = live.between(found, 47.3, 75)
    assert np.abs(live.errors_s(late, taken_s)).max() < 0.02
