"""Starting, reading and ending child processes, on POSIX and Windows."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Protocol, TypeVar

from rtbold.owner_only import create, make_folder

MOST_LINES = 2000
LONGEST_LINE = 4_000_000  # a list of all models comes as one line
MOST_LAST_WORDS = 8
LOG_TAIL_BYTES = 20_000
NEVER_STARTED = -1
END_WITH_STDIN = "--end-with-stdin"
# With one of these a command draws colours and moving lines into a pipe, too.
_COLOURS = frozenset(
    ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
)
LISTENER_S = 0.2  # one on this machine answers at once, or refuses at once


def popen(command: Sequence[str]) -> "subprocess.Popen[str]":
    """Start a child with its output in pipes, in a process group of its own.

    Nothing is ever written to its input. That pipe is closed when this process is gone,
    in whatever way, and `END_WITH_STDIN` lets the child heed that.
    """
    return subprocess.Popen(
        (*command, END_WITH_STDIN),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env=environment(),
        **_apart(),
    )


def environment() -> dict[str, str]:
    """Return this process's environment, for a child that is read line by line."""
    kept = {name: value for name, value in os.environ.items() if name not in _COLOURS}
    return {**kept, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


def interrupt(process: "subprocess.Popen[Any]") -> None:
    """Ask as Ctrl-C does."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            process.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            process.send_signal(signal.SIGINT)


def terminate(process: "subprocess.Popen[Any]") -> None:
    """Ask once more."""
    with contextlib.suppress(OSError):
        process.terminate()


def end_now(process: "subprocess.Popen[Any]") -> None:
    """Kill it, and on POSIX whatever it left behind in its group."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        process.kill()


class Output:
    """What a child says, read by two threads; bounded: the oldest lines go first."""

    def __init__(self) -> None:
        self._new: deque[str] = deque(maxlen=MOST_LINES)
        self._kept: deque[str] = deque(maxlen=MOST_LINES)
        self._errors: deque[str] = deque(maxlen=MOST_LINES)
        self._threads: list[threading.Thread] = []

    def read(self, process: "subprocess.Popen[str]", *, name: str) -> None:
        """Begin to read both pipes."""
        pipes = ((process.stdout, self._new), (process.stderr, self._errors))
        for pipe, lines in pipes:
            assert pipe is not None  # as `popen` starts it
            thread = threading.Thread(
                target=_drain,
                args=(pipe, lines),
                name=f"rtbold-gui-{name}",
                daemon=True,
            )
            self._threads.append(thread)
            thread.start()

    @property
    def finished(self) -> bool:
        """Whether both pipes were read to their end."""
        return not any(thread.is_alive() for thread in self._threads)

    def take(self) -> list[str]:
        """Return the lines since the last call."""
        taken = [self._new.popleft() for _ in range(len(self._new))]
        self._kept.extend(taken)
        return taken

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines that were taken."""
        return tuple(self._kept)

    def last_words(self) -> str:
        """Return its error message, or the end of what it said there."""
        return last_words(list(self._errors))


class SessionChild:
    """A session that was started from here and outlives the dashboard."""

    def __init__(self, log_file: Path) -> None:
        self.log_file = log_file
        self.problem = ""  # why it could not be started
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, command: Sequence[str], log_file: Path) -> "SessionChild":
        """Start `command`; everything it says goes into `log_file`."""
        child = cls(log_file)
        try:
            make_folder(log_file.parent)
            with create(log_file) as log:
                child._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment(),
                    **_apart(),
                )
        except OSError as error:
            child.problem = (
                f"The session cannot start: {error.strerror or error} "
                f"({error.filename or log_file}). Choose another recording folder."
            )
        return child

    @classmethod
    def refused(cls, log_file: Path, words: str) -> "SessionChild":
        """Return one that was not started, and why."""
        child = cls(log_file)
        child.problem = words
        return child

    @property
    def pid(self) -> int | None:
        """Of its process; None: it never started."""
        return self._process.pid if self._process else None

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""
        return self._process.poll() if self._process else NEVER_STARTED

    def last_words(self) -> str:
        """Return why it ended, as far as it said so."""
        if self.problem:
            return self.problem
        try:
            with self.log_file.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
                text = log.read().decode("utf-8", errors="replace")
        except OSError as error:
            return f"its log {self.log_file} cannot be read: {error.strerror}"
        return last_words(text.splitlines())

    def let_go(self) -> None:
        """Leave it to itself; it goes on, and nothing here waits for it."""
        if self._process is not None and self._process.poll() is None:
            self._process.returncode = 0  # or Popen warns that a child still runs
        self._process = None


def somebody_listens(port: int) -> bool:
    """Return whether a program of this machine takes connections on `port`."""
    with socket.socket() as probe:
        probe.settimeout(LISTENER_S)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def last_words(lines: Sequence[str]) -> str:
    """Return rtbold's own error message in `lines`, or the last thing said."""
    said = [line.rstrip() for line in lines if line.strip(" \t│─╭╮╰╯\r\n")]
    begins = [i for i, line in enumerate(said) if line.startswith("rtbold: ")]
    if begins:
        said = said[begins[-1] :][:MOST_LAST_WORDS]
        return "\n".join([said[0].removeprefix("rtbold: "), *said[1:]])
    return "\n".join(line.strip(" │") for line in said[-3:])


def _drain(pipe: IO[str], lines: "deque[str]") -> None:
    with contextlib.suppress(OSError), pipe:
        while line := pipe.readline(LONGEST_LINE):
            lines.append(line.rstrip("\r\n"))


def _apart() -> dict[str, Any]:
    """Return what keeps a child from getting our Ctrl-C, and our priority."""
    if sys.platform != "win32":  # the priority is that of the thread which starts it
        # A session (setsid) of its own would outlive us no better. Linux's autogroup
        # weighs such sessions against each other as wholes: niceness would not count.
        return {"process_group": 0}
    flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return {"creationflags": flags | subprocess.NORMAL_PRIORITY_CLASS}


# The dashboard gives way to the session; what it starts does not.
#
# A frame that is painted some milliseconds later is not seen; a prediction is late by
# as much. On Linux niceness and policy belong to a thread and are handed down to the
# threads and processes that it makes, and giving niceness back takes a privilege. So
# children are started by a thread that was made before this one gave way.

NICER: Final = 5  # a third of the usual share, where all cores are wanted by others
_Started = TypeVar("_Started")


class Starting(Protocol):
    """Calls what starts a child."""

    def __call__(self, start: Callable[[], _Started], /) -> _Started:
        """Return what `start` returns, or raise what it raises."""


def give_way() -> None:
    """Let this thread, and threads that it makes from now on, wait for other work.

    Once, before there is anything of Qt. Linux: policy ``SCHED_BATCH``, which never
    interrupts what runs when it wakes up, and niceness 5 more. Windows: the class below
    normal, of the whole process (not run here). Elsewhere nothing. Never idle: a window
    has to say "no heartbeat" within two seconds on a machine that is full.
    """
    with contextlib.suppress(OSError):  # a container may forbid it; the window works
        if sys.platform == "linux":
            if os.sched_getscheduler(0) == os.SCHED_OTHER:  # else somebody chose
                os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
            os.nice(NICER)
        elif sys.platform == "win32":  # not run here
            import psutil

            psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)


def at_once(start: Callable[[], _Started], /) -> _Started:
    """Start something in the caller's thread, and so at its priority."""
    return start()


class Starter:
    """Starts things in a thread that keeps the priority which its maker has now.

    Made before `give_way` is called; one child at a time, and the caller waits for it.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rtbold-gui-starter")
        # The pool makes its thread at the first task: that must be now.
        self._thread.submit(int).result()

    def __call__(self, start: Callable[[], _Started], /) -> _Started:
        """Return what `start` returns, or raise what it raises."""
        return self._thread.submit(start).result()

    def __enter__(self) -> "Starter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown()
