"""Rehearse a session: look at everything, run it for minutes, judge what came out."""

import shutil
import socket
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rtbold.client import Subscriber
from rtbold.clock import Clock
from rtbold.config import RunSettings
from rtbold.errors import RtboldError
from rtbold.messages import Check, EegChunk, Marker
from rtbold.preflight.checks import GoNoGo, verdict_of, why_of
from rtbold.preflight.count import RehearsalCount
from rtbold.preflight.examine import PreflightSettings, examine_session
from rtbold.preflight.go_no_go import Figures, RecordingFigures, evaluate
from rtbold.preflight.rehearsed_session import (
    RehearsedSession,
    address_here,
    ask_control,
    follow,
    open_subscriber,
)
from rtbold.record import (
    NOTE_NAME,
    end_left_over,
    find_labrecorder,
    session_events,
    xdf_parts,
)
from rtbold.session import load_bundle

LISTEN_S = 5.0
TELL_EVERY_S = 1.0
REHEARSAL_TASK = "rehearsal"  # in the names of its recording
BEFORE_S, STARTING_S, AFTER_S = 14.0, 8.0, 12.0  # about; for the time that is left


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalSettings:
    """What is rehearsed, and how."""

    run: RunSettings
    arguments: Callable[[RunSettings], Sequence[str]]  # the same as a command line
    subject_root: Path | None = None
    duration_s: float = 300.0
    without_scanner: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """How far a rehearsal is."""

    stage: str
    elapsed_s: float
    remaining_s: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalResult:
    """The end of a rehearsal."""

    verdict: GoNoGo
    why: tuple[str, ...]
    run: RunSettings  # as it was rehearsed
    before: tuple[Check, ...]  # of the preflight
    rehearsed: tuple[Check, ...]
    figures: Figures | None  # None: no session was started
    interrupted: bool = False


RehearsalStep = Stage | Check | RehearsalResult


class Rehearsal:
    """One rehearsal; `steps` is its story.

    Parameters
    ----------
    stopping : whether somebody wants it to end now; it then says no-go.
    """

    def __init__(
        self, settings: RehearsalSettings, clock: Clock, stopping: Callable[[], bool]
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._stopping = stopping
        self._begun_s = clock.now_s()
        self._before: list[Check] = []
        self._control: tuple[float | None, str] | None = None  # None: not asked yet
        self._count = RehearsalCount(slices=settings.run.trigger_every)

    def steps(self) -> Iterator[RehearsalStep]:
        """Yield stages, checks and, last of all, the outcome."""
        run = rehearsed_run(self._settings)
        yield from self._look(run)
        if self._stopping() or any(check.blocks for check in self._before):
            yield self._outcome(run, (), None)
            return
        with _recording_folder(run) as (run, keep), self._session(run) as session:
            recorded = recordings(run.record) if run.record else set()
            figures = yield from self._follow(session, run)
            if run.record is not None and not self._stopping():
                end_recorders(run.record, recorded)  # they outlive a session
                yield self._stage("reading", "the recording is opened again")
                figures = replace(figures, recording=look_at(run.record, recorded))
            found = evaluate(figures, without_scanner=self._settings.without_scanner)
            yield from found
            outcome = self._outcome(run, found, figures)
            keep.append(outcome.verdict == "no-go" and not outcome.interrupted)
            yield outcome  # before an interrupted session has closed its parts

    def _session(self, run: RunSettings) -> RehearsedSession:
        control = address_here(run, run.control_port)
        return RehearsedSession(self._settings.arguments(run), control=control)

    def _look(self, run: RunSettings) -> Iterator[RehearsalStep]:
        yield self._stage("preflight", "everything is looked at and listened to")
        looking = PreflightSettings(
            run=run, subject_root=self._settings.subject_root, listen_s=LISTEN_S
        )
        for one in examine_session(looking, self._clock):
            if isinstance(one, Check):
                self._before.append(one)
                yield one
            if self._stopping():
                return

    def _follow(
        self, session: RehearsedSession, run: RunSettings
    ) -> Generator[RehearsalStep, None, Figures]:
        """Follow the session to its end; return what was counted."""
        problem = ""
        yield self._stage("starting", "the session opens its parts")
        with open_subscriber(run) as feed:
            try:
                yield from self._listen(session, feed, run)
            except RtboldError as error:
                problem = str(error)
            figures = self._counted(feed, run)
        session.ask_to_end()  # where it has not ended by itself
        if not self._stopping():
            session.wait()
        return replace(
            figures,
            returncode=None if problem else session.returncode,
            said=problem or session.last_words(),
            interrupted=self._stopping(),
        )

    def _listen(
        self, session: RehearsedSession, feed: Subscriber, run: RunSettings
    ) -> Iterator[Stage]:
        due_s = self._clock.now_s()
        wait_s = self._settings.run.wait_s + self._settings.duration_s
        following = follow(
            session, feed, self._count, limit_s=wait_s, clock=self._clock
        )
        for _ in following:
            if self._stopping():
                return
            if self._control is None and self._count.ran_s:
                self._control = ask_control(run, feed.session, self._clock)
            if self._clock.now_s() >= due_s:
                due_s = self._clock.now_s() + TELL_EVERY_S
                yield self._running()

    def _running(self) -> Stage:
        count = self._count
        if count.ran_s == 0.0:
            return self._stage("starting", "the session opens its parts")
        if count.ran_s >= self._settings.duration_s:
            return self._stage("ending", "the session closes its parts")
        newest = count.newest or "no answer yet"
        return self._stage("running", f"{newest}; {count.n_triggers} triggers")

    def _counted(self, feed: Subscriber, run: RunSettings) -> Figures:
        figures = self._count.figures(
            asked_s=self._settings.duration_s,
            locked=run.locked,
            n_gaps=feed.n_gaps.total(),
            measures=run.truth is not None,
        )
        took_ms, problem = self._control or (None, "")
        return replace(figures, control_ms=took_ms, control_problem=problem)

    def _stage(self, stage: str, text: str) -> Stage:
        left_s = {
            "preflight": BEFORE_S + STARTING_S + self._settings.duration_s + AFTER_S,
            "starting": STARTING_S + self._settings.duration_s + AFTER_S,
            "running": self._settings.duration_s - self._count.ran_s + AFTER_S,
            "ending": AFTER_S,
            "reading": AFTER_S / 4,
        }[stage]
        elapsed_s = self._clock.now_s() - self._begun_s
        return Stage(stage, round(elapsed_s, 1), round(left_s, 1), text)

    def _outcome(
        self, run: RunSettings, found: tuple[Check, ...], figures: Figures | None
    ) -> RehearsalResult:
        before, stopped = tuple(self._before), self._stopping()
        checks = (*before, *found)
        why = why_of(checks)
        if stopped and not found:
            why.insert(0, "interrupted before the session began")
        return RehearsalResult(
            verdict="no-go" if stopped else verdict_of(checks),
            why=tuple(why),
            run=run,
            before=before,
            rehearsed=found,
            figures=figures,
            interrupted=stopped,
        )


def rehearsed_run(settings: RehearsalSettings) -> RunSettings:
    """Return the session that is run: the one asked for, with an end and known ports.

    Without a scanner it runs free at the model's TR, so that engine, feed and
    recording are rehearsed all the same. It is still the session inside the scanner
    that is meant. Its recording is one of task `REHEARSAL_TASK`: it takes no number
    of the runs that it rehearses. It follows no protocol, which would end it, or count
    it as an attempt, and is not blinded; `preflight` looks at that.
    """
    run = replace(
        settings.run,
        duration_s=settings.duration_s,
        run=None,
        protocol=None,
        attempt=None,
        condition=None,
        confirmed_by=None,
        blind=None,
    )
    if run.record is not None:
        run = replace(run, task=REHEARSAL_TASK)
    ports = [port or _free_port() for port in (run.port, run.control_port)]
    run = replace(run, port=ports[0], control_port=ports[1])
    if not settings.without_scanner:
        return run
    scanner = run.scanner or ("inside_running" if run.locked else None)
    return replace(
        run,
        trigger_stream=None,
        trigger_host=None,
        trigger=None,
        trigger_channel=None,
        trigger_every=1,
        dummy_volumes=0,
        truth=None,
        truth_roi=(),
        scanner=scanner,
        tr_s=run.tr_s or _tr_s(run, settings.subject_root),
    )


def _tr_s(run: RunSettings, subject_root: Path | None) -> float | None:
    try:
        return load_bundle(run, subject_root).card.tr_s
    except RtboldError:
        return None  # the preflight says why


def _free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return int(any_port.getsockname()[1])


# Where it records, and what is in the recording afterwards.


@contextmanager
def _recording_folder(run: RunSettings) -> Iterator[tuple[RunSettings, list[bool]]]:
    """Give a session that records nowhere a folder; it goes unless it is to be kept.

    Yields
    ------
    The session, and a list whose last entry says whether to keep the folder.
    """
    keep: list[bool] = []
    if run.record is not None or not _can_record():
        yield run, keep
        return
    folder = Path(tempfile.mkdtemp(prefix="rtbold-rehearsed-"))
    try:
        yield replace(run, record=folder), keep
    finally:
        if not (keep and keep[-1]):
            shutil.rmtree(folder, ignore_errors=True)


def _can_record() -> bool:
    try:
        find_labrecorder()
    except RtboldError:
        return False
    return True


def recordings(folder: Path) -> set[Path]:
    """Return the first parts of all recordings below `folder`."""
    return set(folder.rglob("*_eeg.xdf"))


def end_recorders(folder: Path, before: set[Path]) -> None:
    """Politely end what a session that died has left recording below `folder`."""
    for xdf in recordings(folder) - before:
        note = xdf.with_name(NOTE_NAME)
        if note.is_file():
            end_left_over(note)


def look_at(folder: Path, before: set[Path]) -> RecordingFigures:
    """Return what the newest recording below `folder` holds.

    Parameters
    ----------
    before : the recordings that were there already.
    """
    new = sorted(recordings(folder) - before)
    if len(new) != 1:
        found = f"{len(new)} new recordings are in it, expected one"
        return RecordingFigures(path=str(folder), problem=found)
    try:
        return _counted(new[0])
    except (RtboldError, OSError, MemoryError) as error:
        return RecordingFigures(path=str(new[0]), problem=str(error) or repr(error))


def _counted(xdf: Path) -> RecordingFigures:
    """Read every event again; each chunk's samples are compared with their checksum."""
    events = session_events(xdf)
    if events is None:
        return RecordingFigures(path=str(xdf), problem="no event log is beside it")
    n_samples = n_markers = 0
    for event in events:
        if isinstance(event, EegChunk):
            n_samples += event.data_uv.shape[1]
        n_markers += isinstance(event, Marker)
    return RecordingFigures(
        path=str(xdf),
        n_parts=len(xdf_parts(xdf)),
        n_samples=n_samples,
        n_markers=n_markers,
        n_bytes=sum(f.stat().st_size for f in xdf.parent.iterdir() if f.is_file()),
        free_bytes=shutil.disk_usage(xdf.parent).free,
    )
