import json

import msgspec
import numpy as np
import pytest

from rtbold.clock import HandCrankedClock
from rtbold.messages import EegChunk, StreamChanged, StreamDescription, TimePassed
from rtbold.record import recorder
from rtbold.record.events_read import session_events
from rtbold.record.folder import open_session_folder
from rtbold.record.labrecorder import StoppedPart
from rtbold.record.run import RecordingRun

STREAM = StreamDescription("amp", "EEG", 250.0, (), uid="u1")


class Process:
    """A LabRecorder that never begins to collect."""

    running, pid, control_path = True, 1, None
    made: list = []  # noqa: RUF012  emptied by the test

    def __init__(self, path, streams, *, log, executable=None):
        self.path, self.streams = path, tuple(streams)
        Process.made.append(self)

    def n_collecting(self):
        return 0

    def output(self):
        return ""

    def not_collecting(self):
        return tuple(stream.name for stream in self.streams)

    def ask_to_end(self):
        self.running = False

    def stop(self, timeout_s):
        return StoppedPart(self.path, 0, 0, whole=False, forced=False)


class InterruptedClock(HandCrankedClock):
    interrupts = 1

    def sleep_until(self, t_s):
        if self.interrupts:
            self.interrupts = 0
            raise KeyboardInterrupt
        super().sleep_until(t_s)


def test_a_start_that_is_interrupted_leaves_no_recorder(monkeypatch, tmp_path):
    Process.made.clear()
    monkeypatch.setattr(recorder, "LabRecorderProcess", Process)
    paths = open_session_folder(tmp_path, "S01")
    run = RecordingRun(paths, InterruptedClock(), header={})
    with pytest.raises(KeyboardInterrupt):
        run.start([STREAM])
    assert Process.made[0].running
    assert "is not whole" in run.close()
    assert not Process.made[0].running


def test_a_new_marker_stream_is_told_to_the_recorder_only(monkeypatch, tmp_path):
    run = RecordingRun(
        open_session_folder(tmp_path, "S01"), HandCrankedClock(), header={}
    )
    told = []
    monkeypatch.setattr(run._recorder, "source_changed", told.append)
    run.marker_changed(STREAM)
    run.close()
    assert told == [STREAM]


@pytest.fixture
def opened(monkeypatch, tmp_path):
    """Return how to open a run whose recorder covers what the test says."""
    covered = {"u1": True}

    def open_run(**options):
        paths = open_session_folder(tmp_path / "first", "S01")
        run = RecordingRun(paths, HandCrankedClock(), header={}, **options)
        monkeypatch.setattr(
            run._recorder, "covers", lambda uid: covered.get(uid, False)
        )
        run.take(StreamChanged(STREAM))
        return run

    return open_run, covered


def chunk(n, t_s):
    data_uv = np.full((2, 4), n, np.float32)
    return EegChunk(data_uv, t_s + np.arange(4.0) / 250, t_s, 4 * n)


def came_back(folder):
    events = session_events(folder / "none.xdf", tell=lambda _: None)
    return [event.index // 4 for event in events if isinstance(event, EegChunk)]


def test_the_newest_samples_are_kept_for_the_moment_in_which_a_recorder_dies(opened):
    """It had not written its last half second, and its death is noticed later."""
    open_run, covered = opened
    run = open_run()
    for n in range(100):
        run.take(chunk(n, 0.2 * n))
    covered.clear()
    run.take(TimePassed(20.1))
    run.take(chunk(100, 20.2))
    covered["u1"] = True
    run.take(chunk(101, 20.4))
    run.close()
    assert came_back(run.paths.folder) == list(range(49, 101))


def test_nothing_is_written_twice_while_a_recorder_works(opened):
    open_run, _ = opened
    run = open_run()
    for n in range(100):
        run.take(chunk(n, 0.2 * n))
    run.close()
    text = run.paths.events.read_text()
    assert '"data"' not in text


def test_a_copy_holds_events_and_samples_too(opened, tmp_path):
    open_run, covered = opened
    covered.clear()
    run = open_run(copy=tmp_path / "second")
    run.take(chunk(3, 1.0))
    assert run.close() == ""
    (log,) = (tmp_path / "second").rglob("events.jsonl")
    assert log.read_bytes() == run.paths.events.read_bytes()
    assert came_back(log.parent) == [3]


def test_a_copy_that_fails_never_disturbs_the_first(opened, tmp_path):
    open_run, covered = opened
    covered.clear()
    (tmp_path / "file").write_text("")
    run = open_run(copy=tmp_path / "file")
    run.take(chunk(3, 1.0))
    assert "copy: cannot be made" in run.problem
    assert "copy: cannot be made" in run.close()
    assert came_back(run.paths.folder) == [3]


class Said(msgspec.Struct, frozen=True):
    """A message as the feed's."""

    session: str = "uuid"
    seq: int = 3
    values: tuple[float, ...] = (0.1, 2.0)


def test_what_went_out_is_kept_without_the_envelope(opened):
    open_run, _ = opened
    run = open_run()
    run.published("pred.roi", Said())
    run.close()
    header, line = run.paths.published.read_text().splitlines()
    assert json.loads(header)["type"] == "header"
    assert json.loads(line) == {"topic": "pred.roi", "values": [0.1, 2.0]}
