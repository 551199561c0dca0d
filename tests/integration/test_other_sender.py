"""Senders of one name, on real LSL: whose samples a session gets, and what it is told.

Each sender's EEG says whose it is: the numbers of the other ones begin far above.
"""

import os
import signal
import subprocess
import sys
import time

import pylsl
import pytest

from rtbold.acquire.bold import LslVolumes
from rtbold.acquire.streams import StreamQuery
from rtbold.acquire.triggers import TriggerStream
from rtbold.messages import Discontinuity, EegChunk, Marker, SenderChanged

pytestmark = [pytest.mark.integration, pytest.mark.realtime]  # it waits
CHANNELS = (("Cz", "EEG", "uV"),)
ABOVE = 1e6  # of the second sender; the third is at twice that
PATIENCE_S = 12.0


def heard(acquisition, until, limit_s=PATIENCE_S):
    """Return the events up to those that `until` accepts; fail at the limit."""
    events, end_s = [], time.monotonic() + limit_s
    while time.monotonic() < end_s:
        events += acquisition.events(0.05)
        if until(events):
            return events
    said = [e for e in events if not isinstance(e, EegChunk)]
    pytest.fail(f"not within {limit_s} s; came: {said}, {acquisition.eeg}")


def for_(seconds):
    end_s = time.monotonic() + seconds
    return lambda _: time.monotonic() > end_s


def whose(events):
    """Return from which senders samples came, by number, in order."""
    numbers = [
        int(value // ABOVE)
        for e in events
        if isinstance(e, EegChunk)
        for value in (e.data_uv[0].min(), e.data_uv[0].max())
    ]
    return [n for i, n in enumerate(numbers) if i == 0 or n != numbers[i - 1]]


def changes(events):
    return [e.is_other for e in events if isinstance(e, SenderChanged)]


def samples_of(number):
    return lambda events: whose(events)[-1:] == [number]


@pytest.fixture
def first(name, send, acquire):
    """A known sender that flows, and who listens to it."""
    sender = send(name, source_id="first")
    acquisition = acquire(name)
    heard(acquisition, samples_of(0))
    return sender, acquisition


@pytest.mark.parametrize("source_id", ["second", "first", ""])
def test_a_stall_is_no_reason_to_take_another(name, send, first, source_id):
    sender, acquisition = first
    send(name, source_id=source_id, above=ABOVE)
    heard(acquisition, for_(1.0))
    sender.paused.set()
    stalled = heard(acquisition, for_(5.0))
    assert Discontinuity("lost") in stalled
    assert "1 other stream is there" in acquisition.eeg.problem
    sender.paused.clear()
    events = stalled + heard(acquisition, samples_of(0)) + heard(acquisition, for_(1.0))
    assert whose(events) == [0]
    assert changes(events) == []
    assert acquisition.eeg.problem is None
    assert acquisition.eeg.other_sender == ""


@pytest.mark.parametrize(
    ("source_id", "said"),
    [("second", "'second' instead of 'first'"), ("first", "it was there beside")],
)
def test_another_is_read_while_the_first_is_gone_and_no_longer(
    name, send, first, source_id, said
):
    sender, acquisition = first
    send(name, source_id=source_id, above=ABOVE)
    heard(acquisition, for_(3.0))  # a copy is known by having been there
    sender.close()
    events = heard(acquisition, samples_of(1))
    assert changes(events) == [True]
    told = next(i for i, e in enumerate(events) if isinstance(e, SenderChanged))
    assert whose(events[:told]) in ([], [0])
    assert whose(events[told:]) == [1]
    assert said in acquisition.eeg.other_sender
    heard(acquisition, for_(1.0))
    send(name, source_id="first", above=2 * ABOVE)  # started again
    events = heard(acquisition, samples_of(2))
    assert changes(events) == [False]
    assert whose(events) == [1, 2]
    assert acquisition.eeg.other_sender == ""


def test_of_two_others_none_is_taken_until_one_is_left(name, send, first):
    sender, acquisition = first
    second = send(name, source_id="second", above=ABOVE)
    send(name, source_id="third", above=2 * ABOVE)
    sender.close()
    events = heard(acquisition, for_(5.0))
    assert whose(events) in ([], [0])
    assert "2 others have that name" in acquisition.eeg.problem
    second.close()
    assert changes(heard(acquisition, samples_of(2))) == [True]


def test_the_same_program_started_again_is_the_known_sender(name, send, first):
    sender, acquisition = first
    sender.close()
    send(name, source_id="first", above=ABOVE)
    assert changes(heard(acquisition, samples_of(1))) == []
    assert acquisition.eeg.other_sender == ""


def test_a_new_inlet_process_still_knows_whose_place_it_is(name, send, first):
    sender, acquisition = first
    sender.close()
    send(name, source_id="second", above=ABOVE)
    heard(acquisition, samples_of(1))
    os.kill(acquisition.eeg.pid, signal.SIGKILL)
    heard(acquisition, lambda events: Discontinuity("lost") in events)
    events = heard(acquisition, samples_of(1))
    assert changes(events) == []
    assert acquisition.eeg.other_sender
    send(name, source_id="first", above=2 * ABOVE)
    assert changes(heard(acquisition, samples_of(2))) == [False]


class MarkerSender:
    def __init__(self, name, label, source_id):
        info = pylsl.StreamInfo(name, "Markers", 1, 0, "string", source_id)
        self._label = label
        self.outlet = pylsl.StreamOutlet(info)

    def tick(self):
        if self.outlet is not None:
            self.outlet.push_sample([self._label], pylsl.local_clock())


def test_triggers_of_another_sender_are_told_and_left_again(name, send, acquire):
    send(name)
    stream = f"{name}-m"
    senders = [MarkerSender(stream, "R128", "first")]
    source = TriggerStream(StreamQuery(name=stream, type="Markers"), label="R128")
    acquisition = acquire(name, trigger=source)

    def after(n_markers):
        def enough(events):
            for sender in senders:
                sender.tick()
            return sum(isinstance(e, Marker) for e in events) >= n_markers

        return enough

    assert changes(heard(acquisition, after(3))) == []
    senders.append(MarkerSender(stream, "R 128", "second"))
    heard(acquisition, after(20))
    senders.pop(0).outlet = None
    events = heard(acquisition, lambda e: bool(changes(e)) and after(1)(e))
    assert changes(events) == [True]
    assert "'second' instead of 'first'" in acquisition.marker.other_sender
    senders.insert(0, MarkerSender(stream, "R128", "first"))
    assert changes(heard(acquisition, changes)) == [False]
    assert acquisition.marker.other_sender == ""


def test_measured_bold_of_another_sender_is_told(name):
    def bold(source_id, value):
        info = pylsl.StreamInfo(name, "BOLD", 2, 0, "float32", source_id)
        nodes = info.desc().append_child("channels")
        for label in ("volume_index", "Putamen"):
            nodes.append_child("channel").append_child_value("label", label)
        return pylsl.StreamOutlet(info), value

    senders = [bold("first", 0.0)]
    volumes = LslVolumes(name)
    end_s = time.monotonic() + 30.0
    try:
        came = []
        while not (came and came[-1].values == (1.0,)):
            assert time.monotonic() < end_s, volumes.problem
            for outlet, value in senders:
                outlet.push_sample([len(came), value], pylsl.local_clock())
            time.sleep(0.05)
            came += volumes.volumes()
            if len(came) >= 5 and senders[0][1] == 0.0:
                assert volumes.problem == ""
                assert not came[-1].two_senders
                outlet = None
                senders = [bold("second", 1.0)]
        assert "another sender than the first one" in volumes.problem
        assert came[-1].two_senders
    finally:
        volumes.close()


SCRIPT = """
import sys, time, numpy as np, pylsl
info = pylsl.StreamInfo(sys.argv[1], "EEG", 1, 1000, "double64", "first")
node = info.desc().append_child("channels").append_child("channel")
node.append_child_value("label", "Cz").append_child_value("unit", "uV")
outlet, n = pylsl.StreamOutlet(info), 0
print("up", flush=True)
while True:
    time.sleep(0.02)
    outlet.push_chunk(np.arange(n, n + 20, dtype=float)[:, None])
    n += 20
"""


@pytest.fixture
def first_process(name, acquire):
    """A known sender in a process of its own, which can be stopped."""
    line = [sys.executable, "-c", SCRIPT, name]
    with subprocess.Popen(line, stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            acquisition = acquire(name)
            heard(acquisition, samples_of(0))
            yield process, acquisition
        finally:
            process.kill()


@pytest.mark.parametrize(("stopped_s", "expected"), [(3.0, []), (9.0, [True, False])])
def test_a_sender_that_stands_still_is_waited_for(
    name, send, first_process, stopped_s, expected
):
    """It is not announced then, for its process does not answer."""
    process, acquisition = first_process
    send(name, source_id="second", above=ABOVE, channels=CHANNELS)
    heard(acquisition, for_(0.5))
    process.send_signal(signal.SIGSTOP)
    events = heard(acquisition, for_(stopped_s))
    process.send_signal(signal.SIGCONT)
    events += heard(acquisition, for_(3.0))
    assert changes(events) == expected
    assert whose(events)[-2:] == ([1, 0] if expected else [0])
