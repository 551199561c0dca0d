"""Seconds that a benchmark may take: it says what it does, and ends in time.

What is finished when time is up is kept; what is not is named.
"""

import _thread
import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Step = Callable[[], Iterator[str]]
AGAIN_S = 1.0  # after an interrupt that ended nothing


class OutOfTime(Exception):
    """The budget is used up."""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Budget:
    """Counts the seconds since it was made.

    Parameters
    ----------
    seconds : that everything may take together.
    timer : makes what calls a function once after some seconds.
    """

    def __init__(
        self,
        seconds: float,
        *,
        now_s: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] = _say,
        timer: Callable[..., Any] = threading.Timer,
    ) -> None:
        self.seconds = seconds
        self._now_s, self._say, self._timer = now_s, say, timer
        self._begun_s = now_s()

    def spent_s(self) -> float:
        """Return the seconds that are gone."""
        return self._now_s() - self._begun_s

    def left_s(self) -> float:
        """Return the seconds that are left; negative when it is too late."""
        return self.seconds - self.spent_s()

    def begin(self, what: str) -> None:
        """Say what is done now."""
        self._say(f"  {self.spent_s():4.0f} s of {self.seconds:.0f}: {what}")

    def lasts(self, seconds: float, what: str) -> bool:
        """Return whether so much time is left; say so where it is not."""
        enough = self.left_s() > seconds
        if not enough:
            self.begin(f"{what}: left out, it may take {seconds:.0f} s")
        return enough

    @contextlib.contextmanager
    def enforced(self) -> Iterator[None]:
        """Interrupt what runs inside when time is up.

        Raises
        ------
        OutOfTime : it was interrupted.
        """
        over, left = threading.Event(), threading.Event()

        def end() -> None:
            over.set()
            while not left.is_set():  # what runs in a weak reference's end swallows one
                _thread.interrupt_main()
                left.wait(AGAIN_S)

        timer = self._timer(max(0.0, self.left_s()), end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except KeyboardInterrupt:
            left.set()
            if not over.is_set():  # somebody pressed Ctrl-C
                raise
            raise OutOfTime from None
        finally:
            left.set()
            timer.cancel()


def finished(steps: Mapping[str, Step], budget: Budget) -> tuple[list[str], list[str]]:
    """Return what the steps gave in time, and the steps that were not finished.

    Where there are any, the last line of what they gave says so.
    """
    parts: list[str] = []
    waiting = list(steps)
    try:
        with budget.enforced():
            for name, step in steps.items():
                budget.begin(name)
                for part in step():  # one by one: what came before time was up stays
                    parts.append(part)
                waiting.remove(name)
    except OutOfTime:
        parts.append(
            f"Not finished within {budget.seconds:.0f} s, therefore not here or not "
            f"whole: {', '.join(waiting)}."
        )
    return parts, waiting
