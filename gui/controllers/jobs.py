"""Child processes of the command line, so that nothing hanging freezes a window.

``rtbold streams``, ``preflight`` and the like run as jobs: read by threads, ended at
their limit, ended with the dashboard, even with one that is killed. A session is
started apart and never ended by us.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rtbold.gui.controllers.children import (
    Output,
    SessionChild,
    Starting,
    at_once,
    end_now,
    interrupt,
    popen,
    somebody_listens,
    terminate,
)
from rtbold.gui.state.address import named_ports

OnLine = Callable[[str], None]
POLITE_S = 15.0  # a rehearsal ends its own session, which takes it some 9 s
FORCED_S = 3.0
LEFT_BEHIND_S = 2.0  # for what a dead child's own children still say
MOST_JOBS = 12
PORT_TAKEN = (
    "Port {} is taken: a session, or another program, runs there already. Join it "
    "(Ctrl+J), wait for its end, or choose another port under Advanced."
)


class ChildJobs:
    """Jobs as real child processes.

    Parameters
    ----------
    command : what runs rtbold; None: this interpreter.
    now_s : a monotonic clock.
    sleep : lets this thread rest between looks at what ends.
    starting : starts each child, at a priority that is not this thread's.
    """

    def __init__(
        self,
        command: Sequence[str] | None = None,
        *,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        starting: Starting = at_once,
    ) -> None:
        self._command = tuple(command or (sys.executable, "-m", "rtbold"))
        self._now_s, self._sleep, self._starting = now_s, sleep, starting
        self._jobs: list[ChildJob] = []

    def start(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        on_line: OnLine | None = None,
        limit_s: float | None = None,
    ) -> "ChildJob":
        """Start ``rtbold ARGUMENTS``; one that cannot start has a `problem`.

        Parameters
        ----------
        on_line : called by `ChildJob.poll`, in its caller's thread.
        limit_s : it is ended after so many seconds; None: it may go on.
        """
        self._jobs = [job for job in self._jobs if job.returncode is None]
        job = ChildJob(name, on_line=on_line, limit_s=limit_s, now_s=self._now_s)
        if len(self._jobs) >= MOST_JOBS:
            job.refuse(f"{name}: {MOST_JOBS} child processes run already; wait")
            return job
        job.begin((*self._command, *arguments), self._starting)
        self._jobs.append(job)
        return job

    def start_session(self, arguments: Sequence[str], log_file: Path) -> SessionChild:
        """Start ``rtbold ARGUMENTS`` so that it outlives this process.

        Not on a port where somebody listens: the window would show, and command,
        whoever that is until the new session has found out and ended.
        """
        taken = next(filter(somebody_listens, named_ports(arguments)), None)
        if taken is not None:
            return SessionChild.refused(log_file, PORT_TAKEN.format(taken))
        command = (*self._command, *arguments)
        return self._starting(lambda: SessionChild.start(command, log_file))

    def close(self) -> None:
        """End all jobs; returns when they are gone, after 18 s at the latest."""
        for job in self._jobs:
            job.stop()
        running = [job for job in self._jobs if job.returncode is None]
        while running:
            running = [job for job in running if job.poll() is None]
            if running:
                self._sleep(0.02)
        self._jobs.clear()


class ChildJob:
    """One child process with two reader threads."""

    def __init__(
        self,
        name: str,
        *,
        on_line: OnLine | None,
        limit_s: float | None,
        now_s: Callable[[], float],
    ) -> None:
        self.name = name
        self._on_line, self._limit_s, self._now_s = on_line, limit_s, now_s
        self._process: subprocess.Popen[str] | None = None
        self._output = Output()
        self.returncode: int | None = None  # while it runs, or is still to be read
        self.problem = ""  # why it did not end well; empty: it did, or it runs
        self._begun_s = now_s()
        self._stop_s: float | None = None
        self._asked = 0  # how often it was asked to end, each time more firmly
        self._gone_s: float | None = None  # since when the process itself is gone

    def begin(self, command: Sequence[str], starting: Starting) -> None:
        """Start it."""
        try:
            self._process = starting(lambda: popen(command))
        except OSError as error:
            self.refuse(f"{self.name} cannot start: {error.strerror}")
            return
        self._output.read(self._process, name=self.name)

    def refuse(self, words: str) -> None:
        """Let it count as ended without having run."""
        self.problem, self.returncode = words, -1

    @property
    def lines(self) -> tuple[str, ...]:
        """The newest lines of its standard output."""
        return self._output.lines

    @property
    def last_words(self) -> str:
        """Its last error message."""
        return self._output.last_words()

    @property
    def stopped(self) -> bool:
        """Whether it was asked to end."""
        return self._stop_s is not None

    def poll(self) -> int | None:
        """Hand over its new lines; return its exit code once all are handed over."""
        process = self._process
        if self.returncode is not None or process is None:
            return self.returncode
        done = process.poll() is not None and self._all_read(process)
        for line in self._output.take():
            if self._on_line is not None:
                self._on_line(line)
        if done:
            self._end(process)
        else:
            self._press(process, self._now_s())
        return self.returncode

    def stop(self) -> None:
        """Ask it to end; `poll` sees to it."""
        if self.returncode is None and self._stop_s is None:
            self._stop_s = self._now_s()
            if self._process is not None:
                self._press(self._process, self._stop_s)

    def _press(self, process: "subprocess.Popen[str]", now_s: float) -> None:
        """Ask it to end, more firmly with time, once it has to."""
        if self._stop_s is None:
            if self._limit_s is None or now_s - self._begun_s < self._limit_s:
                return
            self._stop_s = now_s
            self.problem = (
                f"{self.name} gave no answer within {self._limit_s:g} s and was ended"
            )
        waited_s = now_s - self._stop_s
        steps = (
            (0.0, interrupt),
            (POLITE_S, terminate),
            (POLITE_S + FORCED_S, end_now),
        )
        for number, (after_s, ask) in enumerate(steps):
            if self._asked == number and waited_s >= after_s:
                self._asked += 1
                ask(process)

    def _all_read(self, process: "subprocess.Popen[str]") -> bool:
        """Whether nothing more will be read; a child of the child may hold the pipe."""
        if self._output.finished:
            return True
        now_s = self._now_s()
        self._gone_s = now_s if self._gone_s is None else self._gone_s
        if now_s - self._gone_s < LEFT_BEHIND_S:
            return False
        end_now(process)
        return True

    def _end(self, process: "subprocess.Popen[str]") -> None:
        self.returncode = process.returncode
        if process.stdin is not None:
            process.stdin.close()
        if self.problem or self.stopped or self.returncode == 0:
            return
        said = self._output.last_words()
        if not self.lines:  # a check that found something red exits with 1, too
            said = said or f"code {self.returncode}"
            self.problem = f"{self.name} ended with an error: {said}"
