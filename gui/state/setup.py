"""Runs and settings that the operator chose; the command lines they make. Pure."""

import itertools
import json
import math
import os.path
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from rtbold.config import KindName
from rtbold.errors import ConfigError
from rtbold.run_names import (
    DEFAULT_SESSION,
    DEFAULT_TASK,
    MOST_RUNS as HIGHEST_NUMBER,
    UNNAMED_SUBJECT,
    RunGroup,
    check_label,
    taken,
)

# The runs of one session: planned, running, done.

RunKind = KindName
RunState = Literal["planned", "running", "done", "aborted", "left"]
STATES: tuple[RunState, ...] = get_args(RunState)
KINDS: tuple[RunKind, ...] = get_args(RunKind)
MOST_RUNS = 60
MOST_DUMMIES = 1000
KIND_WORDS: dict[RunKind, str] = {
    "localiser": "finds the region or tests the task; no feedback is meant",
    "baseline": "rest, before the training",
    "training": "the participant gets feedback",
    "transfer": "the same task without feedback",
}


@dataclass(frozen=True, slots=True)
class Run:
    """One run: one start of the scanner, one trigger train, one recording folder.

    Parameters
    ----------
    number : in the session, from 1; that of its recording.
    duration_s : planned; nothing ends by it.
    protocol_run : number in the protocol that it follows; None: it follows none.
    """

    number: int
    kind: RunKind = "training"
    dummy_volumes: int = 0
    duration_s: float | None = None
    note: str = ""
    protocol_run: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run and what became of it."""

    run: Run
    state: RunState = "planned"

    @property
    def fixed(self) -> bool:
        """Whether it was started: its number names a folder."""
        return self.state != "planned"


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The runs in order; every change makes another plan.

    A run that was started keeps its number and its place. Others get the next numbers
    that were never used.

    Parameters
    ----------
    taken : numbers that recordings have, those of earlier days too.
    """

    rows: tuple[PlannedRun, ...] = (PlannedRun(Run(1)),)
    taken: frozenset[int] = frozenset()

    def numbered(self, taken: frozenset[int]) -> "RunPlan":
        """Return the plan where recordings have these numbers."""
        return self if taken == self.taken else _plan(self.rows, taken)

    def with_rows(self, rows: tuple[PlannedRun, ...]) -> "RunPlan":
        """Return the plan with other rows; those to come get numbers."""
        return _plan(rows, self.taken)

    def anew(self) -> "RunPlan":
        """Return the same runs for another subject or session: none was started."""
        rows = (
            PlannedRun(replace(row.run, note="" if row.fixed else row.run.note))
            for row in self.rows
        )
        return _plan(tuple(rows))

    def added(self, kind: RunKind, *, like: Run | None = None) -> "RunPlan":
        """Return the plan with one more run at its end, with the settings of `like`."""
        if len(self.rows) >= MOST_RUNS:
            return self
        run = replace(like, kind=kind) if like else Run(0, kind)
        return _plan((*self.rows, PlannedRun(run)), self.taken)

    def removed(self, place: int) -> "RunPlan":
        """Return the plan without the run at `place`; one that was started stays."""
        if not self.can_remove(place):
            return self
        return _plan(self.rows[:place] + self.rows[place + 1 :], self.taken)

    def moved(self, place: int, by: Literal[-1, 1]) -> "RunPlan":
        """Return the plan with the run at `place` one earlier or later."""
        if not self.can_move(place, by):
            return self
        rows = list(self.rows)
        rows[place], rows[place + by] = rows[place + by], rows[place]
        return _plan(tuple(rows), self.taken)

    def edited(self, place: int, run: Run) -> "RunPlan":
        """Return the plan with other settings of the run at `place`."""
        if not 0 <= place < len(self.rows) or self.rows[place].fixed:
            return self
        return self._with(place, PlannedRun(replace(run, number=0)))

    def marked(self, number: int, state: RunState) -> "RunPlan":
        """Return the plan with the run of this number in another state."""
        rows = (replace(r, state=state) if r.run.number == number else r for r in self)
        return replace(self, rows=tuple(rows))

    def repeated(self, number: int) -> tuple["RunPlan", Run | None]:
        """Return the plan with this run once more right after the started ones.

        And the run that does so; None: there is no such run, or no room.
        """
        again = next((row.run for row in self if row.run.number == number), None)
        if again is None or len(self.rows) >= MOST_RUNS:
            return self, None
        place = max((k for k, row in enumerate(self.rows) if row.fixed), default=-1) + 1
        rows = (*self.rows[:place], PlannedRun(again), *self.rows[place:])
        plan = _plan(rows, self.taken)
        return plan, plan.rows[place].run

    def can_remove(self, place: int) -> bool:
        """Whether the run at `place` was not started, and another is left."""
        there = 0 <= place < len(self.rows)
        return there and len(self.rows) > 1 and not self.rows[place].fixed

    def can_move(self, place: int, by: Literal[-1, 1]) -> bool:
        """Whether both that run and its neighbour were not started."""
        both = (place, place + by)
        return all(0 <= p < len(self.rows) and not self.rows[p].fixed for p in both)

    def next_place(self) -> int | None:
        """Return where the first run is that was not started; None: all were."""
        return next((i for i, row in enumerate(self.rows) if not row.fixed), None)

    @property
    def running(self) -> Run | None:
        """The run that is under way."""
        return next((row.run for row in self.rows if row.state == "running"), None)

    def __iter__(self) -> Iterator[PlannedRun]:
        """Go through the runs in order."""
        return iter(self.rows)

    def _with(self, place: int, row: PlannedRun) -> "RunPlan":
        return _plan((*self.rows[:place], row, *self.rows[place + 1 :]), self.taken)


def plan_text(plan: RunPlan) -> str:
    """Return a plan as it is remembered between two starts of the window."""
    rows = [
        {"state": row.state, **{f.name: getattr(row.run, f.name) for f in fields(Run)}}
        for row in plan
    ]
    return json.dumps(rows, ensure_ascii=False)  # the preferences bound its length


def read_plan(text: str) -> RunPlan:
    """Return a remembered plan; what cannot be read is a new one.

    A run that was under way is `left`: nobody saw how it ended.
    """
    try:
        rows = tuple(_read_row(said) for said in json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return RunPlan()
    return _plan(rows) if 1 <= len(rows) <= MOST_RUNS else RunPlan()


def _read_row(said: Mapping[str, Any]) -> PlannedRun:
    """Return one row.

    Raises
    ------
    ValueError, TypeError, KeyError : it is none.
    """
    duration_s, note, state = said["duration_s"], said["note"], said["state"]
    good = said["kind"] in KINDS and state in STATES and isinstance(note, str)
    if not good or not 0 <= said["number"] <= HIGHEST_NUMBER:
        raise ValueError
    of_protocol = said.get("protocol_run")
    if of_protocol is not None and not 1 <= int(of_protocol) <= HIGHEST_NUMBER:
        raise ValueError
    run = Run(
        int(said["number"]),
        said["kind"],
        min(MOST_DUMMIES, max(0, int(said["dummy_volumes"]))),
        None if duration_s is None else duration_of(duration_words(duration_s)),
        note[:LONGEST_NOTE],
        None if of_protocol is None else int(of_protocol),
    )
    return PlannedRun(run, "left" if state == "running" else state)


def duration_of(text: str) -> float | None:
    """Return seconds of ``8``, ``8:30`` or ``8 min``; None where it says nothing.

    A number alone is minutes.

    Raises
    ------
    ValueError : it says something else; the message says what was expected.
    """
    bare = text.casefold().replace("min", "").strip()
    if not bare:
        return None
    minutes, _, seconds = bare.partition(":")
    try:
        found_s = 60 * float(minutes.replace(",", ".")) + float(seconds or 0)
    except ValueError:
        found_s = -1.0
    if not 0 < found_s <= 86_400:
        raise ValueError(f"{text!r} is no duration: give minutes, such as 8 or 8:30")
    return found_s


def duration_words(duration_s: float | None) -> str:
    """Return ``8:30 min``; empty for None."""
    if duration_s is None:
        return ""
    minutes, seconds = divmod(round(duration_s), 60)
    return f"{minutes}:{seconds:02d} min"


def _plan(rows: tuple[PlannedRun, ...], taken: frozenset[int] = frozenset()) -> RunPlan:
    return RunPlan(_numbered(rows, taken), taken)


def _numbered(
    rows: tuple[PlannedRun, ...], taken: frozenset[int]
) -> tuple[PlannedRun, ...]:
    """Give planned runs numbers after those before them that were never used."""
    numbered: list[PlannedRun] = []
    used = taken | {row.run.number for row in rows if row.fixed}
    last = 0
    for row in rows:
        free = (n for n in itertools.count(last + 1) if n not in used)
        last = row.run.number if row.fixed else next(free)
        numbered.append(replace(row, run=replace(row.run, number=last)))
    return tuple(numbered)


TriggerSource = Literal["stream", "channel", "fixed"]
Value = str | int | float | bool | tuple[str, ...] | None
NEVER_REMEMBERED = ("flags", "simulated")  # they hold for one session
LONGEST_NOTE = 1000  # what the control socket takes


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupChoice:
    """One session as chosen; empty text and None mean that the default holds.

    Parameters
    ----------
    subject : its newest calibration runs; else `model`, a bundle's name or folder.
    target : ROI or contrast that is fed back; empty: the bundle's own.
    trigger_source : a marker stream, a channel of the EEG stream, or a fixed TR
        without the scanner's clock.
    record : folder of all recordings; each run gets one of its own in it.
    record_as : subject in their names; empty: `subject`.
    session, task : labels in their names; empty: the usual ones.
    record_copy : the same on another disk, for a second copy; empty: there is none.
    protocol : its file; empty: runs have no blocks.
    confirmed_by : code of who confirms what the protocol lists as risky.
    blind : folder of a blinded study; empty: what is predicted is what is fed back.
    cleaning : ``online:NAME``, ``offline:NAME``, ``none``; empty: not said.
    truth : source of measured BOLD, as ``rtbold run --truth`` takes it.
    flags : ``--allow-...`` that the operator gave by overriding a check.
    simulated : a dry run; its streams come from the twin.
    """

    stream: str = ""
    host: str = ""
    model: str = ""
    subject: str = ""
    root: str = ""
    target: str = ""
    trigger_source: TriggerSource = "stream"
    trigger_stream: str = ""
    trigger_host: str = ""
    trigger: str = "R128"
    trigger_channel: str = ""
    trigger_every: int = 1
    tr_s: float | None = None
    record: str = ""
    record_copy: str = ""
    record_as: str = ""
    session: str = DEFAULT_SESSION
    task: str = DEFAULT_TASK
    protocol: str = ""
    confirmed_by: str = ""
    blind: str = ""
    cleaning: str = ""
    scanner: str = ""
    truth: str = ""
    truth_rois: str = ""  # names, separated by commas
    truth_first: int = 0
    truth_by_onset: bool = False
    unit: str = ""
    reference: str = ""
    interpolate: bool = False
    upstream_delay_ms: float | None = None
    engine: str = ""
    precision: str = ""
    port: int = 5580
    control_port: int = 5581
    flags: tuple[str, ...] = ()
    simulated: bool = False

    @property
    def feed_address(self) -> str:
        """Where the session will publish."""
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def control_address(self) -> str:
        """Where the session will take commands."""
        return f"tcp://127.0.0.1:{self.control_port}"


# Where measured BOLD comes from, as a person chooses it.

TruthSource = Literal["", "lsl", "file", "tcp", "tbv"]
TRUTH_SOURCES: tuple[tuple[TruthSource, str], ...] = (
    ("", "none"),
    ("lsl", "LSL stream"),
    ("file", "table that grows"),
    ("tcp", "network address"),
    ("tbv", "Turbo-BrainVoyager"),
)
_TRUTH_WANTED: dict[TruthSource, str] = {
    "lsl": "the stream of measured BOLD",
    "file": "the table of measured BOLD",
    "tcp": "the address that measured BOLD comes from",
    "tbv": "the address of Turbo-BrainVoyager",
}


def truth_parts(truth: str) -> tuple[TruthSource, str]:
    """Return a source of measured BOLD, and where it is; no source: there is none."""
    kind, _, where = truth.partition(":")
    for source, _ in TRUTH_SOURCES:
        if source and source == kind:
            return source, where
    return ("file", truth) if truth else ("", "")


def group_of(choice: SetupChoice) -> RunGroup | None:
    """Return the runs that are numbered together; None: nothing is recorded.

    Raises
    ------
    ConfigError : a label is none.
    """
    if not choice.record:
        return None
    return RunGroup(
        subject=choice.record_as or choice.subject or UNNAMED_SUBJECT,
        session=choice.session or DEFAULT_SESSION,
        task=choice.task or DEFAULT_TASK,
    )


def planned_for(choice: SetupChoice) -> tuple[str, ...]:
    """Return what a plan is of: another one of these is another plan."""
    subject = choice.record_as or choice.subject
    return at_home(choice.record), subject, choice.session, choice.task


def numbers_taken(choice: SetupChoice) -> frozenset[int]:
    """Return the numbers that recordings of these names have; reads the folders."""
    try:
        group = group_of(choice)
    except ConfigError:
        return frozenset()  # the form says what is wrong
    if group is None:
        return frozenset()
    roots = filter(None, (choice.record, choice.record_copy))
    return frozenset(taken([Path(at_home(root)) for root in roots], group))


def label_problem(what: str, label: str) -> str:
    """Return what is wrong with a label of a recording's name; empty: nothing."""
    try:
        if label:
            check_label(what, label)
    except ConfigError as error:
        return str(error)
    return ""


def lacking(choice: SetupChoice) -> tuple[str, ...]:
    """Return what must be chosen before anything can be checked, in words."""
    source, where = truth_parts(choice.truth)
    wanted = (
        (choice.stream, "an EEG stream"),
        (choice.subject or choice.model, "a subject or a model"),
        (_has_triggers(choice), _TRIGGERS_WANTED[choice.trigger_source]),
        (where or not source, _TRUTH_WANTED.get(source, "")),
        (choice.port != choice.control_port, "two different ports"),
    )
    return tuple(words for there, words in wanted if not there)


def run_arguments(choice: SetupChoice, run: Run) -> tuple[str, ...]:
    """Return the words after ``rtbold`` that start this run.

    A run is planned for some minutes but goes on until it is stopped: a session that
    waits for its scanner must not end by itself meanwhile.
    """
    return ("run", *_options(choice, run))


def preflight_arguments(choice: SetupChoice, run: Run) -> tuple[str, ...]:
    """Return the words that check this run without starting it."""
    return ("preflight", *_options(choice, run), "--json")


def rehearse_arguments(
    choice: SetupChoice,
    run: Run,
    *,
    duration_s: float,
    page: str,
    without_scanner: bool = False,
) -> tuple[str, ...]:
    """Return the words that rehearse this run.

    Parameters
    ----------
    page : file that the report is written to.
    without_scanner : judge all but the triggers.
    """
    timed = ["--duration", f"{duration_s:g}", "--page", page, "--json"]
    timed += ["--without-scanner"] if without_scanner else []
    # in a folder of its own, which is not worth a second copy
    record = f"{choice.record.rstrip('/')}/rehearsal" if choice.record else ""
    choice = replace(choice, record=record, record_copy="", protocol="", blind="")
    return ("rehearse", *_options(choice, replace(run, number=0)), *timed)


def as_choices(choice: SetupChoice) -> dict[str, str]:
    """Return what differs from the defaults, as texts to be remembered."""
    return {
        field.name: str(getattr(choice, field.name))
        for field in fields(choice)
        if field.name not in NEVER_REMEMBERED
        and getattr(choice, field.name) != field.default
    }


def from_choices(texts: Mapping[str, str]) -> SetupChoice:
    """Return a choice from remembered texts; what cannot be read is the default."""
    known = {field.name: field.default for field in fields(SetupChoice)}
    read = {
        name: value
        for name, text in texts.items()
        if name in known
        and name not in NEVER_REMEMBERED
        and (value := _read(name, text)) is not None
    }
    choice = SetupChoice(**read)  # type: ignore[arg-type]  # checked by _read
    return choice if choice.trigger_source in _TRIGGERS_WANTED else SetupChoice()


_TRIGGERS_WANTED: dict[TriggerSource, str] = {
    "stream": "a marker stream with the scanner's triggers",
    "channel": "the trigger channel of the EEG stream",
    "fixed": "a TR in seconds, for a run without the scanner's clock",
}
_SECONDS = ("tr_s", "upstream_delay_ms")
_TICKS = ("interpolate", "truth_by_onset")
_WHOLE = ("trigger_every", "truth_first", "port", "control_port")


def _has_triggers(choice: SetupChoice) -> bool:
    return {
        "stream": bool(choice.trigger_stream),
        "channel": bool(choice.trigger_channel),
        "fixed": choice.tr_s is not None,
    }[choice.trigger_source]


def _options(choice: SetupChoice, run: Run) -> list[str]:
    source = choice.trigger_source
    markers = choice.trigger_stream if source == "stream" else ""
    given: dict[str, Value] = {
        "--stream": choice.stream,
        "--host": choice.host,
        "--subject": choice.subject,
        "--model": "" if choice.subject else choice.model,
        "--root": at_home(choice.root),
        "--target": choice.target,
        "--trigger-stream": markers,
        "--trigger-host": choice.trigger_host if markers else "",
        "--trigger-channel": choice.trigger_channel if source == "channel" else "",
        "--trigger": choice.trigger if source != "fixed" else "",
        "--trigger-every": choice.trigger_every if choice.trigger_every != 1 else None,
        "--tr": choice.tr_s,
        **_which_run(choice, run),
        "--blind": at_home(
            choice.blind
        ),  # refused, not dropped, if nothing is recorded
        "--dummy-volumes": run.dummy_volumes or None,
        "--cleaning": choice.cleaning,
        "--scanner": choice.scanner,
        "--unit": choice.unit,
        "--reference": choice.reference,
        "--interpolate": choice.interpolate,
        "--upstream-delay-ms": choice.upstream_delay_ms,
        "--engine": choice.engine,
        "--precision": choice.precision,
        "--port": choice.port,
        "--control-port": choice.control_port,
        **_recording(choice, run),
        **_truth(choice),
    }
    words = [word for name, value in given.items() for word in _words(name, value)]
    return words + list(choice.flags)


def _which_run(choice: SetupChoice, run: Run) -> dict[str, Value]:
    """Return kind and number; a protocol says the kind, and `--run` is its run."""
    if not choice.protocol:
        return {"--kind": run.kind, "--run": run.number or None}
    return {
        "--protocol": at_home(choice.protocol),
        "--run": run.protocol_run,
        "--confirmed-by": choice.confirmed_by,
    }


def _recording(choice: SetupChoice, run: Run) -> dict[str, Value]:
    if not choice.record:
        return {}
    unnamed = "" if choice.subject else UNNAMED_SUBJECT
    return {
        "--record": at_home(choice.record),
        "--record-copy": at_home(choice.record_copy),
        "--record-as": choice.record_as or unnamed,
        "--session": _unusual(choice.session, DEFAULT_SESSION),
        "--task": _unusual(choice.task, DEFAULT_TASK),
    }


def _unusual(label: str, usual: str) -> str:
    return "" if label == usual else label


def _truth(choice: SetupChoice) -> dict[str, Value]:
    if not choice.truth:
        return {}
    names = tuple(part.strip() for part in choice.truth_rois.split(",") if part.strip())
    return {
        "--truth": choice.truth,
        "--truth-roi": names,
        "--truth-first": choice.truth_first or None,
        "--truth-by-onset": choice.truth_by_onset,
    }


def at_home(folder: str) -> str:
    """Return a folder with ``~`` replaced, as a shell would before rtbold sees it."""
    return os.path.expanduser(folder)


def _words(option: str, value: Value) -> tuple[str, ...]:
    if value is None or value is False or value == "":
        return ()
    if value is True:
        return (option,)
    if isinstance(value, tuple):
        return tuple(word for each in value for word in (option, each))
    return (option, f"{value:.12g}" if isinstance(value, float) else str(value))


def _read(name: str, text: str) -> Value:
    if name in _TICKS:
        return text == "True"
    if name not in (*_SECONDS, *_WHOLE):
        return text[:LONGEST_NOTE]
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if name in _WHOLE else number
