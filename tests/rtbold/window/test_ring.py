import numpy as np
import pytest
from hypothesis import given, strategies as st

from rtbold.window.ring import Ring


def samples(first, n, channels=3):
    """Samples whose value names their channel and position."""
    return np.add.outer(1000.0 * np.arange(channels), np.arange(first, first + n))


@given(
    n_samples=st.integers(1, 40),
    chunks=st.lists(st.integers(0, 90), max_size=25),
    data=st.data(),
)
def test_equals_plain_concatenation(n_samples, chunks, data):
    ring = Ring(3, n_samples, np.float64)
    written = np.empty((3, 0))
    for n in chunks:
        chunk = samples(written.shape[1], n)
        ring.write(chunk, written.shape[1])
        written = np.concatenate([written, chunk], axis=1)
        n_kept = min(n_samples, written.shape[1])
        end = data.draw(st.integers(written.shape[1] - n_kept, written.shape[1]))
        length = data.draw(st.integers(0, end - (written.shape[1] - n_kept)))
        view = ring.latest(length, end)
        np.testing.assert_array_equal(view, written[:, end - length : end])
    assert ring.end == written.shape[1]


@given(n_samples=st.integers(1, 30), n=st.integers(0, 100), data=st.data())
def test_what_is_not_there_is_refused(n_samples, n, data):
    ring = Ring(2, n_samples)
    ring.write(samples(0, n, 2), 0)
    end = data.draw(st.integers(-5, n + 5))
    length = data.draw(st.integers(0, n_samples + 5))
    there = max(0, n - n_samples) <= end - length and end <= n
    if there:
        assert ring.latest(length, end).shape == (2, length)
    else:
        with pytest.raises(LookupError, match="the ring holds"):
            ring.latest(length, end)


def test_reading_is_a_read_only_view_of_contiguous_rows():
    ring = Ring(2, 10)
    ring.write(samples(0, 17, 2), 0)
    view = ring.latest(10)
    assert view.dtype == np.float32
    assert view.base is not None
    assert view.strides[1] == view.itemsize
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0] = 1
    ring.write(samples(17, 1, 2), 17)
    assert np.shares_memory(view, ring.latest(10))


def test_writing_does_not_keep_or_change_the_callers_array():
    ring = Ring(2, 10, np.float64)
    chunk = samples(0, 4, 2)
    before = chunk.copy()
    ring.write(chunk, 0)
    chunk[:] = -1
    np.testing.assert_array_equal(ring.latest(4), before)


@pytest.mark.parametrize("index", [0, 6, 8, 1000])
def test_an_index_that_does_not_follow_begins_anew(index):
    ring = Ring(1, 5)
    ring.write(samples(0, 7, 1), 0)
    ring.write(samples(0, 0, 1), index)
    assert (ring.begin, ring.end) == (index, index)
    with pytest.raises(LookupError, match=rf"\[{index}, {index}\)"):
        ring.latest(1)
    ring.write(samples(50, 2, 1), index)
    np.testing.assert_array_equal(ring.latest(2, index + 2), [[50, 51]])
    with pytest.raises(LookupError, match="the ring holds"):
        ring.latest(3)


@pytest.mark.parametrize("shape", [(1, 4), (4, 3), (3,), (3, 4, 1)])
def test_wrong_shape_is_refused(shape):
    with pytest.raises(ValueError, match="channels first"):
        Ring(3, 8).write(np.zeros(shape), 0)


@pytest.mark.parametrize("size", [(0, 5), (5, 0)])
def test_empty_ring_is_refused(size):
    with pytest.raises(ValueError, match="at least 1"):
        Ring(*size)
