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
from rtbold.messages import Channel, EegChunk, StreamChanged, StreamDescription
from rtbold.record.events_log import EventLogWriter
from rtbold.record.events_read import session_events
from rtbold.record.folder import NOTE_NAME, SessionPaths, open_session_folder
from rtbold.record.left_over import end_left_over
from rtbold.record.recorder import Recorder
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


SCENARIOS = (
    record_and_read_events,
    outlive_the_session,
    come_back_renamed,
    kill_the_recorder,
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
