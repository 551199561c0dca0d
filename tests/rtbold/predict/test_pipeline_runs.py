"""Stray triggers, another TR and new runs, from events to predictions."""

import itertools

import numpy as np
import pipeline_rig as rig
import pytest

from rtbold.messages import EegChunk, Marker, OperatorCommand, TimePassed

pytestmark = pytest.mark.heavy

RATE_HZ = 250.0
WINDOW_S = 16.0


def marker(t_s, arrives_s=0.02):
    return Marker("R128", rig.T0_S + t_s, rig.T0_S + t_s + arrives_s)


def grid_s(first_s, n, tr_s=rig.TR_S):
    return [first_s + k * tr_s for k in range(n)]


def play(times_s, seconds, *, data_uv=None, more=()):
    """Push EEG and triggers at `times_s`; return predictions and pipeline."""
    pipe = rig.pipeline()
    data_uv = rig.eeg(RATE_HZ, seconds) if data_uv is None else data_uv
    events = rig.in_order(
        rig.samples(data_uv, RATE_HZ, rig.every(RATE_HZ, seconds)),
        [t if isinstance(t, Marker) else marker(t) for t in times_s],
        rig.passing(seconds),
    )
    events += more
    return rig.run(pipe, rig.stream(RATE_HZ), events), pipe


def essence(predictions):
    return {
        p.tick.volume_index: (
            p.tick.t_trigger_s, p.tick.trigger_locked, p.status, p.reasons,
            p.source_first, p.source_end,
            None if p.values is None else p.values.tobytes(),
        )
        for p in predictions
        if p.tick.volume_index is not None
    }  # fmt: skip


def valued(predictions):
    return [p for p in predictions if p.values is not None]


def test_stray_triggers_change_nothing_at_all():
    """Every number is, to the last bit, the one of the session without them."""
    times_s = grid_s(0.0, 20)
    strays_s = [
        times_s[k] + off * rig.TR_S
        for k, off in [(3, 0.6), (9, 0.7), (11, 0.3), (13, 0.4), (13, 0.5), (15, 0.93)]
    ]
    clean, _ = play(times_s, 41.0)
    noisy, pipe = play([*times_s, *strays_s], 41.0)
    assert len(valued(clean)) >= 10
    assert essence(noisy) == essence(clean)
    assert len(noisy) == len(clean)
    counts = pipe.schedule.counts
    assert counts.n_double + counts.n_stray == len(strays_s)


@pytest.mark.parametrize("arrives_s", [0.02, 0.09, 0.6, 1.5])
def test_a_stray_trigger_does_not_take_the_place_of_one_that_arrives_late(arrives_s):
    times_s = grid_s(0.0, 18)
    late = marker(times_s[10], arrives_s)
    kept = [*times_s[:10], late, *times_s[11:], times_s[9] + 0.6 * rig.TR_S]
    predictions, _ = play(kept, 37.0)
    counted = essence(predictions)
    assert list(counted) == list(range(18))
    for index, (t_s, locked, *_) in counted.items():
        assert t_s == pytest.approx(rig.T0_S + times_s[index], abs=1e-6)
        assert locked is not (index == 10 and arrives_s > 0.1)


def test_a_trigger_tells_the_feed_what_it_was():
    pipe = rig.pipeline()
    for t_s in (0.0, 2.1, 2.1 + 1.3):
        pipe.push(marker(t_s))
    assert pipe.last_trigger.kind == "double"
    assert pipe.last_trigger.volume_index is None
    pipe.push(marker(4.2))
    assert (pipe.last_trigger.kind, pipe.last_trigger.volume_index) == ("volume", 2)


@pytest.mark.parametrize("to_s", [1.5 * rig.TR_S, 0.7 * rig.TR_S, 2.2, 0.7])
def test_another_tr_is_paused_and_no_operator_is_named(to_s):
    first = grid_s(0.0, 12)
    second = grid_s(first[-1] + to_s, 12, to_s)
    predictions, pipe = play([*first, *second], second[-1] + 0.1)
    true_s = rig.T0_S + np.array([*first, *second])
    for p in valued(predictions):
        if p.tick.trigger_locked:
            assert p.t_end_s == pytest.approx(true_s[p.tick.volume_index], abs=1e-6)
    end = predictions[-1]
    assert (end.status, end.reasons) == ("paused", ("tr_changed",))
    assert end.tick.volume_index is None
    sure_s = rig.T0_S + max(second[2], first[-1] + rig.TR_S) + 0.1
    late = [p for p in predictions if p.t_end_s > sure_s]
    assert {p.reasons for p in late} == {("tr_changed",)}
    assert not any("operator_pause" in p.reasons for p in predictions)
    assert pipe.schedule.tr_mismatch == pytest.approx(to_s)


def test_back_at_its_tr_the_scanner_has_to_warm_up():
    first = grid_s(0.0, 12)
    second = grid_s(first[-1] + 3.0, 6, 3.0)
    third = grid_s(second[-1] + rig.TR_S, 14)
    predictions, _ = play([*first, *second, *third], third[-1] + 0.5)
    again_s = rig.T0_S + second[-1]
    later = [p for p in valued(predictions) if p.t_end_s > again_s]
    assert later[0].t_end_s - again_s >= WINDOW_S
    assert later[0].t_end_s - again_s <= WINDOW_S + rig.TR_S
    assert [p.tick.volume_index for p in later][:2] == [8, 9]
    between = [p for p in predictions if again_s + 2 * rig.TR_S - 0.01 < p.t_end_s
               < again_s + WINDOW_S]  # fmt: skip
    assert {(p.status, p.reasons) for p in between} == {("warmup", ("warmup",))}


@pytest.mark.parametrize("pause_s", [9.0, 25.0, 60.0])
def test_no_value_of_a_new_run_is_made_from_the_time_before_it(pause_s):
    """The window would be whole, for the EEG went on all the time."""
    first = grid_s(0.0, 12)
    begin_s = first[-1] + pause_s
    second = grid_s(begin_s, 14)
    predictions, _ = play([*first, *second], second[-1] + 0.5)
    of_run = [p for p in predictions if p.t_end_s > rig.T0_S + begin_s - 0.01]
    early = [p for p in of_run if p.t_start_s < rig.T0_S + begin_s - 1e-6]
    assert len(early) == 8
    assert {(p.status, p.reasons) for p in early} == {("warmup", ("warmup",))}
    assert [p.tick.volume_index for p in early] == list(range(8))
    assert [p.tick.volume_index for p in valued(of_run)] == list(range(8, 14))


def test_the_first_run_warms_up_too():
    """The EEG runs for half a minute before the scanner does."""
    times_s = grid_s(30.0, 14)
    predictions, _ = play(times_s, times_s[-1] + 0.5)
    assert [p.tick.volume_index for p in valued(predictions)] == list(range(8, 14))
    numbered = [p for p in predictions if p.tick.volume_index is not None]
    assert {p.status for p in numbered[:8]} == {"warmup"}


def test_where_the_triggers_come_back_the_scanner_may_have_stood_still():
    """On the old grid the volumes are counted on; the window must be of scanning."""
    times_s = grid_s(0.0, 34)
    kept = [*times_s[:12], *times_s[18:]]
    predictions, _ = play(kept, times_s[-1] + 0.5)
    later = [p for p in valued(predictions) if p.t_end_s > rig.T0_S + times_s[15]]
    assert [p.tick.volume_index for p in later] == list(range(26, 34))
    two = [*times_s[:12], *times_s[14:]]  # as many as may be missing
    predictions, _ = play(two, times_s[-1] + 0.5)
    assert [p.tick.volume_index for p in valued(predictions)] == list(range(8, 34))


def test_artefact_at_the_start_of_a_new_run_is_warm_up_as_at_the_first():
    first = grid_s(0.0, 12)
    begin_s = first[-1] + 40.0
    second = grid_s(begin_s, 22)
    seconds = second[-1] + 0.5
    data_uv = rig.eeg(RATE_HZ, seconds)
    at = slice(round(begin_s * RATE_HZ), round((begin_s + 8.0) * RATE_HZ))
    data_uv[:, at] *= 40.0  # the cleaning has yet to learn the artefact
    predictions, _ = play([*first, *second], seconds, data_uv=data_uv)
    touched = [p for p in predictions if rig.T0_S + begin_s + WINDOW_S < p.t_end_s
               < rig.T0_S + begin_s + 8.0 + WINDOW_S]  # fmt: skip
    assert touched
    assert {p.status for p in touched} == {"warmup"}
    assert all("amplitude" in p.reasons for p in touched)
    assert valued(predictions)[-1].t_end_s > rig.T0_S + second[-1] - 0.1


def test_an_operator_who_pauses_and_resumes_in_a_run_waits_for_nothing():
    times_s = grid_s(0.0, 16)
    pipe = rig.pipeline()
    seconds = times_s[-1] + 0.5
    events = rig.in_order(
        rig.samples(rig.eeg(RATE_HZ, seconds), RATE_HZ, rig.every(RATE_HZ, seconds)),
        [marker(t) for t in times_s],
        rig.passing(seconds),
    )
    at = [next(i for i, e in enumerate(events) if isinstance(e, Marker)
               and e.t_lsl_s > rig.T0_S + s) for s in (21.5, 25.5)]  # fmt: skip
    events.insert(at[1], OperatorCommand("resume"))
    events.insert(at[0], OperatorCommand("pause"))
    found = rig.run(pipe, rig.stream(RATE_HZ), events)
    assert [p.tick.volume_index for p in valued(found)] == [8, 9, 10, 13, 14, 15]


def test_decisions_depend_on_the_events_alone():
    """Pushed again, they give the same predictions to the last bit."""
    first = grid_s(0.0, 10)
    second = grid_s(first[-1] + 3.0, 5, 3.0)
    third = grid_s(second[-1] + rig.TR_S, 12)
    strays = [first[4] + 1.3, third[6] + 0.9, third[8] + 1.5]
    once, _ = play([*first, *second, *third, *strays], third[-1] + 0.5)
    again, _ = play([*first, *second, *third, *strays], third[-1] + 0.5)
    for a, b in itertools.zip_longest(once, again):
        assert (a.tick, a.status, a.reasons) == (b.tick, b.status, b.reasons)
        assert (a.values is None) == (b.values is None)
        if a.values is not None:
            np.testing.assert_array_equal(a.values, b.values)


def test_a_free_run_has_no_first_trigger_to_wait_for():
    pipe = rig.pipeline(mode="free_run")
    seconds = 30.0
    events = rig.in_order(
        rig.samples(rig.eeg(RATE_HZ, seconds), RATE_HZ, rig.every(RATE_HZ, seconds)),
        rig.passing(seconds),
    )
    assert any(isinstance(e, TimePassed) for e in events)
    assert any(isinstance(e, EegChunk) for e in events)
    found = rig.run(pipe, rig.stream(RATE_HZ), events)
    assert len(valued(found)) >= 6
