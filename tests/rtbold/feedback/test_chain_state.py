"""What the chain makes of a whole session: causal, replayable, never of nothing."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st
from volumes import block, blocks, card, prediction

from rtbold.bundle.card import Contrast
from rtbold.config import FeedbackSettings
from rtbold.errors import ConfigError
from rtbold.feedback.chain import FeedbackChain
from rtbold.feedback.delivery import SafetyLimits

CARD = card()
RANGE = {"low": -2.0, "high": 2.0}


def chain(of=CARD, withheld=False, **settings):
    return FeedbackChain(FeedbackSettings(**settings), of, withheld=withheld)


def through(made, values, volumes=None):
    volumes = volumes or [None] * len(values)
    return [
        made.push(prediction(value, i), now)
        for i, (value, now) in enumerate(zip(values, volumes, strict=True))
    ]


def noise(n, seed=0):
    return np.random.default_rng(seed).normal(0.0, 1.0, n).astype(np.float32).tolist()


def test_by_default_value_and_z_and_nothing_else():
    (made,) = through(chain(), [0.5])
    assert (made.value, made.z, made.shown, made.percentile) == (0.5, 0.5, None, None)
    assert (made.stages, made.condition, made.clipped) == (frozenset(), None, False)


def test_a_contrast_is_the_weighted_sum_against_a_measured_baseline():
    of, target = card(), "Putamen - 0.5*Caudate"
    volumes = list(blocks(("baseline", 70), ("regulate", 1)))
    made = through(
        FeedbackChain(FeedbackSettings(target=target, baseline="block", skip_n=0), of),
        [*noise(70), 3.0], volumes,
    )  # fmt: skip
    assert {f.status for f in made[:70]} == {"warmup"}
    assert {f.value for f in made[:70]} == {None}
    half = np.array(noise(70)) / 2
    last = made[-1]
    assert (last.target, last.status, last.value) == (target, "ok", 1.5)
    assert last.z == pytest.approx((1.5 - half.mean()) / half.std(ddof=1))
    assert (last.norm.baseline, last.norm.n) == ("baseline 1", 70)


def test_a_contrast_that_the_card_has_no_sd_for_is_refused():
    with pytest.raises(ConfigError, match=r"no baseline on the card.*baseline = 'bl"):
        chain(target="Putamen - Caudate")


def test_smoothing_is_warm_up_until_it_has_enough_and_after_each_gap():
    values = [1.0, 2.0, 3.0, None, 4.0, 5.0, 6.0]
    made = through(chain(smooth="mean", smooth_n=3), values)
    assert [f.value for f in made] == [None, None, 2.0, None, None, None, 5.0]
    statuses = ["warmup"] * 2 + ["ok", "invalid"] + ["warmup"] * 2 + ["ok"]
    assert [f.status for f in made] == statuses
    assert made[4].reasons == ("warmup",)


def test_an_outlier_is_drawn_in_before_it_is_smoothed_and_marked():
    settings = {"smooth": "mean", "smooth_n": 2, "winsorise_sd": 3.0}
    made = through(chain(**settings), [0.0, 0.0, 1000.0, 0.0, 0.0])
    assert [f.value for f in made] == [None, 0.0, 1.5, 1.5, 0.0]
    assert [f.outlier for f in made] == [False, False, True, False, False]


def test_a_short_baseline_degrades_and_a_long_one_does_not():
    volumes = list(blocks(("baseline", 59), ("regulate", 1), ("baseline", 60)))
    after = block("regulate", 0, 2, block=9)
    made = through(chain(baseline="block", skip_n=0), noise(121), [*volumes, after])
    assert (made[59].status, made[59].reasons) == ("degraded", ("short_baseline",))
    assert made[120].status == "ok"


def test_before_any_baseline_there_is_no_value_and_it_is_said():
    (made,) = through(chain(baseline="block"), [1.0])
    assert (made.value, made.z, made.status) == (None, None, "warmup")
    assert (made.reasons, made.norm.baseline) == (("short_baseline",), "none yet")


def test_a_percentile_of_the_running_baseline():
    made = through(
        chain(baseline="running", normalise="percentile", skip_n=0, low=0, high=100),
        [*noise(100), 99.0, -99.0],
        list(blocks(("rest", 100), ("regulate", 2))),
    )
    assert [f.percentile for f in made[-2:]] == [100.0, 0.0]
    assert [f.shown for f in made[-2:]] == [1.0, 0.0]
    assert made[-1].norm.method == "percentile"


def test_the_range_is_shown_from_0_to_1_and_what_lies_beyond_is_clipped():
    made = through(chain(**RANGE), [-2.0, 0.0, 1.0, 5.0, -5.0])
    assert [f.shown for f in made] == [0.0, 0.5, 0.75, 1.0, 0.0]
    assert [f.clipped for f in made] == [False, False, False, True, True]


def test_a_block_without_feedback_shows_nothing_and_keeps_its_numbers():
    volumes = [
        block("rest"), block("regulate", feedback="none"),
        block("regulate", run_type="transfer"), block("regulate"),
    ]  # fmt: skip
    made = through(chain(**RANGE), [1.0] * 4, volumes)
    assert [f.shown for f in made] == [None, None, None, 0.75]
    assert [f.value for f in made] == [1.0] * 4


def test_feedback_at_the_end_of_a_block_is_its_mean():
    volumes = [block("regulate", i, 4, feedback="block_end") for i in range(4)]
    made = through(chain(**RANGE), [1.0, None, 0.0, 2.0], volumes)
    assert [f.shown for f in made] == [None, None, None, 0.75]


@pytest.mark.parametrize("values", [[1.0, None, None, None], [1.0, 1.0, 1.0, None]])
def test_a_block_of_which_half_is_missing_or_that_ends_so_shows_nothing(values):
    volumes = [block("regulate", i, 4, feedback="block_end") for i in range(4)]
    assert [f.shown for f in through(chain(**RANGE), values, volumes)] == [None] * 4


def test_the_condition_travels_with_each_value():
    made = through(chain(), [1.0, 2.0], [block("regulate", condition="K7"), None])
    assert [f.condition for f in made] == ["K7", None]


def test_what_nobody_approved_is_never_fed_back_but_its_baseline_is_learned():
    volumes = list(blocks(("baseline", 70), ("regulate", 1)))
    made = through(chain(withheld=True, baseline="block", **RANGE), noise(71), volumes)
    assert {(f.value, f.z, f.shown) for f in made} == {(None, None, None)}
    assert (made[-1].status, made[-1].reasons) == ("invalid", ("unvalidated",))
    assert made[-1].norm.baseline == "baseline 1"


def test_a_sum_that_no_float32_holds_is_not_finite():
    contrast = Contrast(name="c", weights={"Putamen": 1e6}, mean=0.0, sd=1.0)
    (made,) = through(chain(card(contrast=contrast), target="c"), [3e38])
    assert (made.status, made.value) == ("invalid", None)
    assert made.reasons == ("nonfinite",)


# Whatever comes

SETTINGS = st.builds(
    FeedbackSettings,
    smooth=st.sampled_from(["none", "mean", "exponential"]),
    baseline=st.sampled_from(["card", "block", "running"]),
    skip_n=st.integers(0, 2),
    memory_n=st.integers(20, 30),
    winsorise_sd=st.none() | st.floats(1, 5),
    low=st.just(-1.0),
    high=st.floats(-0.9, 3.0),
    max_step=st.none() | st.floats(0.01, 1.0),
    reward=st.none() | st.floats(0, 1),
    hysteresis=st.floats(0, 0.5),
)
ANY = st.none() | st.floats(width=32)
PLAN = st.lists(
    st.tuples(st.sampled_from(["baseline", "rest", "regulate"]), st.integers(1, 14)),
    min_size=1, max_size=5,
)  # fmt: skip


def session(settings, values, volumes):
    made, limits = FeedbackChain(settings, CARD), SafetyLimits(settings)
    return [
        limits.push(feedback, now)
        for feedback, now in zip(through(made, values, volumes), volumes, strict=True)
    ]


@hypothesis_settings(max_examples=60, deadline=None)
@given(settings=SETTINGS, plan=PLAN, data=st.data())
def test_never_a_value_of_nothing_and_the_same_again_however_it_goes_on(
    settings, plan, data
):
    volumes = list(blocks(*plan))
    n = len(volumes)
    values = data.draw(st.lists(ANY, min_size=n, max_size=n))
    made = session(settings, values, volumes)
    cut = data.draw(st.integers(0, n))
    assert session(settings, values[:cut], volumes[:cut]) == made[:cut]
    for value, feedback in zip(values, made, strict=True):
        numbers = feedback.value, feedback.z, feedback.shown, feedback.reward_threshold
        known = [number for number in numbers if number is not None]
        assert all(map(math.isfinite, known))
        if value is None or not math.isfinite(value) or not feedback.usable:
            assert not known
            assert not feedback.usable
            assert feedback.reward is None
        if feedback.shown is not None:
            assert 0 <= feedback.shown <= 1


def test_what_was_late_has_the_same_numbers():
    made = chain(smooth="mean", **RANGE)
    other = chain(smooth="mean", **RANGE)
    for i, value in enumerate(noise(9)):
        on_time = made.push(prediction(value, i), None)
        late = prediction(value, i, status="degraded", reasons=("late",))
        again = other.push(late, None)
        told = {"status": on_time.status, "reasons": on_time.reasons}
        assert replace(again, **told) == on_time
