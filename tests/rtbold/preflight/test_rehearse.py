"""The story of a rehearsal, with a session and a feed that are made up."""

from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from bundles import write_tiny

from rtbold.client import Message
from rtbold.config import RunSettings
from rtbold.errors import RtboldError
from rtbold.messages import Check
from rtbold.preflight import rehearse as session_rehearsal
from rtbold.preflight.go_no_go import RecordingFigures
from rtbold.preflight.rehearse import (
    Rehearsal,
    RehearsalResult,
    RehearsalSettings,
    Stage,
    rehearsed_run,
)
from rtbold.preflight.stream_checks import ChannelReport

RUN = RunSettings(model="demo", trigger_stream="M", trigger="R128", stream="eeg")
OK = Check("model", "ok", "demo", must=True)
TR_S = 2.0
SECONDS = 60.0


def messages():
    """Return what a good session publishes, by the second."""
    yield "hello", {"tr_s": TR_S}, 0.0
    for second in range(round(SECONDS) + 1):
        t_s = float(second)
        yield "hb", {"state": "running"}, t_s
        yield "quality", {"stream_state": "running", "n_triggers_double": 0,
                          "rate_hz_effective": 200.0}, t_s  # fmt: skip
        if second % 2 == 0:
            index = second // 2
            yield "trigger", {"kind": "volume", "t_trigger": t_s}, t_s
            status = "warmup" if index < 8 else "ok"
            yield "pred.fb", {
                "volume_index": index, "status": status, "reasons": [],
                "value": None if index < 8 else 0.1, "age_ms": 130.0,
                "latency_ms": {}, "replayed": False,
            }, t_s  # fmt: skip


class Session:
    """Ends by itself once everything was published."""

    def __init__(self, world):
        self._world = world
        self.returncode = None

    def ask_to_end(self):
        self._world.events.append("asked")

    def wait(self):
        self._world.events.append("waited")
        self.returncode = self._world.returncode

    def last_words(self):
        return "its last words"

    def __enter__(self):
        self._world.events.append("started")
        return self

    def __exit__(self, *error):
        self._world.events.append("closed")


class World:
    def __init__(self, folder):
        self.now = 0.0
        self.events = []
        self.arguments = None
        self.returncode = 0
        self.found = [OK, ChannelReport((), ())]
        self.problem = None
        self.stop_at = None
        self.recording = RecordingFigures(
            path="x", n_samples=12_000, n_markers=31, n_bytes=1000, free_bytes=10**12
        )
        self.can_record = True
        self.asked, self.control_answer = [], (4.0, "")
        self.records = []

    def now_s(self):
        return self.now

    @property
    def stopping(self):
        return self.stop_at is not None and self.now >= self.stop_at

    def examine(self, settings, clock):
        for one in self.found:
            self.now += 1.0
            yield one

    def start(self, arguments, *, control):
        self.arguments, self.control = arguments, control
        return Session(self)

    def follow(self, session, feed, count, *, limit_s, clock):
        for topic, body, t_s in messages():
            self.now += 0.2
            count.take(Message(topic, {"t_lsl": t_s, **body}, t_s), age_s=0.001)
            yield
            if self.problem and t_s > 5:
                raise RtboldError(self.problem)

    @contextmanager
    def subscriber(self, run):
        yield SimpleNamespace(n_gaps=Counter(), session="s1")

    def ask_control(self, run, session, clock):
        self.asked.append((run.control_port, session))
        return self.control_answer

    def look_at(self, folder, before):
        self.records.append(folder)
        assert folder.is_dir()
        return self.recording


@pytest.fixture
def world(monkeypatch, tmp_path):
    world = World(tmp_path)
    for name, stand_in in {
        "examine_session": world.examine,
        "RehearsedSession": world.start,
        "follow": world.follow,
        "open_subscriber": world.subscriber,
        "ask_control": world.ask_control,
        "look_at": world.look_at,
        "end_recorders": lambda *_: world.events.append("recorders ended"),
        "_can_record": lambda: world.can_record,
    }.items():
        monkeypatch.setattr(session_rehearsal, name, stand_in)
    monkeypatch.setattr(
        session_rehearsal.tempfile, "mkdtemp", lambda **_: made(tmp_path / "temporary")
    )
    return world


def made(path):
    path.mkdir()
    return str(path)


def rehearse(world, **changes):
    settings = RehearsalSettings(
        run=changes.pop("run", RUN),
        arguments=lambda run: [str(run.record), str(run.duration_s)],
        duration_s=SECONDS,
        **changes,
    )
    rehearsal = Rehearsal(settings, world, stopping=lambda: world.stopping)
    told = list(rehearsal.steps())
    assert [isinstance(one, RehearsalResult) for one in told].count(True) == 1
    assert isinstance(told[-1], RehearsalResult)
    return told[-1], told


def test_a_good_rehearsal_is_a_go_and_leaves_nothing(world, tmp_path):
    outcome, told = rehearse(world)
    assert (outcome.verdict, outcome.why) == ("go", ())
    stages = dict.fromkeys(one.stage for one in told if isinstance(one, Stage))
    assert list(stages) == ["preflight", "starting", "running", "ending", "reading"]
    assert world.arguments == [str(tmp_path / "temporary"), "60.0"]
    assert world.control == "tcp://127.0.0.1:5581"
    assert world.records == [tmp_path / "temporary"]
    assert list(tmp_path.iterdir()) == []
    assert outcome.before == (OK,)
    assert [f.name for f in outcome.rehearsed if f.state != "ok"] == ["memory"]
    left_s = [one.remaining_s for one in told if isinstance(one, Stage)]
    assert left_s == sorted(left_s, reverse=True)


def test_a_no_go_keeps_its_recording(world, tmp_path):
    world.recording = replace(world.recording, problem="is damaged")
    outcome, _ = rehearse(world)
    assert outcome.verdict == "no-go"
    assert outcome.why == ("recording: x: is damaged",)
    assert (tmp_path / "temporary").is_dir()


def test_a_folder_that_was_given_is_recorded_into_and_kept(world, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    assert rehearse(world, run=replace(RUN, record=folder))[0].verdict == "go"
    assert world.arguments[0] == str(folder)
    assert list(tmp_path.iterdir()) == [folder]


def test_without_labrecorder_nothing_is_recorded_and_that_is_said(world):
    world.can_record = False
    outcome, _ = rehearse(world)
    assert outcome.verdict == "go"
    assert world.arguments[0] == "None"
    assert "NOT REHEARSED" in next(
        f.found for f in outcome.rehearsed if f.name == "recording"
    )


def test_what_stops_a_session_stops_a_rehearsal_before_it(world):
    world.found.append(Check("domain", "fail", "not this one", must=True))
    outcome, _ = rehearse(world)
    assert (outcome.verdict, outcome.figures) == ("no-go", None)
    assert outcome.why == ("domain: not this one",)
    assert world.events == []


def test_what_failed_before_but_stops_nothing_is_a_no_go_after_it(world):
    world.found.append(Check("disk", "fail", "too full"))
    outcome, _ = rehearse(world)
    assert "started" in world.events
    assert outcome.verdict == "no-go"
    assert outcome.why == ("disk: too full",)


def test_a_session_that_fails_is_quoted(world):
    world.returncode = 1
    outcome, _ = rehearse(world)
    assert outcome.why == ("session: ended with exit code 1: its last words",)


def test_the_control_socket_is_asked_once_while_the_loop_runs(world):
    outcome, _ = rehearse(world)
    assert world.asked == [(5581, "s1")]
    assert outcome.figures.control_ms == 4.0
    world.control_answer = (None, "no answer to HELLO")
    outcome, _ = rehearse(world)
    assert outcome.why == ("control socket: no answer to HELLO",)


def test_a_session_that_hangs_is_quoted_and_ended(world):
    world.problem = "it did not end within 500 s"
    outcome, _ = rehearse(world)
    assert outcome.why[0] == "session: it did not end within 500 s"
    assert world.events[-1] == "closed"


def test_an_interrupt_before_the_session(world):
    world.stop_at = 0.5
    outcome, _ = rehearse(world)
    assert (outcome.verdict, outcome.interrupted) == ("no-go", True)
    assert outcome.why == ("interrupted before the session began",)
    assert world.events == []


def test_an_interrupt_is_answered_before_the_session_has_closed(world, tmp_path):
    world.stop_at = 5.0
    settings = RehearsalSettings(run=RUN, arguments=lambda _: [], duration_s=SECONDS)
    rehearsal = Rehearsal(settings, world, stopping=lambda: world.stopping)
    for told in rehearsal.steps():
        if isinstance(told, RehearsalResult):
            assert world.events == ["started", "asked"]
            assert told.why == ("session: interrupted before its end",)
    assert world.events == ["started", "asked", "closed"]
    assert list(tmp_path.iterdir()) == []


def test_ports_are_known_before_the_session_has_them():
    run = rehearsed_run(
        RehearsalSettings(run=replace(RUN, port=0, control_port=0), arguments=list)
    )
    assert 0 not in (run.port, run.control_port)
    assert run.duration_s == 300.0
    assert run.trigger_stream == "M"


def test_a_rehearsal_takes_no_number_of_the_runs():
    run = replace(RUN, record=Path("rec"), run=3)
    rehearsed = rehearsed_run(RehearsalSettings(run=run, arguments=list))
    assert (rehearsed.run, rehearsed.task) == (None, "rehearsal")


def test_a_rehearsal_is_not_blinded():
    run = replace(RUN, record=Path("rec"), record_as="S01", blind=Path("study"))
    rehearsed = rehearsed_run(RehearsalSettings(run=run, arguments=list))
    assert rehearsed.blind is None


def test_a_rehearsal_is_no_attempt_at_a_run_of_a_protocol():
    run = replace(RUN, protocol=Path("study.toml"), run=3, attempt=2, condition="K7")
    rehearsed = rehearsed_run(RehearsalSettings(run=run, arguments=list))
    assert (rehearsed.protocol, rehearsed.attempt, rehearsed.run) == (None, None, None)


def test_without_a_scanner_the_session_runs_free_at_the_models_tr(tmp_path):
    bundle = write_tiny(tmp_path, tr_s=1.5)
    asked = RunSettings(
        model=str(bundle.path), trigger_channel="MkIdx", trigger_every=30,
        dummy_volumes=4, truth="lsl:b", record=Path("rec"),
    )  # fmt: skip
    settings = RehearsalSettings(run=asked, arguments=list, without_scanner=True)
    run = rehearsed_run(settings)
    assert run == RunSettings(
        model=str(bundle.path), record=Path("rec"), tr_s=1.5, duration_s=300.0,
        scanner="inside_running", task="rehearsal",
    )  # fmt: skip
    markers = replace(RUN, trigger_host="stim-pc")
    assert rehearsed_run(replace(settings, run=markers)).trigger_host is None
    lost = replace(settings, run=replace(asked, model="no such"))
    assert rehearsed_run(lost).tr_s is None
