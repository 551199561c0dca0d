"""The finder with a network of its own making."""

import socket
from dataclasses import replace

import pytest

from rtbold.acquire import follow as finder_module
from rtbold.acquire.follow import (
    FORGET_S,
    OTHER_SETTLE_S,
    Finder,
    is_foreign,
)
from rtbold.acquire.frames import Fault, Following, Order
from rtbold.acquire.known import GONE_S, KnownStream
from rtbold.acquire.streams import FoundStream, StreamQuery
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
    finder.remember(finder.wait(5.0), 0.0)
    writer.sent.clear()
    return finder, writer


def following(writer):
    """Return what the session was told of the sender: its uid, and what is other."""
    return [
        (frame.known.read_uid, bool(frame.other))
        for frame in writer.sent
        if isinstance(frame, Following)
    ]


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
    finder.lose(CAP)
    writer.plot[5.0] = lambda: network.append(returned)
    assert finder.wait(None).uid() == "u3"
    assert writer.now_s >= 5.0


def test_a_lost_outlet_that_is_still_announced_is_taken_only_later(network):
    finder, writer = opened(network)
    lost_s = writer.now_s
    finder.lose(CAP)
    network.append(replace(CAP, uid="u2", source_id="s2"))  # and nothing in its place
    assert finder.wait(None).uid() == "u1"
    assert writer.now_s >= lost_s + FORGET_S


@pytest.mark.parametrize(("gone_s", "settle_s"), [(4.0, 0.6), (0.0, 2.0)])
def test_another_sender_waits_for_the_known_one_and_no_longer(
    network, gone_s, settle_s
):
    finder, writer = opened(network)
    network.clear()
    finder.lose(CAP)
    back_s = writer.now_s + gone_s
    returned = replace(CAP, uid="u2", source_id="s2")
    if gone_s:
        writer.plot[back_s] = lambda: network.append(returned)
    else:
        network.append(returned)
    assert finder.wait(None).uid() == "u2"
    assert settle_s - 0.01 <= writer.now_s - back_s <= settle_s + 0.3


def test_of_two_in_its_place_none_is_taken_and_that_is_told_once(network):
    finder, writer = opened(network)
    finder.lose(CAP)
    network[:] = [replace(CAP, uid=u, source_id=u) for u in ("u2", "u3")]
    writer.plot[9.0] = lambda: network.pop()
    assert finder.wait(None).uid() == "u2"
    assert [type(f) for f in writer.sent] == [Fault]
    assert not writer.sent[0].fatal
    assert "'u2', 'u3'" in writer.sent[0].message


def look(finder, writer, seconds, *, quiet=True):
    """Return after how many seconds the open outlet is left; None: not at all."""
    begun_s = writer.now_s
    while writer.now_s < begun_s + seconds:
        writer.sleep(0.1)
        if not quiet:
            finder.heard(writer.now_s)
            finder.rest()
        if finder.leaves(quiet=quiet):
            return writer.now_s - begun_s
    return None


@pytest.mark.parametrize("host", ["lab-a", "lab-b"])
@pytest.mark.parametrize("source_id", ["s1", "s2"])
def test_a_stall_of_an_outlet_that_is_announced_is_a_stall(network, host, source_id):
    finder, writer = opened(network)
    network.append(replace(CAP, uid="u2", host=host, source_id=source_id))
    assert look(finder, writer, 40.0) is None
    assert finder.wait(None).uid() == "u1"
    assert following(writer) == []
    assert ["not taken" in f.message for f in writer.sent] == [True]


def test_an_outlet_that_is_neither_heard_nor_seen_is_left_after_a_while(network):
    finder, writer = opened(network)
    network[:] = [replace(CAP, uid="u2", source_id="s2")]
    left_s = look(finder, writer, 40.0)
    assert GONE_S < left_s < GONE_S + OTHER_SETTLE_S + 1.0
    assert finder.wait(None).uid() == "u2"


def test_nothing_is_looked_for_while_the_known_sender_sends(network):
    finder, writer = opened(network)
    network.append(replace(CAP, uid="u2", source_id="s2"))
    assert look(finder, writer, 10.0, quiet=False) is None
    assert finder._resolver is None


def replaced(network):
    """Return a finder that reads another sender, the known one being gone."""
    finder, writer = opened(network)
    finder.lose(CAP)
    network[:] = [replace(CAP, uid="u2", source_id="s2")]
    finder.remember(finder.wait(None), 0.0)
    return finder, writer


def test_another_sender_is_told_and_left_when_the_known_one_is_back(network):
    finder, writer = replaced(network)
    assert following(writer) == [("u2", True)]
    network.append(replace(CAP, uid="u9", created_s=writer.now_s))
    assert look(finder, writer, 5.0, quiet=False) is not None
    finder.remember(finder.wait(None), 0.0)
    assert following(writer) == [("u2", True), ("u9", False)]


def test_another_sender_is_kept_while_only_strangers_come(network):
    finder, writer = replaced(network)
    network.append(replace(CAP, uid="u3", source_id="s3"))
    assert look(finder, writer, 10.0, quiet=False) is None
    network.pop(0)
    finder.lose(replace(CAP, uid="u2"))
    finder.remember(finder.wait(None), 0.0)
    assert following(writer) == [("u2", True), ("u3", True)]


def test_a_new_process_knows_which_sender_is_read_in_whose_place(network):
    _, writer = replaced(network)
    again, its_writer = finder_of(known=writer.sent[-1].known)
    network.append(replace(CAP, uid="u3", source_id="s3"))
    again.remember(again.wait(None), 0.0)
    assert following(its_writer) == [("u2", True)]
    network.append(CAP)
    again, its_writer = finder_of(known=writer.sent[-1].known)
    again.remember(again.wait(None), 0.0)
    assert following(its_writer) == [("u1", False)]


def test_a_new_process_goes_straight_back_to_the_known_outlet(network):
    network[:] = [replace(CAP, uid="u2", host="lab-b"), CAP]
    finder, writer = finder_of(known=KnownStream(CAP, "u1"))
    assert finder.wait(None).uid() == "u1"
    assert writer.now_s == 1.0


def test_a_host_that_was_started_again_has_another_clock(network):
    """Its stamps of creation lie long before what was heard; its offset says why."""
    finder, writer = opened(network)
    writer.now_s = 50.0
    finder.heard(50.0)
    finder.lose(CAP)
    network[:] = [replace(CAP, uid="u2", created_s=7.0)]
    info = finder.wait(None)
    finder.remember(info, 45.0)  # its clock began at 45 s of ours
    assert following(writer) == [("u2", False)]


def test_a_stream_that_never_answers_is_said_to_be_announced(network):
    finder, _ = finder_of(StreamQuery(name="cap"))
    finder.bury(CAP)
    with pytest.raises(StreamNotFound, match="'cap' is announced but does not answer"):
        finder.wait(1.0)


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
