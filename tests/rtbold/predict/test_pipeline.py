from functools import cache

import numpy as np
import pipeline_rig as rig
import pytest
from hypothesis import given, settings, strategies as st

from rtbold.condition.intake import IntakeSettings, stream_fit
from rtbold.errors import EngineError, StreamMismatch
from rtbold.messages import (
    ClockOffset,
    Discontinuity,
    EegChunk,
    Marker,
    OperatorCommand,
    SenderChanged,
    StreamChanged,
)
from rtbold.predict.lines import LineSettings
from rtbold.predict.muscle import MuscleSettings
from rtbold.predict.ood import OodSettings
from rtbold.predict.pipeline import Pipeline, PipelineSettings, stream_settings
from rtbold.predict.status import QualitySettings
from rtbold.window.schedule import ScheduleSettings

USABLE = ("ok", "degraded")


def session(rate_hz, seconds, *, model=None, data_uv=None, chunk_s=0.05, **changes):
    data_uv = rig.eeg(rate_hz, seconds) if data_uv is None else data_uv
    pipe = rig.pipeline(model, **changes)
    events = rig.in_order(
        rig.samples(data_uv, rate_hz, rig.every(rate_hz, seconds, chunk_s)),
        rig.triggers(seconds),
        rig.passing(seconds),
    )
    return rig.run(pipe, rig.stream(rate_hz), events), pipe


def essence(predictions):
    return [
        (
            p.tick.volume_index,
            p.tick.t_trigger_s,
            p.status,
            p.reasons,
            None if p.values is None else p.values.tobytes(),
            p.source_first,
            p.source_end,
        )
        for p in predictions
    ]


@pytest.mark.parametrize("rate_hz", [200.0, 250.0, 500.0, 1000.0, 5000.0])
def test_each_volume_has_one_prediction_of_exactly_its_samples(rate_hz):
    predictions, _ = session(rate_hz, 25.2)
    locked = [p for p in predictions if p.tick.volume_index is not None]
    assert [p.tick.volume_index for p in locked] == list(range(len(locked)))
    usable = [p for p in locked if p.status in USABLE]
    assert len(usable) >= 4
    t_s = rig.T0_S + np.arange(round(25.2 * rate_hz)) / rate_hz
    for p in usable:
        inside = np.flatnonzero(
            (t_s >= p.t_end_s - 16 - 1e-7) & (t_s < p.t_end_s - 1e-7)
        )
        assert (p.source_first, p.source_end) == (inside[0], inside[-1] + 1)
        assert p.t_end_s - p.t_start_s == 16.0


def test_before_the_window_is_full_it_is_warm_up_and_null():
    predictions, _ = session(200.0, 12.6)
    locked = [p for p in predictions if p.tick.volume_index is not None]
    assert {p.status for p in locked} == {"warmup"}
    assert all(p.values is None for p in predictions)


def test_the_window_is_what_the_whole_signal_conditioned_at_once_gives():
    model = rig.RecordingModel()
    rate_hz, seconds = 500.0, 23.1
    data_uv = rig.eeg(rate_hz, seconds)
    predictions, _ = session(rate_hz, seconds, model=model, data_uv=data_uv)
    usable = [p for p in predictions if p.status in USABLE]
    from rtbold.bundle.card import Conditioning
    from rtbold.condition.conditioner import Conditioner

    whole = Conditioner(rate_hz, len(data_uv), Conditioning())(data_uv)
    for p, window_uv in zip(usable, model.windows, strict=True):
        end = round((p.t_end_s - rig.T0_S) * 200)
        expected = whole[:, end - 3200 : end].astype(float)
        expected -= expected.mean(axis=0)
        expected -= expected.mean(axis=1, keepdims=True)
        np.testing.assert_allclose(window_uv, expected, atol=1e-4)


@cache
def with_triggers_late_by(*late_s):
    rate_hz, seconds = 250.0, 25.0
    markers = [
        Marker("R128", m.t_lsl_s, m.t_lsl_s + late_s[k])
        for k, m in enumerate(rig.triggers(seconds))
    ]
    signal_uv = rig.eeg(rate_hz, seconds)
    chunks = rig.samples(signal_uv, rate_hz, rig.every(rate_hz, seconds))
    events = rig.in_order(chunks, markers, rig.passing(seconds))
    found = rig.run(rig.pipeline(), rig.stream(rate_hz), events)
    return essence([p for p in found if p.tick.volume_index is not None])


@settings(max_examples=10, deadline=None)
@given(moves=st.lists(st.floats(0.0, 0.09), min_size=12, max_size=12))
def test_when_a_trigger_arrives_does_not_matter(moves):
    """A trigger waits for its samples, or its samples for it: the same answer."""
    assert with_triggers_late_by(*moves) == with_triggers_late_by(*[0.0] * 12)


def test_a_stall_yields_the_null_prediction_that_is_due():
    rate_hz, seconds = 250.0, 40.0
    data_uv = rig.eeg(rate_hz, 30.0)
    pipe = rig.pipeline()
    events = rig.in_order(
        rig.samples(data_uv, rate_hz, rig.every(rate_hz, 30.0)),
        rig.triggers(seconds),
        rig.passing(seconds),
    )
    predictions = rig.run(pipe, rig.stream(rate_hz), events)
    after = [p for p in predictions if p.t_end_s > rig.T0_S + 30.0]
    assert len(after) >= 3
    assert {p.status for p in after} == {"invalid"}
    assert all(p.values is None and "no_data" in p.reasons for p in after)


def test_a_gap_makes_every_window_that_touches_it_invalid_then_it_comes_back():
    rate_hz, seconds = 250.0, 60.0
    data_uv = rig.eeg(rate_hz, seconds)
    chunks = [
        c
        for c in rig.samples(data_uv, rate_hz, rig.every(rate_hz, seconds))
        if not rig.T0_S + 20 <= c.t_lsl_s[0] < rig.T0_S + 23
    ]
    index, joined = 0, []
    for c in chunks:
        joined.append(EegChunk(c.data_uv, c.t_lsl_s, c.t_arrived_s, index))
        index += c.data_uv.shape[1]
    pipe = rig.pipeline()
    events = rig.in_order(joined, rig.triggers(seconds), rig.passing(seconds))
    predictions = rig.run(pipe, rig.stream(rate_hz), events)
    touched = [
        p
        for p in predictions
        if p.t_end_s > rig.T0_S + 20.2 and p.t_start_s < rig.T0_S + 23
    ]
    assert len(touched) >= 8
    assert {p.status for p in touched} == {"invalid"}
    later = [p for p in predictions if p.t_start_s > rig.T0_S + 23.1]
    assert later
    assert {p.status for p in later} <= set(USABLE)
    assert later[0].t_end_s - (rig.T0_S + 23) <= 16 + rig.TR_S + 0.1


def test_a_short_known_loss_is_bridged_and_says_so():
    rate_hz, seconds = 250.0, 27.0
    data_uv = rig.eeg(rate_hz, seconds)
    chunks = list(rig.samples(data_uv, rate_hz, rig.every(rate_hz, seconds, 0.04)))
    del chunks[500]  # 10 samples at 20 s; the index of the next chunk tells
    pipe = rig.pipeline()
    events = rig.in_order(chunks, rig.triggers(seconds), rig.passing(seconds))
    predictions = rig.run(pipe, rig.stream(rate_hz), events)
    touched = [p for p in predictions if p.t_end_s > rig.T0_S + 20.1]
    assert len(touched) >= 3
    assert {p.status for p in touched} == {"degraded"}
    assert all("bridged" in p.reasons for p in touched)
    assert pipe.counters.n_bridged == 10


def test_a_backlog_is_never_predicted_from_as_if_it_were_new():
    rate_hz = 200.0
    backlog_uv = rig.eeg(rate_hz, 60.0)
    pipe = rig.pipeline(mode="free_run")
    pipe.push(StreamChanged(rig.stream(rate_hz)))
    now_s = rig.T0_S + 60.0
    found = []
    for chunk in rig.samples(backlog_uv, rate_hz, rig.every(rate_hz, 60.0, 0.5)):
        found += pipe.push(next(iter(rig.passing(1, t0_s=now_s))))
        found += pipe.push(
            EegChunk(chunk.data_uv, chunk.t_lsl_s, now_s + 0.01, chunk.index)
        )
    assert [p for p in found if p.t_end_s < now_s - 2] == []


def test_a_bad_channel_is_interpolated_over_the_whole_window():
    rate_hz, seconds = 250.0, 27.0
    data_uv = rig.eeg(rate_hz, seconds)
    data_uv[3, round(20 * rate_hz) :] = 0.0  # OZ comes off
    model = rig.RecordingModel()
    predictions, _ = session(rate_hz, seconds, model=model, data_uv=data_uv)
    touched = [p for p in predictions if p.t_end_s > rig.T0_S + 22]
    assert {p.status for p in touched} == {"degraded"}
    assert all({"channel_flat", "interpolated"} <= set(p.reasons) for p in touched)
    others = model.windows[-1]
    assert np.isfinite(others).all()
    assert np.abs(others[3]).max() > 1.0  # filled from its neighbours, not flat


def test_a_nan_never_reaches_the_model():
    rate_hz, seconds = 250.0, 25.0
    data_uv = rig.eeg(rate_hz, seconds)
    data_uv[1, 3000:3010] = np.nan
    model = rig.RecordingModel()
    predictions, _ = session(rate_hz, seconds, model=model, data_uv=data_uv)
    assert all(np.isfinite(w).all() for w in model.windows)
    usable = [p for p in predictions if p.values is not None]
    assert usable
    assert all("nonfinite" in p.reasons for p in usable)


def test_a_stream_without_a_channel_of_the_model_is_never_predicted_from():
    pipe = rig.pipeline()
    rate_hz, seconds = 250.0, 20.0
    description = rig.stream(rate_hz, channels=("FZ", "CZ", "PZ", "OZ", "C3"))
    events = rig.in_order(
        rig.samples(
            rig.eeg(rate_hz, seconds, n_channels=5),
            rate_hz,
            rig.every(rate_hz, seconds),
        ),
        rig.triggers(seconds),
        rig.passing(seconds),
    )
    predictions = rig.run(pipe, description, events)
    assert isinstance(pipe.misfit, StreamMismatch)
    assert all(p.values is None for p in predictions)
    assert any("channel_missing" in p.reasons for p in predictions)


def test_another_channel_order_after_a_return_gives_the_same_numbers():
    rate_hz, seconds = 250.0, 50.0
    data_uv = rig.eeg(rate_hz, seconds)
    order = [3, 1, 0, 2, 5, 4]
    half = round(25 * rate_hz)
    found = []
    for permuted in (False, True):
        model = rig.RecordingModel()
        pipe = rig.pipeline(model)
        chunks = list(rig.samples(data_uv, rate_hz, rig.every(rate_hz, seconds)))
        events = rig.in_order(chunks, rig.triggers(seconds), rig.passing(seconds))
        predictions = pipe.push(StreamChanged(rig.stream(rate_hz)))
        changed = False
        for event in events:
            second = isinstance(event, EegChunk) and event.index >= half
            if second and not changed:
                changed = True
                names = [rig.CHANNELS[i] for i in order] if permuted else rig.CHANNELS
                predictions += pipe.push(Discontinuity("lost"))
                predictions += pipe.push(
                    StreamChanged(rig.stream(rate_hz, channels=tuple(names)))
                )
                predictions += pipe.push(Discontinuity("resumed"))
            if second and permuted:
                event = EegChunk(
                    event.data_uv[order], event.t_lsl_s, event.t_arrived_s, event.index
                )
            predictions += pipe.push(event)
        found.append([p for p in predictions if p.values is not None])
    assert len(found[0]) == len(found[1]) > 4
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-5)


def test_a_return_at_another_rate_is_conditioned_anew():
    pipe = rig.pipeline()
    pipe.push(StreamChanged(rig.stream(500.0)))
    for chunk in rig.samples(rig.eeg(500.0, 20.0), 500.0, rig.every(500.0, 20.0)):
        pipe.push(chunk)
    pipe.push(Discontinuity("lost"))
    pipe.push(StreamChanged(rig.stream(250.0)))
    pipe.push(Discontinuity("resumed"))
    events = rig.in_order(
        rig.samples(
            rig.eeg(250.0, 25.0),
            250.0,
            rig.every(250.0, 25.0),
            t0_s=rig.T0_S + 30,
            index0=10000,
        ),
        rig.triggers(25.0, t0_s=rig.T0_S + 30),
        rig.passing(25.0, t0_s=rig.T0_S + 30),
    )
    predictions = [p for event in events for p in pipe.push(event)]
    usable = [p for p in predictions if p.values is not None]
    assert usable
    assert all(p.t_start_s >= rig.T0_S + 30 - 1e-6 for p in usable)
    assert all(p.source_first >= 10000 for p in usable)


def test_pause_and_resume_are_events():
    rate_hz, seconds = 250.0, 32.0
    pipe = rig.pipeline()
    pipe.push(StreamChanged(rig.stream(rate_hz)))
    events = rig.in_order(
        rig.samples(rig.eeg(rate_hz, seconds), rate_hz, rig.every(rate_hz, seconds)),
        rig.triggers(seconds),
        rig.passing(seconds),
    )
    found = []
    for event in events:
        if isinstance(event, Marker) and event.t_lsl_s > rig.T0_S + 20:
            found += pipe.push(OperatorCommand("pause"))
        if isinstance(event, Marker) and event.t_lsl_s > rig.T0_S + 25:
            found += pipe.push(OperatorCommand("resume"))
        found += pipe.push(event)
    paused = [p for p in found if p.reasons == ("operator_pause",)]
    assert paused
    assert all(p.values is None and p.status == "paused" for p in paused)
    assert found[-1].values is not None


@pytest.mark.parametrize("marker_offset_s", [None, 40000.0])
def test_streams_of_a_remote_clock_are_aligned_to_ours(marker_offset_s):
    """Stamps of EEG and markers are far from our clock; offsets bring them over."""
    rate_hz, seconds, far_s = 250.0, 25.2, 50000.0
    pipe = rig.pipeline()
    pipe.push(StreamChanged(rig.stream(rate_hz)))
    pipe.push(ClockOffset(far_s, rig.T0_S))
    marker_shift_s = far_s
    if marker_offset_s is not None:
        pipe.push(ClockOffset(marker_offset_s, rig.T0_S, stream="marker"))
        marker_shift_s = marker_offset_s
    chunks = [
        EegChunk(c.data_uv, c.t_lsl_s - far_s, c.t_arrived_s, c.index)
        for c in rig.samples(
            rig.eeg(rate_hz, seconds), rate_hz, rig.every(rate_hz, seconds)
        )
    ]
    markers = [
        Marker(m.label, m.t_lsl_s - marker_shift_s, m.t_arrived_s)
        for m in rig.triggers(seconds)
    ]
    events = rig.in_order(chunks, markers, rig.passing(seconds))
    predictions = [p for event in events for p in pipe.push(event)]
    usable = [p for p in predictions if p.values is not None]
    assert len(usable) >= 4
    for p in usable:
        volume_s = rig.T0_S + p.tick.volume_index * rig.TR_S
        assert abs(p.t_end_s - volume_s) < 1e-6
        assert p.source_end == round(p.tick.volume_index * rig.TR_S * rate_hz)


def test_the_upstream_delay_shifts_the_window_and_not_the_volume():
    rate_hz, seconds = 250.0, 25.2

    delayed = PipelineSettings(
        schedule=ScheduleSettings(tr_s=rig.TR_S),
        intake=IntakeSettings(upstream_delay_s=0.2),
    )
    pipe = Pipeline(rig.card(), rig.RecordingModel(), delayed)
    events = rig.in_order(
        rig.samples(rig.eeg(rate_hz, seconds), rate_hz, rig.every(rate_hz, seconds)),
        rig.triggers(seconds),
        rig.passing(seconds),
    )
    usable = [
        p for p in rig.run(pipe, rig.stream(rate_hz), events) if p.values is not None
    ]
    assert usable
    for p in usable:
        volume_s = p.tick.volume_index * rig.TR_S
        assert abs(p.t_end_s - rig.T0_S - volume_s) < 1e-6
        assert p.source_end == round((volume_s + 0.2) * rate_hz)


def test_a_trigger_that_comes_half_a_minute_late_gives_null_and_ends_nothing():
    rate_hz, seconds = 250.0, 60.0
    late_s = 20.0
    markers = [
        Marker(m.label, m.t_lsl_s, m.t_lsl_s + late_s) for m in rig.triggers(35.0)
    ]
    pipe = rig.pipeline()
    events = rig.in_order(
        rig.samples(rig.eeg(rate_hz, seconds), rate_hz, rig.every(rate_hz, seconds)),
        markers,
        rig.passing(seconds),
    )
    predictions = rig.run(pipe, rig.stream(rate_hz), events)
    volumes = [p for p in predictions if p.tick.volume_index is not None]
    assert volumes
    assert all(p.values is None for p in volumes)
    assert any("late" in p.reasons for p in volumes)


def test_an_engine_that_answers_no_number_makes_the_prediction_invalid():
    def broken(eeg_uv):
        raise EngineError("the model answered NaN")

    predictions, pipe = session(250.0, 25.2, model=broken)
    locked = [p for p in predictions if p.t_end_s > rig.T0_S + 17]
    assert locked
    assert {p.status for p in locked} == {"invalid"}
    assert all("nonfinite" in p.reasons and p.values is None for p in locked)
    assert "NaN" in str(pipe.engine_problem)


def stepped_chunks(rate_hz, seconds, *, step_s, at_s):
    """Samples whose stamps step by `step_s`, while they arrive as before."""
    data_uv = rig.eeg(rate_hz, seconds)
    for c in rig.samples(data_uv, rate_hz, rig.every(rate_hz, seconds)):
        stamps_s = np.where(c.t_lsl_s >= rig.T0_S + at_s, c.t_lsl_s + step_s, c.t_lsl_s)
        yield EegChunk(c.data_uv, stamps_s, c.t_arrived_s, c.index)


def is_right(prediction, rate_hz):
    """Whether the window ends where its volume begins, in samples really taken."""
    return prediction.source_end == round((prediction.t_end_s - rig.T0_S) * rate_hz)


@pytest.mark.parametrize("step_s", [5.0, -1.5, 200_000.0])
def test_a_stall_after_a_stamp_step_does_not_forget_the_step(step_s):
    rate_hz, seconds = 250.0, 80.0
    pipe = rig.pipeline()
    pipe.push(StreamChanged(rig.stream(rate_hz)))
    events = rig.in_order(
        stepped_chunks(rate_hz, seconds, step_s=step_s, at_s=20.0),
        rig.triggers(seconds),
        rig.passing(seconds),
    )
    found, resumed = [], False
    for event in events:
        if isinstance(event, EegChunk) and event.index >= 30 * rate_hz and not resumed:
            resumed = True
            found += pipe.push(Discontinuity("resumed"))
        found += pipe.push(event)
    late = [p for p in found if p.t_end_s > rig.T0_S + 50 and p.values is not None]
    assert len(late) >= 8
    assert all(abs(p.source_end - round((p.t_end_s - rig.T0_S) * rate_hz)) <= 1
               for p in late)  # fmt: skip


def test_stamps_ahead_of_now_are_never_predicted_from():
    rate_hz, seconds = 250.0, 40.0
    chunks = stepped_chunks(rate_hz, seconds, step_s=6.0, at_s=0.0)
    pipe = rig.pipeline()
    events = rig.in_order(chunks, rig.triggers(seconds), rig.passing(seconds))
    predictions = rig.run(pipe, rig.stream(rate_hz), events)
    assert predictions
    assert all(p.values is None for p in predictions)


def test_a_trigger_in_the_stream_steps_with_its_samples():
    rate_hz, seconds, step_s = 250.0, 60.0, 0.4
    chunks = stepped_chunks(rate_hz, seconds, step_s=step_s, at_s=20.0)
    markers = [
        Marker(
            "1",
            m.t_lsl_s + (step_s if m.t_lsl_s >= rig.T0_S + 20 else 0.0),
            m.t_arrived_s + 0.03,
            source="channel",
        )
        for m in rig.triggers(seconds)
    ]
    pipe = rig.pipeline()
    events = rig.in_order(chunks, markers, rig.passing(seconds))
    predictions = rig.run(pipe, rig.stream(rate_hz), events)
    late = [
        p for p in predictions if p.t_end_s > rig.T0_S + 42 and p.values is not None
    ]
    assert len(late) >= 5
    for p in late:
        volume_n = round(p.tick.volume_index * rig.TR_S * rate_hz)
        assert abs(p.source_end - volume_n) <= 1


@pytest.mark.parametrize("first", [np.nan, np.inf])
def test_a_first_stamp_that_is_no_number_ends_nothing(first):
    rate_hz, seconds = 250.0, 40.0
    data_uv = rig.eeg(rate_hz, seconds)
    chunks = list(rig.samples(data_uv, rate_hz, rig.every(rate_hz, seconds)))
    stamps_s = chunks[0].t_lsl_s.copy()
    stamps_s[0] = first
    chunks[0] = EegChunk(chunks[0].data_uv, stamps_s, chunks[0].t_arrived_s, 0)
    pipe = rig.pipeline()
    events = rig.in_order(chunks, rig.triggers(seconds), rig.passing(seconds))
    predictions = rig.run(pipe, rig.stream(rate_hz), events)
    assert all(
        abs(p.source_end - round((p.t_end_s - rig.T0_S) * rate_hz)) <= 1
        for p in predictions
        if p.values is not None
    )


def test_an_absurd_sample_leaves_nothing_behind():
    rate_hz, seconds = 250.0, 60.0
    data_uv = rig.eeg(rate_hz, seconds)
    clean, broken = rig.RecordingModel(), rig.RecordingModel()
    session(rate_hz, seconds, model=clean, data_uv=data_uv)
    data_uv = data_uv.copy()
    data_uv[1, round(20 * rate_hz)] = 1e30
    session(rate_hz, seconds, model=broken, data_uv=data_uv)
    np.testing.assert_allclose(broken.windows[-1], clean.windows[-1], atol=1.0)


def test_what_an_electrode_pop_leaves_in_the_filter_is_marked_too():
    rate_hz, seconds = 250.0, 60.0
    data_uv = rig.eeg(rate_hz, seconds)
    data_uv[1, round(20 * rate_hz) :] += 100_000.0  # a cable was touched
    model = rig.RecordingModel()
    predictions, _ = session(rate_hz, seconds, model=model, data_uv=data_uv)
    with_values = [p for p in predictions if p.values is not None]
    for p, window_uv in zip(with_values, model.windows, strict=True):
        if "interpolated" not in p.reasons:
            assert np.abs(window_uv).max() < 500.0


def test_a_real_stream_never_takes_the_place_of_a_simulated_one():
    pipe = rig.pipeline()
    pipe.push(StreamChanged(rig.stream(250.0, simulated=True)))
    assert pipe.misfit is None
    pipe.push(StreamChanged(rig.stream(250.0, simulated=False)))
    assert pipe.intake is None
    assert "declare itself simulated" in str(pipe.misfit)


def test_an_empty_chunk_passes():
    pipe = rig.pipeline()
    pipe.push(StreamChanged(rig.stream(250.0)))
    empty = np.empty((len(rig.CHANNELS), 0), np.float32)
    assert pipe.push(EegChunk(empty, np.empty(0), rig.T0_S, 77)) == []


def test_a_loss_after_a_stamp_step_is_bridged_without_a_new_step():
    rate_hz, seconds = 250.0, 45.0
    chunks = list(stepped_chunks(rate_hz, seconds, step_s=3.0, at_s=10.0))
    at = next(i for i, c in enumerate(chunks) if c.index >= 30 * rate_hz)
    lost = chunks.pop(at)
    pipe = rig.pipeline()
    events = rig.in_order(chunks, rig.triggers(seconds), rig.passing(seconds))
    predictions = rig.run(pipe, rig.stream(rate_hz), events)
    assert pipe.counters.n_bridged == lost.data_uv.shape[1]
    assert pipe.counters.n_stamp_steps == 1
    assert all(is_right(p, rate_hz) for p in predictions if p.values is not None)


def test_a_return_at_a_rate_that_is_not_handled_says_so():
    predictions, pipe = session(250.0, 25.2)
    assert predictions[-1].status in USABLE
    pipe.push(Discontinuity("lost"))
    pipe.push(StreamChanged(rig.stream(250.37)))
    pipe.push(Discontinuity("resumed"))
    t0_s = rig.T0_S + 25.2
    events = rig.in_order(rig.triggers(10.0, t0_s=t0_s), rig.passing(10.0, t0_s=t0_s))
    later = [p for event in events for p in pipe.push(event)]
    assert "no simple ratio" in str(pipe.misfit)
    assert {(p.status, p.reasons) for p in later[2:]} == {("invalid", ("rate",))}


def test_the_wait_for_a_trigger_is_the_filter_delay_if_that_is_longer():
    stream, card, intake = rig.stream(250.0), rig.card(), IntakeSettings()
    delay_s = stream_fit(stream, card).delay_s
    assert 0.05 < delay_s <= 0.1
    for asked_s, wait_s in ((0.1, 0.1), (0.01, delay_s)):
        schedule = ScheduleSettings(tr_s=rig.TR_S, wait_s=asked_s)
        found = stream_settings(stream, card, schedule=schedule, intake=intake)
        assert found == PipelineSettings(
            schedule=ScheduleSettings(tr_s=rig.TR_S, wait_s=wait_s),
            intake=intake,
            quality=QualitySettings(filters_begin_s=0.75),
            likeness=OodSettings(lines=LineSettings(), held_s=2.0),
            muscle=MuscleSettings(),
        )


def test_a_stream_that_does_not_fit_has_no_settings():
    schedule, intake = ScheduleSettings(tr_s=rig.TR_S), IntakeSettings()
    for stream in (rig.stream(250.0, channels=rig.CHANNELS[1:]), rig.stream(250.37)):
        with pytest.raises(StreamMismatch):
            stream_settings(stream, rig.card(), schedule=schedule, intake=intake)


def part(t0_s, index, *, seconds=25.2, rate_hz=250.0):
    """Return the events of some seconds, as they follow on what came before."""
    data_uv = rig.eeg(rate_hz, seconds, seed=index)
    chunks = rig.samples(
        data_uv, rate_hz, rig.every(rate_hz, seconds), t0_s=t0_s, index0=index
    )
    passing = rig.passing(seconds, t0_s=t0_s)
    return rig.in_order(chunks, rig.triggers(seconds - 0.1, t0_s=t0_s), passing)


def marked(predictions):
    """Return whether each value has the mark of another sender."""
    return ["stream_changed" in p.reasons for p in predictions if p.values is not None]


@pytest.mark.parametrize("stream", ["eeg", "marker"])
def test_every_value_of_another_sender_is_marked(stream):
    pipe, seconds, n = rig.pipeline(), 25.2, round(25.2 * 250)
    described = StreamChanged(rig.stream(250.0))
    parts = []
    for turn, event in enumerate((None, True, False)):
        events = part(rig.T0_S + turn * seconds, turn * n)
        if event is not None:
            events = [SenderChanged(stream, is_other=event), *events]
        if event is None or stream == "eeg":
            events.insert(event is not None, described)
        parts.append([p for e in events for p in pipe.push(e)])
    before, during, after = map(marked, parts)
    assert before
    assert during
    assert after
    assert not any(before)
    assert all(during)
    assert not any(after)
    with_values = [p for p in parts[1] if p.values is not None]
    assert {p.status for p in with_values} == {"degraded"}


@pytest.mark.parametrize("stream", ["eeg", "marker"])
def test_the_mark_stays_until_nothing_of_the_other_sender_is_left(stream):
    pipe = rig.pipeline()
    pipe.push(StreamChanged(rig.stream(250.0)))
    pipe.push(SenderChanged(stream, is_other=True))
    assert all(marked([p for e in part(rig.T0_S, 0) for p in pipe.push(e)]))
    pipe.push(SenderChanged(stream, is_other=False))
    later = part(rig.T0_S + 25.2, 6300, seconds=6.0)
    if stream == "marker":  # no trigger of the known one yet: the old grid flies on
        later = [e for e in later if not isinstance(e, Marker)]
    # of the EEG, the window still holds the other sender's samples
    found = marked([p for e in later for p in pipe.push(e)])
    assert found
    assert all(found)
