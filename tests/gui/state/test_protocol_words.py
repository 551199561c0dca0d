"""What the dashboard says and shows where a protocol is followed."""

import pytest
from feed_messages import Played, wire

from rtbold.gui.state.commands import command_rules
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.participant import instruction, rests
from rtbold.gui.state.session_words import not_shown_words, phase_words

BLOCK = {
    "run": 3, "run_type": "train", "block": 4, "name": "regulate", "kind": "training",
    "protocol": "study", "attempt": 1, "n_blocks": 12, "task": "regulate",
    "direction": "up", "feedback": "continuous", "shows_from": 33, "first_volume": 33,
    "n_volumes": 20, "condition": None, "instruction": "Raise the bar.",
    "questions": (), "stopped": False, "t_on": 0.0, "t_off_planned": 42.0,
}  # fmt: skip
REST = BLOCK | {
    "run_type": "rest", "block": 5, "name": "pause", "task": "rest",
    "direction": None, "feedback": "none", "shows_from": None, "instruction": "Rest.",
}  # fmt: skip
OVER = REST | {"block": 0, "name": "end", "instruction": "Try."}
WAITS = REST | {"block": 0, "name": "waiting", "instruction": "Try."}


def phase(**facts):
    return wire("phase", **facts)


@pytest.fixture
def session():
    made = Played(DashboardState())
    made.hello()
    made.tick()
    return made


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (BLOCK, "Run 3 (training), block 4 of 12: regulate, up"),
        (BLOCK | {"attempt": 2, "name": "up"},
         "Run 3 (training, attempt 2), block 4 of 12: up"),
        (REST, "Run 3 (training), block 5 of 12: pause: no feedback is shown"),
        (BLOCK | {"stopped": True, "run_type": "rest"},
         "Run 3 (training), block 4 of 12: regulate, up: THE PARTICIPANT HAS STOPPED"),
        (WAITS, "Run 3 (training), waits for its first volume: no feedback is shown"),
        (OVER, "Run 3 (training), over: no feedback is shown"),
    ],
)  # fmt: skip
def test_the_strip_says_run_attempt_block_and_what_is_shown(facts, words):
    assert phase_words(phase(**facts)) == words


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (BLOCK, ""),
        (REST, "NOT SHOWN: block pause"),
        (WAITS, "NOT SHOWN: before the run"),
        (OVER, "NOT SHOWN: the run is over"),
        (BLOCK | {"stopped": True}, "NOT SHOWN: the participant has stopped"),
    ],
)
def test_the_operator_reads_why_nothing_is_shown(session, facts, words):
    session.send("phase", **facts)
    assert not_shown_words(session.state) == words


def test_a_value_of_the_rest_before_is_not_shown_in_a_block(session):
    volume = session.state.fb.volume_index
    session.send("phase", **BLOCK | {"shows_from": volume + 1})
    now_s = session.now_s
    assert session.state.run_shows
    assert session.state.shown(now_s).kind == "neutral"
    assert session.state.value_now(now_s).kind == "value"  # the operator sees it
    session.tick()
    assert session.state.shown(session.now_s).kind == "value"


@pytest.mark.parametrize("facts", [REST, WAITS, OVER, BLOCK | {"stopped": True},
                                   BLOCK | {"feedback": "none"}])  # fmt: skip
def test_nothing_is_shown_where_the_block_shows_nothing(session, facts):
    session.send("phase", **facts)
    assert session.state.shown(session.now_s).kind == "neutral"


@pytest.mark.parametrize(
    ("task", "cross"),
    [("rest", True), ("baseline", True), ("break", True), ("question", False),
     ("regulate", False)],
)  # fmt: skip
def test_a_cross_stands_where_the_protocol_rests(task, cross):
    late_s = 1e6  # longer than planned: the next block has not begun yet
    assert rests(phase(**REST | {"task": task}), late_s) is cross


def test_the_participant_reads_the_instruction_and_never_an_old_one():
    assert instruction(phase(**BLOCK)) == "Raise the bar."
    assert instruction(phase(**WAITS)) == "Try."
    for facts in (OVER, BLOCK | {"stopped": True}):
        assert instruction(phase(**facts)) == ""
    assert instruction(phase()) == ""
    assert instruction(None) == ""
    long = instruction(phase(**BLOCK | {"instruction": "a\n b " * 500}))
    assert len(long) == 300
    assert long.startswith("a b a b")


def test_what_the_participant_stopped_can_be_resumed(session):
    def resumes():
        return command_rules(
            session.state, session.now_s, has_control=True, next_run=""
        ).resumes

    assert not resumes()
    session.send("phase", **BLOCK | {"stopped": True})
    assert resumes()


def test_a_block_is_one_in_the_picture_though_its_last_volume_shows(session):
    first = BLOCK | {"run_type": "rest", "feedback": "block_end", "shows_from": None}
    session.send("phase", **first)
    session.send("phase", **BLOCK | {"feedback": "block_end", "shows_from": 52})
    (block,) = [b for b in session.state.story.blocks if b.block == 4]
    assert block.run_type == "training"
