"""The session's side of an inlet, without its process."""

from dataclasses import replace

import pytest

from rtbold.acquire.acquisition import DEATHS_MAX, EventQueue, _Inlet
from rtbold.acquire.frames import Fault, Following, Opening, Order, StateChanged
from rtbold.acquire.known import KnownStream
from rtbold.acquire.streams import FoundStream, StreamQuery
from rtbold.messages import (
    Channel,
    Marker,
    SenderChanged,
    StreamChanged,
    StreamDescription,
)

CAP = FoundStream("cap", "EEG", "lab", "s1", "u1", 500.0, 1, "float32")
KNOWN = KnownStream(CAP, "u1")
REPLACED = replace(KNOWN, read_uid="u2", alive_s=70.0)
DESCRIBED = StreamChanged(StreamDescription("cap", "EEG", 500.0, (Channel("Cz"),)))


def inlet(role="eeg"):
    queue = EventQueue(30.0)
    return _Inlet(Order(role=role, query=StreamQuery()), queue), queue


@pytest.mark.parametrize("role", ["eeg", "marker"])
def test_a_change_of_sender_is_an_event_and_a_state(role):
    made, queue = inlet(role)
    for frame in (
        Following(KNOWN),
        Following(REPLACED, "source id 's2'"),
        Following(replace(REPLACED, read_uid="u3"), "source id 's3'"),
    ):
        made._take(frame)
    assert queue.take(0.0) == [SenderChanged(role, is_other=True)]
    assert made.status.other_sender == "source id 's3'"
    made._take(Following(KNOWN))
    assert queue.take(0.0) == [SenderChanged(role, is_other=False)]
    assert made.status.other_sender == ""


def test_the_next_process_is_told_whom_it_follows():
    made, _ = inlet("marker")
    assert made._make_order().known is None
    made._take(Following(KNOWN))
    made._take(DESCRIBED)
    made._take(Marker("R128", 1.0, 90.0, "stream"))
    order = made._make_order()
    assert order.known == replace(KNOWN, alive_s=90.0)
    assert order.wait_s is None
    made._take(Following(REPLACED, "source id 's2'"))
    assert made._make_order().known == REPLACED  # its alive_s is of the known one


def test_a_problem_ends_when_samples_flow():
    made, _ = inlet()
    made._take(DESCRIBED)
    made._take(StateChanged("stalled"))
    made._take(Fault("AmbiguousStream", "2 others", fatal=False))
    assert made.status.problem == "2 others"
    made._take(StateChanged("connected"))
    assert made.status.problem is None


def test_a_stream_that_ends_every_process_is_refused_by_its_name():
    made, _ = inlet()
    for n in range(1, DEATHS_MAX + 1):
        made._take(Opening("cap"))
        made._died("some line\nIt was killed by signal 11.\n")
        assert (made.fault is not None) is (n == DEATHS_MAX)
    assert made.settled.is_set()
    assert "'cap' cannot be opened" in made.fault.message
    assert "signal 11" in made.fault.message
    assert "while it opened stream 'cap'" in inlet_that_died("cap").status.problem


def inlet_that_died(name):
    made, _ = inlet()
    made._take(Opening(name))
    made._died("")
    return made


def test_what_a_process_said_at_its_end_is_fit_to_be_shown():
    made, _ = inlet()
    made._died("Traceback\n  line\nParseError: \x1b[2J" + 5000 * "x")
    assert made.status.problem.isprintable()
    assert made.status.problem.startswith(
        r"the eeg inlet process ended. ParseError: \x1b[2Jxx"
    )
    assert len(made.status.problem) < 300


def test_a_running_session_is_not_ended_by_any_number_of_deaths():
    made, _ = inlet()
    made._take(DESCRIBED)
    for _ in range(10):
        made._take(Opening("cap"))
        made._died("")
    assert made.fault is None
