"""A session is killed, its LabRecorder goes on; the next session finds and ends it.

It used to go on unseen, and to record the predictions of the next session as its own.
"""

import os
import signal
import time

import psutil
import pytest
from loop import END_S, PATIENCE_S, Listener, free_ports, new_name, session, twin

from rtbold.bundle.store import load
from rtbold.files.xdf import load_streams, walk
from rtbold.record.left_over import read_note

pytestmark = [pytest.mark.integration, pytest.mark.realtime]
SECONDS = 12.0


def recorded(process, root, limit_s=PATIENCE_S):
    """Wait until the newest session below `root` records; return folder and note."""
    end_s = time.monotonic() + limit_s
    while not (notes := list(root.rglob("recorder.json"))):
        assert process.running, process.said()
        assert time.monotonic() < end_s, process.said()
        time.sleep(0.1)
    return notes[0].parent, read_note(notes[0])


def test_the_next_session_ends_it_and_none_of_its_predictions_get_in(tmp_path):
    name, ports, bundle = new_name("orphan"), free_ports(), load("demo")
    root = tmp_path / "rec"
    with twin(name, duration_s=4 * PATIENCE_S, rate=250):
        with (
            Listener(ports[0], ("pred.roi", "log")) as listener,
            session(bundle, name, ports, record=root) as first,
        ):
            assert listener.until(lambda heard: heard.of("pred.roi")[3:], PATIENCE_S)
            folder, parts = recorded(first, root)
            os.kill(first.pid, signal.SIGKILL)
            first.wait(10)
        (orphan,) = (psutil.Process(part.pid) for part in parts)
        assert orphan.is_running()
        with (
            Listener(ports[0], ("pred.roi", "log")) as listener,
            session(bundle, name, ports, record=root, duration=SECONDS) as second,
        ):
            listener.while_running(second, 2 * PATIENCE_S + SECONDS)
            words = second.said()
            assert second.wait(END_S) == 0, words
        told = [m["text"] for m in listener.of("log") if "LabRecorder" in m["text"]]
        said = [line for line in words.splitlines() if "LabRecorder" in line]
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
    assert "of a session that has died still records into" in said[0]
    assert said[0].endswith("it was asked to end")
    assert len(told) <= 1  # a subscriber may have come later
    assert not (folder / "recorder.json").exists()
    (old,) = folder.glob("*.xdf")
    assert walk(old).whole  # it ended politely
    begun_s = listener.of("pred.roi")[0]["window"]["t_end"]
    (mirrored,) = (
        s for s in load_streams(old)[0] if s.description.name == "rtbold-pred"
    )
    assert len(mirrored.stamps_s)
    assert mirrored.stamps_s.max() < begun_s
