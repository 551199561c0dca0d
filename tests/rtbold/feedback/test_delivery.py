import numpy as np
import pytest
from hypothesis import given, strategies as st
from volumes import block

from rtbold.config import FeedbackSettings
from rtbold.feedback.chain import Feedback, Norm
from rtbold.feedback.delivery import SafetyLimits

NORM = Norm(baseline="card", n=100)
UP, DOWN = block("regulate"), block("regulate", direction="down")


def feedback(shown, status=None):
    value = None if shown is None else 1.0
    status = status or ("invalid" if shown is None else "ok")
    return Feedback(
        target="t", value=value, z=value, norm=NORM, status=status, reasons=(),
        shown=shown,
    )  # fmt: skip


def limits(**settings):
    return SafetyLimits(FeedbackSettings(low=-1.0, high=1.0, **settings))


def shown(made, values, now=UP):
    return [made.push(feedback(value), now).shown for value in values]


def test_without_a_range_nothing_is_shown_and_nothing_else_touched():
    made = SafetyLimits(FeedbackSettings()).push(feedback(0.4), UP)
    assert made == Feedback(
        target="t", value=1.0, z=1.0, norm=NORM, status="ok", reasons=()
    )


def test_bounds_hold_and_are_told():
    made = limits(shown_min=0.1, shown_max=0.8)
    found = [made.push(feedback(value), UP) for value in (0.0, 0.5, 1.0)]
    assert [f.shown for f in found] == [0.1, 0.5, 0.8]
    assert [f.limited for f in found] == [True, False, True]
    assert made.in_words() == "3 values shown; 2 beyond the bounds"


def test_the_largest_step_holds_from_the_neutral_value_on():
    made = limits(max_step=0.1)
    assert shown(made, [1.0, 1.0, 0.0]) == pytest.approx([0.6, 0.7, 0.6])
    assert made.in_words() == "3 values shown; 3 slowed down"


def test_one_missing_volume_is_held_and_two_are_neutral():
    made = limits(max_step=0.2)
    shown(made, [1.0, 1.0, 1.0])
    assert shown(made, [None, 1.0]) == [None, 1.0]
    assert shown(made, [None, None, 1.0]) == [None, None, 0.7]


def test_a_block_without_feedback_begins_the_next_one_at_neutral():
    made = limits(max_step=0.2)
    shown(made, [1.0, 1.0, 1.0])
    made.push(feedback(None, status="ok"), block("rest"))
    assert shown(made, [1.0]) == [0.7]


def test_feedback_at_the_end_of_a_block_is_one_picture_not_a_movement():
    made = limits(max_step=0.1)
    end = block("regulate", feedback="block_end")
    assert shown(made, [0.9], end) == [0.9]


@pytest.mark.parametrize("wrong", [1.5, -0.1, float("nan"), float("inf")])
def test_what_is_no_share_is_never_shown(wrong):
    assert shown(limits(), [wrong]) == [None]


def test_nothing_unusable_is_shown_even_if_there_were_a_number():
    made = limits(reward=0.0).push(feedback(0.9, status="invalid"), UP)
    assert (made.shown, made.reward, made.reward_threshold) == (None, None, None)


@given(
    values=st.lists(st.none() | st.floats(0, 1) | st.floats(), max_size=40),
    max_step=st.floats(0.001, 1),
    bounds=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).map(sorted),
)
def test_an_app_that_keeps_the_rule_never_moves_faster(values, max_step, bounds):
    low, neutral, high = bounds
    made = limits(max_step=max_step, shown_min=low, neutral=neutral, shown_max=high)
    screen, n_missing = neutral, 0
    for found in [made.push(feedback(value), UP) for value in values]:
        value = found.shown
        if value is None:  # with a usable status: neutral at once
            n_missing += 1
            screen = neutral if n_missing > 1 or found.usable else screen
            continue
        assert low <= value <= high
        assert abs(value - screen) <= max_step + 1e-12
        screen, n_missing = value, 0


# Reward


def rewards(made, values, now=UP):
    return [made.push(feedback(value), now).reward for value in values]


def test_a_threshold_with_hysteresis():
    made = limits(reward=0.6, hysteresis=0.1)
    values = [0.55, 0.6, 0.55, 0.49, 0.55]
    assert rewards(made, values) == [False, True, True, False, False]
    assert made.in_words() == "5 values shown, 2 rewarded; as made"


def test_downwards_success_lies_below():
    made = limits(reward=0.6)
    found = [made.push(feedback(value), DOWN) for value in (0.3, 0.5)]
    assert [f.reward for f in found] == [True, False]
    assert found[0].reward_threshold == pytest.approx(0.4)


def test_rest_is_not_rewarded_and_a_gap_ends_the_hysteresis():
    made = limits(reward=0.6, hysteresis=0.2)
    assert made.push(feedback(0.9), block("rest")).reward is None
    assert rewards(made, [0.7, 0.5, None, 0.5]) == [True, True, None, False]


@pytest.mark.parametrize("rate", [0.3, 0.7])
def test_an_adaptive_threshold_comes_to_its_success_rate(rate):
    made = limits(reward=0.5, success_rate=rate, success_step=0.02)
    values = np.random.default_rng(1).beta(4, 2, 3000)
    found = rewards(made, values.tolist())
    assert np.mean(found[500:]) == pytest.approx(rate, abs=0.02)


def test_the_threshold_stays_within_what_can_be_shown():
    made = limits(reward=0.5, success_rate=0.9, success_step=0.5)
    found = [made.push(feedback(0.0), UP).reward_threshold for _ in range(20)]
    assert min(found) == 0.0


def test_nothing_is_said_of_a_session_that_showed_nothing():
    made = limits()
    shown(made, [None])
    assert made.in_words() == ""
