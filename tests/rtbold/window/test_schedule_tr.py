"""The triggers keep another TR than the session's, from the start or from a moment."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scanner_train import START_S, listen, numbered, volumes

from rtbold.window.schedule import Schedule, ScheduleSettings

N_RIGHT = 12


def schedule(tr_s, **options):
    return Schedule(ScheduleSettings(tr_s, **options))


def changed(tr_s, to_s, *, n_after=12, n_back=0):
    """Return the triggers before the change, those after it, and those back again."""
    first = START_S + tr_s * np.arange(N_RIGHT)
    second = first[-1] + to_s * np.arange(1, n_after + 1)
    return first, second, second[-1] + tr_s * np.arange(1, n_back + 1)


CHANGES = [
    (1.0, 1.5), (1.0, 0.7), (1.0, 0.4), (1.0, 2.5), (1.0, 1.1), (2.1, 2.2), (2.1, 3.0),
    (2.1, 0.7), (2.1, 1.4), (2.1, 1.0), (2.1, 2.0), (0.8, 1.2), (0.8, 0.6), (0.8, 1.0),
    (2.0, 1.5),
]  # fmt: skip


@pytest.mark.parametrize(("tr_s", "to_s"), CHANGES)
def test_a_tr_that_changes_pauses_as_soon_as_it_is_sure(tr_s, to_s):
    grid = schedule(tr_s)
    first, second, _ = changed(tr_s, to_s)
    ticks = listen(grid, [*first, *second])
    after = [t for t in ticks if t.t_trigger_s > first[-1] + 0.01]
    # at the second new interval; where it is within jitter of the TR, at the third
    sure_s = second[1] if abs(to_s / tr_s - 1) > 0.05 else second[2]
    if to_s < tr_s / 2:  # the next volume's time has to come first
        sure_s = first[-1] + 1.2 * tr_s
    later = [t for t in after if t.t_trigger_s > sure_s + 0.01]
    assert later
    assert {t.paused for t in later} <= {("tr_changed",), ("triggers_lost",)}
    assert {t.volume_index for t in later} == {None}
    assert grid.state == "tr_changed"
    assert grid.tr_mismatch == pytest.approx(to_s)
    n_true = np.searchsorted(second, sure_s + 0.01)
    counted = [t.volume_index for t in after if t.volume_index is not None]
    assert max(counted, default=0) <= N_RIGHT - 1 + max(2, n_true)
    assert not any(t.trigger_locked for t in later)


@pytest.mark.parametrize(("tr_s", "to_s"), [c for c in CHANGES if c != (2.1, 1.0)])
def test_what_was_published_before_is_of_no_wrong_volume(tr_s, to_s):
    """A locked tick is at a trigger that has its number, however late it was seen."""
    first, second, _ = changed(tr_s, to_s)
    all_s = np.array([*first, *second])
    ticks = listen(schedule(tr_s), [*first, *second])
    for t in ticks:
        if t.trigger_locked and not t.paused:
            assert t.t_trigger_s == pytest.approx(all_s[t.volume_index])


@pytest.mark.parametrize(("tr_s", "to_s"), [(1.0, 1.5), (1.0, 0.7), (2.1, 3.0)])
def test_one_tick_a_tr_while_it_is_paused(tr_s, to_s):
    first, second, _ = changed(tr_s, to_s, n_after=20)
    ticks = listen(schedule(tr_s), [*first, *second])
    times_s = np.array([t.t_trigger_s for t in ticks])
    np.testing.assert_allclose(np.diff(times_s), tr_s, atol=1e-6)


@pytest.mark.parametrize(("tr_s", "to_s"), [(1.0, 1.5), (1.0, 0.7), (2.1, 2.2)])
def test_back_at_the_old_tr_a_new_run_begins(tr_s, to_s):
    """Nobody knows which volume it is; two intervals show that the TR is right."""
    grid = schedule(tr_s)
    first, second, third = changed(tr_s, to_s, n_back=15)
    ticks = listen(grid, [*first, *second, *third])
    assert grid.tr_mismatch is None
    assert grid.counts.n_runs == 2
    assert grid.running_since_s == pytest.approx(second[-1])
    late = [t for t in ticks if t.t_trigger_s > third[1] - 0.01]
    assert numbered(late) == list(range(2, 16))
    np.testing.assert_allclose([t.t_trigger_s for t in late], third[1:])
    assert all(t.trigger_locked and not t.paused for t in late)


def test_a_new_scan_after_a_pause_is_not_held_back():
    grid = schedule(1.0)
    first, second, _ = changed(1.0, 1.5)
    third = second[-1] + 40 + np.arange(15)
    ticks = listen(grid, [*first, *second, *third])
    assert grid.tr_mismatch is None
    assert numbered(ticks)[-15:] == list(range(15))
    silent = [t for t in ticks if second[-1] + 6 < t.t_trigger_s < third[0] - 0.5]
    assert {t.paused for t in silent} == {("triggers_lost",)}


def test_a_run_with_another_tr_than_the_last_one_is_paused():
    grid = schedule(1.0)
    second = START_S + 60 + 1.5 * np.arange(12)
    ticks = listen(grid, [*(START_S + np.arange(20)), *second])
    assert grid.tr_mismatch == pytest.approx(1.5)
    assert ticks[-1].paused == ("tr_changed",)
    assert grid.tr_was_right


@pytest.mark.parametrize("every", [2, 3])
def test_every_second_trigger_lost_looks_like_twice_the_tr(every):
    """It is paused, and counted on: whoever mends the cable has lost no volume."""
    grid = schedule(2.1)
    kept = [*range(12), *range(12 + every - 1, 36, every), *range(36, 50)]
    times = volumes(50)[kept]
    ticks = listen(grid, times)
    assert numbered(ticks) == list(range(50))
    paused = [t.volume_index for t in ticks if "tr_changed" in t.paused]
    assert paused[0] == 11 + 3 * every
    assert paused[-1] < 40
    assert grid.tr_mismatch is None
    assert grid.running_since_s > START_S + 2.1 * 34
    assert grid.counts.n_runs == 1


def test_stray_and_missing_triggers_that_look_like_another_tr_for_a_moment():
    """One and a half TRs twice, by chance; the count goes on, after a pause."""
    grid = schedule(1.0)
    kept = [k for k in range(30) if k not in (11, 12)]
    times = sorted([*(START_S + np.array(kept)), START_S + 11.5])
    ticks = listen(grid, times)
    assert grid.counts.n_runs == 1
    assert grid.tr_mismatch is None
    counted = [t for t in ticks if t.trigger_locked and not t.paused]
    assert [t.volume_index for t in counted][-10:] == list(range(20, 30))
    for t in counted:
        assert t.t_trigger_s == pytest.approx(START_S + t.volume_index)
    assert grid.running_since_s > START_S + 12


def test_half_of_the_tr_is_seen_when_the_second_volume_is_due():
    """Until then every second trigger may be a stray one."""
    grid = schedule(2.0)
    first, second, _ = changed(2.0, 1.0)
    ticks = listen(grid, [*first, *second])
    late = [t for t in ticks if t.t_trigger_s > first[-1] + 2.1]
    assert {t.paused for t in late} == {("tr_changed",)}
    assert grid.tr_mismatch == pytest.approx(1.0)


@settings(max_examples=60, deadline=None)
@given(
    ratio=st.floats(0.35, 2.9),
    jitter=st.lists(st.floats(-0.003, 0.003), min_size=40, max_size=40),
)
def test_any_other_tr_ends_paused_and_never_locked(ratio, jitter):
    tr_s = 2.1
    nearest = max(round(ratio), 1)
    if abs(ratio - nearest) < 0.06 or abs(1 / ratio - round(1 / ratio)) < 0.06:
        return  # a multiple or a part of the TR, or hardly another one
    first, second, _ = changed(tr_s, ratio * tr_s, n_after=28)
    times = np.array([*first, *second]) + np.array(jitter)
    grid = schedule(tr_s)
    ticks = listen(grid, times)
    late = [t for t in ticks if t.t_trigger_s > second[3] + tr_s]
    assert not any(t.trigger_locked and not t.paused for t in late)
    assert {t.volume_index for t in late} <= {None}
    assert grid.state in ("tr_changed", "triggers_lost")
