import math
from collections import Counter

import pytest
from hypothesis import given, strategies as st

from rtbold.protocol import example, parse_protocol, plan_run
from rtbold.protocol.plan import span_of
from rtbold.protocol.study import Block, Run, Study

EXAMPLE = parse_protocol(example(), where="example.toml").study
TASKS = ("rest", "baseline", "question", "break")


@st.composite
def studies(draw):
    """Return a sound study of one run; its baselines may be short."""
    tr_s = draw(st.sampled_from([0.72, 1.0, 2.1, 3.0]))
    blocks = {}
    for name in ("a", "b", "c"):
        regulates = draw(st.booleans())
        n = draw(st.integers(1, 30))
        jitter = draw(st.integers(0, n - 1))
        if draw(st.booleans()):
            length = {"volumes": n, "jitter": float(jitter)}
        else:
            length = {"seconds": n * tr_s, "jitter": jitter * tr_s}
        ways = st.sampled_from(["up", "down", "bidirectional"])
        blocks[name] = Block(
            task="regulate" if regulates else draw(st.sampled_from(TASKS)),
            direction=draw(ways) if regulates else None,
            **length,
        )
    run = Run(
        kind=draw(st.sampled_from(["training", "transfer", "localiser"])),
        blocks=tuple(
            draw(st.lists(st.sampled_from(sorted(blocks)), min_size=1, max_size=8))
        ),
        cycles=draw(st.integers(1, 4)),
        repeats=draw(st.integers(1, 3)),
    )
    seed = draw(st.integers(-5, 5))
    return Study(name="s", tr_s=tr_s, seed=seed, blocks=blocks, runs=(run,))


@given(study=studies(), attempt=st.integers(1, 4))
def test_blocks_tile_the_run_within_their_jitter(study, attempt):
    plan = plan_run(study, study.n_runs, attempt=attempt)
    assert plan.blocks[0].first_volume == 0
    for block, after in zip(plan.blocks, plan.blocks[1:], strict=False):
        assert block.end_volume == after.first_volume
    for number, block in enumerate(plan.blocks, 1):
        span = span_of(study.blocks[block.name], study.tr_s)
        assert block.number == number
        assert 1 <= span.least <= block.n_volumes <= span.most
    assert plan.n_volumes == sum(block.n_volumes for block in plan.blocks)


@given(study=studies())
def test_each_volume_lies_in_one_block_and_never_in_an_earlier_one(study):
    plan = plan_run(study, 1)
    at = [plan.at(i) for i in range(plan.n_volumes)]
    numbers = [now.block for now in at]
    assert numbers == sorted(numbers)
    assert set(numbers) == {block.number for block in plan.blocks}
    lengths = Counter(numbers)
    for now in at:
        assert now.n_volumes == lengths[now.block]
        assert now.last_of_block == (now.volume_in_block == now.n_volumes - 1)
    for i, block in enumerate(plan.blocks):
        inside = [now.volume_in_block for now in at if now.block == i + 1]
        assert inside == list(range(block.n_volumes))
    assert plan.at(-1) is plan.at(plan.n_volumes) is plan.at(None) is None


@given(study=studies(), attempt=st.integers(1, 3))
def test_the_same_file_seed_run_and_attempt_give_the_same_blocks(study, attempt):
    once = plan_run(study, 1, attempt=attempt)
    assert plan_run(study, 1, attempt=attempt) == once


@given(study=studies())
def test_both_directions_come_equally_often(study):
    plan = plan_run(study, 1)
    both = [
        block.direction
        for block in plan.blocks
        if study.blocks[block.name].direction == "bidirectional"
    ]
    assert abs(both.count("up") - both.count("down")) <= 1
    for block in plan.blocks:
        assert (block.direction is None) == (block.task != "regulate")


def test_blocks_are_the_same_on_every_machine_and_version():
    lengths = [b.n_volumes for b in plan_run(EXAMPLE, 3).blocks[::2]]
    assert lengths == [13, 17, 17, 16, 15, 16]


def test_another_run_attempt_or_seed_has_another_jitter():
    drawn = {
        tuple(b.n_volumes for b in plan_run(EXAMPLE, run, attempt=attempt).blocks)
        for run in (3, 4, 5)
        for attempt in (1, 2)
    }
    assert len(drawn) == 6


def test_every_length_within_the_jitter_comes():
    block = Block(task="rest", volumes=10, jitter=2)
    run = Run(kind="localiser", blocks=("rest",), cycles=500)
    study = Study(name="s", tr_s=2.0, blocks={"rest": block}, runs=(run,))
    found = Counter(b.n_volumes for b in plan_run(study, 1).blocks)
    assert sorted(found) == [8, 9, 10, 11, 12]
    assert min(found.values()) > 60  # 100 each, were it even to the last one


def test_a_transfer_shows_nothing_whatever_its_blocks_say():
    plan = plan_run(EXAMPLE, 6)
    assert {b.feedback for b in plan.blocks} == {"none"}
    assert not any(plan.at(i).shows_feedback for i in range(plan.n_volumes))


def test_a_block_end_is_shown_with_its_last_volume_alone():
    up = Block(task="regulate", direction="up", volumes=4, feedback="block_end")
    run = Run(kind="training", blocks=("up", "up"))
    study = Study(name="s", tr_s=2.0, blocks={"up": up}, runs=(run,))
    plan = plan_run(study, 1)
    shows = [plan.at(i).shows_feedback for i in range(8)]
    assert shows == [False, False, False, True] * 2


def test_a_condition_of_a_block_goes_over_the_runs_and_the_sessions():
    up = {"task": "regulate", "direction": "up", "volumes": 4}
    blocks = {"own": Block(**up, condition="B"), "up": Block(**up)}
    runs = (
        Run(kind="training", blocks=("own", "up"), condition="R"),
        Run(kind="training", blocks=("own", "up")),
    )
    study = Study(name="s", tr_s=2.0, blocks=blocks, runs=runs)
    codes = [[b.condition for b in plan_run(study, n, condition="S").blocks]
             for n in (1, 2)]  # fmt: skip
    assert codes == [["B", "R"], ["B", "S"]]


def test_there_is_no_run_before_the_first_and_after_the_last():
    for number in (0, -1, EXAMPLE.n_runs + 1):
        with pytest.raises(IndexError):
            plan_run(EXAMPLE, number)


def test_seconds_become_whole_volumes():
    block = Block(task="rest", seconds=30.0, jitter=4.5)
    span = span_of(block, 2.1)
    assert (span.usual, span.jitter) == (round(30 / 2.1), math.floor(4.5 / 2.1))
    tight = span_of(Block(task="rest", seconds=2.1, jitter=0.0), 2.1)
    assert (tight.least, tight.most) == (1, 1)
    exact = span_of(Block(task="rest", seconds=30.0, jitter=2.1 * 3), 2.1)
    assert exact.jitter == 3
