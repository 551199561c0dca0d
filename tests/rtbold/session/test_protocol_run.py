"""A session that follows a protocol; parts that are open to nothing."""

from types import SimpleNamespace

import numpy as np
import pipeline_rig as rig
import pytest
from session_rig import Rig, train

from rtbold.bundle.card import Card
from rtbold.config import RunSettings
from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import Marker, OperatorCommand, StreamChanged
from rtbold.predict.pipeline import PipelineSettings
from rtbold.protocol import Attempt, read_attempt, read_attempts, write_attempt
from rtbold.publish.control import ControlCommand
from rtbold.publish.wire import Phase, PredFb, encode
from rtbold.run_names import RunGroup
from rtbold.session.protocol import (
    ProtocolRun,
    check_fits,
    choose_run,
    follower,
    recorded_protocol,
)
from rtbold.session.recompute import Follows, Recomputation, on_wire
from rtbold.window.schedule import ScheduleSettings

TOML = f"""\
name = "study"
tr_s = {rig.TR_S}

[blocks.rest]
task = "rest"
volumes = 4

[blocks.up]
task = "regulate"
direction = "up"
volumes = 3
condition = "K7"
instruction = "Raise the bar."

[[runs]]
kind = "training"
blocks = ["rest", "up", "rest"]

[[runs]]
kind = "transfer"
blocks = ["rest", "up"]
questions = ["effort"]

[questions.effort]
text = "How hard was it?"

[safety]
stop_marker = "S 15"
break_minutes = 5
risky = [{{ target = "b", direction = "up" }}]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(TOML)
    return path


def chosen(file, **given):
    run = RunSettings(protocol=file, **{"trigger_stream": "M", **given})
    return choose_run(run, subject="S01", now_unix_s=1e6)


class Mirror:
    def __init__(self):
        self.events = []

    def push(self, roi, fb):
        pass

    def push_event(self, text, t_s):
        self.events.append((text, t_s))


class Kept:
    """A recording that keeps what it is told to."""

    def __init__(self, folder):
        self.paths = SimpleNamespace(folder=folder)
        self.problem = ""
        self.messages = []

    def take(self, event):
        pass

    def published(self, topic, message):
        self.messages.append((topic, message))


def session(file, folder=None, **given):
    protocol = ProtocolRun(
        chosen(file, **given), folder, begun_s=rig.T0_S, now_unix_s=lambda: 2e6
    )
    it = Rig(kind="training", run_number=1, protocol=protocol)
    it.mirror, it.kept = Mirror(), Kept(folder)
    object.__setattr__(it.session._parts, "mirror", it.mirror)
    object.__setattr__(it.session._parts, "recording", it.kept)
    return it, protocol


def phases(it):
    return [m for m in it.feed.sent if isinstance(m, Phase)]


def test_phase_and_values_go_out_in_the_order_in_which_nothing_wrong_is_shown(file):
    it, _ = session(file)
    it.hear(train(13))
    sent = [m for m in it.feed.sent if isinstance(m, Phase | PredFb)]
    shows, seen = False, []
    for message in sent:
        if isinstance(message, Phase):
            shows = message.run_type == "train"
        if shows and (fb := [m for m in sent[: sent.index(message) + 1]
                             if isinstance(m, PredFb)]):  # fmt: skip
            seen.append(fb[-1].volume_index)  # what a client would show now
    assert set(seen) == {4, 5, 6}


def test_each_block_is_told_with_its_facts_marked_and_kept(file):
    it, _ = session(file)
    it.hear(train(13))
    told = phases(it)
    assert [(p.block, p.name, p.run_type) for p in told] == [
        (1, "rest", "rest"), (2, "up", "train"), (3, "rest", "rest"),
        (0, "end", "rest"),
    ]  # fmt: skip
    up = told[1]
    assert (up.kind, up.protocol, up.attempt, up.n_blocks) == (
        "training",
        "study",
        1,
        3,
    )
    assert (up.task, up.direction, up.feedback) == ("regulate", "up", "continuous")
    assert (up.first_volume, up.n_volumes, up.shows_from) == (4, 3, 4)
    assert (up.condition, up.instruction) == ("K7", "Raise the bar.")
    assert up.t_on == pytest.approx(rig.T0_S + 5 * rig.TR_S)
    assert up.t_off_planned == pytest.approx(up.t_on + 3 * rig.TR_S)
    text, t_s = it.mirror.events[1]
    assert text.startswith("block run=1 attempt=1 block=2 task=regulate direction=up")
    assert t_s == up.t_on
    kept = [m for topic, m in it.kept.messages if topic == "phase"]
    assert [m.block for m in kept] == [1, 2, 3, 0]


def test_what_the_scanner_does_moves_no_block(file):
    whole, _ = session(file)
    whole.hear(train(13))
    torn, _ = session(file)
    times_s = train(13)
    torn.hear(np.delete(times_s, [3, 6, 7]))  # triggers are lost around both edges
    assert [(p.block, p.t_on) for p in phases(torn)] == [
        (p.block, pytest.approx(p.t_on)) for p in phases(whole)
    ]


def test_a_marker_of_the_participant_is_neutral_at_once_and_no_trigger(file):
    it, protocol = session(file)
    it.hear(train(6))
    assert phases(it)[-1].run_type == "train"
    stop = Marker("S 15", it.clock.now_s(), it.clock.now_s())
    command = protocol.command_of(stop)
    assert command == OperatorCommand("participant_stop", "marker S 15")
    assert protocol.command_of(Marker("R128", 0.0, 0.0)) is None
    it.session._push(command)
    last = phases(it)[-1]
    assert (last.run_type, last.feedback, last.stopped) == ("rest", "none", True)
    assert it.mirror.events[-1][0] == "participant_stop: marker S 15"
    assert ("warning", "participant_stop: marker S 15") in it.said


def test_the_gate_never_sees_a_participants_marker(file):
    it, _ = session(file)
    marker = Marker("S 15", it.clock.now_s(), it.clock.now_s())
    it.session._parts.acquisition.events = lambda timeout_s, gather: (marker,)
    assert list(it.session._pull(it.clock.now_s())) == [
        OperatorCommand("participant_stop", "marker S 15")
    ]


@pytest.mark.parametrize("op", ["participant_stop", "adverse_event", "answer"])
def test_what_the_operator_notes_reaches_events_and_mirror_once(file, op):
    it, _ = session(file)
    (event,) = it.session._command(ControlCommand(op, "effort: 3"))
    it.session._push(event)
    assert event == OperatorCommand(op, "effort: 3")
    assert [text for text, _ in it.mirror.events] == [f"{op}: effort: 3"]


def test_a_run_without_a_protocol_stops_for_its_participant_too():
    it = Rig(kind="training", run_number=1)
    it.session._push(OperatorCommand("participant_stop"))
    assert (phases(it)[-1].run_type, phases(it)[-1].stopped) == ("rest", True)
    it.session._push(OperatorCommand("resume"))
    assert phases(it)[-1].run_type == "train"
    assert b"stopped" not in encode(phases(it)[-1])


def test_the_session_ends_itself_once_measured_bold_had_its_time(file):
    it, protocol = session(file)
    it.hear(train(12))
    assert not protocol.is_over(it.clock.now_s())
    it.hear(train(6, after_s=rig.T0_S + 12 * rig.TR_S))
    assert protocol.is_over(it.clock.now_s())


def test_with_questions_it_waits_for_the_answers(file):
    it, protocol = session(file, run=2)
    it.hear(train(16))
    assert not protocol.is_over(it.clock.now_s())
    assert [q.name for q in phases(it)[-1].questions] == ["effort"]
    it.session._push(OperatorCommand("answer", "effort: 40"))
    assert phases(it)[-1].questions == ()
    assert protocol.is_over(it.clock.now_s())


# The record of an attempt


@pytest.mark.parametrize(
    ("n", "stop", "state", "n_done"),
    [
        (13, False, "complete", 11),
        (7, False, "interrupted", 6),
        (7, True, "stopped_by_participant", 6),
    ],
)
def test_what_became_of_an_attempt_is_kept(file, tmp_path, n, stop, state, n_done):
    folder = tmp_path / "run"
    folder.mkdir()
    it, protocol = session(file, folder)
    assert read_attempt(folder).state == "running"
    it.hear(train(n))
    it.session._push(OperatorCommand("adverse_event", "headache"))
    if stop:
        it.session._push(OperatorCommand("participant_stop"))
    assert protocol.close() == ""
    found = read_attempt(folder)
    assert (found.state, found.n_done, found.n_volumes) == (state, n_done, 11)
    assert (found.run, found.attempt, found.n_adverse_events) == (1, 1, 1)
    assert found.ended_unix_s == 2e6
    assert (folder / "protocol.toml").read_bytes() == file.read_bytes()


def test_a_scanner_that_begins_anew_leaves_two_attempts(file, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    it, protocol = session(file, folder)
    it.hear(train(8))
    it.hear(train(13, after_s=rig.T0_S + 60 * rig.TR_S))
    assert protocol.close() == protocol.close() == ""
    first, second = read_attempts(folder)
    assert (first.attempt, first.state) == (1, "interrupted")
    assert (second.attempt, second.state, second.n_done) == (2, "complete", 11)
    assert {p.attempt for p in phases(it)} == {1, 2}


def test_a_disk_that_takes_no_record_ends_no_session(file, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    it, protocol = session(file, folder)
    (folder / "attempts.jsonl").unlink()
    (folder / "attempts.jsonl").mkdir()
    it.hear(train(8))
    assert "cannot write" in protocol.close()


def attempts(root, *states, run=1, **more):
    for number, state in enumerate(states, 1):
        folder = RunGroup(subject="S01").run(number).folder(root)
        folder.mkdir(parents=True)
        write_attempt(
            folder,
            Attempt(
                study="study", sha256="0", run=run, attempt=number, kind="training",
                n_volumes=10, state=state, begun_unix_s=float(number), **more,
            ),
        )  # fmt: skip


def test_without_a_number_the_next_run_that_is_not_done_is_followed(file, tmp_path):
    root = tmp_path / "recordings"
    attempts(root, "interrupted")
    again = chosen(file, record=root)
    assert (again.asked.run, again.asked.attempt) == (1, 2)
    attempts(root / "other", "interrupted", "complete")
    after = chosen(file, record=root / "other")
    assert (after.asked.run, after.asked.attempt) == (2, 1)
    assert (after.settings.kind, after.settings.run) == ("transfer", None)
    given = chosen(file, record=root / "other", run=1, attempt=7)
    assert (given.asked.run, given.asked.attempt) == (1, 7)


def test_a_changed_file_and_a_break_that_is_left_are_told(file, tmp_path):
    attempts(tmp_path / "r", "complete", ended_unix_s=1e6 - 60)
    changed, break_left = chosen(file, record=tmp_path / "r").notes
    assert "was changed since run 1, attempt 1" in changed
    assert "4.0 min of the break are left" in break_left


def test_a_stop_marker_that_nobody_would_hear_is_told(file):
    (deaf,) = chosen(file, trigger_stream=None).notes
    assert "stop_marker 'S 15' cannot stop this session" in deaf
    assert chosen(file).notes == ()
    assert chosen(file, trigger_stream=None, trigger_channel="T").notes == ()


def test_every_run_done_and_a_run_that_is_not_there_are_refused(file, tmp_path):
    attempts(tmp_path / "r", "complete")
    folder = RunGroup(subject="S01").run(2).folder(tmp_path / "r")
    folder.mkdir(parents=True)
    write_attempt(
        folder,
        Attempt(study="study", sha256="0", run=2, attempt=1, kind="transfer",
                n_volumes=7, state="complete"),
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"every run of .* is done"):
        chosen(file, record=tmp_path / "r")
    assert chosen(file, record=tmp_path / "r", run=1).asked.attempt == 2
    with pytest.raises(ConfigError, match="--run is 3, expected 1 to 2"):
        chosen(file, run=3)


def test_another_kind_or_tr_than_the_protocols_is_refused(file):
    with pytest.raises(ConfigError, match="--kind is 'baseline'"):
        chosen(file, kind="baseline")
    with pytest.raises(ConfigError, match=r"study.toml, line 2: .* has 2 s"):
        check_fits(chosen(file), tr_s=2.0, target="a")
    check_fits(chosen(file), tr_s=rig.TR_S * 1.005, target="a")


def test_a_risky_target_needs_a_second_person(file):
    with pytest.raises(ConfigError, match=r"line 30: target 'b', direction up"):
        check_fits(chosen(file), tr_s=rig.TR_S, target="b")
    check_fits(chosen(file, confirmed_by="P2"), tr_s=rig.TR_S, target="b")
    check_fits(chosen(file, run=2), tr_s=rig.TR_S, target="b")  # a transfer


def test_what_says_something_of_a_protocol_needs_one():
    for option in ({"attempt": 2}, {"condition": "K7"}, {"confirmed_by": "P2"}):
        with pytest.raises(ConfigError, match="none was given"):
            RunSettings(**option)
    with pytest.raises(ConfigError, match="expected a code"):
        RunSettings(protocol="x.toml", condition="a b")


# A replay


def test_a_protocol_copy_that_was_changed_is_refused(file, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    _, protocol = session(file, folder)
    asked = protocol.chosen.asked
    assert recorded_protocol(folder, asked).study.name == "study"
    (folder / "protocol.toml").write_text(TOML.replace("volumes = 4", "volumes = 5"))
    with pytest.raises(DataFileError, match="was changed since"):
        recorded_protocol(folder, asked)
    (folder / "protocol.toml").unlink()
    with pytest.raises(DataFileError, match="cannot be read"):
        recorded_protocol(folder, asked)


def test_phases_come_out_again_from_the_events(file, tmp_path):
    it, protocol = session(file)
    events = [StreamChanged(rig.stream(250.0))]
    push = it.session._push
    it.session._push = lambda event: (events.append(event), push(event))
    it.hear(train(6))
    it.session._push(OperatorCommand("participant_stop"))
    it.hear(train(3, after_s=rig.T0_S + 6 * rig.TR_S))
    it.session._push(OperatorCommand("resume"))
    it.hear(train(4, after_s=rig.T0_S + 9 * rig.TR_S))
    of_file, asked = protocol.chosen.protocol, protocol.chosen.asked
    card: Card = rig.card()
    again = Recomputation(
        card,
        rig.RecordingModel(),
        PipelineSettings(schedule=ScheduleSettings(tr_s=rig.TR_S)),
        follows=Follows(of_file, follower(of_file, asked)),
    )
    kept = [on_wire(m) for topic, m in it.kept.messages if topic == "phase"]
    made = [on_wire(m) for m in again(events) if isinstance(m, Phase)]
    assert made == kept
    assert len(kept) == 6
