"""A run that is followed tick by tick; ticks are made by hand."""

import pytest
from hypothesis import given, strategies as st

from rtbold.messages import OperatorCommand, Tick
from rtbold.protocol import Follower, FollowSettings, plan_run
from rtbold.protocol.study import Block, Question, Run, Safety, Study

TR_S = 2.0


def study(*, feedback="continuous", **safety):
    return Study(
        name="s",
        tr_s=TR_S,
        seed=3,
        blocks={
            "rest": Block(task="rest", volumes=4, jitter=1),
            "up": Block(task="regulate", direction="up", volumes=5, feedback=feedback),
        },
        runs=(
            Run(
                kind="training", blocks=("rest", "up"), cycles=2, questions=("effort",)
            ),
        ),
        questions={"effort": Question(text="How hard?")},
        safety=Safety(**safety),
    )


STUDY = study()


def follower(of=STUDY, **settings):
    return Follower(of, FollowSettings(run=1, **settings))


def tick(volume, *, since_s=100.0):
    return Tick(volume, since_s + (volume or 0) * TR_S, trigger_locked=True)


def ticks(it, volumes, **more):
    return [it.tick(tick(volume, **more)) for volume in volumes]


def marks(steps):
    return [text for step in steps for text in step.markers]


def test_before_the_first_volume_nothing_is_shown():
    it = follower()
    assert it.tick(tick(None)).now is None
    assert (it.state.where, it.state.shows) == ("before", False)


def test_blocks_begin_at_their_volumes_and_the_run_is_over_after_the_last():
    it = follower()
    steps = ticks(it, range(it.plan.n_volumes + 3))
    changed = [(k, s.changed) for k, s in enumerate(steps) if s.changed is not None]
    begins = [block.first_volume for block in it.plan.blocks]
    assert [k for k, _ in changed] == [*begins, it.plan.n_volumes]
    for k, state in changed:
        assert state.t_on_s == 100.0 + k * TR_S
    assert [state.where for _, state in changed] == ["block"] * 4 + ["over"]
    assert it.completed == {1}
    assert it.n_done == it.plan.n_volumes
    said = marks(steps)
    assert said[1] == (
        "block run=1 attempt=1 block=2 task=regulate direction=up "
        "feedback=continuous name=up"
    )
    assert said[-2:] == [
        "run over run=1 attempt=1", "questions to be answered: effort",
    ]  # fmt: skip


def test_what_is_shown_follows_the_block():
    it = follower()
    steps = ticks(it, range(it.plan.n_volumes + 1))
    for volume, step in enumerate(steps[:-1]):
        assert step.now == it.plan.at(volume)
    shown = [s.changed.shows_from for s in steps if s.changed is not None]
    firsts = [block.first_volume for block in it.plan.blocks]
    assert shown == [None, firsts[1], None, firsts[3], None]


def test_after_the_run_there_is_a_break_that_shows_nothing():
    it = follower()
    n = it.plan.n_volumes
    steps = ticks(it, range(n + 3))
    after = [step.now for step in steps[n:]]
    assert [now.volume_in_block for now in after] == [0, 1, 2]
    for now in after:
        assert (now.task, now.feedback, now.block) == ("break", "none", 5)
        assert not now.shows_feedback


def test_a_block_end_is_shown_with_the_last_volume_from_that_volume_on():
    it = follower(study(feedback="block_end"))
    steps = ticks(it, range(it.plan.n_volumes + 1))
    end = it.plan.blocks[1].end_volume
    assert [steps[end - 1].changed.shows, steps[end].changed.shows] == [True, False]
    assert steps[end - 1].changed.shows_from == end - 1
    assert steps[end - 1].changed.t_on_s == 100.0 + (end - 5) * TR_S  # of its block
    assert not any("block=2" in text for text in steps[end - 1].markers)


@given(lost=st.sets(st.integers(0, 17)))
def test_volumes_that_never_come_move_no_block(lost):
    it = follower()
    whole = {k: it.plan.at(k) for k in range(it.plan.n_volumes)}
    for volume in sorted(set(whole) - lost):
        step = it.tick(tick(volume))
        assert step.now == whole[volume]
        assert it.state.t_on_s == 100.0 + it.state.block.first_volume * TR_S
    assert it.plan == plan_run(STUDY, 1)


def test_when_the_scanner_begins_anew_it_is_the_next_attempt_with_its_own_blocks():
    it = follower(attempt=2)
    ticks(it, range(7))
    steps = ticks(it, range(4), since_s=500.0)
    assert it.plan == plan_run(STUDY, 1, attempt=3)
    assert steps[0].now.attempt == 3
    assert marks(steps)[0] == "run began run=1 attempt=3"
    assert steps[0].changed.t_on_s == 500.0
    assert it.completed == set()


def test_a_stray_trigger_that_seemed_to_begin_a_run_costs_no_attempt_of_the_run():
    it = follower()
    ticks(it, range(7))
    stray = it.tick(tick(0, since_s=114.0))
    assert stray.now.attempt == 2
    steps = ticks(it, range(8, 12))
    assert [step.now for step in steps] == [
        plan_run(STUDY, 1).at(k) for k in range(8, 12)
    ]
    assert marks(steps[:1])[0] == "run goes on run=1 attempt=1"
    ticks(it, [0], since_s=300.0)
    assert it.plan.attempt == 3  # the number 2 was used


def test_a_participants_stop_is_neutral_at_once_until_the_operator_resumes():
    it = follower()
    up = it.plan.blocks[1].first_volume
    ticks(it, range(up + 1))
    assert it.state.shows
    step = it.take(OperatorCommand("participant_stop", "key"))
    assert step.changed is it.state
    assert (it.state.stopped, it.state.shows, it.state.shows_from) == (
        True,
        False,
        None,
    )
    later = ticks(it, range(up + 1, it.plan.n_volumes))
    assert {step.now.feedback for step in later} == {"none"}
    assert not any(step.changed.shows for step in later if step.changed)
    again = follower()
    ticks(again, range(up + 1))
    again.take(OperatorCommand("participant_stop"))
    assert again.take(OperatorCommand("resume")).changed.stopped is False
    assert not again.state.shows
    assert again.tick(tick(up + 1)).changed.shows


def test_a_stop_outlives_a_new_start_of_the_scanner():
    it = follower()
    it.take(OperatorCommand("participant_stop"))
    ticks(it, range(6))
    ticks(it, range(6), since_s=700.0)
    assert it.state.stopped
    assert not it.state.shows


def test_what_is_none_of_the_protocols_changes_nothing():
    it = follower()
    for op in ("pause", "resume", "mark", "note"):
        assert it.take(OperatorCommand(op, "text")).changed is None
    it.take(OperatorCommand("adverse_event", "headache"))
    assert it.n_adverse_events == 1


def test_questions_are_open_until_they_are_answered_after_the_run():
    it = follower()
    it.take(OperatorCommand("answer", "effort: 3"))  # too early: kept, no answer
    ticks(it, range(it.plan.n_volumes + 1))
    assert it.unanswered == ("effort",)
    it.take(OperatorCommand("answer", "efort: 70"))
    assert it.unanswered == ("effort",)
    step = it.take(OperatorCommand("answer", "effort: 70"))
    assert step.changed is it.state
    assert it.answers == {"effort": "70"}


@pytest.mark.parametrize("given", ["170", "-1", "nan", "inf", "much", "", "7,5"])
def test_an_answer_that_the_question_cannot_have_is_none(given):
    """It would end the session, and stand in the record as the participant's."""
    it = follower()
    ticks(it, range(it.plan.n_volumes + 1))
    step = it.take(OperatorCommand("answer", f"effort: {given}"))
    assert it.unanswered == ("effort",)
    assert step.changed is None
    assert step.markers == ("no answer to effort, expected a number from 0 to 100",)
    it.take(OperatorCommand("answer", "effort: 100"))
    assert it.answers == {"effort": "100"}


@pytest.mark.parametrize(("every", "n"), [(0.3, 1), (0.1, 2), (2.0, 0), (None, 0)])
def test_the_operator_is_told_to_ask_whether_the_participant_is_awake(every, n):
    it = follower(study(sleepiness_every_minutes=every))
    said = marks(ticks(it, range(it.plan.n_volumes)))
    asked = [k for k, text in enumerate(said) if text.startswith("ask whether")]
    # blocks of rest begin at 0 and at about 18 s; never asked while regulating
    assert len(asked) == min(n, 1)
    for k in asked:
        assert "task=rest" in said[k - 1]


@given(
    volumes=st.lists(st.integers(-1, 20), max_size=40),
    commands=st.lists(
        st.sampled_from(["participant_stop", "resume", "answer", "adverse_event"]),
        max_size=4,
    ),
)
def test_whatever_comes_a_replay_of_it_is_the_same(volumes, commands):
    def go():
        it, told = follower(), []
        for k, volume in enumerate(volumes):
            told.append(it.tick(tick(None if volume < 0 else volume)))
            if k < len(commands):
                told.append(it.take(OperatorCommand(commands[k], "effort: 1")))
        return told, it.state, it.answers

    assert go() == go()


def test_a_shown_value_is_always_of_a_training_block_that_shows():
    it = follower()
    for volume in range(it.plan.n_volumes):
        it.tick(tick(volume))
        block = it.state.block
        assert it.state.shows == (block.task == "regulate")
