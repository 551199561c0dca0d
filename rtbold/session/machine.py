"""What the loop asks of the machine: its turn first, and garbage at its own time."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psutil

NICENESS: Final = -10  # before other programs, behind what the system itself needs
_ADVICE: Final = (
    "other programs come as early: close what needs the processor, or see "
    "docs/how-to/check-before-a-session.md"
)


@contextmanager
def raised_priority() -> Iterator[str]:
    """Let this process and its children come first; yield what came of it.

    Never raises: a session runs without it. Afterwards the process is as it was: what
    comes next in it is no session.
    """
    process = psutil.Process()
    before = process.nice()
    said = _raise(process, before)
    try:
        yield said
    finally:
        with suppress(OSError, psutil.Error):
            if process.nice() != before:
                process.nice(before)


def _raise(process: psutil.Process, before: int) -> str:
    try:
        if sys.platform == "win32":  # not run here
            process.nice(psutil.HIGH_PRIORITY_CLASS)
            return "priority raised to the class 'high'"
        wanted = max(NICENESS, lowest_allowed())
        if wanted >= before:
            return f"priority not raised, the system does not allow it: {_ADVICE}"
        process.nice(wanted)
    except (OSError, psutil.Error) as error:
        return f"priority not raised ({error}): {_ADVICE}"
    return f"priority raised from niceness {before} to {wanted}"


def lowest_allowed() -> int:
    """Return the lowest niceness that a user without special rights may take."""
    if sys.platform != "linux" or os.geteuid() == 0:
        return NICENESS
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NICE)
    return NICENESS if soft == resource.RLIM_INFINITY else 20 - soft


@contextmanager
def garbage_on_demand() -> Iterator[None]:
    """Let garbage be collected by ``gc.collect`` alone; afterwards all is as it was.

    Python looks for garbage when enough objects have been made, which may be just when
    a prediction is due. What was there when a session began is not looked through
    again.
    """
    was_enabled, was_frozen = gc.isenabled(), gc.get_freeze_count() > 0
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        if not was_frozen:
            gc.unfreeze()
        if was_enabled:
            gc.enable()
