import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from rtbold.gui.state.received import EegBlock
from rtbold.gui.state.signals import ScopeBuffer

RATE_HZ = 200.0


def ramp(first, n, channels=2):
    """Samples that say which one they are."""
    index = np.arange(first, first + n, dtype=np.float32)
    return np.stack([index + 1000 * k for k in range(channels)])


def block(first, n, *, t_first=None, channels=2, rate_hz=RATE_HZ):
    t_first = 50.0 + first / rate_hz if t_first is None else t_first
    return EegBlock(
        sample_index=first,
        t_first=t_first,
        rate_hz=rate_hz,
        data_uv=ramp(first, n, channels),
    )


def test_nothing_came_so_there_is_nothing():
    scope = ScopeBuffer()
    assert (scope.newest_index, scope.n_channels, scope.capacity) == (0, 0, 0)
    assert scope.read(0, 10).shape == (0, 10)


def test_samples_are_where_they_belong():
    scope = ScopeBuffer(1.0)
    for first in range(0, 100, 20):
        scope.take(block(first, 20))
    np.testing.assert_array_equal(scope.read(0, 100), ramp(0, 100))
    assert (scope.newest_index, scope.capacity) == (100, 200)
    assert scope.t_newest_s == pytest.approx(50.5)


def test_beyond_what_is_kept_all_is_unknown():
    scope = ScopeBuffer(0.5)
    scope.take(block(0, 300))
    found = scope.read(190, 310)
    assert np.isnan(found[:, :10]).all()
    np.testing.assert_array_equal(found[:, 10:110], ramp(200, 100))
    assert np.isnan(found[:, 110:]).all()


def test_a_dashboard_that_joins_late_starts_at_the_first_block_it_sees():
    scope = ScopeBuffer(1.0)
    scope.take(block(72_000, 20))
    assert scope.newest_index == 20
    np.testing.assert_array_equal(scope.read(0, 20), ramp(72_000, 20))


def test_lost_blocks_are_a_hole():
    scope = ScopeBuffer(1.0)
    scope.take(block(0, 20))
    scope.take(block(60, 20))
    found = scope.read(0, 80)
    assert np.isnan(found[:, 20:60]).all()
    np.testing.assert_array_equal(found[:, 60:], ramp(60, 20))


def test_time_that_only_the_stamps_tell_of_is_a_hole_too():
    scope = ScopeBuffer(2.0)
    scope.take(block(0, 20))
    scope.take(block(20, 20, t_first=50.1 + 0.5))  # the stream stood still for 0.5 s
    assert scope.newest_index == 140
    assert np.isnan(scope.read(20, 120)).all()
    np.testing.assert_array_equal(scope.read(120, 140), ramp(20, 20))


def test_small_changes_of_the_clock_make_no_holes():
    scope = ScopeBuffer(2.0)
    for k in range(10):
        scope.take(block(20 * k, 20, t_first=50 + k * 0.1 + 0.05 * (-1) ** k))
    assert scope.newest_index == 200
    assert not np.isnan(scope.read(0, 200)).any()


def test_a_step_of_hours_in_the_stamps_keeps_the_buffer_at_its_size():
    scope = ScopeBuffer(1.0)
    scope.take(block(0, 20))
    scope.take(block(20, 20, t_first=1e9))
    assert scope.capacity == 200
    np.testing.assert_array_equal(
        scope.read(scope.newest_index - 20, scope.newest_index), ramp(20, 20)
    )


@pytest.mark.parametrize(
    "another",
    [
        block(0, 20),
        block(400, 20, channels=3),
        block(400, 20, rate_hz=100.0),
        block(100, 20),
    ],
    ids=["count restarts", "other channels", "other rate", "far back"],
)
def test_another_stream_empties(another):
    scope = ScopeBuffer(1.0)
    scope.take(block(0, 400))
    n_before = scope.n_restarts
    scope.take(another)
    assert scope.n_restarts == n_before + 1
    assert scope.newest_index == 20
    np.testing.assert_array_equal(scope.read(0, 20), another.data_uv)


def test_a_block_that_comes_late_fills_its_hole():
    scope = ScopeBuffer(1.0)
    for first in (0, 40, 20):
        scope.take(block(first, 20))
    np.testing.assert_array_equal(scope.read(0, 60), ramp(0, 60))
    assert scope.newest_index == 60


def test_empty_and_absurd_blocks_change_nothing():
    scope = ScopeBuffer(1.0)
    scope.take(block(0, 20))
    scope.take(block(20, 0))
    scope.take(block(20, 20, rate_hz=1e9))
    assert (scope.newest_index, scope.rate_hz) == (20, RATE_HZ)


def test_what_is_taken_and_read_is_not_shared():
    scope, given_block = ScopeBuffer(1.0), block(0, 20)
    scope.take(given_block)
    scope.read(0, 20)[:] = 0
    given_block.data_uv[:] = 7
    np.testing.assert_array_equal(scope.read(0, 20), ramp(0, 20))


@given(
    pieces=st.lists(st.tuples(st.integers(1, 60), st.booleans()), max_size=30),
    shuffled=st.randoms(use_true_random=False),
)
@settings(max_examples=100, deadline=None)
def test_any_blocks_with_any_holes_and_swaps_read_as_the_grid(pieces, shuffled):
    """Each sample is where its index says, or nan: never another one's."""
    scope, end, blocks = ScopeBuffer(1.0), 8, [block(7, 1)]
    for n, lost in pieces:
        if not lost:
            blocks.append(block(end, n))
        end += n
    for k in range(1, len(blocks) - 1):  # neighbours may swap
        if shuffled.random() < 0.3:
            blocks[k], blocks[k + 1] = blocks[k + 1], blocks[k]
    for one in blocks:
        scope.take(one)
    if scope.n_restarts > 2:
        return  # a swap over more than the buffer holds is another stream
    end = scope.newest_index
    found = scope.read(max(0, end - scope.capacity), end)
    came = np.full((2, end), np.nan, np.float32)
    for one in blocks:
        at = one.sample_index - 7
        came[:, at : at + one.data_uv.shape[1]] = one.data_uv
    np.testing.assert_array_equal(found, came[:, max(0, end - scope.capacity) :])
