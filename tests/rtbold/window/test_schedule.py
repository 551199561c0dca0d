"""A scanner with a true grid sends triggers; the schedule must find the volumes."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from rtbold.errors import ConfigError
from rtbold.window.schedule import Schedule, ScheduleCounts, ScheduleSettings

TR_S = 2.1
START_S = 1000.0


def schedule(**options):
    return Schedule(ScheduleSettings(TR_S, **options))


def run(grid, triggers, until_s, from_s=None, poll_s=0.05):
    """Live order: triggers as they arrive, time passing every 50 ms."""
    arrivals = sorted((at, t) for t, at in triggers)
    ticks = []
    first_s = min([at for at, _ in arrivals], default=START_S)
    now_s = first_s if from_s is None else from_s
    while now_s < until_s:
        while arrivals and arrivals[0][0] <= now_s:
            at, t = arrivals.pop(0)
            ticks += grid.trigger(t, at)
        ticks += grid.passed(now_s)
        now_s += poll_s
    for at, t in [late for late in arrivals if late[0] <= until_s]:
        ticks += grid.trigger(t, at)
    return [*ticks, *grid.passed(until_s)]


def on_time(times, lag_s=0.01):
    return [(t, t + lag_s) for t in times]


def indices(ticks):
    return [tick.volume_index for tick in ticks]


def volume_times(n, first=0):
    return START_S + TR_S * np.arange(first, first + n)


def test_each_trigger_is_a_volume_at_its_own_time():
    times = volume_times(20)
    ticks = run(schedule(), on_time(times), times[-1] + 1)
    assert indices(ticks) == list(range(20))
    assert [t.t_trigger_s for t in ticks] == list(times)
    assert all(t.trigger_locked and t.paused == () for t in ticks)


@st.composite
def scanner_trains(draw):
    """Jitter, doubles and at most two missing in a row; some arrive late."""
    n = draw(st.integers(5, 40))
    sent, n_missing_in_row = [], 0
    for k in range(n):
        if 0 < k < n - 1 and n_missing_in_row < 2 and draw(st.booleans()):
            n_missing_in_row += 1
            continue
        t_s = START_S + k * TR_S + draw(st.floats(-0.005, 0.005))
        lags_s = [0.001, 0.01, 0.08]
        if n_missing_in_row < 2:  # after two missing a late one is the third
            lags_s += [0.3, 1.5]
        lag_s = draw(st.sampled_from(lags_s))
        n_missing_in_row = 0
        sent.append((t_s, t_s + lag_s))
        if draw(st.integers(0, 4)) == 0:
            again_s = draw(st.floats(0, 0.9))
            sent.append((t_s + again_s, t_s + max(lag_s, again_s) + 0.002))
    return n, sent


@given(train=scanner_trains(), poll_s=st.sampled_from([0.01, 0.05, 0.5, 3.0]))
def test_every_volume_has_exactly_one_tick(train, poll_s):
    n, sent = train
    grid = schedule()
    last_s = START_S + (n - 1) * TR_S
    ticks = run(grid, sent, last_s + 2.0, poll_s=poll_s)
    assert indices(ticks) == list(range(n))
    times = np.array([tick.t_trigger_s for tick in ticks])
    np.testing.assert_allclose(times, volume_times(n), atol=0.0101)
    assert (np.diff(times) > TR_S / 2).all()
    counts = grid.counts
    n_true = len({round((t - START_S) / TR_S) for t, _ in sent})
    assert counts.n_triggers == len(sent)
    assert counts.n_double == len(sent) - n_true
    assert counts.n_missed == n - n_true
    assert counts.n_runs == 1
    assert sum(not tick.trigger_locked for tick in ticks) == counts.n_flywheel


def test_a_missing_trigger_is_bridged_after_the_wait():  # fault 14
    grid = schedule(wait_s=0.15)
    assert indices(grid.trigger(START_S, START_S)) == [0]
    due_s = START_S + TR_S
    assert grid.next_due_s == pytest.approx(due_s)
    assert grid.passed(due_s + 0.149) == []
    (tick,) = grid.passed(due_s + 0.151)
    assert (tick.volume_index, tick.trigger_locked, tick.paused) == (1, False, ())
    assert tick.t_trigger_s == pytest.approx(due_s)
    assert grid.passed(due_s + 0.2) == []
    assert grid.state == "flywheel"


def test_a_late_trigger_moves_the_phase_and_makes_no_second_tick():  # fault 32
    grid = schedule()
    grid.trigger(START_S, START_S)
    grid.passed(START_S + TR_S + 0.2)
    assert grid.trigger(START_S + TR_S + 0.005, START_S + TR_S + 0.9) == []
    assert grid.state == "locked"
    assert grid.next_due_s == pytest.approx(START_S + 2 * TR_S + 0.005)
    assert grid.trigger_lag_s == pytest.approx(0.895)
    assert grid.counts == ScheduleCounts(
        n_triggers=2, n_late=1, n_flywheel=1, n_missed=0, n_runs=1
    )


@pytest.mark.parametrize("lag_s", [3.0, 7.0])
def test_triggers_that_always_come_late_never_double_a_volume(lag_s):
    grid = schedule()
    times = volume_times(20)
    ticks = run(grid, on_time(times, lag_s), times[-1] + 0.5, from_s=START_S)
    known = [i for i in indices(ticks) if i is not None]
    assert known == sorted(set(known))
    assert grid.state == ("flywheel" if lag_s < TR_S * 2 else "triggers_lost")


def test_the_scanner_stops():  # fault 27
    grid = schedule()
    times = volume_times(5)
    ticks = run(grid, on_time(times), times[-1] + 10 * TR_S + 0.15)
    assert indices(ticks) == [0, 1, 2, 3, 4, 5, 6, *[None] * 8]
    assert [t.paused for t in ticks[7:]] == [("triggers_lost",)] * 8
    np.testing.assert_allclose([t.t_trigger_s for t in ticks], volume_times(15))
    assert grid.state == "triggers_lost"
    assert grid.counts.n_missed == 3


@pytest.mark.parametrize("n_lost", [3, 6, 13])
def test_lost_triggers_of_a_scanner_that_went_on_keep_the_index(n_lost):
    grid = schedule()
    times = np.delete(volume_times(30), np.s_[5 : 5 + n_lost])
    ticks = run(grid, on_time(times), times[-1] + 1)
    assert len(ticks) == 30
    assert indices(ticks) == [*range(7), *[None] * (n_lost - 2), *range(5 + n_lost, 30)]
    assert grid.counts.n_runs == 1
    assert grid.counts.n_missed == n_lost


@pytest.mark.parametrize("pause_s", [12.0, 20 * TR_S, 600.0])
def test_a_new_run_starts_with_dummies_and_index_zero(pause_s):  # fault 28
    grid = schedule(dummy_volumes=2)
    first = volume_times(6)
    second = first + first[-1] - first[0] + pause_s
    ticks = run(grid, on_time([*first, *second]), second[-1] + 1)
    assert indices(ticks)[:8] == [None, None, 0, 1, 2, 3, 4, 5]
    assert indices(ticks)[-6:] == [None, None, 0, 1, 2, 3]
    assert [t.t_trigger_s for t in ticks[-6:]] == list(second)
    assert grid.counts.n_runs == 2
    assert grid.counts.n_dummies == 4


def test_dummies_are_counted_by_time():
    grid = schedule(dummy_volumes=3)
    times = np.delete(volume_times(8), 1)
    ticks = run(grid, on_time(times), times[-1] + 1)
    assert indices(ticks) == [None, None, None, 0, 1, 2, 3, 4]
    assert [t.paused for t in ticks[:3]] == [("waiting_for_scanner",)] * 3
    assert ticks[3].t_trigger_s == pytest.approx(START_S + 3 * TR_S)


def test_before_the_first_trigger_messages_come_at_the_tr():
    grid = schedule()
    assert grid.next_due_s is None
    ticks = run(grid, [], START_S + 5 * TR_S + 0.01, from_s=START_S)
    np.testing.assert_allclose([t.t_trigger_s for t in ticks], volume_times(6))
    assert {(t.volume_index, t.paused) for t in ticks} == {
        (None, ("waiting_for_scanner",))
    }
    assert grid.state == "waiting"
    assert indices(grid.trigger(START_S + 11.7, START_S + 11.7)) == [0]


def test_free_run_counts_from_the_first_good_sample():
    grid = schedule(mode="free_run")
    (waiting,) = grid.passed(START_S - 1)
    assert (waiting.volume_index, waiting.paused) == (None, ("no_data",))
    grid.first_sample(START_S)
    grid.first_sample(START_S + 5)
    ticks = run(grid, [], START_S + 9.5 * TR_S, from_s=START_S)
    assert indices(ticks) == list(range(10))
    np.testing.assert_allclose([t.t_trigger_s for t in ticks], volume_times(10))
    assert not any(t.trigger_locked or t.paused for t in ticks)
    assert grid.trigger(START_S + 30, START_S + 30) == []
    assert grid.state == "free_run"


def test_a_trigger_session_never_runs_free():
    grid = schedule()
    grid.first_sample(START_S)
    ticks = grid.passed(START_S + 100)
    assert {tick.paused for tick in ticks} == {("waiting_for_scanner",)}


def test_after_a_stall_every_tick_is_made_up_for():
    grid = schedule(mode="free_run")
    grid.first_sample(START_S)
    assert indices(grid.passed(START_S + 60)) == list(range(29))


def test_operator_pause_marks_ticks_and_counts_on():
    grid = schedule()
    grid.trigger(START_S, START_S)
    grid.pause()
    grid.pause()
    (tick,) = grid.trigger(START_S + TR_S, START_S + TR_S)
    assert (tick.volume_index, tick.paused) == (1, ("operator_pause",))
    lost = grid.passed(START_S + 5 * TR_S)[-1]
    assert lost.paused == ("triggers_lost", "operator_pause")
    grid.resume()
    ticks = grid.trigger(START_S + 5 * TR_S, START_S + 5 * TR_S)
    assert [(t.volume_index, t.paused) for t in ticks] == [(5, ())]


@given(
    dropped=st.sets(st.integers(1, 99).filter(lambda k: k % 10), max_size=30),
    jitter=st.integers(0, 1000),
)
def test_slice_triggers_make_volumes(dropped, jitter):
    grid = schedule(trigger_every=10)
    rng = np.random.default_rng(jitter)
    times = START_S + np.arange(100) * TR_S / 10 + rng.uniform(-0.005, 0.005, 100)
    sent = on_time(np.delete(times, sorted(dropped)))
    sent.append((times[50] + 0.03, times[50] + 0.04))  # a double
    ticks = run(grid, sent, times[-1] + 0.1)
    assert indices(ticks) == list(range(10))
    assert [t.t_trigger_s for t in ticks] == list(times[::10])
    assert grid.counts.n_double == 1


def test_slice_triggers_after_a_pause_begin_a_new_run():
    grid = schedule(trigger_every=10)
    times = START_S + np.arange(45) * TR_S / 10
    later = times + 40.03
    ticks = run(grid, on_time([*times, *later]), later[-1] + 0.1)
    assert indices(ticks)[-5:] == [0, 1, 2, 3, 4]
    assert [t.t_trigger_s for t in ticks[-5:]] == list(later[::10])


@pytest.mark.parametrize("tr_s", [1.0, 2.0, 2.06, 2.14, 3.0, 4.2])
def test_a_train_with_another_tr_is_reported(tr_s):
    grid = schedule()
    run(grid, on_time(START_S + tr_s * np.arange(6)), START_S + 6 * tr_s)
    assert grid.tr_mismatch == pytest.approx(tr_s)


@given(train=scanner_trains(), scale=st.sampled_from([1.0, 0.995, 1.005]))
def test_a_fitting_train_is_not_reported(train, scale):
    _, sent = train
    grid = schedule()
    first = {round((t - START_S) / TR_S): t for t, _ in reversed(sent)}  # no double
    times = sorted(first.values())
    scaled = START_S + scale * (np.array(times) - START_S)
    if len(np.unique(np.round(np.diff(times) / TR_S))) == 1 and len(times) > 3:
        scaled = START_S + scale * TR_S * np.arange(len(times))
    run(grid, on_time(scaled), scaled[-1] + 1)
    mixed = grid.tr_mismatch
    assert mixed is None or mixed > 1.9 * TR_S  # most triggers missing looks like 2 TR


def test_too_few_intervals_say_nothing():
    grid = schedule()
    run(grid, on_time(START_S + 3.0 * np.arange(3)), START_S + 7)
    assert grid.tr_mismatch is None


@pytest.mark.parametrize("t_s", [START_S + 2e5, START_S - 2e5, float("nan")])
def test_a_trigger_at_an_impossible_time_is_ignored(t_s):
    grid = schedule()
    grid.trigger(START_S, START_S)
    assert grid.trigger(t_s, START_S + TR_S) == []
    assert grid.counts.n_implausible == 1
    assert indices(grid.trigger(START_S + TR_S, START_S + TR_S)) == [1]


def test_trigger_stamps_that_step_back_end_in_a_pause_not_in_wrong_volumes():
    grid = schedule()
    times = volume_times(30)
    sent = [(t - 20 * (k > 9), t + 0.01) for k, t in enumerate(times)]
    ticks = run(grid, sent, times[-1] + 1)
    assert grid.state == "triggers_lost"
    assert {tick.paused for tick in ticks[-8:]} == {("triggers_lost",)}


@pytest.mark.parametrize("moved_s", [1.7e9, -900.0])
@pytest.mark.parametrize("options", [{}, {"mode": "free_run"}])
def test_a_clock_that_changes_before_the_start_stops_nothing(moved_s, options):
    grid = schedule(**options)
    assert grid.passed(float("nan")) == []
    assert len(run(grid, [], START_S + 10, from_s=START_S)) == 5
    later_s = START_S + 10 + moved_s
    assert len(run(grid, [], later_s + 10, from_s=later_s)) == 5


@pytest.mark.parametrize("moved_s", [1.7e9, -900.0, 3.0])
def test_a_change_of_clock_moves_the_grid(moved_s):
    times = volume_times(10)
    grid, plain = schedule(), schedule()
    ticks = run(grid, on_time(times[:5]), times[4] + 1)
    grid.shift(moved_s)
    ticks += run(grid, on_time(times[5:] + moved_s), times[9] + moved_s + 6)
    expected = run(plain, on_time(times), times[9] + 6)
    assert indices(ticks) == indices(expected)
    assert grid.counts == plain.counts


@pytest.mark.parametrize("moved_s", [1.7e9, -900.0])
def test_a_clock_that_changes_unannounced_gives_the_grid_up(moved_s):
    grid = schedule()
    times = volume_times(5)
    run(grid, on_time(times), times[-1] + 1)
    (tick,) = grid.passed(times[-1] + 2 + moved_s)
    assert (tick.volume_index, tick.paused) == (None, ("waiting_for_scanner",))
    at_s = times[-1] + 3 + moved_s
    assert indices(grid.trigger(at_s, at_s)) == [0]
    assert grid.counts.n_runs == 2


@pytest.mark.parametrize("moved_s", [1.7e9, -900.0])
def test_a_free_run_goes_on_counting_on_another_clock(moved_s):
    grid = schedule(mode="free_run")
    grid.first_sample(START_S)
    assert indices(grid.passed(START_S + TR_S * 3.5)) == [0, 1, 2, 3]
    assert indices(grid.passed(START_S + TR_S * 4 + moved_s)) in ([], [4])
    assert grid.next_due_s is not None
    grid.passed(START_S + TR_S * 4.01 + moved_s)
    grid.shift(-moved_s)
    assert indices(grid.passed(START_S + TR_S * 5.01)) == [5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tr_s": 2100}, "milliseconds"),
        ({"tr_s": 0}, "milliseconds"),
        ({"tr_s": float("nan")}, "milliseconds"),
        ({"tr_s": 2, "dummy_volumes": -1}, "at least 0, 1 and 0"),
        ({"tr_s": 2, "trigger_every": 0}, "at least 0, 1 and 0"),
        ({"tr_s": 2, "mode": "free_run", "dummy_volumes": 2}, "hears no triggers"),
        ({"tr_s": 2, "wait_s": -1}, "wait_s"),
    ],
)
def test_wrong_settings_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        ScheduleSettings(**options)
