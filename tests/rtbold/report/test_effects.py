"""Effects of blocks: what was planted is found, noise is not."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from rtbold.protocol import BlockNow
from rtbold.report.blocks import BlockSummary, FedBack, RunSummary, runs_of
from rtbold.report.effects import (
    differences,
    effect,
    learning,
    learning_over_runs,
    regulation,
)
from rtbold.report.summary import counted


def block(number, task, mean, direction=None):
    now = BlockNow(
        run=1, attempt=1, run_type="training", block=number, name=task, task=task,
        direction=direction, feedback="none", volume_in_block=0, n_volumes=10,
        last_of_block=False,
    )  # fmt: skip
    return BlockSummary(
        block=now, t_s=0.0, n=10, n_usable=10, n_counted=7, mean=mean, sd=1.0,
        reasons=(),
    )  # fmt: skip


def run(*blocks, kind="training", number=1):
    return RunSummary(
        run=number, attempt=1, kind=kind, condition=None,
        blocks=tuple(block(k, *each) for k, each in enumerate(blocks, 1)),
    )  # fmt: skip


def test_a_block_is_held_against_the_rest_on_both_sides():
    one = run(("rest", 1.0), ("regulate", 3.0, "up"), ("rest", 2.0))
    assert differences(one) == (1.5,)


def test_down_is_turned_round():
    one = run(("rest", 0.0), ("regulate", -2.0, "down"), ("rest", 0.0))
    assert differences(one) == (2.0,)


def test_the_nearest_rest_that_has_a_value_counts():
    one = run(
        ("rest", 5.0), ("rest", None), ("regulate", 1.0, "up"),
        ("regulate", 2.0, "up"), ("rest", 3.0),
    )  # fmt: skip
    assert differences(one) == (-3.0, -2.0)


def test_without_rest_or_value_there_is_no_difference():
    assert differences(run(("regulate", 1.0, "up"))) == ()
    assert differences(run(("rest", 0.0), ("regulate", None, "up"))) == ()
    assert regulation([run(("rest", 0.0))]) is None


def test_kinds_of_runs_are_kept_apart():
    rest_up = (("rest", 0.0), ("regulate", 1.0, "up"))
    trained, transfer = run(*rest_up), run(*rest_up, kind="transfer")
    assert regulation([trained, transfer]).n == 1
    assert regulation([trained, transfer], "transfer").n == 1
    assert regulation([trained], "transfer") is None


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=30))
def test_the_interval_is_that_of_a_t_test(values):
    found = effect(values)
    if len(set(values)) == 1:
        assert found.low is None
        return
    low, high = stats.ttest_1samp(values, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-6, abs=1e-9)


def test_one_block_has_no_interval_and_is_never_found():
    assert effect([2.9946769287641475] * 3).low is None
    found = effect([3.0])
    assert (found.mean, found.low, found.found) == (3.0, None, False)
    assert effect([]) is None
    assert effect([np.nan]) is None


def test_noise_is_found_in_about_a_fortieth_of_studies():
    rng = np.random.default_rng(5)
    found = [effect(rng.standard_normal(12)).found for _ in range(2000)]
    assert 0.015 < np.mean(found) < 0.036  # one side of 95 %


def test_a_rise_from_run_to_run_is_learning():
    found = learning([[0.1, 0.0], [1.1, 0.9], [2.0, 2.1]])
    assert found.mean == pytest.approx(1.0, abs=0.03)
    assert found.found
    assert learning([[1.0, 2.0, 3.0]]) is None
    assert learning([[1.0], [2.0]]) is None


def test_learning_counts_training_runs_alone():
    runs = [
        run(("rest", 0.0), ("regulate", float(k), "up"), ("rest", 0.0),
            ("regulate", k + 0.1, "up"), kind=kind, number=k)
        for k, kind in enumerate(("baseline", "training", "training", "transfer"))
    ]  # fmt: skip
    assert learning_over_runs(runs).n == 4


def rows(n, *, tr_s=2.0, status="ok", z=1.0):
    for k in range(n):
        now = BlockNow(
            run=1, attempt=1, run_type="training", block=1, name="up", task="regulate",
            direction="up", feedback="continuous", volume_in_block=k, n_volumes=n,
            last_of_block=k == n - 1,
        )  # fmt: skip
        value = float(k) if status == "ok" else None
        yield FedBack(
            t_s=k * tr_s, volume_index=k, status=status, value=value,
            z=value if z else None, block=now,
        )  # fmt: skip


def test_the_first_seconds_of_a_block_belong_to_the_one_before():
    (one,) = runs_of(list(rows(10)), tr_s=2.0, settle_s=6.0)
    (summary,) = one.blocks
    assert (summary.n, summary.n_usable, summary.n_counted) == (10, 10, 7)
    assert summary.mean == np.mean(range(3, 10))


def test_a_block_without_usable_volumes_has_no_mean():
    (one,) = runs_of(list(rows(5, status="invalid")), tr_s=2.0)
    assert one.blocks[0].mean is None
    assert one.blocks[0].usable_share == 0.0


def test_volumes_outside_of_blocks_are_left_out():
    free = [FedBack(t_s=0.0, volume_index=0, status="ok", value=1.0)]
    assert runs_of(free, tr_s=2.0) == ()


def test_a_block_of_a_few_usable_volumes_has_no_mean():
    few = [row if k >= 13 else spoiled(row) for k, row in enumerate(rows(16))]
    (one,) = runs_of(few, tr_s=2.0)
    assert (one.blocks[0].n_counted, one.blocks[0].mean) == (3, None)
    more = [row if k >= 12 else spoiled(row) for k, row in enumerate(rows(16))]
    (one,) = runs_of(more, tr_s=2.0)
    assert one.blocks[0].mean is not None


def spoiled(row):
    return dataclasses.replace(row, status="invalid", value=None, z=None)


def test_what_lies_between_runs_and_in_a_baseline_is_no_poor_quality():
    inside = list(rows(10))
    before = dataclasses.replace(
        inside[0], status="warmup", reasons=("short_baseline",), value=None, z=None
    )
    outside = dataclasses.replace(spoiled(inside[0]), block=None)
    assert counted([before, *inside, outside]) == inside
    assert counted([outside]) == [outside]  # a session without a protocol
