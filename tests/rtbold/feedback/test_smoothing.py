import math

import pytest
from hypothesis import given, strategies as st

from rtbold.config import FeedbackSettings
from rtbold.feedback.smoothing import Sample, Smoother, smoothed

TR_S = 2.0
MEAN_3 = FeedbackSettings(smooth="mean", smooth_n=3)
SLOW = FeedbackSettings(smooth="exponential", smooth_s=6.0)


def sample(value, index):
    t_s = 50.0 + TR_S * index
    return Sample(value=value, t_s=t_s, next_due_s=t_s + TR_S)


def series(values):
    return [sample(v, i) for i, v in enumerate(values)]


def test_none_changes_nothing():
    smooth = Smoother(FeedbackSettings())
    assert [smooth(s) for s in series([1.0, -3.0])] == [1.0, -3.0]


def test_a_mean_is_there_once_it_is_of_all_its_volumes():
    smooth = Smoother(MEAN_3)
    assert [smooth(s) for s in series([3.0, 0.0, 3.0, 6.0])] == [None, None, 2.0, 3.0]


def test_an_exponential_is_there_once_its_time_constant_has_passed():
    smooth = Smoother(SLOW)
    made = [smooth(s) for s in series([1.0, 2.0, 3.0, 4.0])]
    keep = math.exp(-TR_S / 6.0)
    weights = [keep**2, keep, 1.0]
    expected = (weights[0] * 1 + weights[1] * 2 + weights[2] * 3) / sum(weights)
    assert made[:2] == [None, None]
    assert made[2] == pytest.approx(expected)


@pytest.mark.parametrize("settings", [MEAN_3, SLOW])
def test_a_constant_comes_out_as_it_is(settings):
    assert list(smoothed(series([0.7] * 9), settings)) == pytest.approx([0.7] * 7)


@pytest.mark.parametrize("settings", [MEAN_3, SLOW])
@pytest.mark.parametrize("gap", ["void", "time"])
def test_what_lies_before_a_gap_is_forgotten(settings, gap):
    smooth, fresh = Smoother(settings), Smoother(settings)
    for s in series([100.0] * 5):
        smooth(s)
    first = 5 if gap == "void" else 6  # the volume between never came
    if gap == "void":
        smooth.void()
    for i, value in enumerate([1.0, 2.0, 4.0, 8.0]):
        assert smooth(sample(value, first + i)) == fresh(sample(value, first + i))


def test_a_trigger_that_jitters_is_no_gap():
    smooth = Smoother(MEAN_3)
    made = [smooth(Sample(value=1.0, t_s=t, next_due_s=t + 2.0)) for t in (0, 2.4, 4)]
    assert made == [None, None, 1.0]


def test_a_volume_of_which_the_next_is_not_known_ends_a_series():
    smooth = Smoother(SLOW)
    made = [smooth(Sample(value=1.0, t_s=2.0 * i, next_due_s=None)) for i in range(9)]
    assert made == [None] * 9


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
    settings=st.sampled_from([MEAN_3, SLOW, FeedbackSettings()]),
    later=st.floats(-1e6, 1e6),
)
def test_it_is_causal_and_stays_within_what_came(values, settings, later):
    smooth, other = Smoother(settings), Smoother(settings)
    made = [smooth(s) for s in series(values)]
    assert [other(s) for s in series([*values, later])][:-1] == made
    for i, value in enumerate(made):
        if value is not None:
            seen = values[: i + 1]
            assert min(seen) - 1e-6 <= value <= max(seen) + 1e-6
