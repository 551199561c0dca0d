"""Real LabRecorder, real LSL: what was sent is what is in the file.

LabRecorder takes 5 s to end, so the scenarios run side by side; each test is the
result of one.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
import psutil
import pylsl
import pytest
import pyxdf

from rtbold.acquire.streams import LslClock
from rtbold.errors import RtboldError
from rtbold.files.read import read_recording
from rtbold.messages import (
    Channel,
    EegChunk,
    StreamChanged,
    StreamDescription,
    TimePassed,
)
from rtbold.record.events_log import EventLogWriter
from rtbold.record.events_read import session_events
from rtbold.record.folder import NOTE_NAME, SessionPaths, open_session_folder
from rtbold.record.left_over import (
    end_left_over,
    find_left_over,
    read_note,
    wait_for_end,
)
from rtbold.record.recorder import Recorder
from rtbold.record.run import RecordingRun
from rtbold.sim.outlets import EegOutletSettings, open_eeg_outlet

pytestmark = pytest.mark.integration

RATE_HZ = 250.0
CHANNELS = (
    *(Channel(label, "uV") for label in ("Fp1", "Fp2", "Cz", "Pz", "O1", "O2", "T7")),
    Channel("STI", "", "trigger"),
)
N_CHANNELS = len(CHANNELS)


class Source:
    """An EEG outlet that sends counted samples from a thread, and remembers them."""

    def __init__(self, name, simulated=False):
        settings = EegOutletSettings(
            name, CHANNELS, RATE_HZ, reference="FCz", simulated=simulated
        )
        self.outlet = open_eeg_outlet(settings)
        found = []
        end_s = pylsl.local_clock() + 10
        while not (new := [i for i in found if i.uid() not in Source.seen]):
            assert pylsl.local_clock() < end_s, "the outlet is not visible"
            found = pylsl.resolve_byprop("name", name, timeout=1.0)
        (info,) = new
        Source.seen.add(info.uid())
        self.info = info
        self.description = StreamDescription(
            name, "EEG", RATE_HZ, CHANNELS, source_id=info.source_id(), uid=info.uid()
        )
        self.values = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    seen: ClassVar[set] = set()

    def _send(self):
        start_s, n, rng = pylsl.local_clock(), 0, np.random.default_rng(1)
        while not self._stop.wait(0.04):
            values = rng.normal(0, 30, (10, N_CHANNELS)).astype(np.float32)
            n += 10
            t_last_s = start_s + (n - 1) / RATE_HZ
            self.outlet.push_block(values, t_last_s)
            self.values.append(values)

    def close(self):
        self._stop.set()
        self._thread.join()
        sent = np.concatenate(self.values)
        del self.outlet
        return sent


def new_name():
    return f"rec-{uuid.uuid4().hex[:10]}"


def sent_from(sent, values):
    """Return the index in `sent` of the first row of `values`; all must follow."""
    (first,) = np.flatnonzero((sent == values[0]).all(axis=1))
    np.testing.assert_array_equal(sent[first : first + len(values)], values)
    return first


def record_and_read_events(paths):
    name = new_name()
    source = Source(name, simulated=True)
    recorder = Recorder(paths, LslClock())
    recorder.start([source.description])
    inlet = pylsl.StreamInlet(source.info, recover=False)
    log = EventLogWriter(paths.events, LslClock())
    log.append(StreamChanged(source.description))
    seen, index = [], 0
    end_s = pylsl.local_clock() + 4.0
    while pylsl.local_clock() < end_s:
        values, stamps = inlet.pull_chunk(timeout=0.05)
        if stamps:
            data_uv = np.array(values, np.float32).T
            event = EegChunk(data_uv, np.array(stamps), pylsl.local_clock(), index)
            index += len(stamps)
            seen.append(event)
            log.append(
                event, inline_samples=not recorder.covers(source.description.uid)
            )
    assert recorder.covers(source.description.uid)  # settled after two seconds
    assert recorder.state.status in ("recording", "degraded")  # degraded: small disk
    assert recorder.state.n_bytes > 0
    assert log.close().n_lost == 0
    (part,) = recorder.stop()
    inlet.close_stream()
    sent = source.close()
    assert part.whole
    assert not part.forced
    assert recorder.state.status == "stopped"
    assert not (paths.folder / NOTE_NAME).exists()

    (stream,), _ = pyxdf.load_xdf(
        paths.xdf(), synchronize_clocks=False, dejitter_timestamps=False
    )
    assert len(stream["time_series"]) > 3.5 * RATE_HZ
    sent_from(sent, stream["time_series"])
    recording = read_recording(paths.xdf())
    np.testing.assert_array_equal(recording.data_uv, stream["time_series"].T)
    np.testing.assert_array_equal(recording.stamps_s, stream["time_stamps"])
    assert recording.simulated
    assert recording.reference == "FCz"
    assert recording.channels[-1].kind == "trigger"
    recorded = set(recording.stamps_s)  # the inlet's raw stamps are the recorder's
    for event in seen:
        assert recorded.issuperset(t for t in event.t_lsl_s if t >= min(recorded))

    first, *read = session_events(paths.xdf())
    assert first == StreamChanged(source.description)
    assert len(read) == len(seen)
    for got, event in zip(read, seen, strict=True):
        assert got.data_uv.tobytes() == event.data_uv.tobytes()
        assert got.t_lsl_s.tobytes() == event.t_lsl_s.tobytes()
        assert (got.index, got.t_arrived_s) == (event.index, event.t_arrived_s)
    return recording.data_uv.shape[1]


PARENT = """
import sys, time
from pathlib import Path
from rtbold.record.recorder import Recorder
from rtbold.record.run import RecordingRun
from rtbold.record.folder import SessionPaths
from rtbold.messages import StreamDescription
from rtbold.acquire import LslClock
folder, uid = Path(sys.argv[1]), sys.argv[2]
recorder = Recorder(SessionPaths(folder, folder.name), LslClock())
recorder.start([StreamDescription("x", "EEG", 250.0, (), uid=uid)])
sys.stdout.write("recording\\n")
sys.stdout.flush()
time.sleep(60)
"""


def outlive_the_session(paths):
    name = new_name()
    source = Source(name)
    command = [sys.executable, "-c", PARENT, paths.folder, source.description.uid]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "recording\n"
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    n_at_death = len(source.values) * 10
    time.sleep(2.0)  # the recorder goes on alone
    note = paths.folder / NOTE_NAME
    (entry,) = json.loads(note.read_text())
    recorder = psutil.Process(entry["pid"])
    assert recorder.is_running()
    first = read_recording(paths.xdf())  # readable while it is being written
    assert first.data_uv.shape[1] > 0
    assert end_left_over(note) == [entry["pid"]]
    psutil.wait_procs([recorder], timeout=20)
    assert not note.exists()
    assert not os.path.exists(entry["control"])
    sent = source.close()
    recording = read_recording(paths.xdf())
    assert recording.notes == ()
    start = sent_from(sent, recording.data_uv.T)
    return start + recording.data_uv.shape[1] - n_at_death


def come_back_renamed(paths):
    name = new_name()
    recorder = Recorder(paths, LslClock())
    first = Source(name)
    recorder.start([first.description])
    assert not recorder.covers(first.description.uid)  # not before it has settled
    first.close()
    second = Source(name)
    recorder.source_changed(second.description)
    end_s = pylsl.local_clock() + 15.0
    while not recorder.covers(second.description.uid):
        assert pylsl.local_clock() < end_s, recorder.state
        time.sleep(0.1)
    assert recorder.state.n_parts == 2
    parts = recorder.stop()
    sent = second.close()
    assert [part.path for part in parts] == list(paths.xdf_parts)
    assert parts[1].whole
    sent_from(sent, read_recording(paths.xdf(2)).data_uv.T)
    return len(parts)


def kill_the_recorder(paths):
    name = new_name()
    source = Source(name)
    recorder = Recorder(paths, LslClock())
    recorder.start([source.description])
    (entry,) = json.loads((paths.folder / NOTE_NAME).read_text())
    time.sleep(2.0)
    os.kill(entry["pid"], signal.SIGKILL)
    end_s = pylsl.local_clock() + 20.0
    while recorder.state.n_parts < 2 or recorder.state.n_bytes == 0:
        assert pylsl.local_clock() < end_s, recorder.state
        time.sleep(0.1)
    assert recorder.state.status == "degraded"
    end_s = pylsl.local_clock() + 5.0
    while not recorder.covers(source.description.uid):
        assert pylsl.local_clock() < end_s, recorder.state
        time.sleep(0.1)
    recorder.stop()
    sent = source.close()
    for part in paths.xdf_parts:
        sent_from(sent, read_recording(part).data_uv.T)
    return len(paths.xdf_parts)


def pull(inlet, run, index, until_s):
    """Let a run take what an inlet gives until then; return the chunks."""
    seen = []
    while pylsl.local_clock() < until_s:
        values, stamps = inlet.pull_chunk(timeout=0.05)
        run.take(TimePassed(pylsl.local_clock()))
        if stamps:
            data_uv = np.array(values, np.float32).T
            now_s = pylsl.local_clock()
            event = EegChunk(data_uv, np.array(stamps), now_s, index)
            index += len(stamps)
            seen.append(event)
            run.take(event)
    return seen, index


def same_chunks(folder, seen):
    """Every chunk comes back from this folder, bit for bit, without a word."""
    told = []
    events = session_events(folder / "any.xdf", tell=told.append)
    read = [event for event in events if isinstance(event, EegChunk)]
    assert [loss for loss in told if loss.kind != "part"] == []
    assert len(read) == len(seen)
    for got, event in zip(read, seen, strict=True):
        assert got.data_uv.tobytes() == event.data_uv.tobytes()
        assert got.t_lsl_s.tobytes() == event.t_lsl_s.tobytes()


def kill_the_recorder_twice_and_lose_nothing(paths):
    """What LabRecorder had not written is in the event log; the copy has all, too."""
    source = Source(new_name())
    second = paths.folder.with_name("second")
    run = RecordingRun(paths, LslClock(), header={}, copy=second)
    run.start([source.description])
    run.take(StreamChanged(source.description))
    inlet = pylsl.StreamInlet(source.info, recover=False)
    seen, index = pull(inlet, run, 0, pylsl.local_clock() + 4.0)
    for _ in range(2):
        for part in read_note(paths.note):
            os.kill(part.pid, signal.SIGKILL)
        more, index = pull(inlet, run, index, pylsl.local_clock() + 9.0)
        seen += more
    assert "started again" in run.problem
    run.close()
    inlet.close_stream()
    source.close()
    same_chunks(paths.folder, seen)
    (log,) = second.rglob("events.jsonl")
    same_chunks(log.parent, seen)
    for part in paths.xdf_parts:
        assert (log.parent / part.name).read_bytes() == part.read_bytes()
    return len(paths.xdf_parts)


KILLED = """
import sys
from pathlib import Path
import numpy as np, pylsl
from rtbold.acquire import LslClock
from rtbold.messages import EegChunk, StreamChanged, StreamDescription
from rtbold.record.folder import SessionPaths
from rtbold.record.run import RecordingRun
folder, uid = Path(sys.argv[1]), sys.argv[2]
description = StreamDescription("x", "EEG", 250.0, (), uid=uid)
run = RecordingRun(
    SessionPaths(folder, folder.name), LslClock(), header={}, copy=Path(sys.argv[3])
)
run.start([description])
run.take(StreamChanged(description))
(info,) = pylsl.resolve_byprop("uid", uid, timeout=10)
inlet, index = pylsl.StreamInlet(info, recover=False), 0
sys.stdout.write("recording\\n")
sys.stdout.flush()
while True:
    values, stamps = inlet.pull_chunk(timeout=0.05)
    if stamps:
        data_uv, now_s = np.array(values, np.float32).T, pylsl.local_clock()
        run.take(EegChunk(data_uv, np.array(stamps), now_s, index))
        index += len(stamps)
"""


def newest_in(folder):
    """Return the stamp of the newest sample that can be read, and how it was lost."""
    told = []
    events = session_events(folder / "any.xdf", tell=told.append)
    stamps_s = [e.t_lsl_s[-1] for e in events if isinstance(e, EegChunk)]
    assert np.all(np.diff(stamps_s) > 0)
    return stamps_s[-1]


def kill_everything_at_once(paths):
    source = Source("x")
    second = paths.folder.with_name("second-of-killed")
    command = [sys.executable, "-c", KILLED, paths.folder, source.description.uid]
    parent = subprocess.Popen([*command, second], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "recording\n"
    time.sleep(6.0)
    recorders = [psutil.Process(part.pid) for part in read_note(paths.note)]
    everything = [*psutil.Process(parent.pid).children(recursive=True), *recorders]
    killed_s = pylsl.local_clock()
    for process in {psutil.Process(parent.pid), *everything}:
        process.kill()
    parent.wait()
    parent.stdout.close()
    source.close()
    (log,) = second.rglob("events.jsonl")
    return killed_s - newest_in(paths.folder), killed_s - newest_in(log.parent)


def find_a_recorder_of_a_session_that_died(paths):
    source = Source("x")
    command = [sys.executable, "-c", PARENT, paths.folder, source.description.uid]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "recording\n"
    ours = {part.pid for part in read_note(paths.note)}
    assert not ours & {one.process.pid for one in find_left_over()}  # it lives
    watchers = psutil.Process(parent.pid).children()
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    left = [one for one in find_left_over() if one.process.pid in ours]
    assert [one.file for one in left] == [paths.xdf()]
    for one in left:
        one.end()
    wait_for_end(left, timeout_s=30.0)
    source.close()
    assert not paths.note.exists()
    assert read_recording(paths.xdf()).notes == ()  # ended politely: it is whole
    # the watcher of that session has nothing to do any more, and goes
    _, alive = psutil.wait_procs(watchers, timeout=30)
    assert alive == []
    return len(left)


SCENARIOS = (
    record_and_read_events,
    outlive_the_session,
    come_back_renamed,
    kill_the_recorder,
    kill_the_recorder_twice_and_lose_nothing,
    kill_everything_at_once,
    find_a_recorder_of_a_session_that_died,
)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    root = tmp_path_factory.mktemp("recordings")
    with ThreadPoolExecutor(len(SCENARIOS)) as pool:
        yield {
            scenario: pool.submit(scenario, open_session_folder(root, "S01"))
            for scenario in SCENARIOS
        }


def test_a_session_is_recorded_and_its_events_come_back(running):
    assert running[record_and_read_events].result(60) > 3.5 * RATE_HZ


def test_the_recording_outlives_its_session(running):
    assert running[outlive_the_session].result(60) > RATE_HZ


def test_a_source_that_comes_back_renamed_gets_a_part_of_its_own(running):
    assert running[come_back_renamed].result(60) == 2


def test_a_killed_labrecorder_is_replaced(running):
    assert running[kill_the_recorder].result(60) == 2


def test_nothing_is_lost_where_a_recorder_is_killed(running):
    assert running[kill_the_recorder_twice_and_lose_nothing].result(120) == 3


def test_sigkill_of_everything_leaves_all_but_the_last_second_twice(running):
    first_s, second_s = running[kill_everything_at_once].result(120)
    assert first_s < 1.0
    assert second_s < 2.5  # the copy follows the XDF once a second


def test_a_recorder_whose_session_died_is_found_and_ended_politely(running):
    assert running[find_a_recorder_of_a_session_that_died].result(120) == 1


def test_a_stream_that_is_not_there_is_refused_and_nothing_stays(tmp_path):
    paths = open_session_folder(tmp_path, "S01")
    gone = StreamDescription("nobody", "EEG", 250.0, (), uid=str(uuid.uuid4()))
    recorder = Recorder(paths, LslClock())
    with pytest.raises(RtboldError, match=r"nobody.*matched no stream"):
        recorder.start([gone])
    assert not (paths.folder / NOTE_NAME).exists()


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    paths = SessionPaths(tmp_path / "nowhere", "x")
    stream = StreamDescription("any", "EEG", 250.0, (), uid="u")
    with pytest.raises(RtboldError, match="LabRecorder cannot be started"):
        Recorder(paths, LslClock()).start([stream])
