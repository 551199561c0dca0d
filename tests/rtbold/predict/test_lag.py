"""Samples that a counting sender lost, doubled or stamped ahead: never `ok`."""

import live_rig as live
import numpy as np
import pipeline_rig as rig
import pytest

from rtbold.condition.intake import IntakeSettings
from rtbold.messages import (
    ClockOffset,
    Discontinuity,
    EegChunk,
    StreamChanged,
    TimePassed,
)
from rtbold.predict.pipeline import Pipeline, PipelineSettings
from rtbold.window.schedule import ScheduleSettings

pytestmark = pytest.mark.heavy

RATE_HZ = live.RATE_HZ
BOUND_S = 0.11  # the tolerance, and a sample or two


def all_lag(found):
    return bool(found) and all("lag" in p.reasons for p in found)


@pytest.mark.parametrize("chunk_n", [2, 12, 50, 100])
def test_half_a_second_lost_by_a_counting_sender_is_never_ok_again(chunk_n):
    taken_s = live.lost(live.taken_times(90), (30.0, 0.5))
    found, pipe = live.session(taken_s, live.counted(taken_s), chunk_n=chunk_n)
    assert live.statuses(live.between(found, 18, 29.5)) == {"ok"}
    assert live.ok_errors_s(found, taken_s) < BOUND_S
    after = live.between(found, 30.6, 90)
    assert live.statuses(after) == {"degraded"}
    assert all_lag(after)
    assert pipe.intake.lags.usual_s == pytest.approx(live.TRANSPORT_S, abs=0.002)
    assert pipe.intake.lags.lag_s == pytest.approx(live.TRANSPORT_S + 0.5, abs=0.01)


@pytest.mark.parametrize("long_s", [1.2, 3.0])
def test_a_loss_that_makes_a_window_another_volumes_is_invalid(long_s):
    taken_s = live.lost(live.taken_times(80), (30.0, long_s))
    found, _ = live.session(taken_s, live.counted(taken_s))
    after = live.between(found, 30.5, 80)
    assert live.statuses(after) <= {"invalid"}
    assert live.ok_errors_s(found, taken_s) < BOUND_S


def test_half_of_a_short_tr_is_too_much_already():
    taken_s = live.lost(live.taken_times(50), (30.0, 0.6))
    found, _ = live.session(taken_s, live.counted(taken_s), tr_s=1.0)
    after = live.between(found, 30.7, 50)
    assert live.statuses(after) == {"invalid"}
    assert all_lag(after)


def test_small_losses_add_up():
    holes = [(25.0, 0.06), (30.0, 0.06), (35.0, 0.06), (40.0, 0.06)]
    taken_s = live.lost(live.taken_times(80), *holes)
    found, _ = live.session(taken_s, live.counted(taken_s))
    assert live.ok_errors_s(found, taken_s) < BOUND_S
    assert all_lag(live.between(found, 36, 80))


@pytest.mark.parametrize("rate_error", [0.01, -0.01, 0.002, -0.002])
def test_a_stream_that_runs_slower_or_faster_than_its_stamps_say(rate_error):
    seconds = 80.0 if abs(rate_error) > 0.005 else 160.0
    n = round(seconds * RATE_HZ)
    taken_s = rig.T0_S + np.arange(n) / (RATE_HZ * (1 + rate_error))
    found, _ = live.session(taken_s, live.counted(taken_s))
    assert live.ok_errors_s(found, taken_s) < BOUND_S
    assert "ok" not in live.statuses(found[-3:])
    if rate_error == 0.01:  # ahead of its arrivals
        assert found[-1].status == "invalid"


@pytest.mark.parametrize(
    ("ahead_s", "status"), [(0.02, "ok"), (0.075, "degraded"), (0.3, "invalid")]
)
def test_no_sample_comes_before_it_was_taken(ahead_s, status):
    taken_s = live.taken_times(30)
    found, _ = live.session(taken_s, taken_s + live.TRANSPORT_S + ahead_s)
    assert live.statuses(live.between(found, 18, 29)) == {status}


def test_stamps_may_be_ahead_by_what_the_cleaning_software_delays():
    taken_s = live.taken_times(30)
    settings = PipelineSettings(
        schedule=ScheduleSettings(tr_s=rig.TR_S),
        intake=IntakeSettings(upstream_delay_s=0.3),
    )
    pipe = Pipeline(rig.card(), rig.RecordingModel(), settings)
    found, _ = live.session(taken_s, taken_s + 0.3, pipe=pipe)
    assert live.statuses(live.between(found, 18, 29)) == {"ok"}


def test_samples_that_were_doubled_make_the_lag_fall():
    """A sender with a usual lag of 0.4 s sends 0.25 s twice and counts on."""
    taken_s = live.taken_times(60)
    at = round(30 * RATE_HZ)
    twice = np.concatenate([taken_s[:at], taken_s[at - 62 :]])
    rng = np.random.default_rng(5)
    data_uv = rig.eeg(RATE_HZ, 61.0)[:, : len(twice)]
    data_uv = data_uv + rng.normal(0, 0.01, data_uv.shape).astype(np.float32)
    found, _ = live.session(
        twice, live.counted(twice), data_uv=data_uv, transport_s=0.4, seconds=60
    )
    assert live.statuses(live.between(found, 18, 29.5)) == {"ok"}
    assert live.ok_errors_s(found, twice) < BOUND_S
    assert all_lag(live.between(found, 31, 59))


def test_a_slow_network_is_degraded_only_while_it_is_slow():
    taken_s = live.taken_times(80)
    found, _ = live.session(
        taken_s,
        taken_s,
        delays_s=lambda t_s: 0.4 * (30 < t_s - rig.T0_S < 40),
    )
    assert all_lag(live.between(found, 31, 39))
    assert live.statuses(live.between(found, 41, 79)) == {"ok"}


@pytest.mark.parametrize("stall_s", [0.5, 0.9, 2.0])
def test_what_a_stalled_network_hands_over_late_is_no_loss(stall_s):
    """Samples queue for a while and come all at once."""
    taken_s = live.taken_times(80)

    def queued(t_s):
        return max(rig.T0_S + 30 + stall_s - t_s, 0.0) * (t_s > rig.T0_S + 30)

    found, _ = live.session(taken_s, taken_s, delays_s=queued)
    assert live.statuses(live.between(found, 32 + stall_s, 79)) == {"ok"}


@pytest.mark.parametrize("burst_s", [0.2, 3.0, 7.0])
def test_bursts_in_parts_have_late_parts_all_the_time(burst_s):
    """One network packet of several seconds is pulled in parts of half a second."""
    taken_s = live.taken_times(90)

    def waits(t_s):
        return -(t_s - rig.T0_S + 0.5 / RATE_HZ) % burst_s

    found, _ = live.session(
        taken_s, taken_s, chunk_n=min(125, round(burst_s * RATE_HZ)), delays_s=waits
    )
    late = live.between(found, 50, 85)
    assert "degraded" not in live.statuses(late)
    assert "ok" in live.statuses(late) or burst_s > 1


def test_a_loss_in_a_stream_of_bursts_is_found_within_a_window():
    taken_s = live.lost(live.taken_times(120), (50.0, 0.5))

    def waits(t_s):
        return (-(t_s - rig.T0_S + 0.5 / RATE_HZ)) % 0.6

    found, _ = live.session(taken_s, live.counted(taken_s), chunk_n=25, delays_s=waits)
    assert live.statuses(live.between(found, 30, 49)) == {"ok"}
    assert all_lag(live.between(found, 68, 119))


def test_a_jittery_network_stays_ok():
    rng = np.random.default_rng(2)
    taken_s = live.taken_times(120)
    found, _ = live.session(
        taken_s, taken_s, delays_s=lambda _: float(rng.exponential(0.05))
    )
    late = live.between(found, 40, 119)
    assert sum(p.status == "ok" for p in late) >= 0.9 * len(late)


def test_a_backlog_of_a_minute_is_no_lag():
    """Everything that queued before the start comes within a second."""
    taken_s = live.taken_times(120)
    begun_s = rig.T0_S + 60.0

    def waits(t_s):
        return max(begun_s - t_s + (t_s - rig.T0_S) / 60, 0.0) * (t_s < begun_s)

    found, _ = live.session(taken_s, taken_s, chunk_n=125, delays_s=waits)
    now = live.between(found, 64, 119)
    assert live.statuses(now) == {"ok"}


def feed(pipe, events):
    return [p for event in events for p in pipe.push(event)]


def test_a_loss_during_a_stall_is_still_known_after_it():
    """The stream is lost and resumed: the same sender counts on."""
    taken_s = live.lost(live.taken_times(80), (30.0, 2.0))
    stamps_s = live.counted(taken_s) + 1.3 * (taken_s > rig.T0_S + 30)  # 0.7 s off
    data_uv = rig.eeg(RATE_HZ, 80)
    pipe = rig.pipeline()
    stream = rig.stream(RATE_HZ, uid="outlet-1")
    pipe.push(StreamChanged(stream))
    events, resumed = [], False
    came = live.chunks(data_uv, taken_s, stamps_s)
    for event in rig.in_order(came, rig.triggers(80), rig.passing(80)):
        if isinstance(event, EegChunk) and event.t_arrived_s > 1032 and not resumed:
            resumed = True
            again = [Discontinuity("lost"), StreamChanged(stream)]
            events += [*again, Discontinuity("resumed")]
        events.append(event)
    found = [p for p in feed(pipe, events) if p.tick.volume_index is not None]
    after = live.between(found, 49, 79)
    assert live.statuses(after) == {"degraded"}
    assert all_lag(after)


def test_another_outlet_has_a_lag_of_its_own():
    pipe = rig.pipeline()
    pipe.push(StreamChanged(rig.stream(RATE_HZ, uid="one")))
    first = pipe.intake.lags
    pipe.push(StreamChanged(rig.stream(RATE_HZ, uid="one")))
    assert pipe.intake.lags is first
    pipe.push(StreamChanged(rig.stream(RATE_HZ, uid="two")))
    assert pipe.intake.lags is not first
    pipe.push(StreamChanged(rig.stream(RATE_HZ, uid="one")))
    assert pipe.intake.lags is first  # it went on while another one was heard
    for k in range(100):
        pipe.push(StreamChanged(rig.stream(RATE_HZ, uid=str(k))))
    pipe.push(StreamChanged(rig.stream(RATE_HZ, uid="one")))
    assert pipe.intake.lags is not first


@pytest.mark.parametrize("drift", [5e-4, -5e-4])
def test_a_sender_on_a_clock_that_drifts_and_is_measured_has_no_lag(drift):
    """0.3 s in ten minutes: another machine's clock, measured every 5 s."""
    seconds, far_s = 600.0, 40_000.0
    n = round(seconds * RATE_HZ)
    taken_s = rig.T0_S + np.arange(n) / RATE_HZ
    stamps_s = (taken_s - rig.T0_S) * (1 + drift) + rig.T0_S - far_s
    came = live.chunks(rig.eeg(RATE_HZ, seconds), taken_s, stamps_s, chunk_n=125)
    offsets = [
        ClockOffset(far_s - (t_s - rig.T0_S) * drift, t_s)
        for t_s in np.arange(rig.T0_S, rig.T0_S + seconds, 5.0)
    ]
    pipe = rig.pipeline(mode="free_run")
    pipe.push(StreamChanged(rig.stream(RATE_HZ)))
    changes = set()
    passing = rig.passing(seconds, every_s=0.25)
    streams = ((t, e) for s in (came, offsets, passing) for e in s for t in [when(e)])
    for _, event in sorted(streams, key=lambda pair: pair[0]):
        for p in pipe.push(event):
            changes.add(p.status)
    assert changes == {"paused", "warmup", "ok"}
    assert abs(pipe.intake.lags.lag_s - live.TRANSPORT_S) < 0.01


def when(event):
    if isinstance(event, ClockOffset):
        return event.t_lsl_s - 1e-3
    return event.now_lsl_s if isinstance(event, TimePassed) else event.t_arrived_s


def test_unix_stamps_follow_a_loss_and_are_right_again_after_their_minute():
    taken_s = live.lost(live.taken_times(150), (30.0, 0.5))
    stamps_s = live.counted(taken_s) + 1.7e9
    pipe = rig.pipeline()
    pipe.push(ClockOffset(0.0, rig.T0_S, stream="marker"))
    stream = rig.stream(RATE_HZ, foreign_clock=True)
    found, _ = live.session(taken_s, stamps_s, stream=stream, pipe=pipe)
    assert live.statuses(live.between(found, 18, 29.5)) == {"ok"}
    # the trigger is on LSL's clock only through the alignment: 30 ms of transport
    assert live.ok_errors_s(found, taken_s) < BOUND_S + live.TRANSPORT_S
    assert all_lag(live.between(found, 31, 85))
    assert live.statuses(live.between(found, 112, 149)) == {"ok"}
