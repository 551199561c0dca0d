"""A scanner with a true grid, and triggers that are no volume's."""

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from scanner_train import JITTER, START_S, TR_S, listen, numbered, schedule, volumes

from rtbold.window.schedule import Schedule, ScheduleSettings


def with_strays(n, *at_tr, missing=(), first=0):
    """Triggers of `n` volumes without some, and strays at `at_tr` (in TRs)."""
    kept = np.delete(volumes(n, first=first), missing)
    return sorted([*kept, *(START_S + TR_S * np.array(at_tr))])


@pytest.mark.parametrize("off", [0.06, 0.3, 0.45, 0.5, 0.6, 0.7, 0.93])
def test_a_stray_trigger_is_no_volume_and_the_next_true_one_is_not_thrown_away(off):
    grid = schedule()
    ticks = listen(grid, with_strays(12, 5 + off))
    assert numbered(ticks) == list(range(12))
    np.testing.assert_allclose([t.t_trigger_s for t in ticks], volumes(12))
    assert all(t.trigger_locked and not t.paused for t in ticks)
    assert grid.counts.n_double + grid.counts.n_stray == 1
    assert grid.counts.n_missed == 0


@pytest.mark.parametrize(
    "at_tr",
    [
        (5.2, 5.7), (5.3, 5.6), (5.25, 5.5, 5.75), (5.6, 6.6, 7.6), (5.1, 5.103),
        (5.2, 5.4, 5.6, 5.8), tuple(5 + np.arange(2, 19) / 20),
        (*np.arange(5.53, 5.92, 0.06), *np.arange(6.07, 6.5, 0.06)),
        tuple(np.arange(12) + 0.6), tuple(np.arange(5.1, 6.9, 0.2)),
    ],
)  # fmt: skip
def test_several_strays(at_tr):
    ticks = listen(schedule(), with_strays(12, *at_tr))
    assert numbered(ticks) == list(range(12))
    assert all(t.trigger_locked and not t.paused for t in ticks)


def test_meanwhile_the_old_grid_flywheels():
    """The stray trigger does not take the place of the true one that is missing."""
    ticks = listen(schedule(), with_strays(12, 5.6, missing=[6]))
    assert numbered(ticks) == list(range(12))
    assert [t.trigger_locked for t in ticks] == [k != 6 for k in range(12)]
    np.testing.assert_allclose([t.t_trigger_s for t in ticks], volumes(12))


def test_a_stray_before_two_missing_ones_starts_no_other_grid():
    ticks = listen(schedule(), with_strays(14, 5.4, 6.4, missing=[6, 7]))
    assert numbered(ticks) == list(range(14))
    assert [k for k, t in enumerate(ticks) if not t.trigger_locked] == [6, 7]


def test_a_true_trigger_that_arrives_late_is_known_by_its_stamp():
    grid = schedule()
    stamps_s = with_strays(12, 5.6)
    arrivals = [(t, t + (0.9 * TR_S if i == 7 else 0.01)) for i, t in
                enumerate(stamps_s)]  # fmt: skip
    ticks = listen(grid, arrivals)
    assert numbered(ticks) == list(range(12))
    assert [k for k, t in enumerate(ticks) if not t.trigger_locked] == [6]
    assert grid.counts.n_late == 1


def test_a_double_milliseconds_later_stays_a_double():
    grid = schedule()
    ticks = listen(grid, with_strays(12, *(k + 0.005 / TR_S for k in range(12))))
    assert numbered(ticks) == list(range(12))
    assert (grid.counts.n_double, grid.counts.n_stray) == (12, 0)


@pytest.mark.parametrize("ahead", [0.3, 0.6, 0.9])
def test_a_run_that_a_stray_trigger_began_counts_from_its_first_true_one(ahead):
    """Nobody can know at once; no value is made so early, and the count is mended."""
    grid = schedule()
    ticks = listen(grid, with_strays(14, -ahead))
    late = [t for t in ticks if t.trigger_locked][1:]
    assert numbered(late) == list(range(3, 14))
    np.testing.assert_allclose([t.t_trigger_s for t in late], volumes(11, first=3))
    assert grid.running_since_s == pytest.approx(START_S)
    counted = [i for i in numbered(ticks) if i is not None]
    assert counted == sorted(set(counted))


def test_a_stray_trigger_long_before_the_scan_is_another_run():
    grid = schedule()
    ticks = listen(grid, with_strays(10, -6.3))
    assert numbered(ticks)[-10:] == list(range(10))
    assert grid.running_since_s == pytest.approx(START_S)


def shifted(n_before, n_after, pause):
    first = volumes(n_before)
    second = first[-1] + TR_S * (1 + pause + np.arange(n_after))
    return first, second


@pytest.mark.parametrize("pause", [-0.6, -0.3, -0.07, 0.07, 0.3, 0.6, 0.85])
def test_a_scanner_that_paused_for_less_than_a_volume_is_followed(pause):
    """The old grid flywheels, then all is paused, and then the count goes on."""
    grid = schedule()
    first, second = shifted(10, 12, pause)
    ticks = listen(grid, [*first, *second])
    true_s = np.array([*first, *second])
    locked = [t for t in ticks if t.trigger_locked]
    assert len(locked) >= 10 + 12 - 4
    for t in locked:
        assert t.t_trigger_s == pytest.approx(true_s[t.volume_index])
    counted = [i for i in numbered(ticks) if i is not None]
    assert counted == sorted(set(counted))
    assert grid.running_since_s >= second[0]
    assert grid.state == "locked"


@pytest.mark.parametrize("pause", [0.93, 1.3, 2.4, 2.7])
def test_after_a_longer_pause_off_the_grid_a_new_run_begins(pause):
    grid = schedule()
    first, second = shifted(10, 12, pause)
    ticks = listen(grid, [*first, *second])
    assert grid.counts.n_runs == 2
    assert grid.running_since_s == pytest.approx(second[0])
    for t in ticks[-6:]:
        assert t.trigger_locked
        assert t.t_trigger_s == pytest.approx(second[t.volume_index])


def test_a_stray_trigger_while_triggers_are_lost_does_not_end_the_run():
    """Six are lost, one comes that is no volume's: the scanner went on all the time."""
    grid = schedule()
    ticks = listen(grid, with_strays(24, 9.4, missing=np.s_[6:12]))
    assert numbered(ticks)[-11:] == list(range(13, 24))
    assert grid.running_since_s == pytest.approx(START_S + 12 * TR_S)
    assert grid.counts.n_missed == 6


def test_a_trigger_that_returns_after_a_loss_says_since_when_the_scanner_runs():
    grid = schedule()
    listen(grid, with_strays(20, missing=np.s_[5:11]))
    assert grid.running_since_s == pytest.approx(START_S + 11 * TR_S)
    grid = schedule()
    listen(grid, with_strays(20, missing=[5, 6]))
    assert grid.running_since_s == pytest.approx(START_S)


def test_a_change_of_clock_moves_what_is_held_too():
    moved_s = 5e4
    first, second = shifted(10, 12, 0.6)
    times = [*first, *second]
    plain, moved = schedule(), schedule()
    expected = listen(plain, times)
    ticks = listen(moved, times[:11], until_s=times[10] + 0.2)
    moved.shift(moved_s)
    ticks += listen(moved, [t + moved_s for t in times[11:]], from_s=times[10] + 0.25
                    + moved_s)  # fmt: skip
    assert numbered(ticks) == numbered(expected)
    assert moved.running_since_s == pytest.approx(plain.running_since_s + moved_s)


@st.composite
def noisy_trains(draw):
    """Jitter (5 % of a TR between two), two missing in a row, strays further off."""
    n = draw(st.integers(6, 40))
    kept, n_missing = [], 0
    for k in range(n):
        if 0 < k < n - 1 and n_missing < 2 and draw(st.integers(0, 3)) == 0:
            n_missing += 1
            continue
        n_missing = 0
        kept.append(START_S + TR_S * (k + draw(st.floats(-JITTER, JITTER)) / 2))
    strays = draw(
        st.lists(
            st.tuples(st.integers(0, n - 2), st.floats(2 * JITTER, 1 - 2 * JITTER)),
            max_size=n,
        )
    )
    return kept, [START_S + TR_S * (k + off) for k, off in strays], n


def check_truth(ticks):
    """Every locked tick is at the time of the volume that it says; none comes twice."""
    counted = [i for i in numbered(ticks) if i is not None]
    assert counted == sorted(set(counted))
    for t in ticks:
        if t.trigger_locked:
            off_s = t.t_trigger_s - (START_S + TR_S * t.volume_index)
            assert abs(off_s) <= JITTER * TR_S + 1e-6


@settings(max_examples=400, deadline=None)
@given(train=noisy_trains(), poll_s=st.sampled_from([0.05, 0.5, 3.0]))
def test_what_is_locked_is_a_true_volume_with_its_true_number(train, poll_s):
    kept, strays, _ = train
    check_truth(listen(schedule(), sorted([*kept, *strays]), poll_s=poll_s))


@settings(max_examples=200, deadline=None)
@given(
    jitter=st.lists(st.floats(-JITTER / 2, JITTER / 2), min_size=8, max_size=40),
    missing=st.sets(st.integers(4, 38).filter(lambda k: k % 3), max_size=12),
)
def test_jitter_and_missing_triggers_alone_are_no_other_tr(jitter, missing):
    """Up to 5 % of a TR against each other: two intervals may agree by chance."""
    jitter[:3] = [0.0] * 3  # so that the TR has been right once
    times = START_S + TR_S * (np.arange(len(jitter)) + np.array(jitter))
    kept = [t for k, t in enumerate(times) if k not in missing or k == len(times) - 1]
    ticks = listen(schedule(), kept)
    check_truth(ticks)
    assert not any("tr_changed" in t.paused and t.volume_index is None for t in ticks)


@pytest.mark.parametrize("tr_s", [0.3, 0.8, 1.0, 2.1, 10.0])
@pytest.mark.parametrize("off", [0.5, 0.6, 0.7])
def test_at_every_tr(tr_s, off):
    grid = Schedule(ScheduleSettings(tr_s))
    times = START_S + tr_s * np.arange(12)
    ticks = listen(grid, sorted([*times, START_S + tr_s * (5 + off)]), poll_s=0.02)
    assert numbered(ticks) == list(range(12))
    assert all(t.trigger_locked for t in ticks)


# Slice triggers


def slices(n_volumes, every=10):
    return START_S + TR_S / every * np.arange(n_volumes * every)


@pytest.mark.parametrize("off", [0.2, 0.4, 0.6, 0.8])
def test_a_stray_trigger_just_before_the_first_slice_is_not_the_volume(off):
    grid = schedule(trigger_every=10)
    stray_s = START_S + TR_S * 5 - TR_S / 10 * (1 - off)
    ticks = listen(grid, sorted([*slices(10), stray_s]))
    assert numbered(ticks) == list(range(10))
    np.testing.assert_allclose([t.t_trigger_s for t in ticks], volumes(10))


def test_first_slices_that_are_lost_again_and_again_do_not_move_the_volume():
    grid = schedule(trigger_every=10)
    times = np.delete(slices(14), [50, 60, 70, 80])
    ticks = listen(grid, times)
    locked = [t for t in ticks if t.trigger_locked]
    np.testing.assert_allclose(
        [t.t_trigger_s for t in locked][-5:], volumes(5, first=9)
    )


@pytest.mark.parametrize("tr_s", [0.7 * TR_S, 1.5 * TR_S])
def test_slices_at_another_spacing_are_no_volumes(tr_s):
    grid = schedule(trigger_every=10)
    first = slices(8)
    second = first[-1] + tr_s / 10 * np.arange(1, 120)
    ticks = listen(grid, [*first, *second])
    later = [t for t in ticks if t.t_trigger_s > second[12]]
    assert not any(t.trigger_locked for t in later)
    assert later[-1].paused == ("tr_changed",)
    assert grid.tr_mismatch == pytest.approx(tr_s, rel=0.01)


@example(seed=0)
@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_stray_triggers_among_slices(seed):
    rng = np.random.default_rng(seed)
    stray = rng.uniform(START_S, START_S + 9.8 * TR_S, 4)
    ticks = listen(schedule(trigger_every=10), sorted([*slices(10), *stray]))
    for t in ticks:
        if t.trigger_locked and t.volume_index is not None:
            off_s = t.t_trigger_s - (START_S + TR_S * t.volume_index)
            assert abs(off_s) <= 0.025
