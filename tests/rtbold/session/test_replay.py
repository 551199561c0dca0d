from dataclasses import replace

import numpy as np
import pipeline_rig as rig
import pytest

from rtbold.errors import AmbiguousStream, DataFileError
from rtbold.files.events import find_volume_label, recording_events
from rtbold.files.recording import RecordedMarker, Recording
from rtbold.messages import TimePassed
from rtbold.predict.pipeline import Pipeline, PipelineSettings
from rtbold.window.schedule import ScheduleSettings


def recording(seconds=25.2, rate_hz=250.0, *, extra=()):
    volumes = [
        RecordedMarker("Response/R128", k * rig.TR_S)
        for k in range(int(seconds / rig.TR_S))
    ]
    markers = sorted([*volumes, *extra], key=lambda m: m.t_s)
    return Recording(
        data_uv=rig.eeg(rate_hz, seconds),
        rate_hz=rate_hz,
        channels=rig.stream(rate_hz).channels,
        markers=tuple(markers),
    )


def train(label, every_s):
    return [RecordedMarker(label, k * every_s) for k in range(10)]


def test_the_volume_marker_is_found_by_its_regular_interval():
    blinks = [RecordedMarker("blink", t_s) for t_s in (1.0, 4.0, 4.5, 11.0)]
    assert find_volume_label(recording(extra=blinks), rig.TR_S) == "Response/R128"


def test_two_regular_labels_are_asked_about_and_never_chosen_from():
    with pytest.raises(AmbiguousStream, match="say with --trigger"):
        find_volume_label(recording(extra=train("SyncOn", rig.TR_S)), rig.TR_S)
    named = find_volume_label(
        recording(extra=train("SyncOn", rig.TR_S)), rig.TR_S, "SyncOn"
    )
    assert named == "SyncOn"


def test_a_label_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(DataFileError, match=r"'S128'.*'Response/R128' \(12\)"):
        find_volume_label(recording(), rig.TR_S, "S128")


def test_no_regular_marker_is_an_error():
    with pytest.raises(DataFileError, match=r"no marker comes every 1 s"):
        find_volume_label(recording(), 1.0)


def test_a_recording_gives_what_the_live_session_would_have():
    """Nothing but the arrivals is missing: same windows, same numbers."""
    settings = PipelineSettings(schedule=ScheduleSettings(tr_s=rig.TR_S))
    seconds, rate_hz = 25.2, 250.0
    pipe = Pipeline(rig.card(), rig.RecordingModel(), settings)
    replayed = [
        p
        for event in recording_events(
            recording(seconds, rate_hz), volume_label="Response/R128"
        )
        for p in pipe.push(event)
        if p.values is not None
    ]
    live = rig.run(
        rig.pipeline(),
        rig.stream(rate_hz),
        rig.in_order(
            rig.samples(
                rig.eeg(rate_hz, seconds), rate_hz, rig.every(rate_hz, seconds)
            ),
            rig.triggers(seconds),
            rig.passing(seconds),
        ),
    )
    usable = [p for p in live if p.values is not None]
    assert len(replayed) == len(usable) >= 4
    for a, b in zip(replayed, usable, strict=True):
        assert (a.source_first, a.source_end) == (b.source_first, b.source_end)
        np.testing.assert_array_equal(a.values, b.values)


def test_a_file_whose_stamps_step_back_is_replayed_on():
    """Time goes on; what follows the step is predicted from its own samples."""
    whole = recording(70.0)
    times_s = np.arange(whole.data_uv.shape[1]) / whole.rate_hz
    stamps_s = np.where(times_s >= 20.0, times_s - 5.0, times_s)
    # Markers of a file are placed by sample count, here also on the stepped stamps.
    stepped = replace(whole, stamps_s=stamps_s, markers=())
    events = list(recording_events(stepped, volume_label=None))
    passed = [e.now_lsl_s for e in events if isinstance(e, TimePassed)]
    assert passed == sorted(passed)
    settings = PipelineSettings(
        schedule=ScheduleSettings(tr_s=rig.TR_S, mode="free_run")
    )
    pipe = Pipeline(rig.card(), rig.RecordingModel(), settings)
    found = [p for event in events for p in pipe.push(event)]
    late = [p for p in found if p.values is not None and p.t_end_s > 45]
    assert late
    for p in late:
        assert abs(p.source_end - round(p.t_end_s * whole.rate_hz)) <= 1
