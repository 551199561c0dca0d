"""The set-up page without its widgets: searches, checks, rehearsal, dry run. No Qt."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rtbold.gui.controllers.jobs import Job, Jobs
from rtbold.gui.controllers.searches import BundleSearch, StreamSearch
from rtbold.gui.state.check_age import CheckAge, age_of
from rtbold.gui.state.checks import Checks, overridden
from rtbold.gui.state.dry_run import DryRun, twin_arguments
from rtbold.gui.state.found import Bundles, Streams
from rtbold.gui.state.rehearsal import Rehearsal
from rtbold.gui.state.runs import Run
from rtbold.gui.state.setup import (
    SetupChoice,
    preflight_arguments,
    rehearse_arguments,
    run_arguments,
)

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
        jobs: Jobs,
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
        self._check_job: Job | None = None
        self._rehearsal_job: Job | None = None
        self._twin: Job | None = None
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
    def checking(self) -> bool:
        """Whether a pre-flight runs."""
        return self._check_job is not None

    def watch(self, now_s: float) -> None:
        """Say that the streams are being looked at; they are searched again."""
        self._streams.watch(now_s)

    def find_streams(self) -> None:
        """Search for streams now."""
        self._streams.begin()

    def find_bundles(self, root: str = "") -> None:
        """List subjects and models now."""
        self._bundles.begin(root)

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
        self.rehearsal = Rehearsal(made_for=wanted(choice), running=True)
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
        """Ask the rehearsal to end; it says NO-GO then."""
        if self._rehearsal_job is not None:
            self._rehearsal_job.stop()

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
        self._bundles.tick()
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
        if self.rehearsal.verdict is None:
            words = job.problem or job.last_words
            problem = words or "The rehearsal ended without a verdict."
        self.rehearsal = replace(self.rehearsal, running=False, problem=problem)

    def _tick_twin(self) -> None:
        if self._twin is None:
            return
        if self._twin.poll() is not None:
            self.dry_run = replace(
                self.dry_run, state="ended", problem=self._twin.problem
            )
            self._twin = None
            return
        self.dry_run = self.dry_run.seen_in(self.streams)

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
