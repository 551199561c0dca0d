"""What the loop asks of the machine: its turn first, and garbage at its own time."""

import gc
import os
import sys
from types import TracebackType
from typing import Final, Self

import psutil

NICENESS: Final = -10  # before other programs, behind what the system itself needs
_ADVICE: Final = (
    "other programs come as early: close what needs the processor, or see "
    "docs/how-to/check-before-a-session.md"
)


def raise_priority() -> str:
    """Ask that this process and its children come first; return what came of it.

    Never raises: a session runs without it.
    """
    process = psutil.Process()
    before = process.nice()
    try:
        if sys.platform == "win32":  # not run here
            process.nice(psutil.HIGH_PRIORITY_CLASS)
            return "priority raised to the class 'high'"
        wanted = max(NICENESS, _lowest_allowed())
        if wanted >= before:
            return f"priority not raised, the system does not allow it: {_ADVICE}"
        os.setpriority(os.PRIO_PROCESS, 0, wanted)
    except (OSError, psutil.Error) as error:
        return f"priority not raised ({error}): {_ADVICE}"
    return f"priority raised from niceness {before} to {wanted}"


def _lowest_allowed() -> int:
    """Return the lowest niceness that a user without special rights may take."""
    if sys.platform != "linux" or os.geteuid() == 0:
        return NICENESS
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NICE)
    return NICENESS if soft == resource.RLIM_INFINITY else 20 - soft


class OwnGarbage:
    """Collects garbage when it is told to, and at no other time.

    Python looks for garbage when enough objects have been made, which may be just when
    a prediction is due. What was there when a session began stays: it is not looked
    through again.
    """

    def __enter__(self) -> Self:
        self._was_enabled = gc.isenabled()
        gc.collect()
        gc.freeze()
        gc.disable()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._was_enabled:
            gc.enable()

    def collect(self) -> None:
        """Collect now: nothing is due."""
        gc.collect()
