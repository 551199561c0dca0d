"""Real outlets, a real inlet process, faults as they come."""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
import weakref

import numpy as np
import psutil
import pylsl
import pytest

from rtbold.acquire.acquisition import Acquisition, AcquisitionSettings
from rtbold.acquire.streams import StreamQuery, discover
from rtbold.acquire.triggers import TriggerChannel, TriggerStream
from rtbold.clock import MonotonicClock
from rtbold.errors import AmbiguousStream, StreamMismatch, StreamNotFound
from rtbold.messages import ClockOffset, Discontinuity, EegChunk, Marker, StreamChanged

pytestmark = pytest.mark.integration
RATE_HZ = 1000


LEFT = weakref.WeakKeyDictionary()  # events that came after the one waited for


def collect(acquisition, until, limit_s=10.0):
    """Return the events up to the one that `until` accepts; fail at the limit."""
    left = LEFT.setdefault(acquisition, [])
    events, end_s = [], time.monotonic() + limit_s
    while time.monotonic() < end_s:
        left += acquisition.events(0 if left else 0.05)
        while left:
            events.append(left.pop(0))
            if until(events[-1]):
                return events
    kinds = [e for e in events if not isinstance(e, EegChunk)]
    pytest.fail(f"not within {limit_s} s; came: {kinds}, {acquisition.eeg}")


def is_lost(event):
    return isinstance(event, Discontinuity) and event.kind == "lost"


def is_chunk(event):
    return isinstance(event, EegChunk)


def from_index(n):
    return lambda event: isinstance(event, EegChunk) and event.index >= n


def test_samples_arrive_complete_in_order_and_with_their_own_stamps(
    name, send, acquire
):
    sender = send(name)
    acquisition = acquire(name)
    assert acquisition.description.source_id == sender.source_id
    changed, offset, *events = collect(acquisition, from_index(800))
    assert isinstance(changed, StreamChanged)
    assert not changed.description.foreign_clock
    assert isinstance(offset, ClockOffset)
    assert abs(offset.offset_s) < 0.01  # one machine, one clock
    chunks = [e for e in events if is_chunk(e)]
    data = np.concatenate([c.data_uv for c in chunks], axis=1)
    stamps = np.concatenate([c.t_lsl_s for c in chunks])
    numbers = np.arange(data[2, 0], data[2, 0] + data.shape[1])
    np.testing.assert_array_equal(data[2], numbers)
    np.testing.assert_array_equal(data[0], numbers)
    np.testing.assert_array_equal(data[1], (numbers * 1e6).astype(np.float32))
    np.testing.assert_allclose(
        stamps, sender.start_s + numbers / RATE_HZ, rtol=0, atol=1e-6
    )
    index = np.cumsum([0, *(c.data_uv.shape[1] for c in chunks)])
    assert [c.index for c in chunks] == index[:-1].tolist()
    assert all(c.t_arrived_s >= c.t_lsl_s[-1] for c in chunks)
    assert acquisition.eeg.state == "connected"
    assert acquisition.eeg.n_received >= data.shape[1]


def test_two_streams_of_one_name_are_refused(name, send, acquire):
    send(name)
    send(name)
    with pytest.raises(AmbiguousStream, match=f"2 LSL streams fit name '{name}'"):
        acquire(name)


def test_a_stream_that_is_not_there_is_said_so_with_what_is(name, send, acquire):
    send(name)
    with pytest.raises(StreamNotFound, match=f"name 'not-there'(.|\n)*'{name}'"):
        acquire("not-there", wait_s=3.0)  # others answer late on a busy machine


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": (("Cz", "EEG", "furlong"),)}, "'furlong'.*--unit"),
        ({"rate_hz": 100}, "has 100 Hz, expected 200 to 5000 Hz"),
        ({"rate_hz": 0}, "no regular rate"),
    ],
)
def test_a_stream_that_cannot_be_used_is_refused(name, send, acquire, options, message):
    send(name, **options)
    with pytest.raises(StreamMismatch, match=message):
        acquire(name)


def test_a_restart_under_a_new_source_id_is_followed(name, send, acquire):
    first = send(name)
    acquisition = acquire(name)
    collect(acquisition, from_index(200))
    first.close()
    before = collect(acquisition, is_lost)
    held = [e for e in before if is_chunk(e)]
    # Back with its channels in another order: described anew before any sample.
    second = send(name, order=-1)
    back_s = time.monotonic()
    events = collect(acquisition, is_chunk)
    assert time.monotonic() - back_s < 3.0 + 1.0  # 1 s for a busy machine
    changed = next(e for e in events if isinstance(e, StreamChanged))
    assert changed.description.source_id == second.source_id
    assert [c.label for c in changed.description.channels] == ["IDX", "Pz", "Cz"]
    kinds = [type(e) for e in events if type(e) in (StreamChanged, Discontinuity)]
    assert kinds == [StreamChanged, Discontinuity]
    assert events.index(changed) < len(events) - 1
    np.testing.assert_array_equal(
        events[-1].data_uv[1], (events[-1].data_uv[0] * 1e6).astype(np.float32)
    )
    if held:
        assert events[-1].index == held[-1].index + held[-1].data_uv.shape[1]
    assert acquisition.eeg.n_lost == 1
    assert acquisition.eeg.n_starts == 1


def test_silence_is_a_stall_and_ends_by_itself(name, send, acquire):
    sender = send(name)
    acquisition = acquire(name)
    collect(acquisition, from_index(100))
    sender.paused.set()
    collect(acquisition, is_lost, limit_s=3.0)
    assert acquisition.eeg.state == "stalled"
    sender.paused.clear()
    events = collect(acquisition, is_chunk, limit_s=5.0)
    assert Discontinuity("resumed") in events


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["kill", "hang"])
def test_a_dead_or_hung_inlet_process_is_replaced(name, send, acquire, how):
    send(name)
    acquisition = acquire(name)
    first = [e for e in collect(acquisition, from_index(200)) if is_chunk(e)]
    pid = acquisition.eeg.pid
    os.kill(pid, how)
    until_lost = collect(acquisition, is_lost, limit_s=4.0)
    events = collect(acquisition, is_chunk, limit_s=5.0)
    assert acquisition.eeg.n_starts == 2
    assert acquisition.eeg.pid != pid
    assert Discontinuity("resumed") in events
    last = [e for e in first + until_lost if is_chunk(e)][-1]
    assert events[-1].index == last.index + last.data_uv.shape[1]
    assert not psutil.pid_exists(pid)


def test_stamps_of_a_foreign_clock_are_flagged_and_get_no_offset(name, send, acquire):
    send(name, epoch_s=1.7e9)
    events = collect(acquire(name), from_index(100))
    changed = [e for e in events if isinstance(e, StreamChanged)]
    assert changed[-1].description.foreign_clock
    assert not any(isinstance(e, ClockOffset) for e in events)
    assert events[-1].t_lsl_s[0] > 1.6e9  # raw, whatever the clock


def marker_outlet(name):
    info = pylsl.StreamInfo(name, "Markers", 1, 0, "string", uuid.uuid4().hex)
    return pylsl.StreamOutlet(info)


def test_markers_come_with_their_stamps_and_never_on_a_foreign_clock(
    name, send, acquire
):
    send(name)
    outlet = marker_outlet(f"{name}-m")
    source = TriggerStream(StreamQuery(name=f"{name}-m", type="Markers"), label="R1")
    acquisition = acquire(name, trigger=source)
    assert outlet.wait_for_consumers(5)
    stamp_s = pylsl.local_clock()
    outlet.push_sample(["Response/R  1"], stamp_s)
    marker = collect(acquisition, lambda e: isinstance(e, Marker))[-1]
    assert (marker.label, marker.source) == ("R1", "stream")
    assert marker.t_lsl_s == stamp_s
    assert marker.t_arrived_s >= stamp_s
    assert acquisition.marker.n_received == 1
    assert acquisition.marker_description.type == "Markers"
    assert acquisition.refused is None
    # Then its sender's clock turns out to be Unix time: too late to end the session,
    # but one that only begins now refuses it.
    fresh = acquire(name, trigger=source)
    end_s = time.monotonic() + 5
    while fresh.refused is None and time.monotonic() < end_s:
        outlet.push_sample(["R128"], 1.7e9)
        assert not any(isinstance(e, Marker) for e in fresh.events(0.05))
    with pytest.raises(StreamMismatch, match="another clock"):
        raise fresh.refused
    stamp_s = pylsl.local_clock()
    outlet.push_sample(["R1"], stamp_s)
    marker = collect(acquisition, lambda e: isinstance(e, Marker))[-1]
    assert marker.t_lsl_s == stamp_s  # all between were dropped
    assert acquisition.refused is None
    assert "was dropped" in acquisition.marker.problem


def test_a_trigger_channel_marks_the_very_sample(name, send, acquire):
    # Each value is higher than the last: every sample of IDX is a rise.
    send(name)
    acquisition = acquire(name, trigger=TriggerChannel("IDX"))
    events = collect(acquisition, from_index(100))
    events += collect(acquisition, is_chunk)  # the last chunk's markers follow it
    markers = {e.label: e.t_lsl_s for e in events if isinstance(e, Marker)}
    chunk = [e for e in events if is_chunk(e)][-2]
    for value, stamp_s in zip(chunk.data_uv[2], chunk.t_lsl_s, strict=True):
        assert markers[f"{value:.0f}"] == stamp_s


def test_nothing_is_left_behind(name, send):
    send(name)
    threads, me = set(threading.enumerate()), psutil.Process()
    children = {c.pid for c in me.children()}
    acquisition = Acquisition(AcquisitionSettings(query=StreamQuery(name=name)))
    acquisition.start()
    assert {c.pid for c in me.children()} - children == {acquisition.eeg.pid}
    acquisition.close()
    acquisition.close()
    assert acquisition.eeg.state == "closed"
    assert {c.pid for c in me.children()} <= children
    assert set(threading.enumerate()) <= threads


def test_discovery_lists_what_is_there(name, send):
    sender = send(name)
    found = discover(5.0, MonotonicClock(), lambda f: any(s.name == name for s in f))
    stream = next(s for s in found if s.name == name)
    assert (stream.source_id, stream.rate_hz) == (sender.source_id, RATE_HZ)
    assert (stream.n_channels, stream.format) == (3, "double64")


def test_a_killed_session_takes_its_inlet_process_with_it(name, send):
    send(name)
    script = (
        "import sys, time\n"
        "from rtbold.acquire import Acquisition, AcquisitionSettings, StreamQuery\n"
        f"a = Acquisition(AcquisitionSettings(query=StreamQuery(name={name!r})))\n"
        "a.start(); print(a.eeg.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as p:
        pid = int(p.stdout.readline())
        inlet = psutil.Process(pid)
        p.kill()
    gone, _ = psutil.wait_procs([inlet], timeout=5)
    assert gone == [inlet]
