"""In the inlet process: wait for the right stream, at the start and after a loss."""

from collections.abc import Callable
from dataclasses import replace

import pylsl
from pylsl.util import InternalError, LostError
from pylsl.util import TimeoutError as LslTimeoutError

from rtbold.acquire.frames import Fault, Order
from rtbold.acquire.streams import (
    SETTLE_S,
    KnownStream,
    Resolver,
    choose,
    fitting,
    found_stream,
)
from rtbold.errors import AmbiguousStream, StreamMismatch
from rtbold.io.frame_writer import FrameWriter

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
                    return infos[choose(found, self._query, self.known).uid]
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
