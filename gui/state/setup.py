"""Runs and settings that the operator chose; the command lines they make. Pure."""

import math
import os.path
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

# The runs of one session: planned, running, done.

RunKind = Literal["localiser", "baseline", "training", "transfer"]
RunState = Literal["planned", "running", "done", "aborted"]
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
    number : in the session, from 1.
    duration_s : planned; nothing ends by it.
    """

    number: int
    kind: RunKind = "training"
    dummy_volumes: int = 0
    duration_s: float | None = None
    note: str = ""


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

    A run that was started keeps its number and its place.
    """

    rows: tuple[PlannedRun, ...] = (PlannedRun(Run(1)),)

    def added(self, kind: RunKind, *, like: Run | None = None) -> "RunPlan":
        """Return the plan with one more run at its end, with the settings of `like`."""
        if len(self.rows) >= MOST_RUNS:
            return self
        run = replace(like, kind=kind) if like else Run(0, kind)
        return RunPlan(_numbered((*self.rows, PlannedRun(run))))

    def removed(self, place: int) -> "RunPlan":
        """Return the plan without the run at `place`; one that was started stays."""
        if not self.can_remove(place):
            return self
        return RunPlan(_numbered(self.rows[:place] + self.rows[place + 1 :]))

    def moved(self, place: int, by: Literal[-1, 1]) -> "RunPlan":
        """Return the plan with the run at `place` one earlier or later."""
        if not self.can_move(place, by):
            return self
        rows = list(self.rows)
        rows[place], rows[place + by] = rows[place + by], rows[place]
        return RunPlan(_numbered(tuple(rows)))

    def edited(self, place: int, run: Run) -> "RunPlan":
        """Return the plan with other settings of the run at `place`."""
        if not 0 <= place < len(self.rows) or self.rows[place].fixed:
            return self
        return self._with(place, PlannedRun(replace(run, number=0)))

    def marked(self, number: int, state: RunState) -> "RunPlan":
        """Return the plan with the run of this number in another state."""
        rows = (replace(r, state=state) if r.run.number == number else r for r in self)
        return RunPlan(tuple(rows))

    def repeated(self, number: int) -> tuple["RunPlan", Run | None]:
        """Return the plan with this run once more right after the started ones.

        And the run that does so; None: there is no such run, or no room.
        """
        again = next((row.run for row in self if row.run.number == number), None)
        if again is None or len(self.rows) >= MOST_RUNS:
            return self, None
        place = max((k for k, row in enumerate(self.rows) if row.fixed), default=-1) + 1
        rows = (*self.rows[:place], PlannedRun(again), *self.rows[place:])
        plan = RunPlan(_numbered(rows))
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
        rows = (*self.rows[:place], row, *self.rows[place + 1 :])
        return RunPlan(_numbered(rows))


def folder_name(run: Run) -> str:
    """Return the name of the run's own recording folder, such as run-02_training."""
    return f"run-{run.number:02d}_{run.kind}"


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


def _numbered(rows: tuple[PlannedRun, ...]) -> tuple[PlannedRun, ...]:
    """Give planned runs the numbers after those before them."""
    numbered: list[PlannedRun] = []
    last = 0
    for row in rows:
        last = row.run.number if row.fixed else last + 1
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
    record : folder of the whole session; each run gets one of its own in it.
    record_copy : the same on another disk, for a second copy; empty: there is none.
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
    return ("rehearse", *_options(choice, run, folder="rehearsal"), *timed)


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


def _options(choice: SetupChoice, run: Run, *, folder: str = "") -> list[str]:
    source = choice.trigger_source
    markers = choice.trigger_stream if source == "stream" else ""
    # a rehearsal, which has a folder of its own, is not worth a second copy
    copy = choice.record_copy if choice.record and not folder else ""
    given: dict[str, Value] = {
        "--stream": choice.stream,
        "--host": choice.host,
        "--subject": choice.subject,
        "--model": "" if choice.subject else choice.model,
        "--root": _at_home(choice.root),
        "--target": choice.target,
        "--trigger-stream": markers,
        "--trigger-host": choice.trigger_host if markers else "",
        "--trigger-channel": choice.trigger_channel if source == "channel" else "",
        "--trigger": choice.trigger if source != "fixed" else "",
        "--trigger-every": choice.trigger_every if choice.trigger_every != 1 else None,
        "--tr": choice.tr_s,
        "--kind": run.kind,
        "--run-number": run.number or None,
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
        "--record": _in_it(choice.record, folder or folder_name(run)),
        "--record-copy": _in_it(copy, folder_name(run)),
        **_truth(choice),
    }
    words = [word for name, value in given.items() for word in _words(name, value)]
    return words + list(choice.flags)


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


def _in_it(root: str, folder: str) -> str:
    """Return the run's own folder; `/` is understood on every system."""
    return f"{_at_home(root).rstrip('/')}/{folder}" if root else ""


def _at_home(folder: str) -> str:
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
