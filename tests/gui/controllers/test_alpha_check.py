from dataclasses import dataclass

import numpy as np
import pytest

from rtbold.gui.controllers.alpha_check import (
    ENOUGH_N,
    SETTLE_S,
    STAGE_S,
    WORDS,
    AlphaCheck,
)

CHANNELS = ("Fp1", "Cz", "O1", "Pz", "O2")
BANDS = ("delta", "theta", "alpha", "beta", "gamma")
T0 = 1000.0


@dataclass
class Powers:
    t_end: float
    power_uv2: np.ndarray
    bands: tuple[str, ...] = BANDS


def powers(t_end, alpha=10.0, beta=4.0, channels=CHANNELS):
    table = np.full((len(BANDS), len(channels)), 5.0)
    table[2], table[3] = alpha, beta
    return Powers(t_end, table)


def run(check, of_open, of_closed, *, t0=T0):
    """One message a second for the whole check."""
    check.start(t0)
    for second in range(1, int(2 * STAGE_S) + 2):
        t_lsl = t0 + second
        check.tick(t_lsl)
        is_open = check.view(t_lsl).stage == "open"
        check.take(powers(t_lsl, **(of_open if is_open else of_closed)))
    return check.view(t0 + 2 * STAGE_S + 1)


def test_it_guides_marks_and_finds_the_rise():
    marks = []
    view = run(AlphaCheck(marks.append, CHANNELS), {"alpha": 10}, {"alpha": 30})
    assert marks == [
        "alpha check: eyes open",
        "alpha check: eyes closed",
        "alpha check: end",
    ]
    assert view.stage == "done"
    assert view.result.verdict == "plausible"
    assert view.result.alpha == pytest.approx(3)
    assert view.result.beta == pytest.approx(1)
    assert [label for label, _ in view.result.by_channel] == ["O1", "Pz", "O2"]
    assert "person" not in view.result.words.lower()


@pytest.mark.parametrize(
    ("closed", "verdict"),
    [
        ({"alpha": 10}, "no change"),
        ({"alpha": 5}, "no change"),
        ({"alpha": 13}, "weak"),
        ({"alpha": 30, "beta": 12}, "everything rose"),
        ({"alpha": 30, "beta": 5}, "plausible"),
    ],
)
def test_words_for_each_outcome(closed, verdict):
    view = run(AlphaCheck(lambda _: None, CHANNELS), {"alpha": 10}, closed)
    assert view.result.verdict == verdict
    assert view.result.words == WORDS[verdict]


def test_eeg_from_before_a_change_and_after_it_does_not_count():
    check = AlphaCheck(lambda _: None, CHANNELS)
    check.start(T0)
    for t_end in (T0 - 1, T0 + 1, T0 + SETTLE_S - 0.1, T0 + STAGE_S + 0.1):
        check.take(powers(t_end))
    assert check.view(T0 + 1).n_open == 0
    check = AlphaCheck(lambda _: None, CHANNELS)
    check.start(T0)
    check.take(powers(T0 + SETTLE_S))
    check.take(powers(T0 + SETTLE_S))
    assert check.view(T0 + SETTLE_S).n_open == 1, "the same message twice counts once"


def test_the_time_left_counts_down_within_each_stage():
    check = AlphaCheck(lambda _: None, CHANNELS)
    assert check.view(T0).stage == "idle"
    check.start(T0)
    assert check.view(T0 + 10).left_s == pytest.approx(STAGE_S - 10)
    check.tick(T0 + STAGE_S + 0.03)
    assert check.view(T0 + STAGE_S + 0.03).left_s == pytest.approx(STAGE_S)


def test_without_eeg_there_is_no_result():
    check = AlphaCheck(lambda _: None, CHANNELS)
    check.start(T0)
    check.tick(T0 + STAGE_S)
    check.tick(T0 + 2 * STAGE_S)
    result = check.view(T0 + 2 * STAGE_S).result
    assert result.verdict == "unknown"
    assert str(ENOUGH_N) in result.words


def test_channels_that_are_not_there_or_not_over_the_back():
    front = AlphaCheck(lambda _: None, ("Fp1", "Fz"))
    view = run_with(front, np.full((5, 2), 3.0))
    assert "No channel over the back" in view.result.words
    dead = np.full((5, 5), 3.0)
    dead[:, 2:] = np.nan
    view = run_with(AlphaCheck(lambda _: None, CHANNELS), dead)
    assert "No usable channel" in view.result.words
    one_dead = np.full((5, 5), 3.0)
    one_dead[:, 2] = np.nan
    view = run_with(AlphaCheck(lambda _: None, CHANNELS), one_dead)
    assert [label for label, _ in view.result.by_channel] == ["Pz", "O2"]


def run_with(check, table):
    check.start(T0)
    for second in range(1, int(2 * STAGE_S) + 2):
        check.tick(T0 + second)
        check.take(Powers(T0 + second, table))
    return check.view(T0 + 2 * STAGE_S + 1)


def test_powers_of_another_shape_or_without_beta():
    check = AlphaCheck(lambda _: None, CHANNELS)
    view = run_with(check, np.ones((5, 3)))
    assert view.n_open == view.n_closed == 0
    check = AlphaCheck(lambda _: None, ("O1",))
    check.start(T0)
    for second in range(1, int(2 * STAGE_S) + 2):
        check.tick(T0 + second)
        is_open = check.view(T0 + second).stage == "open"
        table = np.array([[10.0 if is_open else 40.0]])
        check.take(Powers(T0 + second, table, bands=("alpha",)))
    assert check.view(T0 + 61).result.verdict == "plausible"


def test_stopping_early_concludes_nothing_and_marks_why():
    marks = []
    check = AlphaCheck(marks.append, CHANNELS)
    check.stop("not yet begun")
    assert marks == []
    check.start(T0)
    check.stop("closed by the operator")
    check.tick(T0 + 100)
    view = check.view(T0 + 100)
    assert view.stage == "stopped"
    assert view.result.verdict == "unknown"
    assert "closed by the operator" in view.result.words
    assert marks[-1] == "alpha check: stopped, closed by the operator"


def test_a_channel_that_is_bad_now_is_left_out():
    check = AlphaCheck(lambda _: None, CHANNELS)
    check.start(T0)
    for second in range(1, int(2 * STAGE_S) + 2):
        check.tick(T0 + second)
        is_open = check.view(T0 + second).stage == "open"
        table = powers(0, alpha=10 if is_open else 20).power_uv2
        table[2, 2] = 1 if is_open else 1e6
        check.take(Powers(T0 + second, table), skip={"O1"})
    result = check.view(T0 + 61).result
    assert [label for label, _ in result.by_channel] == ["Pz", "O2"]
    assert result.alpha == pytest.approx(2)
