import os

import psutil
import pytest

from rtbold.clock import HandCrankedClock
from rtbold.messages import StreamDescription
from rtbold.record import left_over, watcher
from rtbold.record.left_over import (
    LeftOver,
    RunningPart,
    SessionProcess,
    end_left_over,
    find_left_over,
    read_note,
    this_session,
    write_note,
)

DEAD = SessionProcess(pid=2**22 + 1, created_s=1.0)  # above every process id


class Fake:
    """A process that looks like LabRecorder."""

    def __init__(self, file, pid=77, parent=()):
        self.pid, self.file, self.words = pid, file, parent
        self.terminated = False

    def cmdline(self):
        return ["LabRecorderCLI", str(self.file), "uid='u1'"]

    def parent(self):
        return None if self.words == () else self

    def terminate(self):
        self.terminated = True


def part(file, session, *, control="", pid=77):
    return RunningPart(pid=pid, file=str(file), control=control, session=session)


@pytest.fixture
def running(monkeypatch):
    def run(*processes):
        monkeypatch.setattr(left_over, "_recorders", lambda: iter(processes))

    return run


@pytest.fixture
def xdf(tmp_path):
    (tmp_path / "events.jsonl").write_text("")
    return tmp_path / "x_eeg.xdf"


def test_a_recorder_whose_session_died_is_found_by_its_note(running, xdf):
    running(Fake(xdf))
    write_note(xdf.with_name("recorder.json"), [part(xdf, DEAD)])
    (found,) = find_left_over()
    assert found.file == xdf
    assert f"still records into {xdf}" in str(found)


def test_it_concerns_a_session_with_a_stream_or_a_folder_of_its_own(running, xdf):
    running(Fake(xdf))
    (found,) = find_left_over()
    ours = StreamDescription("amp", "EEG", 250.0, (), uid="u1")
    others = StreamDescription("amp", "EEG", 250.0, (), uid="u2", source_id="s2")
    assert found.concerns([others, ours], None)
    assert not found.concerns([others], None)
    assert found.concerns([others], xdf.parent.parent)
    assert not found.concerns([others], xdf.parent / "below")


def test_the_recorder_of_a_session_that_runs_is_left_alone(running, xdf):
    running(Fake(xdf))
    write_note(xdf.with_name("recorder.json"), [part(xdf, this_session())])
    assert find_left_over() == []


def test_a_process_id_that_was_used_again_is_no_session(running, xdf):
    running(Fake(xdf))
    again = SessionProcess(os.getpid(), created_s=1.0)
    write_note(xdf.with_name("recorder.json"), [part(xdf, again)])
    assert len(find_left_over()) == 1


def test_a_clock_that_was_set_closes_no_recording_of_a_session_that_runs(running, xdf):
    """Times of processes are counted from a start of the system that moves with it."""
    process = Fake(xdf, parent=("python",))
    process.parent = psutil.Process
    running(process)
    moved = SessionProcess(os.getpid(), this_session().created_s + 1.0)
    write_note(xdf.with_name("recorder.json"), [part(xdf, moved)])
    assert find_left_over() == []


def test_a_folder_that_cannot_be_looked_into_is_somebodys_own(running, xdf):
    """As another user's are; a name that is too long fails in the same way."""
    running(Fake(xdf.parent / ("x" * 5000) / "x_eeg.xdf"), Fake(xdf))
    (found,) = find_left_over()
    assert found.file == xdf


class Of(Fake):
    """A recorder of some user."""

    def __init__(self, file, user):
        super().__init__(file)
        self.user = user

    def name(self):
        return "LabRecorderCLI"

    def status(self):
        return psutil.STATUS_SLEEPING

    def username(self):
        return self.user


def test_recorders_of_other_users_are_left_alone(monkeypatch, xdf):
    mine = Of(xdf, psutil.Process().username())
    everybody = [Of(xdf, "somebody else"), mine]
    monkeypatch.setattr(left_over.psutil, "process_iter", lambda: iter(everybody))
    assert [found.process for found in find_left_over()] == [mine]


def test_without_a_note_the_events_beside_it_tell_that_it_is_ours(running, xdf):
    """The disk was full when it was written, or somebody removed it."""
    running(Fake(xdf))
    assert len(find_left_over()) == 1


def test_somebodys_own_labrecorder_is_left_alone(running, tmp_path):
    running(Fake(tmp_path / "own.xdf"))
    assert find_left_over() == []


def test_a_note_of_an_earlier_version_is_read(running, xdf):
    running(Fake(xdf))
    note = xdf.with_name("recorder.json")
    note.write_text(f'[{{"pid": 77, "file": "{xdf}", "control": ""}}]')
    assert read_note(note)[0].session is None
    assert len(find_left_over()) == 1


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"pid": "x"}]'])
def test_a_note_that_is_none_lists_nothing(tmp_path, text):
    note = tmp_path / "recorder.json"
    note.write_text(text)
    assert read_note(note) == []
    assert end_left_over(note) == []
    assert not note.exists()


def test_one_that_cannot_be_asked_is_terminated(xdf):
    process = Fake(xdf)
    LeftOver(process, xdf, None).end()
    assert process.terminated
    process = Fake(xdf)
    LeftOver(process, xdf, xdf.with_name("gone-fifo")).end()
    assert process.terminated


def test_a_note_is_whole_at_every_moment_and_its_owners(tmp_path):
    note = tmp_path / "recorder.json"
    write_note(note, [part("a", DEAD)])
    write_note(note, [part("b", DEAD)])
    assert read_note(note)[0].file == "b"
    assert [f.name for f in tmp_path.iterdir()] == ["recorder.json"]


class Cranked(HandCrankedClock):
    """A clock that goes on when somebody sleeps; at each step something happens."""

    def __init__(self, happens):
        super().__init__(100.0)
        self.happens = happens

    def sleep_until(self, t_s):
        self.advance(max(0.0, t_s - self.now_s()))
        self.happens(self.now_s() - 100.0)


@pytest.fixture
def watched(monkeypatch, xdf):
    note, ended = xdf.with_name("recorder.json"), []
    write_note(note, [part(xdf, DEAD)])
    xdf.write_bytes(b"XDF:")
    monkeypatch.setattr(watcher, "end_left_over", ended.append)
    return note, ended


def test_a_recorder_goes_on_while_its_file_grows(watched, xdf):
    """An amplifier sends on after the session has died."""
    note, ended = watched
    runs = [True]

    def happens(t_s):
        if t_s < 600:
            xdf.write_bytes(xdf.read_bytes() + 2000 * b"x")
        assert t_s < 600 + watcher.GONE_S or ended == [note]
        runs[0] = t_s < 2000

    clock = Cranked(happens)
    watcher.watch(note, clock, runs=lambda _: runs[0])
    assert ended == [note]
    assert 600 + watcher.GONE_S - 20 <= clock.now_s() - 100 <= 600 + watcher.GONE_S + 20


def test_a_trigger_box_alone_keeps_no_recorder_alive(watched, xdf):
    """Its clock offsets and markers are a few bytes; the amplifier is off."""
    note, ended = watched

    def happens(t_s):
        xdf.write_bytes(xdf.read_bytes() + 300 * b"x")  # in 5 s
        assert t_s < 2 * watcher.GONE_S or ended

    clock = Cranked(happens)
    watcher.watch(note, clock, runs=lambda _: True)
    assert ended == [note]


def test_a_watcher_ends_when_the_next_session_has_ended_the_recorder(watched):
    note, ended = watched
    clock = Cranked(lambda t_s: note.unlink() if t_s == watcher.LOOK_S else None)
    watcher.watch(note, clock, runs=lambda _: True)
    assert ended == []
    assert clock.now_s() - 100 == watcher.LOOK_S


def test_a_recorder_does_not_fill_the_disk(watched, monkeypatch):
    note, ended = watched
    monkeypatch.setattr(watcher, "LEAST_FREE_BYTES", 2**70)
    watcher.watch(note, Cranked(lambda _: None), runs=lambda _: True)
    assert ended == [note]


def test_a_process_that_is_none_does_not_run():
    assert not DEAD.alive
    assert this_session().alive
    assert not watcher._runs(part("x", DEAD, pid=DEAD.pid))
    assert isinstance(psutil.Process().pid, int)
