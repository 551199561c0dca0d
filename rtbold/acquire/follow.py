"""In the inlet process: wait for the right stream, at the start and after a loss."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import IO, TypeVar

import pylsl
from pylsl.util import InternalError, LostError, TimeoutError as LslTimeoutError

from rtbold.acquire.frames import Fault, Frame, KeepAlive, Order, pack
from rtbold.acquire.streams import (
    SETTLE_S,
    KnownStream,
    Resolver,
    fitting,
    found_stream,
    select_stream,
)
from rtbold.clock import Clock, on_another_clock
from rtbold.errors import AmbiguousStream, StreamMismatch
from rtbold.messages import ClockOffset, StreamDescription

# In the inlet process: write frames to the session, never silent for long.

KEEP_ALIVE_S = 0.25
_T = TypeVar("_T")


class FrameWriter:
    """Writes frames to the session. One thread only: the one that pulls."""

    def __init__(self, pipe: IO[bytes], clock: Clock) -> None:
        self._pipe = pipe
        self._clock = clock
        self._sent_s = clock.now_s()

    def send(self, frame: Frame) -> None:
        """Write `frame` at once; blocks while the session does not read."""
        self._pipe.writelines(pack(frame))
        self._pipe.flush()
        self._sent_s = self._clock.now_s()

    def keep_alive(self) -> None:
        """Say that this loop lives, if nothing else was said for a while."""
        if self._clock.now_s() - self._sent_s >= KEEP_ALIVE_S:
            self.send(KeepAlive())

    def sleep(self, seconds: float) -> None:
        """Sleep at most 0.2 s, so that keep-alives stay in time."""
        seconds = min(max(seconds, 0.0), 0.2)
        self._clock.sleep_until(self._clock.now_s() + seconds)
        self.keep_alive()

    def patiently(self, call: Callable[[float], _T], limit_s: float) -> _T:
        """Call a blocking liblsl function with short time limits until it answers.

        Raises
        ------
        pylsl.util.TimeoutError
            It has not answered within `limit_s`.
        """
        from pylsl.util import TimeoutError as LslTimeoutError

        end_s = self._clock.now_s() + limit_s
        while True:
            try:
                return call(0.2)
            except LslTimeoutError:
                if self._clock.now_s() >= end_s:
                    raise
                self.keep_alive()


FORGET_S = 3.0  # a dead outlet is still announced for a while
LOOK_EVERY_S = 0.2
RETRY_S = 0.5


class Finder:
    """Finds the stream of an order, and the same one again later.

    Once a stream was opened, only its own name, type and (by preference) host count:
    another EEG stream is never taken in its place.
    """

    def __init__(
        self, order: Order, outbox: FrameWriter, clock: Callable[[], float]
    ) -> None:
        self._query = order.query
        self._outbox = outbox
        self._clock = clock
        self._resolver: Resolver | None = None
        self._dead: dict[str, float] = {}
        self._looked_s = 0.0
        self._problem = ""
        self.known = order.known

    def wait(self, wait_s: float | None) -> pylsl.StreamInfo:
        """Return the stream to open.

        Parameters
        ----------
        wait_s : how long to wait for one that fits; None: for ever.

        Raises
        ------
        StreamNotFound, AmbiguousStream
            At the start only; later the problem is told and waiting goes on.
        """
        start_s = self._clock()
        first_s: float | None = None
        while True:
            infos = self._visible()
            found = [found_stream(info) for info in infos.values()]
            if self.known is not None and self.known.uid in infos:
                return infos[self.known.uid]
            now = self._clock()
            first_s = (first_s or now) if fitting(found, self._query) else None
            settled = first_s is not None and now - first_s >= SETTLE_S
            if settled or (wait_s is not None and now - start_s >= wait_s):
                try:
                    return infos[select_stream(found, self._query, self.known).uid]
                except AmbiguousStream as error:
                    if self.known is None:
                        raise
                    self.tell(error)
            self._outbox.sleep(0.05)

    def remember(self, info: pylsl.StreamInfo) -> None:
        """Keep to this stream from now on, and stop asking the network."""
        self.known = KnownStream(info.hostname(), info.source_id(), info.uid())
        self._query = replace(self._query, name=info.name(), type=info.type())
        self._resolver = None
        self._problem = ""

    def bury(self, uid: str) -> None:
        """Do not take `uid` again while it is still announced."""
        self._dead[uid] = self._clock() + FORGET_S

    def has_successor(self) -> bool:
        """Whether another outlet has come in place of the one that is open.

        As long as the old one is visible, only one on the same host can.
        """
        now = self._clock()
        if self.known is None or now - self._looked_s < LOOK_EVERY_S:
            return False
        self._looked_s = now
        infos = self._visible()
        old_is_there = self.known.uid in infos
        found = [found_stream(i) for uid, i in infos.items() if uid != self.known.uid]
        return any(
            not old_is_there or stream.host == self.known.host
            for stream in fitting(found, self._query)
        )

    def replaced(self) -> bool:
        """Whether a successor has come; the old outlet is then not taken again."""
        known = self.known
        if known is None or not self.has_successor():
            return False
        self.bury(known.uid)
        return True

    def rest(self) -> None:
        """Stop asking the network: samples flow again."""
        self._resolver = None

    def follow(
        self,
        wait_s: float | None,
        *,
        read: Callable[[pylsl.StreamInfo], None],
        lost: Callable[[], None],
    ) -> None:
        """Find the stream and read it until it is lost, again and again.

        Parameters
        ----------
        wait_s : for the first stream; later ones are waited for for ever.
        read : opens and reads a stream; returns or raises when it is lost.
        lost : is told that liblsl lost it.

        Raises
        ------
        StreamNotFound, AmbiguousStream, StreamMismatch, ConfigError
            Only before the first stream was opened.
        """
        while True:
            info = self.wait(wait_s)
            first = self.known is None
            try:
                read(info)
            except StreamMismatch as error:
                if first:
                    raise
                self.tell(error)
                self._outbox.sleep(RETRY_S)
                continue
            except (LostError, LslTimeoutError, InternalError):
                self.bury(info.uid())
                lost()
            if self.known is not None:
                wait_s = None

    def tell(self, error: AmbiguousStream | StreamMismatch) -> None:
        """Let the session say why there is no stream; once per message."""
        if str(error) != self._problem:
            self._problem = str(error)
            self._outbox.send(Fault(type(error).__name__, str(error), fatal=False))

    def _visible(self) -> dict[str, pylsl.StreamInfo]:
        if self._resolver is None:
            self._resolver = Resolver()
        now = self._clock()
        self._dead = {uid: end_s for uid, end_s in self._dead.items() if end_s > now}
        infos = self._resolver.infos()
        return {uid: info for uid, info in infos.items() if uid not in self._dead}


# In the inlet process: a stream's clock offset, and whether it has LSL's clock.

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
