import pytest

from rtbold.clock import HandCrankedClock
from rtbold.messages import StreamDescription
from rtbold.record import recorder
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
