"""The finder with a network of its own making."""

import socket
from dataclasses import replace

import pytest

from rtbold.acquire import follow as finder_module
from rtbold.acquire.follow import FORGET_S, Finder, is_foreign
from rtbold.acquire.frames import Fault, Order
from rtbold.acquire.streams import FoundStream, KnownStream, StreamQuery
from rtbold.errors import AmbiguousStream, StreamNotFound

CAP = FoundStream("cap", "EEG", "lab-a", "s1", "u1", 500.0, 32, "float32")


class Info:
    """What pylsl's StreamInfo is to the finder."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        field = {"hostname": "host"}.get(name, name)
        return lambda: getattr(self.stream, field)


class Writer:
    """A frame writer whose sleep moves the clock and the plot on."""

    def __init__(self):
        self.now_s = 1.0
        self.sent = []
        self.plot = {}

    def clock(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds
        assert self.now_s < 60, "waits for ever"
        for at_s in [t for t in self.plot if t <= self.now_s]:
            self.plot.pop(at_s)()

    def send(self, frame):
        self.sent.append(frame)


@pytest.fixture
def network(monkeypatch):
    streams = []

    class Resolver:
        def infos(self):
            return {s.uid: Info(s) for s in streams}

    monkeypatch.setattr(finder_module, "Resolver", Resolver)
    monkeypatch.setattr(finder_module, "found_stream", lambda info: info.stream)
    return streams


def finder_of(query=None, known=None):
    writer = Writer()
    order = Order(role="eeg", query=query or StreamQuery(), known=known)
    return Finder(order, writer, writer.clock), writer


def opened(network, stream=CAP):
    network[:] = [stream]
    finder, writer = finder_of()
    finder.remember(finder.wait(5.0))
    return finder, writer


def test_a_late_twin_is_still_seen_at_the_start(network):
    finder, writer = finder_of()
    network.append(CAP)
    writer.plot[1.3] = lambda: network.append(replace(CAP, uid="u2", host="lab-b"))
    with pytest.raises(AmbiguousStream):
        finder.wait(5.0)


def test_the_wait_has_an_end_at_the_start(network):
    finder, writer = finder_of()
    with pytest.raises(StreamNotFound):
        finder.wait(2.0)
    assert writer.now_s == pytest.approx(3.0, abs=0.1)


def test_only_the_same_name_is_taken_in_its_place(network):
    finder, writer = opened(network)
    other = replace(CAP, name="other-cap", uid="u2", source_id="s2")
    returned = replace(CAP, uid="u3", source_id="s3")
    network[:] = [other]
    finder.bury("u1")
    writer.plot[5.0] = lambda: network.append(returned)
    assert finder.wait(None).uid() == "u3"
    assert writer.now_s >= 5.0


def test_a_lost_outlet_that_is_still_announced_is_not_taken(network):
    finder, writer = opened(network)
    lost_s = writer.now_s
    finder.bury("u1")
    assert finder.wait(None).uid() == "u1"
    assert writer.now_s >= lost_s + FORGET_S


def test_an_unclear_return_is_told_once_and_waited_out(network):
    finder, writer = opened(network)
    finder.bury("u1")
    twins = [replace(CAP, uid=u, source_id=u, host="lab-b") for u in ("u2", "u3")]
    network[:] = twins
    writer.plot[9.0] = lambda: network.pop()
    assert finder.wait(None).uid() == "u2"
    assert [type(f) for f in writer.sent] == [Fault]
    assert not writer.sent[0].fatal


def test_a_successor_on_the_same_host_is_seen(network):
    finder, _ = opened(network)
    network.append(replace(CAP, uid="u2"))
    assert finder.has_successor()


def test_another_host_is_no_successor_while_the_old_stream_is_visible(network):
    finder, writer = opened(network)
    network.append(replace(CAP, uid="u2", host="lab-b"))
    assert not finder.has_successor()
    network.pop(0)
    writer.sleep(1.0)
    assert finder.has_successor()


def test_a_new_process_goes_straight_back_to_the_known_outlet(network):
    network[:] = [replace(CAP, uid="u2", host="lab-b"), CAP]
    finder, writer = finder_of(known=KnownStream("lab-a", "s1", "u1"))
    assert finder.wait(None).uid() == "u1"
    assert writer.now_s == 1.0


NAN = float("nan")
HERE = socket.gethostname()


@pytest.mark.parametrize(
    ("stamp_s", "offset_s", "host", "foreign"),
    [
        (1000.0, 0.0, HERE, False),
        (940.0, 0.0, HERE, False),  # a minute of backlog
        (1.7e9, 0.0, HERE, True),  # Unix time
        (50_000.0, -49_000.0, "other", False),  # another machine's LSL clock
        (1000.0, None, HERE, False),
        (1000.0, None, "other", True),  # its offset could not be measured
        (1.7e9, None, HERE, True),
        (640.5, 0.0, HERE, False),  # all that LSL keeps, of a receiver that stood still
        (599.0, 0.0, HERE, True),  # older than anything that LSL keeps
        (NAN, 0.0, HERE, False),  # says nothing of its clock
    ],
)
def test_a_stamp_far_from_now_is_on_another_clock(stamp_s, offset_s, host, foreign):
    assert is_foreign(stamp_s, 1000.5, offset_s=offset_s, host=host) is foreign
