"""A session's run of a protocol: its file, its blocks, its attempt in the record."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from rtbold.acquire import same_label
from rtbold.bundle import Card
from rtbold.config import FeedbackSettings, RunSettings
from rtbold.disk import read_file
from rtbold.errors import ConfigError, DataFileError, RtboldError
from rtbold.feedback import choose_target, shares_rois
from rtbold.messages import (
    TR_TOLERANCE,
    BoldPrediction,
    Event,
    Marker,
    OperatorCommand,
    Tick,
)
from rtbold.owner_only import write_bytes
from rtbold.protocol import (
    COPY_NAME,
    Attempt,
    BlockNow,
    Follower,
    FollowSettings,
    Protocol,
    Risky,
    RunPlan,
    State,
    Step,
    attempts_in,
    break_left_s,
    next_attempt,
    next_run,
    parse_protocol,
    plan_run,
    read_protocol,
    write_attempt,
)
from rtbold.publish import Phase, protocol_phase
from rtbold.record import saying_why_not
from rtbold.run_names import RunGroup

MAX_BYTES = 1_000_000
GOES_ON_TRS = 4  # after the last block: measured BOLD comes one or two TRs late


class ProtocolAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which run of which protocol a session followed; kept in ``settings.json``."""

    study: str
    sha256: str
    run: int
    attempt: int
    condition: str | None = None
    confirmed_by: str | None = None


@dataclass(frozen=True, slots=True)
class ChosenRun:
    """A run of a protocol, checked against the session that is to follow it."""

    protocol: Protocol
    asked: ProtocolAsked
    settings: RunSettings  # with what the protocol says
    notes: tuple[str, ...] = ()  # what the operator must know before it begins

    @property
    def measures_baseline(self) -> bool:
        """Whether the run has blocks in which the asked-for baseline is measured."""
        asked = self.asked
        plan = plan_run(self.protocol.study, asked.run, attempt=asked.attempt)
        running = self.settings.fed_back.baseline == "running"
        wanted = ("baseline", "rest") if running else ("baseline",)
        no_feedback = plan.run_type != "training"  # needs none
        return no_feedback or any(block.task in wanted for block in plan.blocks)


def follower(protocol: Protocol, asked: ProtocolAsked) -> Follower:
    """Return what follows this run; the same in a session and in its replay."""
    settings = FollowSettings(
        run=asked.run, attempt=asked.attempt, condition=asked.condition
    )
    return Follower(protocol.study, settings)


def choose_run(
    run: RunSettings,
    *,
    subject: str,
    now_unix_s: float,
) -> ChosenRun | None:
    """Return the run of the protocol that is to be followed; None: there is none.

    Without ``--run`` it is the first one that is not done. The number of the recording
    is then the next free one: each attempt has a recording of its own.

    Raises
    ------
    ConfigError : the protocol is wrong or has no such run, or options contradict it.
    DataFileError : what an earlier attempt left cannot be read.
    """
    if run.protocol is None:
        return None
    protocol = read_protocol(run.protocol)
    found = _attempts(run, subject, protocol.study.name)
    number = _number(protocol, run.run, found)
    attempt = run.attempt or next_attempt(found, number)
    asked = ProtocolAsked(
        study=protocol.study.name,
        sha256=protocol.sha256,
        run=number,
        attempt=attempt,
        condition=run.condition,
        confirmed_by=run.confirmed_by,
    )
    run = _with_feedback(run, protocol)
    kind = protocol.study.run(number).kind
    if run.kind not in ("training", kind):
        raise ConfigError(
            f"--kind is {run.kind!r}, but run {number} of {protocol.where} is of kind "
            f"{kind!r}. Leave --kind out: the protocol says it."
        )
    notes = (*_deaf(protocol, run), *_notes(protocol, found, now_unix_s))
    settings = replace(run, kind=kind, run=None)
    return ChosenRun(protocol, asked, settings, notes)


def _with_feedback(run: RunSettings, protocol: Protocol) -> RunSettings:
    """Return the settings with the protocol's table of feedback."""
    if not protocol.study.feedback:
        return run
    if run.feedback != FeedbackSettings():
        raise ConfigError(
            f"{protocol.place('feedback')}: the protocol says how feedback is made, "
            "and so do the session's own settings. Leave one of them out."
        )
    table = FeedbackSettings.build(
        protocol.study.feedback, f"{protocol.place('feedback')}: [feedback]"
    )
    target = run.target or table.target  # one place for it
    return replace(run, feedback=replace(table, target=None), target=target)


def check_fits(chosen: ChosenRun, *, tr_s: float, target: str, card: Card) -> None:
    """Refuse a session that the protocol was not written for.

    Parameters
    ----------
    target : what is fed back.
    card : of the model, which knows the ROIs of targets.

    Raises
    ------
    ConfigError : another TR, a risky target that the model does not have, or a target
        or direction that nobody has confirmed.
    """
    protocol, asked = chosen.protocol, chosen.asked
    wanted_s = protocol.study.tr_s
    if abs(tr_s / wanted_s - 1) > TR_TOLERANCE:
        raise ConfigError(
            f"{protocol.place('tr_s')}: the protocol is for a TR of {wanted_s:g} s, "
            f"this session has {tr_s:g} s. Give --tr {wanted_s:g}, or change the "
            "protocol: its blocks would last another time."
        )
    plan = plan_run(protocol.study, asked.run, attempt=asked.attempt)
    ways = {block.direction for block in plan.blocks if block.direction}
    for i, risky in enumerate(protocol.study.safety.risky):
        try:
            concerned = _concerned(risky, target, ways, card)
        except ConfigError as error:
            place = protocol.place("safety", "risky", i)
            raise ConfigError(f"{place}: a risky target: {error}") from error
        if concerned and plan.run_type == "training" and asked.confirmed_by is None:
            raise ConfigError(
                f"{protocol.place('safety', 'risky', i)}: target {target!r}, direction "
                f"{' and '.join(sorted(ways))} is listed as risky, and nobody has "
                "confirmed it. A second person gives their code: --confirmed-by CODE."
            )


def _concerned(risky: Risky, target: str, ways: Collection[str], card: Card) -> bool:
    """Return whether a session is what a protocol lists as risky.

    A contrast that holds a risky ROI is, in either direction: up may turn it down.
    """
    if risky.target is not None:
        named = choose_target(card, risky.target).name
        if named != choose_target(card, target).name:
            return shares_rois(card, risky.target, target)
    return risky.direction is None or risky.direction in ways


def phase_of(protocol: Protocol, follows: Follower) -> Phase:
    """Return where a session is in its run, as its subscribers are told."""
    answered = follows.answers if follows.state.where == "over" else ()
    questions = protocol.study.questions
    return protocol_phase(follows.state, questions, answered=answered)


def recorded_protocol(folder: Path, asked: ProtocolAsked) -> Protocol:
    """Return the protocol that a recorded session followed, from its own copy.

    Raises
    ------
    DataFileError : the copy is gone or was changed.
    """
    path = folder / COPY_NAME
    try:
        text = read_file(path, at_most_bytes=MAX_BYTES)
    except OSError as error:
        raise DataFileError(
            f"{path} cannot be read: {error.strerror or error}. Expected the protocol "
            "that the session followed. Restore it."
        ) from error
    sha256 = hashlib.sha256(text).hexdigest()
    if sha256 != asked.sha256:
        raise DataFileError(
            f"{path} has SHA-256 {sha256[:12]}..., the session followed "
            f"{asked.sha256[:12]}...: it was changed since. Restore it."
        )
    return parse_protocol(text, where=str(path))


def _attempts(run: RunSettings, subject: str, study: str) -> list[Attempt]:
    if run.record is None:
        return []
    group = RunGroup(subject=subject, session=run.session, task=run.task)
    roots = (run.record, run.record_copy)
    return attempts_in((root for root in roots if root is not None), group, study)


def _number(protocol: Protocol, given: int | None, found: list[Attempt]) -> int:
    n_runs = protocol.study.n_runs
    if given is not None:
        if given > n_runs:
            raise ConfigError(
                f"--run is {given}, expected 1 to {n_runs}: the runs of "
                f"{protocol.where}."
            )
        return given
    number = next_run(protocol.study, found)
    if number is None:
        raise ConfigError(
            f"every run of {protocol.where} is done. Name one to repeat it: --run "
            f"1 to {n_runs}."
        )
    return number


def _deaf(protocol: Protocol, run: RunSettings) -> Iterator[str]:
    """Yield that the participant's marker cannot be heard in a free run."""
    label = protocol.study.safety.stop_marker
    if label is not None and not run.locked:
        yield (
            f"the protocol's stop_marker {label!r} cannot stop this session, which "
            "hears no markers (no trigger stream or channel was given); stop it with "
            "PARTICIPANT_STOP, the dashboard's key F10"
        )


def _notes(
    protocol: Protocol, found: Iterable[Attempt], now_unix_s: float
) -> Iterator[str]:
    known = list(found)
    if known and known[-1].sha256 != protocol.sha256:
        yield (
            f"{protocol.where} was changed since run {known[-1].run}, attempt "
            f"{known[-1].attempt}"
        )
    left_s = break_left_s(protocol.study, known, now_unix_s)
    if left_s:
        yield (
            f"the last run ended less than {protocol.study.safety.break_minutes:g} "
            f"min ago: {left_s / 60:.1f} min of the break are left"
        )


class ProtocolRun:
    """Follows the protocol through a live session and keeps its attempt's record.

    Parameters
    ----------
    chosen : which run.
    folder : of the recording; None: nothing is recorded.
    now_unix_s : for the record.
    """

    def __init__(
        self,
        chosen: ChosenRun,
        folder: Path | None,
        *,
        begun_s: float,
        now_unix_s: Callable[[], float],
    ) -> None:
        self.chosen = chosen
        self._folder = folder
        self._now_unix_s = now_unix_s
        self._begun_unix_s = now_unix_s()
        self._begun_s = begun_s
        self._follower = follower(chosen.protocol, chosen.asked)
        self._stop_label = chosen.protocol.study.safety.stop_marker
        self._over_s: float | None = None
        self._now: BlockNow | None = None
        self._was_stopped = False
        self._closed = False
        self._problem = ""
        if folder is not None:
            with saying_why_not(folder / COPY_NAME):
                write_bytes(folder / COPY_NAME, chosen.protocol.text)
            self._write(self._follower.plan, 0, "running")

    @property
    def phase(self) -> Phase:
        """Where the session is, for its subscribers."""
        phase = phase_of(self.chosen.protocol, self._follower)
        if self._follower.state.where == "before":
            return msgspec.structs.replace(phase, t_on=self._begun_s)
        return phase

    def command_of(self, event: Event) -> OperatorCommand | None:
        """Return the participant's stop that a marker is; None: it is none."""
        label = self._stop_label
        if label is None or not isinstance(event, Marker):
            return None
        if not same_label(event.label, label):
            return None
        return OperatorCommand("participant_stop", f"marker {event.label}")

    def take(self, event: Event) -> Step:
        """Act on a command."""
        if not isinstance(event, OperatorCommand):
            return Step()
        step = self._follower.take(event)
        self._was_stopped |= self._follower.state.stopped
        return step

    def tick(self, tick: Tick, now_s: float) -> Step:
        """Take one volume, in order."""
        before, n_done = self._follower.plan, self._follower.n_done
        step = self._follower.tick(tick)
        self._now = step.now
        over = self._follower.state.where == "over"
        self._over_s = (self._over_s or now_s) if over else None
        if self._follower.plan.attempt != before.attempt:  # the scanner began anew
            self._note(before, n_done)
            self._begun_unix_s = self._now_unix_s()
            self._note(self._follower.plan, 0, running=True)
        return step

    def where(self, prediction: BoldPrediction) -> BlockNow | None:
        """Return where the newest volume lies; None: in no block."""
        return self._now

    def is_over(self, now_s: float) -> bool:
        """Whether the session may end: blocks are over, and questions answered."""
        if self._over_s is None or self._follower.unanswered:
            return False
        tr_s = self.chosen.protocol.study.tr_s
        return now_s - self._over_s >= GOES_ON_TRS * tr_s

    @property
    def unanswered(self) -> tuple[str, ...]:
        """Questions after the run that still wait for an answer."""
        return self._follower.unanswered

    def close(self) -> str:
        """Write what became of the attempt; return why that failed, or nothing.

        A second call does nothing.
        """
        if not self._closed:
            self._closed = True
            self._note(self._follower.plan, self._follower.n_done)
        return self._problem

    def _note(self, plan: RunPlan, n_done: int, *, running: bool = False) -> None:
        """Keep what is known of an attempt; a full disk ends no session."""
        if self._folder is None:
            return
        try:
            self._write(plan, n_done, "running" if running else self._state(plan))
        except RtboldError as error:
            self._problem = str(error)

    def _state(self, plan: RunPlan) -> State:
        if plan.attempt in self._follower.completed:
            return "complete"
        return "stopped_by_participant" if self._was_stopped else "interrupted"

    def _write(self, plan: RunPlan, n_done: int, state: State) -> None:
        assert self._folder is not None  # the callers looked
        asked = self.chosen.asked
        attempt = Attempt(
            study=asked.study,
            sha256=asked.sha256,
            run=plan.run,
            attempt=plan.attempt,
            kind=plan.run_type,
            n_volumes=plan.n_volumes,
            state=state,
            n_done=n_done,
            condition=asked.condition,
            confirmed_by=asked.confirmed_by,
            n_adverse_events=self._follower.n_adverse_events,
            begun_unix_s=self._begun_unix_s,
            ended_unix_s=None if state == "running" else self._now_unix_s(),
        )
        with saying_why_not(self._folder):
            write_attempt(self._folder, attempt)
