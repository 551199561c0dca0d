"""The marker inlet's rules, without a network."""

import math
import socket
from types import SimpleNamespace

import pytest

from rtbold.acquire.follow import Opened
from rtbold.acquire.frames import Fault, Order
from rtbold.acquire.inlet_irregular import MarkerInlet, _pull
from rtbold.acquire.known import KnownStream
from rtbold.acquire.streams import FoundStream, StreamQuery
from rtbold.errors import StreamMismatch
from rtbold.messages import Channel, Marker, StreamDescription

HERE = socket.gethostname()
NOW_S = 1000.0
UNIX_S = 1.7e9
SENDER = FoundStream("m", "Markers", HERE, "s", "u", 0.0, 1, "string")


class Writer:
    def __init__(self):
        self.sent = []
        self.send = self.sent.append


def marker_inlet(known=None):
    writer = Writer()
    order = Order(role="marker", query=StreamQuery(), known=known)
    return MarkerInlet(order, writer, lambda: NOW_S), writer.sent


def opened(offset_s=0.0, host=HERE):
    stream = StreamDescription("m", "Markers", 0.0, (Channel("m"),), host=host)
    return Opened(None, SimpleNamespace(offset_s=offset_s), stream)


def markers(sent):
    return [event.t_lsl_s for event in sent if isinstance(event, Marker)]


def fatal(sent):
    return [event.fatal for event in sent if isinstance(event, Fault)]


BAD = [
    (opened(offset_s=None, host="elsewhere"), NOW_S),  # an outage
    (opened(), UNIX_S),
    (opened(), math.nan),
    (opened(), math.inf),
]


@pytest.mark.parametrize(("stream", "stamp_s"), BAD)
@pytest.mark.parametrize("restarted", [False, True])
def test_a_running_session_loses_a_marker_at_most(stream, stamp_s, restarted):
    inlet, sent = marker_inlet(KnownStream(SENDER, "u") if restarted else None)
    if not restarted:
        inlet._pass_on(opened(), ["R1"], NOW_S - 1)
    inlet._pass_on(stream, ["R1"], stamp_s)
    inlet._pass_on(opened(), ["R1"], NOW_S)
    assert markers(sent) == [NOW_S - 1, NOW_S][restarted:]
    assert fatal(sent) == [False]


@pytest.mark.parametrize(("stream", "stamp_s"), BAD[:2])
def test_a_first_marker_on_another_clock_is_refused(stream, stamp_s):
    inlet, sent = marker_inlet()
    with pytest.raises(StreamMismatch, match="another clock"):
        inlet._pass_on(stream, ["R1"], stamp_s)
    assert (markers(sent), fatal(sent)) == ([], [True])


@pytest.mark.parametrize(
    ("stream", "stamp_s"), [(opened(offset_s=None), UNIX_S), *BAD[2:]]
)
def test_what_is_not_certain_ends_nothing_at_the_start_either(stream, stamp_s):
    inlet, sent = marker_inlet()
    inlet._pass_on(stream, ["R1"], stamp_s)
    assert (markers(sent), fatal(sent)) == ([], [False])


class Inlet:
    def __init__(self, answer):
        self.answer = answer

    def pull_sample(self, timeout):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "pulled"),
    [
        (([b"R\xe9ponse"], 5.0), (["R\ufffdponse"], 5.0)),
        (([b"R128"], 5.0), (["R128"], 5.0)),
        (([2.0], 5.0), ([2.0], 5.0)),
        ((None, None), None),
        (UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "bad"), None),
    ],
)
def test_text_that_is_no_utf8_kills_nothing(answer, pulled):
    assert _pull(Inlet(answer)) == pulled
