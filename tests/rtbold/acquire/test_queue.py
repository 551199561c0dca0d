import numpy as np

from rtbold.acquire.acquisition import EVENTS_MAX, EventQueue
from rtbold.messages import Discontinuity, EegChunk, Marker


def chunk(index, n=10):
    return EegChunk(np.zeros((2, n), np.float32), np.zeros(n), 0.0, index)


def queue_of(n_samples):
    queue = EventQueue(hold_s=1.0)
    queue.set_rate(n_samples)
    return queue


def test_events_come_in_order_of_arrival_and_once():
    queue = queue_of(100)
    events = [chunk(0), Marker("R128", 0.0, 0.0), chunk(10)]
    for event in events:
        queue.put(event)
    assert queue.take(0) == events
    assert queue.take(0) == []


def test_an_empty_queue_gives_up_at_its_limit():
    assert queue_of(100).take(0.001) == []


def test_the_oldest_samples_go_and_leave_one_mark_in_their_place():
    queue = queue_of(25)
    marker = Marker("R128", 0.0, 0.0)
    kept = [chunk(20), chunk(30)]
    for event in (chunk(0), chunk(10), marker, *kept):
        queue.put(event)
    assert queue.take(0) == [Discontinuity("overflow", 20), marker, *kept]
    assert queue.n_dropped == 20


def test_samples_taken_no_longer_count():
    queue = queue_of(25)
    for index in range(0, 100, 10):
        queue.put(chunk(index))
        queue.take(0)
    assert queue.n_dropped == 0


def test_a_queue_of_markers_is_bounded_too():
    queue = queue_of(25)
    for n in range(EVENTS_MAX + 5):
        queue.put(Marker(str(n), 0.0, 0.0))
    held = queue.take(0)
    assert len(held) == EVENTS_MAX
    assert held[-1].label == str(EVENTS_MAX + 4)


def test_a_marker_stream_leaves_the_bound_alone():
    queue = queue_of(25)
    queue.set_rate(0.0)
    queue.put(chunk(0))
    queue.put(chunk(10))
    assert queue.n_dropped == 0
