"""Clocks: time is an argument everywhere; only the command line picks a real one."""

import threading
import time
from typing import Protocol

# LSL keeps six minutes of samples for a receiver that stands still. What is further off
# cannot be a backlog: its stamp is on another clock than LSL's.
LONGEST_BACKLOG_S = 400.0


def on_another_clock(stamp_s: float, now_s: float) -> bool:
    """Return whether a corrected stamp cannot be on this machine's LSL clock.

    A stamp that is no number says nothing of its clock.
    """
    return abs(now_s - stamp_s) > LONGEST_BACKLOG_S


class Clock(Protocol):
    """A monotonic clock in seconds. In a session it is LSL's ``local_clock``."""

    def now_s(self) -> float:
        """Return the current time in seconds."""
        ...

    def sleep_until(self, t_s: float) -> None:
        """Return no earlier than `t_s`; at once if it is in the past."""
        ...


class MonotonicClock:
    """The system's monotonic clock; on one machine LSL's clock has the same rate."""

    def now_s(self) -> float:
        """Return seconds since an arbitrary fixed moment."""
        return time.monotonic()

    def sleep_until(self, t_s: float) -> None:
        """Sleep to the absolute deadline `t_s`."""
        while (left_s := t_s - self.now_s()) > 0:
            time.sleep(left_s)


class HandCrankedClock:
    """A clock that moves only when told to; for tests and replay."""

    def __init__(self, now_s: float = 0.0) -> None:
        self._now_s = now_s
        self._moved = threading.Condition()

    def now_s(self) -> float:
        """Return the time that was last set."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Move the clock forward and wake those that sleep."""
        with self._moved:
            self._now_s += seconds
            self._moved.notify_all()

    def sleep_until(self, t_s: float) -> None:
        """Jump to `t_s` instead of waiting."""
        with self._moved:
            self._now_s = max(self._now_s, t_s)
            self._moved.notify_all()
