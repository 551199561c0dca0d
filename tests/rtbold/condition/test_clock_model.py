import numpy as np
import pytest

from rtbold.condition.clock_model import ClockModel, History, StampRuns, fit_clock_model

RATE_HZ = 100
PERIOD_S = 1 / RATE_HZ
NAN = float("nan")


def seen(runs, *chunks):
    firsts = np.cumsum([0, *map(len, chunks)]).tolist()
    return [
        (run.start, run.end, run.stamp_s)
        for first, chunk in zip(firsts, chunks, strict=False)
        for run in runs(np.asarray(chunk, float), first).runs()
    ]


def test_regular_stamps_are_all_believed_but_the_newest():
    assert seen(StampRuns(RATE_HZ, 50), [5.00, 5.01], [5.02, 5.03]) == [
        (0, 0, 5.00),
        (1, 1, 5.01),
        (2, 2, 5.02),
    ]


def test_of_equal_stamps_the_last_sample_is_believed():
    stamps = [5.02, 5.02, 5.02001, 5.05, 5.05, 5.05, 5.08]
    assert seen(StampRuns(RATE_HZ, 50), stamps) == [(0, 2, 5.02001), (3, 5, 5.05)]


def test_frozen_stamps_are_cut():
    ends = [end for _, end, _ in seen(StampRuns(RATE_HZ, 10), np.full(35, 7.0))]
    assert ends == [9, 19, 29]


@pytest.mark.parametrize("bad", [NAN, np.inf, -np.inf])
def test_no_number_is_no_observation(bad):
    found = seen(StampRuns(RATE_HZ, 50), [5.00, bad, 5.02, 5.03, 5.04])
    assert [(end, stamp) for _, end, stamp in found] == [(2, 5.02), (3, 5.03)]


def fitted(excess_s, counts):
    expected = ClockModel(counts[-1], 100.0, PERIOD_S)
    return fit_clock_model(
        counts, expected.times_of(counts) + excess_s, expected=expected
    )


@pytest.mark.parametrize("slope", [0, 5e-4, -5e-4, 0.1])
def test_late_stamps_do_not_move_the_line(slope):
    counts = np.arange(1000)
    excess_s = slope * counts * PERIOD_S
    late_s = excess_s + 0.09 * (np.random.default_rng(0).random(1000) < 0.1)
    line, residuals = fitted(late_s, counts)
    assert line.period_s == pytest.approx(PERIOD_S * (1 + slope), rel=1e-4)
    assert line.t_s == pytest.approx(100 + excess_s[-1], abs=0.001)
    np.testing.assert_allclose(np.median(residuals), 0, atol=1e-3)


def test_a_few_stamps_cannot_turn_the_line():
    line, _ = fitted(np.array([0, 0.002, 0.005]), np.array([0, 1, 2]))
    assert line.period_s == pytest.approx(PERIOD_S, rel=0.02)


def test_history_is_thinned_by_position_and_forgets():
    counts = np.arange(1000)
    history, other = History(10, 300), History(10, 300)
    history.add(counts, counts / 7)
    for part in np.array_split(counts, 77):
        other.add(part, part / 7)
    kept, stamps_s = history.before(1000)
    assert list(kept) == list(range(700, 1000, 10))
    for one, two in zip((kept, stamps_s), other.before(1000), strict=True):
        np.testing.assert_array_equal(one, two)


def test_history_shifts_what_is_newer():
    history = History(1, 100)
    history.add(np.arange(4), np.zeros(4))
    history.shift(2, 0.5)
    np.testing.assert_array_equal(history.before(4)[1], [0, 0, 0.5, 0.5])
