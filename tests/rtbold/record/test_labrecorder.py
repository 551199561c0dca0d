import re
import shutil
from pathlib import Path

import pytest

from rtbold.clock import HandCrankedClock
from rtbold.distribution import pip_install
from rtbold.errors import RtboldError
from rtbold.messages import Channel, StreamDescription
from rtbold.record import labrecorder, recorder
from rtbold.record.folder import open_session_folder
from rtbold.record.labrecorder import StoppedPart, find_labrecorder, predicate
from rtbold.record.recorder import Recorder


def stream(name="amp", **given):
    return StreamDescription(name, "EEG", 250.0, (Channel("Cz"),), **given)


def test_the_bundled_program_is_found():
    assert "LabRecorderCLI" in find_labrecorder().name


def test_without_the_package_the_path_is_searched(monkeypatch):
    monkeypatch.setattr(labrecorder, "find_spec", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda _: "/opt/LabRecorderCLI")
    assert find_labrecorder() == Path("/opt/LabRecorderCLI")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(RtboldError, match=re.escape(pip_install("record"))):
        find_labrecorder()


def test_a_stream_is_picked_by_its_uid_if_it_is_known():
    assert predicate(stream(uid="u-1", source_id="s")) == "uid='u-1'"
    by_name = predicate(stream("it's", source_id="s", host="h"))
    assert by_name == """name="it's" and source_id='s' and hostname='h'"""
    with pytest.raises(RtboldError, match="both kinds of quotes"):
        predicate(stream('it\'s "it"'))


class FakeProcess:
    """What a Recorder sees of LabRecorder; files are real."""

    def __init__(self, path, streams, *, log, executable=None):
        self.path, self.streams, self.pid = path, tuple(streams), 1
        self.control_path = None
        self.running, self.collecting, self.missing = True, 0, ()
        self.asked, self.closed = False, False
        path.write_bytes(b"XDF:")
        FakeProcess.made.append(self)

    made: list = []  # noqa: RUF012  emptied by the fixture

    def n_collecting(self):
        return self.collecting

    def ask_to_end(self):
        self.asked = True

    def stop(self, timeout_s):
        self.running, self.closed = False, True
        return StoppedPart(self.path, 4, 1, whole=True, forced=False)

    def still_there(self):
        return tuple(s for s in self.streams if s not in self.missing)


class Disk:
    free = 2**40


@pytest.fixture
def watched(monkeypatch, tmp_path):
    FakeProcess.made.clear()
    monkeypatch.setattr(recorder, "LabRecorderProcess", FakeProcess)
    monkeypatch.setattr(recorder.shutil, "disk_usage", lambda _: Disk)
    clock = HandCrankedClock(100.0)
    made = Recorder(open_session_folder(tmp_path, "S01"), clock)
    made._open_part([stream(uid="u1", source_id="s1"), stream("m", uid="u2")])

    def tick(seconds):
        clock.advance(seconds)
        made._look(clock.now_s())
        return made.state

    return made, FakeProcess.made, tick


def grow(process):
    process.path.write_bytes(process.path.read_bytes() + b"x" * 100)


def test_a_stream_counts_as_recorded_two_seconds_after_its_part_says_so(watched):
    made, (process,), tick = watched
    tick(0.5)
    assert not made.covers("u1")
    process.collecting = 2
    assert tick(0.5).status == "recording"
    assert not made.covers("u1")
    tick(2.0)
    assert made.covers("u1")
    assert made.covers("u2")
    assert not made.covers("u3")


def test_a_new_identity_gets_a_part_and_the_first_goes_on(watched):
    made, processes, tick = watched
    made.source_changed(stream(uid="u9", source_id="s9"))
    tick(0.5)
    assert [p.streams[0].uid for p in processes] == ["u1", "u9"]
    assert processes[1].path.name.endswith("_part-02.xdf")
    made.source_changed(stream(uid="u9", source_id="s9"))  # told twice
    assert tick(0.5).n_parts == 2


def test_the_same_source_reconnects_by_itself_after_a_while(watched):
    made, processes, tick = watched
    processes[0].collecting = 2
    made.source_changed(stream(uid="u8", source_id="s1"))
    tick(0.5)
    assert len(processes) == 1
    assert not made.covers("u8")
    tick(10.0)
    assert made.covers("u8")


def test_other_channels_under_the_same_id_get_a_part_of_their_own(watched):
    made, processes, tick = watched
    other = StreamDescription(
        "amp", "EEG", 250.0, (Channel("Pz"),), source_id="s1", uid="u8"
    )
    made.source_changed(other)
    tick(0.5)
    assert len(processes) == 2


def test_a_part_that_ends_is_replaced_without_what_is_gone(watched):
    _made, processes, tick = watched
    processes[0].running = False
    tick(1.0)
    assert len(processes) == 1  # not at once: it may end at once again
    processes[0].missing = (processes[0].streams[1],)
    state = tick(5.0)
    assert [s.uid for s in processes[1].streams] == ["u1"]
    assert state.status == "degraded"
    assert "started again" in state.message


def test_no_recorder_left_is_a_failure(watched):
    _made, (process,), tick = watched
    process.running = False
    process.missing = process.streams
    state = tick(6.0)
    assert state.status == "failed"
    assert "no recorder is running" in state.message


def test_a_file_that_does_not_grow_is_a_failure(watched):
    made, (process,), tick = watched
    assert tick(1.0).status == "recording"
    state = tick(20.0)
    assert state.status == "failed"
    assert "no EEG comes" in state.message
    assert "disk" not in state.message  # which may have nothing to do with it
    made.samples_came("u1", made._clock.now_s() + 1.0)
    state = tick(1.0)
    assert state.status == "failed"
    assert "disk full" in state.message
    grow(process)
    assert tick(1.0).status == "recording"


def test_a_file_that_vanishes_is_a_failure(watched):
    _made, (process,), tick = watched
    assert tick(1.0).n_bytes == 4
    process.path.unlink()
    state = tick(1.0)
    assert state.status == "failed"
    assert "vanished" in state.message


def test_little_room_is_told(watched, monkeypatch):
    _made, _processes, tick = watched
    monkeypatch.setattr(Disk, "free", 100 * 2**20)
    state = tick(1.0)
    assert state.status == "degraded"
    assert "100 MB" in state.message


@pytest.fixture
def no_room(monkeypatch):
    """Return the attempts to start LabRecorder, which fail, and how to end that."""
    attempts = []

    def refuse(path, streams, **_):
        attempts.append(path)
        raise RtboldError("no room")

    def begin():
        monkeypatch.setattr(recorder, "LabRecorderProcess", refuse)
        return attempts, lambda: monkeypatch.setattr(
            recorder, "LabRecorderProcess", FakeProcess
        )

    return begin


def test_a_change_whose_part_cannot_be_opened_is_tried_again_and_told(watched, no_room):
    made, processes, tick = watched
    attempts, end = no_room()
    made.source_changed(stream(uid="u9", source_id="s9"))
    state = tick(0.5)
    assert state.status == "failed"
    assert "no room" in state.message
    tick(4.0)
    assert len(attempts) == 1  # not in each look
    end()
    state = tick(1.0)
    assert [p.streams[0].uid for p in processes] == ["u1", "u9"]
    assert state.status == "degraded"
    assert "no room" in state.message


def test_a_part_that_cannot_be_replaced_is_tried_again_and_told(watched, no_room):
    _made, processes, tick = watched
    processes[0].running = False
    _attempts, end = no_room()
    assert tick(6.0).status == "failed"
    end()
    assert tick(1.0).n_parts == 1
    state = tick(4.0)
    assert (state.n_parts, state.status) == (2, "degraded")
    assert "started again; amp, m was not recorded all the time" in state.message


def test_a_source_that_changes_without_end_is_recorded_and_what_it_left_is_freed(
    watched,
):
    """Each change once left a LabRecorder and a file handle; after 20 none followed."""
    made, processes, tick = watched
    for n in range(60):
        made.source_changed(stream(uid=f"v{n}", source_id=f"t{n}"))
        for _ in range(40):
            for process in processes:
                process.running = process.running and not process.asked
                if process.running:
                    grow(process)
            state = tick(0.5)
    assert [p.streams[0].uid for p in processes[1:]] == [f"v{n}" for n in range(60)]
    assert len({p.path for p in processes}) == 61
    assert not processes[0].closed  # it still records the markers
    assert [p.closed for p in processes[1:]] == [True] * 59 + [False]
    assert state.status == "recording", state


def test_a_source_that_changes_faster_than_recorders_end_waits_for_one(watched):
    made, processes, tick = watched
    for n in range(30):
        made.source_changed(stream(uid=f"v{n}", source_id=f"t{n}"))
        state = tick(0.5)
    assert len(processes) == recorder._MOST_RUNNING
    assert state.status == "failed"
    assert "12 LabRecorders run already" in state.message
    for _ in range(100):
        for process in processes:
            process.running = process.running and not process.asked
            grow(process)
        state = tick(0.5)
    assert processes[-1].streams[0].uid == "v29"
    assert state.status == "degraded"  # that something was missed stays said


def test_a_source_that_returns_to_its_part_keeps_it(watched):
    made, processes, tick = watched
    processes[0].streams = processes[0].streams[:1]
    made.source_changed(stream(uid="u9", source_id="s9"))
    tick(0.5)
    made.source_changed(stream(uid="u1", source_id="s1"))
    for _ in range(40):
        grow(processes[0])
        tick(0.5)
    assert not processes[0].asked
    assert processes[1].asked
    assert len(processes) == 2


def test_what_a_dead_recorder_held_is_freed(watched):
    _made, processes, tick = watched
    processes[0].running = False
    tick(6.0)
    for _ in range(2):
        tick(0.5)
    assert processes[0].closed


def test_a_file_that_stands_still_while_eeg_comes_is_told_soon(watched):
    made, (process,), tick = watched
    process.collecting = 2
    for _ in range(6):
        grow(process)
        made.samples_came("u1", made._clock.now_s() + 0.5)
        tick(0.5)
    assert made.covers("u1")
    for _ in range(9):
        made.samples_came("u1", made._clock.now_s() + 0.5)
        state = tick(0.5)
    assert state.status == "failed"
    assert "has not grown for 4 s" in state.message
    assert not made.covers("u1")  # the event log holds the samples itself now


def test_a_full_disk_is_told_at_once(watched, monkeypatch):
    _made, _processes, tick = watched
    monkeypatch.setattr(Disk, "free", 0)
    state = tick(0.5)
    assert state.status == "failed"
    assert "the disk is full" in state.message


def test_once_there_is_room_again_a_new_part_records_on(watched, monkeypatch):
    """LabRecorder writes nothing any more once a disk was full, and does not end."""
    made, processes, tick = watched
    monkeypatch.setattr(Disk, "free", 0)
    for _ in range(60):
        made.samples_came("u1", made._clock.now_s() + 0.5)
        tick(0.5)
    assert len(processes) == 1
    monkeypatch.setattr(Disk, "free", 2**40)
    made.samples_came("u1", made._clock.now_s() + 0.5)
    tick(0.5)
    assert [p.streams[0].uid for p in processes] == ["u1", "u1"]
    assert processes[0].asked
    grow(processes[1])
    state = tick(0.5)
    assert (state.status, state.n_parts) == ("degraded", 2)


def test_nothing_counts_as_recorded_by_a_dead_process(watched):
    made, processes, tick = watched
    processes[0].collecting = 2
    made.source_changed(stream(uid="u8", source_id="s1"))
    tick(0.5)
    tick(10.0)
    assert made.covers("u2")
    assert made.covers("u8")
    processes[0].running = False
    tick(0.5)
    assert not made.covers("u2")
    assert not made.covers("u8")
    assert [s.uid for s in processes[1].streams] == ["u8", "u2"]  # as it is now


def test_a_disk_that_does_not_answer_is_told(watched, monkeypatch):
    """A look at the files of a dead network drive does not come back."""
    made, (process,), tick = watched
    process.collecting = 2
    for _ in range(6):
        grow(process)
        tick(0.5)
    monkeypatch.setattr(made._thread, "is_alive", lambda: True)
    made._looked_s = made._clock.now_s()
    assert made.state.status == "recording"
    assert made.covers("u1")
    made._clock.advance(6.0)
    assert made.state.status == "failed"
    assert "the disk has not answered for 6 s" in made.state.message
    assert not made.covers("u1")


class Cranked(HandCrankedClock):
    """Goes on when somebody sleeps; at each step `happens` is told the time."""

    happens = staticmethod(lambda t_s: None)

    def sleep_until(self, t_s):
        self.advance(max(0.0, t_s - self.now_s()))
        self.happens(self.now_s() - 100.0)


class SlowProcess(FakeProcess):
    """LabRecorder on a machine that is busy with something else."""

    def __init__(self, path, streams, *, log, executable=None):
        super().__init__(path, streams, log=log)
        self.said, self._log = "", log

    def output(self):
        return self.said

    def not_collecting(self):
        return tuple(s.name for s in self.streams[self.collecting :])


@pytest.fixture
def starting(monkeypatch, tmp_path):
    """Start a recorder of two streams; return it, or its error."""
    FakeProcess.made.clear()
    monkeypatch.setattr(recorder, "LabRecorderProcess", SlowProcess)
    monkeypatch.setattr(recorder.WatcherProcess, "start", lambda _: None)

    def start(happens):
        clock = Cranked(100.0)

        def step(t_s):
            *_, process = FakeProcess.made
            happens(process, t_s)
            process._log.write_text(process.said)

        clock.happens = step
        made = Recorder(open_session_folder(tmp_path, "S01"), clock)
        monkeypatch.setattr(made._thread, "start", lambda: None)
        made.start([stream(uid="u1"), stream("m", uid="u2")])
        return clock.now_s() - 100.0

    return start


def test_a_slow_start_is_waited_for_while_it_makes_progress(starting):
    """It was given 20 s in all, which a loaded machine did not keep."""

    def happens(process, t_s):
        process.said = "." * int(t_s // 40)
        process.collecting = int(t_s // 60)

    assert 119 < starting(happens) < 121


def test_a_start_without_a_sign_of_life_says_what_it_waits_for(starting):
    def happens(process, t_s):
        process.collecting = 1
        process.said = "Started data collection for stream amp."

    with pytest.raises(RtboldError, match=r"record \['m'\] within 60 s") as told:
        starting(happens)
    assert "rtbold streams" in str(told.value)
    assert "too busy" in str(told.value)


def give_up(process):
    process.running, process.missing = False, process.streams[:1]
    process.said = "matched no stream"


def test_a_stream_that_was_not_found_is_looked_for_again(starting):
    """With seven recorders at once one of them missed a stream that was there."""

    def happens(process, t_s):
        if len(FakeProcess.made) < 3:
            give_up(process)
        else:
            process.collecting = 2

    starting(happens)
    assert [p.closed for p in FakeProcess.made] == [True, True, False]
    assert len({p.path for p in FakeProcess.made}) == 1


def test_a_stream_that_is_never_found_is_told_after_three_starts(starting):
    def happens(process, t_s):
        give_up(process)

    with pytest.raises(RtboldError, match="ended before it recorded"):
        starting(happens)
    assert [p.closed for p in FakeProcess.made] == [True] * 3


def test_a_recorder_that_ends_for_another_reason_is_not_started_again(starting):
    def happens(process, t_s):
        process.running = False

    with pytest.raises(RtboldError, match="ended before it recorded"):
        starting(happens)
    assert len(FakeProcess.made) == 1


def test_a_start_does_not_wait_for_ever_for_one_that_only_talks(starting):
    def happens(process, t_s):
        process.said = "." * int(t_s)

    with pytest.raises(RtboldError, match=r"\['amp', 'm'\] within 180 s"):
        starting(happens)


def test_one_that_ends_is_not_waited_for(starting):
    def happens(process, t_s):
        process.running = t_s < 3

    with pytest.raises(RtboldError, match=r"ended before it recorded \['amp', 'm'\]"):
        starting(happens)


def test_a_part_that_its_eeg_has_left_is_not_stalled(watched):
    """Its markers stay in LabRecorder's buffer: once that was "is the disk full?"."""
    made, processes, tick = watched
    processes[0].streams = [
        *processes[0].streams[:1],
        StreamDescription("m", "Markers", 0.0, (Channel("m"),), uid="m1"),
        StreamDescription("rtbold-pred", "BOLD", 0.476, (Channel("a"),)),
    ]
    made.source_changed(stream(uid="u9", source_id="s9"))
    for _ in range(60):
        grow(processes[-1])
        state = tick(0.5)
    assert state.status == "recording", state
    assert len(processes) == 2
    assert not made.covers("m1")  # the event log holds them itself
    for _ in range(40):  # a part that is not left is told as before
        state = tick(0.5)
    assert "has not grown" in state.message
