"""The dashboard gives way to the session; what it starts does not.

A frame that is painted some milliseconds later is not seen; a prediction is late by as
much. On Linux niceness and policy belong to a thread and are handed down to the threads
and processes that it makes, and giving niceness back takes a privilege. So children are
started by a thread that was made before this one gave way.
"""

import contextlib
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, Protocol, TypeVar

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
