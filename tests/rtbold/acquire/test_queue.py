import numpy as np
import pytest

from rtbold.acquire.acquisition import EVENTS_MAX, EventQueue
from rtbold.messages import Discontinuity, EegChunk, Marker


def chunk(index, n=10, rate_hz=100.0):
    """Samples of 0.1 s, or at 1000 Hz of 0.01 s, that arrive with their last one."""
    data_uv = np.arange(index, index + n, dtype=np.float32) + np.zeros((2, 1), "f4")
    stamps_s = np.arange(index, index + n) / rate_hz
    return EegChunk(data_uv, stamps_s, stamps_s[-1], index)


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


def test_samples_that_come_close_together_are_given_as_one_chunk():
    queue = queue_of(1000)
    for index in range(0, 40, 10):
        queue.put(chunk(index, rate_hz=1000.0))
    (given,) = queue.take(0)
    whole = chunk(0, 40, rate_hz=1000.0)
    np.testing.assert_array_equal(given.data_uv, whole.data_uv)
    np.testing.assert_array_equal(given.t_lsl_s, whole.t_lsl_s)
    assert (given.index, given.t_arrived_s) == (0, whole.t_arrived_s)


@pytest.mark.parametrize(
    "after",
    [
        chunk(20, rate_hz=1000.0),  # samples between them are missing
        chunk(10, rate_hz=100.0),  # other stamps: too far apart
        EegChunk(np.zeros((3, 10), "f4"), np.arange(10, 20) / 1000, 0.02, 10),
        EegChunk(np.zeros((2, 10), "f4"), np.arange(10, 20) / 1000, 5.0, 10),
        EegChunk(np.zeros((2, 10), "f4"), np.full(10, np.nan), 0.02, 10),
    ],
)
def test_what_is_no_continuation_is_a_chunk_of_its_own(after):
    queue = queue_of(1000)
    before = chunk(0, rate_hz=1000.0)
    queue.put(before)
    queue.put(after)
    assert queue.take(0) == [before, after]


def test_a_chunk_that_is_long_enough_grows_no_more():
    queue = queue_of(100_000)
    for index in range(0, 200, 10):
        queue.put(chunk(index, rate_hz=1000.0))
    spans_s = [c.t_lsl_s[-1] - c.t_lsl_s[0] for c in queue.take(0)]
    assert max(spans_s) < 0.05
    assert len(spans_s) == 4


def test_samples_alone_can_wait_and_anything_else_cannot():
    queue = queue_of(1000)
    queue.put(chunk(0))
    waited = []
    queue._arrived.wait_for = lambda enough, limit_s: waited.append((enough(), limit_s))
    queue.take(0.04)
    queue.put(chunk(10))
    queue.take(0.04, gather=True)
    queue.put(Marker("R128", 0.0, 0.0))
    queue.take(0.04, gather=True)
    assert waited == [(True, 0.04), (False, 0.04), (True, 0.04)]
