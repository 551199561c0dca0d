import numpy as np
import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st
from volumes import TR_S, block, blocks, card

from rtbold.bundle.card import Baseline, Contrast
from rtbold.config import FeedbackSettings
from rtbold.feedback.baseline import (
    BlockBaseline,
    RunningBaseline,
    card_reference,
    measured_reference,
)
from rtbold.feedback.smoothing import Sample
from rtbold.feedback.target import choose_target

NO_SKIP = FeedbackSettings(skip_n=0)


def sample(value, index):
    t_s = TR_S * index
    return Sample(value=float(value), t_s=t_s, next_due_s=t_s + TR_S)


def series(values):
    return [sample(v, i) for i, v in enumerate(values)]


def noise(n, seed=0):
    return np.random.default_rng(seed).normal(1.0, 2.0, n)


def test_mean_and_sd_are_those_of_the_values():
    values = noise(80)
    found = measured_reference(series(values), NO_SKIP, name="B1")
    assert (found.name, found.n) == ("B1", 80)
    assert found.mean == pytest.approx(values.mean())
    assert found.sd == pytest.approx(values.std(ddof=1))
    assert found.z(found.mean + 2 * found.sd) == pytest.approx(2.0)


def test_neighbours_that_are_alike_are_fewer_independent_ones():
    white = noise(200)
    slow = np.convolve(noise(209), np.ones(10) / 10, "valid")
    n_white = measured_reference(series(white), NO_SKIP, name="").n_eff
    n_slow = measured_reference(series(slow), NO_SKIP, name="").n_eff
    assert n_slow < 50 < n_white <= 200


def test_percentiles_count_what_lies_below_and_half_of_ties():
    values = [*range(10), 4]
    found = measured_reference(series(values), NO_SKIP, name="")
    assert found.percentile(-1) == 0
    assert found.percentile(99) == 100
    assert found.percentile(4) == pytest.approx(100 * (4 + 1) / 11)


@pytest.mark.parametrize("values", [[1.0] * 50, range(9), []])
def test_what_does_not_vary_or_is_too_little_is_no_baseline(values):
    assert measured_reference(series(values), NO_SKIP, name="") is None


def test_outliers_are_drawn_in_and_counted():
    clean = noise(100)
    spoilt = np.concatenate([clean, [500.0, -400.0]])
    drawing = FeedbackSettings(winsorise_sd=3.0)
    found = measured_reference(series(spoilt), drawing, name="")
    assert found.n_winsorised >= 2
    assert found.sd == pytest.approx(clean.std(), rel=0.15)
    assert measured_reference(series(spoilt), NO_SKIP, name="").sd > 40
    reach = found.raw_mean + 3 * found.raw_sd
    assert found.drawn_in(1e9, 3.0) == pytest.approx(reach)


def test_a_baseline_is_of_smoothed_values_where_values_are_smoothed():
    mean_of_4 = FeedbackSettings(smooth="mean", smooth_n=4)
    found = measured_reference(series(noise(100)), mean_of_4, name="")
    assert found.n == 97
    assert found.sd < 0.7 * found.raw_sd


# The card


def test_the_card_knows_rois_and_its_own_contrast_only():
    contrast = Contrast(name="c", weights={"Putamen": 1.0}, mean=0.5, sd=0.25)
    of = card(contrast=contrast, baseline=Baseline(mean=(1.0,) * 5, sd=(2.0,) * 5, n=9))
    roi = card_reference(of, choose_target(of, "Caudate"))
    assert (roi.name, roi.mean, roi.sd, roi.n) == ("card", 1.0, 2.0, 9)
    own = card_reference(of, choose_target(of, "c"))
    assert (own.mean, own.sd) == (0.5, 0.25)
    assert card_reference(of, choose_target(of, "Caudate - Putamen")) is None


# A block


def taken(keeper, volumes, values):
    for i, (now, value) in enumerate(zip(volumes, values, strict=True)):
        keeper.take(None if value is None else sample(value, i), now)
    return keeper.reference


def test_a_baseline_block_counts_when_it_is_over_and_without_its_beginning():
    keeper = BlockBaseline(FeedbackSettings(skip_n=3))
    volumes = list(blocks(("baseline", 63), ("regulate", 5)))
    values = [1e6, 1e6, 1e6, *noise(60), *[1e6] * 5]
    for i in range(62):
        keeper.take(sample(values[i], i), volumes[i])
    assert keeper.reference is None
    keeper.take(sample(values[62], 62), volumes[62])
    first = keeper.reference
    assert (first.name, first.n) == ("baseline 1", 60)
    assert first.mean == pytest.approx(noise(60).mean())
    for i in range(63, 68):
        keeper.take(sample(values[i], i), volumes[i])
    assert keeper.reference is first


def test_the_newest_block_counts_but_a_broken_off_one_takes_the_place_of_none():
    keeper = BlockBaseline(NO_SKIP)
    taken(keeper, list(blocks(("baseline", 70))), noise(70))
    first = keeper.reference
    half = [block("baseline", i, 70, block=3, name="again") for i in range(30)]
    away = block("rest", 0, 9, block=4)
    assert taken(keeper, [*half, away], [*noise(30), 0.0]) is first
    whole = [block("baseline", i, 20, block=5, name="short") for i in range(20)]
    assert taken(keeper, whole, noise(20)).name == "short"


def test_a_broken_off_block_is_better_than_none():
    keeper = BlockBaseline(NO_SKIP)
    half = [block("baseline", i, 70) for i in range(30)]
    assert taken(keeper, [*half, None], [*noise(30), 0.0]).n == 30


def test_volumes_without_a_value_do_not_count():
    values = [v if i % 3 else None for i, v in enumerate(noise(90))]
    found = taken(BlockBaseline(NO_SKIP), list(blocks(("baseline", 90))), values)
    assert found.n == 60


def test_a_block_that_is_repeated_begins_anew():
    keeper = BlockBaseline(NO_SKIP)
    first = [block("baseline", i, 70) for i in range(40)]
    again = [block("baseline", i, 70, attempt=2) for i in range(70)]
    found = taken(keeper, [*first, *again], [*[1e6] * 40, *noise(70)])
    assert (found.n, found.mean) == (70, pytest.approx(noise(70).mean()))


# Running


def test_it_remembers_so_many_volumes_and_no_more():
    keeper = RunningBaseline(FeedbackSettings(skip_n=0, memory_n=40))
    volumes = list(blocks(("rest", 100)))
    found = taken(keeper, volumes, [*[1e6] * 60, *noise(40)])
    assert (found.n, found.mean) == (40, pytest.approx(noise(40).mean()))


TASKS = st.sampled_from(["rest", "baseline", "regulate", "question", "break"])
VALUES = st.floats(-1e3, 1e3)


@hypothesis_settings(max_examples=30, deadline=None)
@given(
    plan=st.lists(st.tuples(TASKS, st.integers(1, 25)), min_size=1, max_size=6),
    other=VALUES,
    kind=st.sampled_from([BlockBaseline, RunningBaseline]),
    skip_n=st.integers(0, 4),
    smooth=st.sampled_from(["none", "mean", "exponential"]),
    seed=st.integers(0, 9),
)
def test_regulation_never_changes_a_baseline(plan, other, kind, skip_n, smooth, seed):
    volumes = list(blocks(*plan))
    values = noise(len(volumes), seed)
    success = [
        v if now.task in ("rest", "baseline") else other
        for v, now in zip(values, volumes, strict=True)
    ]
    made = [
        kind(FeedbackSettings(skip_n=skip_n, smooth=smooth, winsorise_sd=4.0))
        for _ in range(2)
    ]
    found = [
        taken(keeper, volumes, each)
        for keeper, each in zip(made, (values, success), strict=True)
    ]
    assert found[0] == found[1]
