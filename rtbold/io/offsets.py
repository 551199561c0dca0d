"""In the inlet process: a stream's clock offset, and whether it has LSL's clock."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import pylsl
from pylsl.util import InternalError, LostError
from pylsl.util import TimeoutError as LslTimeoutError

from rtbold.clock import on_another_clock
from rtbold.messages import ClockOffset, StreamDescription

POLL_EVERY_S = 5.0
FIRST_LIMIT_S = 3.0  # a first measurement takes 0.65 s where nothing is in the way


class OffsetPoller:
    """Measures the clock offset in a thread of its own, because that can block."""

    def __init__(self, inlet: pylsl.StreamInlet, clock: Callable[[], float]) -> None:
        self._inlet = inlet
        self._clock = clock
        self._new: tuple[float, float] | None = None
        self._stop = threading.Event()
        self.offset_s: float | None = None  # newest; None: none yet
        self.tried = threading.Event()  # the first attempt has ended, either way
        threading.Thread(target=self._poll, daemon=True).start()

    def take(self) -> tuple[float, float] | None:
        """Return (offset, when it was measured) if there is a new one."""
        new, self._new = self._new, None
        return new

    def close(self) -> None:
        """Stop measuring; an attempt under way ends by its own limit."""
        self._stop.set()

    def _poll(self) -> None:
        with suppress(LostError, InternalError):  # the pulling thread sees that too
            while not self._stop.is_set():
                with suppress(LslTimeoutError):
                    self.offset_s = float(self._inlet.time_correction(FIRST_LIMIT_S))
                    self._new = (self.offset_s, self._clock())
                self.tried.set()
                self._stop.wait(POLL_EVERY_S)
        self.tried.set()


def is_foreign(
    t_lsl_s: float, now_s: float, *, offset_s: float | None, host: str
) -> bool:
    """Whether a stamp cannot be on LSL's clock.

    Parameters
    ----------
    t_lsl_s : raw stamp of a sample that has just arrived.
    offset_s : measured; None: it could not be, and then the stamps of another machine
        mean nothing here.
    host : the sender's.
    """
    if offset_s is None and not is_here(host):
        return True
    return on_another_clock(t_lsl_s + (offset_s or 0.0), now_s)


def is_here(host: str) -> bool:
    """Whether `host`, as a stream tells it, is this machine."""
    return host.casefold() == socket.gethostname().casefold()


def offset_event(
    poller: OffsetPoller, description: StreamDescription, *, is_marker: bool
) -> ClockOffset | None:
    """Return the event for a new measurement; none for a foreign clock.

    Between LSL's clocks the offset is exact; it says nothing of any other clock.
    """
    new = poller.take()
    if new is None or description.foreign_clock:
        return None
    return ClockOffset(*new, "marker" if is_marker else "eeg")
