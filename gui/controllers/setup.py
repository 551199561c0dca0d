"""The set-up page without its widgets: searches, checks, rehearsal, dry run. No Qt."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from platformdirs import user_data_path

from rtbold.gui.controllers.jobs import ChildJob, ChildJobs
from rtbold.gui.state.checks import CheckAge, Checks, age_of, overridden
from rtbold.gui.state.found import (
    ON_AIR,
    Bundles,
    DryRun,
    Streams,
    newest,
    read_bundles,
    read_streams,
    twin_arguments,
)
from rtbold.gui.state.protocol import (
    NOT_READ,
    Listed,
    RunsSeen,
    listed_for,
    read_runs,
    runs_arguments,
)
from rtbold.gui.state.rehearsal import Rehearsal
from rtbold.gui.state.setup import (
    Run,
    SetupChoice,
    preflight_arguments,
    rehearse_arguments,
    run_arguments,
)

# What is there to choose from: streams, subjects, models; asked of child processes.

LISTEN_S = 1.5
STREAMS_LIMIT_S = 20.0
BUNDLES_LIMIT_S = 60.0
SEARCH_EVERY_S = 5.0
LOOK_EVERY_S = 2.0  # at the folder of subjects, whose times of change tell enough
FolderMarks = tuple[tuple[str, int], ...]  # folder's name, when it was changed
WATCHED_WITHIN_S = 1.0


class StreamSearch:
    """Lists the streams of the network, again and again while somebody looks."""

    def __init__(self, jobs: ChildJobs) -> None:
        self.streams = Streams()
        self._jobs = jobs
        self._job: ChildJob | None = None
        self._watched_s = float("-inf")
        self._ended_s = float("-inf")

    def watch(self, now_s: float) -> None:
        """Say that the list is being looked at now."""
        self._watched_s = now_s

    def begin(self) -> None:
        """Search now; does nothing while a search runs."""
        if self._job is not None:
            return
        words = ("streams", "--json", "--wait", f"{LISTEN_S:g}")
        self._job = self._jobs.start(
            "Looking for streams", words, limit_s=STREAMS_LIMIT_S
        )
        self.streams = replace(self.streams, searching=True)

    def tick(self, now_s: float) -> None:
        """Take what was found; search again when it is time."""
        if self._job is not None:
            if self._job.poll() is not None:
                self._take(self._job, now_s)
                self._job, self._ended_s = None, now_s
            return
        watched = now_s - self._watched_s <= WATCHED_WITHIN_S
        if watched and now_s - self._ended_s >= SEARCH_EVERY_S:
            self.begin()

    def _take(self, job: ChildJob, now_s: float) -> None:
        found = read_streams("\n".join(job.lines))
        if found is None:
            problem = job.problem or "The list of streams could not be read."
            self.streams = replace(self.streams, searching=False, problem=problem)
            return
        self.streams = Streams(found, searched_s=now_s)


def default_root() -> str:
    """Return where `rtbold` itself looks for subjects."""
    return str(user_data_path("rtbold") / "subjects")


def folder_marks(root: str) -> FolderMarks:
    """Return what changes when a subject or a calibration comes or goes."""
    try:
        with os.scandir(root or default_root()) as found:
            folders = [entry for entry in found if entry.is_dir()]
        marks = [(entry.name, entry.stat().st_mtime_ns) for entry in folders]
    except OSError:
        return ()
    return tuple(sorted(marks))


class BundleSearch:
    """Lists subjects and models when asked to, and when their folder changes.

    Parameters
    ----------
    marks : of a folder of subjects; other marks mean that it has changed.
    """

    def __init__(
        self, jobs: ChildJobs, marks: Callable[[str], FolderMarks] = folder_marks
    ) -> None:
        self.bundles = Bundles()
        self._jobs, self._marks_of = jobs, marks
        self._running: dict[str, ChildJob] = {}
        self._root = ""
        self._marks: FolderMarks | None = None  # as they were listed; None: not yet
        self._watched_s = self._looked_s = float("-inf")

    def watch(self, now_s: float) -> None:
        """Say that the list is being looked at now."""
        self._watched_s = now_s

    def begin(self, root: str = "") -> None:
        """List again; does nothing while that goes on.

        Parameters
        ----------
        root : folder of all subjects; empty: the user's own.
        """
        if self._running:
            return
        self._root, self._marks = root, self._marks_of(root)
        where = ("--root", root) if root else ()
        asked = {
            "subjects": ("subjects", "list", "--json", *where),
            "models": ("models", "list", "--json"),
        }
        self._running = {
            kind: self._jobs.start(f"Listing {kind}", words, limit_s=BUNDLES_LIMIT_S)
            for kind, words in asked.items()
        }
        self.bundles = replace(self.bundles, searching=True, problem="")

    def tick(self, now_s: float) -> None:
        """Take what was found; list again where the folder has changed."""
        self._look(now_s)
        for kind, job in list(self._running.items()):
            if job.poll() is not None:
                del self._running[kind]
                self._take(kind, job)
        if self.bundles.searching and not self._running:
            self.bundles = replace(self.bundles, searching=False, searched=True)

    def _look(self, now_s: float) -> None:
        watched = now_s - self._watched_s <= WATCHED_WITHIN_S
        if self._marks is None or not watched or self._running:
            return
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            if self._marks_of(self._root) != self._marks:
                self.begin(self._root)

    def _take(self, kind: str, job: ChildJob) -> None:
        rows = read_bundles("\n".join(job.lines))
        if rows is None:
            problem = job.problem or f"The list of {kind} could not be read."
            said = " ".join(part for part in (self.bundles.problem, problem) if part)
            self.bundles = replace(self.bundles, problem=said)
        elif kind == "subjects":
            self.bundles = replace(self.bundles, subjects=newest(rows))
        else:
            self.bundles = replace(self.bundles, models=rows)


RUNS_LIMIT_S = 20.0


class ProtocolSearch:
    """Lists the runs of a protocol when another one is chosen, and when asked to."""

    def __init__(self, jobs: ChildJobs) -> None:
        self.runs = RunsSeen()
        self._jobs = jobs
        self._job: ChildJob | None = None
        self._of: Listed = ()  # what the newest list is of, or will be
        self._again: SetupChoice | None = None  # asked for while a list was made

    def begin(self, choice: SetupChoice, *, anew: bool = False) -> None:
        """List the runs of what is chosen, unless that is known.

        Parameters
        ----------
        anew : also if it is: a run has ended.
        """
        of = listed_for(choice)
        if not of:
            self._of, self._again, self.runs = (), None, RunsSeen()
        elif self._job is not None:
            self._again = choice
        elif anew or of != self._of:
            self._of = of
            self._job = self._jobs.start(
                "Listing the protocol's runs",
                runs_arguments(choice),
                limit_s=RUNS_LIMIT_S,
            )

    def tick(self) -> None:
        """Take what was listed."""
        job = self._job
        if job is None or job.poll() is None:
            return
        self._job = None
        again, self._again = self._again, None
        if again is not None:
            self.begin(again, anew=True)
        elif self._of:
            found = read_runs("\n".join(job.lines), self._of)
            problem = job.problem or job.last_words or NOT_READ
            self.runs = found or RunsSeen(problem=problem, of=self._of)


CHECK_LIMIT_S = 120.0
REHEARSAL_EXTRA_S = 300.0  # for what comes before and after its session
DRY_RUN_SEED = 5000
PAGE_NAME = "rehearsal.html"


class SetupController:
    """Everything that the set-up and rehearsal pages ask for.

    Its attributes are frozen; another object means that something changed. `tick` is
    called once per frame and never waits.

    Parameters
    ----------
    jobs : starts the children.
    pid : keeps apart the twins of two dashboards.
    now_unix_s : time of day, for the age of a check.
    """

    def __init__(
        self,
        jobs: ChildJobs,
        *,
        pid: int | None = None,
        now_unix_s: Callable[[], float] = time.time,
    ) -> None:
        self.checks = Checks()
        self.rehearsal = Rehearsal()
        self.dry_run = DryRun()
        self._jobs = jobs
        self._now_unix_s = now_unix_s
        self._pid = os.getpid() if pid is None else pid
        self._streams, self._bundles = StreamSearch(jobs), BundleSearch(jobs)
        self._protocol = ProtocolSearch(jobs)
        self._check_job: ChildJob | None = None
        self._rehearsal_job: ChildJob | None = None
        self._twin: ChildJob | None = None
        self._folder: str | None = None  # of the rehearsal's page
        self._n_twins = 0

    @property
    def streams(self) -> Streams:
        """What the network has."""
        return self._streams.streams

    @property
    def bundles(self) -> Bundles:
        """Subjects and models."""
        return self._bundles.bundles

    @property
    def protocol_runs(self) -> RunsSeen:
        """The runs of the chosen protocol, with their attempts."""
        return self._protocol.runs

    @property
    def checking(self) -> bool:
        """Whether a pre-flight runs."""
        return self._check_job is not None

    def now_unix_s(self) -> float:
        """Return the time of day."""
        return self._now_unix_s()

    def watch(self, now_s: float) -> None:
        """Say that streams and subjects are looked at; they are searched again."""
        self._streams.watch(now_s)
        self._bundles.watch(now_s)

    def find_streams(self) -> None:
        """Search for streams now."""
        self._streams.begin()

    def find_bundles(self, root: str = "") -> None:
        """List subjects and models now."""
        self._bundles.begin(root)

    def find_runs(self, choice: SetupChoice, *, anew: bool = False) -> None:
        """List the runs of the chosen protocol; `anew`: once more."""
        self._protocol.begin(choice, anew=anew)

    def check(self, choice: SetupChoice, run: Run) -> None:
        """Begin a pre-flight; overrides of an earlier one are forgotten."""
        if self._check_job is not None:
            return
        self.checks = Checks(made_for=wanted(choice))
        self._check_job = self._jobs.start(
            "The check",
            preflight_arguments(replace(choice, flags=()), run),
            on_line=self._take_check,
            limit_s=CHECK_LIMIT_S,
        )

    def check_age(self, choice: SetupChoice) -> CheckAge:
        """Return how old the check is, and whether it is one of these settings."""
        return age_of(self.checks, wanted(choice), self._now_unix_s())

    def override(self, reason: str) -> Checks:
        """Override what blocks.

        Raises
        ------
        ValueError : no reason was given.
        """
        self.checks = overridden(self.checks, reason)
        return self.checks

    def start_arguments(self, choice: SetupChoice, run: Run) -> tuple[str, ...]:
        """Return the words that start a run, with what was overridden."""
        return run_arguments(replace(choice, flags=self._flags_for(choice)), run)

    def _flags_for(self, choice: SetupChoice) -> tuple[str, ...]:
        """Return what was overridden for these settings; for others nothing was."""
        return () if self.checks.stale(wanted(choice)) else self.checks.flags

    def rehearse(
        self,
        choice: SetupChoice,
        run: Run,
        *,
        duration_s: float,
        without_scanner: bool = False,
    ) -> None:
        """Begin a rehearsal of this run."""
        if self._rehearsal_job is not None:
            return
        self.rehearsal = Rehearsal(
            made_for=wanted(choice), running=True, simulated=self._simulated(choice)
        )
        words = rehearse_arguments(
            replace(choice, flags=self._flags_for(choice)),
            run,
            duration_s=duration_s,
            page=str(self._page()),
            without_scanner=without_scanner,
        )
        self._rehearsal_job = self._jobs.start(
            "The rehearsal",
            words,
            on_line=self._take_rehearsal,
            limit_s=duration_s + REHEARSAL_EXTRA_S,
        )

    def stop_rehearsal(self) -> None:
        """Ask the rehearsal to end; one without a verdict is stopped, and no NO-GO."""
        if self._rehearsal_job is not None:
            self._rehearsal_job.stop()
            if self.rehearsal.verdict is None:
                self.rehearsal = replace(self.rehearsal, stopped=True)

    def _simulated(self, choice: SetupChoice) -> bool:
        """Return whether something of this choice is not real, as far as is known."""
        stream = self.streams.named(choice.stream, choice.host)
        model = self.bundles.chosen(choice.subject, choice.model)
        return (
            choice.simulated
            or bool(stream is not None and stream.simulated)
            or bool(model is not None and model.simulated)
        )

    def start_dry_run(self, seed: int = DRY_RUN_SEED) -> DryRun:
        """Let the twin play; returns under which names."""
        if self._twin is None:
            self._n_twins += 1
            # Another name each time: the streams of the last twin linger for seconds.
            name = f"rtbold-dryrun-{self._pid}-{self._n_twins}"
            self.dry_run = DryRun(name, "starting")
            self._twin = self._jobs.start("The twin", twin_arguments(name, seed))
        return self.dry_run

    def stop_dry_run(self) -> None:
        """End the twin."""
        if self._twin is not None:
            self._twin.stop()

    def tick(self, now_s: float) -> None:
        """Take what the children have said."""
        self._streams.tick(now_s)
        self._bundles.tick(now_s)
        self._protocol.tick()
        self._tick_check()
        self._tick_rehearsal()
        self._tick_twin()

    def close(self) -> None:
        """End all children but the session, and remove what was written for a while."""
        self._jobs.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _tick_check(self) -> None:
        job = self._check_job
        if job is None or job.poll() is None:
            return
        self._check_job = None
        self.checks = replace(self.checks, done_unix_s=self._now_unix_s())
        if self.checks.ready is None:
            words = job.problem or job.last_words
            problem = words or "The check ended without a verdict. Check again."
            self.checks = replace(self.checks, problem=problem)

    def _tick_rehearsal(self) -> None:
        job = self._rehearsal_job
        if job is None or job.poll() is None:
            return
        self._rehearsal_job = None
        problem = ""
        if self.rehearsal.verdict is None and not self.rehearsal.stopped:
            words = job.problem or job.last_words
            problem = words or "The rehearsal ended without a verdict."
        self.rehearsal = replace(
            self.rehearsal,
            running=False,
            problem=problem,
            done_unix_s=self._now_unix_s(),
        )

    def _tick_twin(self) -> None:
        if self._twin is None:
            return
        if self._twin.poll() is not None:
            self.dry_run = replace(
                self.dry_run, state="ended", problem=self._twin.problem
            )
            self._twin = None
            return
        if self.dry_run.state != "starting":
            return
        words = self._twin.last_words
        if ON_AIR in words:  # not at the next search, which may be 5 s away
            self._streams.begin()
        said = self.dry_run.saying(words).seen_in(self.streams)
        if said != self.dry_run:  # another object means that something changed
            self.dry_run = said

    def _take_check(self, line: str) -> None:
        self.checks = self.checks.with_line(line)

    def _take_rehearsal(self, line: str) -> None:
        self.rehearsal = self.rehearsal.with_line(line)

    def _page(self) -> Path:
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="rtbold-rehearsal-")
        return Path(self._folder) / PAGE_NAME


def wanted(choice: SetupChoice) -> tuple[str, ...]:
    """Return what a check is good for: these settings, in any of their runs."""
    return run_arguments(replace(choice, flags=()), Run(0))
