import json

import numpy as np
import pytest

from rtbold.errors import DataFileError
from rtbold.messages import EegChunk, Marker
from rtbold.preflight import rehearse as recording


def chunk(n):
    return EegChunk(np.zeros((2, n), np.float32), np.zeros(n), 0.0, 0)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "sub-S01" / "run-02"
    folder.mkdir(parents=True)
    (folder / "x_eeg.xdf").write_bytes(b"x" * 100)
    (folder / "events.jsonl").write_bytes(b"y" * 50)
    return folder


def test_what_the_session_saw_is_counted(tmp_path, run, monkeypatch):
    old = tmp_path / "run-01_eeg.xdf"
    old.touch()
    events = [chunk(10), Marker("R128", 0.0, 0.0), chunk(5)]
    monkeypatch.setattr(recording, "session_events", lambda _: iter(events))
    (run / "x_eeg_part-02.xdf").touch()
    found = recording.look_at(tmp_path, {old})
    assert (found.n_samples, found.n_markers, found.n_parts) == (15, 1, 2)
    assert (found.n_bytes, found.problem) == (150, "")
    assert found.free_bytes > 0


def test_samples_that_are_not_the_sessions_are_a_problem(tmp_path, run, monkeypatch):
    def events(_):
        yield chunk(10)
        raise DataFileError("the samples 10 to 19 are not in the recorded XDF")

    monkeypatch.setattr(recording, "session_events", events)
    assert "10 to 19" in recording.look_at(tmp_path, set()).problem


def test_no_event_log_is_a_problem(tmp_path, run, monkeypatch):
    monkeypatch.setattr(recording, "session_events", lambda _: None)
    assert "no event log" in recording.look_at(tmp_path, set()).problem


def test_no_recording_is_a_problem(tmp_path, run):
    before = recording.recordings(tmp_path)
    assert recording.look_at(tmp_path, before).problem == (
        "0 new recordings are in it, expected one"
    )


def test_recorders_that_were_left_are_ended_once(tmp_path, run):
    note = run / "recorder.json"
    note.write_text(json.dumps([{"pid": 2**22 + 1, "file": "x", "control": ""}]))
    recording.end_recorders(tmp_path, recording.recordings(tmp_path))
    assert note.exists()  # of another session
    recording.end_recorders(tmp_path, set())
    assert not note.exists()
