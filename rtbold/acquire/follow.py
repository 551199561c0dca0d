"""In the inlet process: wait for the right stream, at the start and after a loss."""

import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, TypeVar

import pylsl
from pylsl.util import InternalError, LostError, TimeoutError as LslTimeoutError

from rtbold.acquire.describe import as_announced, describe_info, require_size
from rtbold.acquire.frames import (
    Fault,
    Following,
    Frame,
    KeepAlive,
    Opening,
    Order,
    pack,
)
from rtbold.acquire.known import KnownStream, choose_again, difference, is_sender
from rtbold.acquire.streams import (
    SETTLE_S,
    FoundStream,
    Resolver,
    fitting,
    found_stream,
    select_stream,
)
from rtbold.clock import Clock, on_another_clock
from rtbold.errors import AmbiguousStream, StreamMismatch, StreamNotFound
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
LOOK_BACK_EVERY_S = 1.0  # for the known sender, while another one is read
RETRY_S = 0.5
OTHER_SETTLE_S = 2.0  # the known sender has so long to answer before another is read


class Finder:
    """Finds the stream of an order, and the same one again later.

    Once a stream was opened, its sender is known, and `choose_again` decides.
    """

    def __init__(
        self, order: Order, outbox: FrameWriter, clock: Callable[[], float]
    ) -> None:
        self._query = order.query
        self._is_regular = order.role == "eeg"
        self._outbox = outbox
        self._clock = clock
        self._resolver: Resolver | None = None
        self._looking_s = 0.0  # since when
        self._dead: dict[str, float] = {}
        self._looked_s = 0.0
        self._seen_s = 0.0  # the outlet that is read: announced, or heard
        self._closed = False  # its connection
        self._closed_s = 0.0  # when
        self._chosen = ("", 0.0)  # the uid to read next, and since when
        self._alive_s = order.known.alive_s if order.known else None
        self._problem = ""
        self._unanswered = ""  # name of a stream that could not be opened
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
            now_s = self._clock()
            if self.known is not None:
                if (stream := self._again(found, self.known)) is not None:
                    return infos[stream.uid]
            else:
                found = [s for s in found if s.uid not in self._dead]
                first_s = (first_s or now_s) if fitting(found, self._query) else None
                settled = first_s is not None and now_s - first_s >= SETTLE_S
                if settled or (wait_s is not None and now_s - start_s >= wait_s):
                    return infos[self._first(found).uid]
            self._outbox.sleep(0.05)

    def _first(self, found: Sequence[FoundStream]) -> FoundStream:
        try:
            return select_stream(found, self._query)
        except StreamNotFound as error:
            if not self._unanswered:
                raise
            raise StreamNotFound(
                f"stream {self._unanswered!r} is announced but does not answer with "
                f"its description within {OPEN_LIMIT_S:g} s: is its sender still "
                "running, and its port open in the firewall?"
            ) from error

    def _again(
        self, found: Sequence[FoundStream], known: KnownStream
    ) -> FoundStream | None:
        """Return what `choose_again` chose for a while; tell what must be said."""
        now_s = self._clock()
        if any(s.uid == known.read_uid for s in found):
            self._seen_s = now_s
        choice = choose_again(
            found,
            replace(known, alive_s=self._alive_s),
            query=self._query,
            unseen_s=now_s - max(self._seen_s, self._looking_s),
            closed=self._closed,
        )
        if choice.problem:
            self.tell(AmbiguousStream(choice.problem))
        stream = choice.stream
        if stream is None or stream.uid in self._dead:
            self._chosen = ("", now_s)
            return None
        if stream.uid == known.sender.uid:
            return stream
        if stream.uid != self._chosen[0]:  # the known one may answer later
            self._chosen = (stream.uid, now_s)
        alone_s = now_s - self._chosen[1]
        settle_s = OTHER_SETTLE_S if choice.other else SETTLE_S
        if self._closed and now_s - self._closed_s >= OTHER_SETTLE_S:
            settle_s = SETTLE_S  # the known one had its time to answer before
        return stream if alone_s >= settle_s else None

    def remember(self, info: pylsl.StreamInfo, offset_s: float | None) -> None:
        """Keep to this stream from now on; tell the session which sender it is of.

        Parameters
        ----------
        offset_s : from its host's LSL clock to this machine's; None: not measured.
        """
        stream = found_stream(info)
        if offset_s is None and is_here(stream.host):
            offset_s = 0.0
        before, other = self.known, ""
        self.known = KnownStream(stream, stream.uid, self._alive_s, offset_s)
        if before is not None:
            judged = replace(
                before,
                alive_s=self._alive_s,
                offset_s=before.offset_s if offset_s is None else offset_s,
            )
            if stream.uid != before.sender.uid and not is_sender(stream, judged):
                other = difference(stream, judged)
                self.known = replace(judged, read_uid=stream.uid)
        self._closed = False
        self._seen_s = self._clock()
        self._chosen, self._problem = ("", 0.0), ""
        self.rest()
        self._outbox.send(Following(self.known, other))

    def heard(self, now_s: float, sent_s: float | None = None) -> None:
        """Note that the outlet that is read has sent something.

        Parameters
        ----------
        sent_s : when, on this machine's LSL clock; None: only now.
        """
        self._seen_s = now_s
        if self.known is not None and not self.known.is_replaced:
            self._alive_s = now_s if sent_s is None else min(sent_s, now_s)

    def bury(self, stream: FoundStream) -> None:
        """Do not take it again for a while, though it may still be announced."""
        self._dead[stream.uid] = self._clock() + FORGET_S
        self._unanswered = stream.name

    def lose(self, stream: FoundStream) -> None:
        """Note that its connection was closed."""
        self.bury(stream)
        self._closed, self._closed_s = True, self._clock()
        if self.known is not None and self.known.sender.uid == stream.uid:
            # A sender of markers may be silent and alive; of EEG, samples tell.
            self._alive_s = self._alive_s if self._is_regular else self._clock()

    def leaves(self, *, quiet: bool) -> bool:
        """Whether to leave the outlet that is read: for the known one, or a successor.

        Parameters
        ----------
        quiet : nothing has come from it for longer than usual.
        """
        known = self.known
        if known is None or not (quiet or known.is_replaced):
            return False
        now_s = self._clock()
        if now_s - self._looked_s < (LOOK_EVERY_S if quiet else LOOK_BACK_EVERY_S):
            return False
        self._looked_s = now_s
        found = [found_stream(info) for info in self._visible().values()]
        stream = self._again(found, known)
        return stream is not None and stream.uid != known.read_uid

    def rest(self) -> None:
        """Stop asking the network if the known sender's samples flow."""
        if self.known is None or not self.known.is_replaced:
            self._resolver = None
            self._chosen = ("", 0.0)
            self._problem = ""

    def tell(self, error: AmbiguousStream | StreamMismatch) -> None:
        """Let the session say why there is no stream; once per message."""
        if str(error) != self._problem:
            self._problem = str(error)
            self._outbox.send(Fault(type(error).__name__, str(error), fatal=False))

    def _visible(self) -> dict[str, pylsl.StreamInfo]:
        now_s = self._clock()
        if self._resolver is None:
            self._resolver, self._looking_s = Resolver(), now_s
        self._dead = {uid: end_s for uid, end_s in self._dead.items() if end_s > now_s}
        return self._resolver.infos()


OPEN_LIMIT_S = 5.0


@dataclass(slots=True)
class Opened:
    """An open stream."""

    inlet: pylsl.StreamInlet
    offsets: "OffsetPoller"
    description: StreamDescription


class StreamFollower:
    """One stream of an order through its losses; what every inlet does alike.

    An inlet says what it makes of a description, and how it reads.
    """

    def __init__(
        self, order: Order, outbox: FrameWriter, clock: Callable[[], float]
    ) -> None:
        self._wait_s = order.wait_s
        self._outbox = outbox
        self._clock = clock
        self.finder = Finder(order, outbox, clock)

    def run(
        self,
        read: Callable[[pylsl.StreamInfo], None],
        *,
        lost: Callable[[], None],
    ) -> None:
        """Find the stream and read it until it is lost, again and again.

        Parameters
        ----------
        read : opens and reads a stream; returns or raises when it is lost.
        lost : is told that liblsl lost it.

        Raises
        ------
        StreamNotFound, AmbiguousStream, StreamMismatch, ConfigError
            Only before the first stream was opened.
        """
        finder, wait_s = self.finder, self._wait_s
        while True:
            info = finder.wait(wait_s)
            first = finder.known is None
            try:
                read(info)
            except StreamMismatch as error:
                if first:
                    raise
                finder.tell(error)
                self._outbox.sleep(RETRY_S)
                continue
            except LostError:
                finder.lose(found_stream(info))
                lost()
            except (LslTimeoutError, InternalError):
                finder.bury(found_stream(info))
                lost()
            if finder.known is not None:
                wait_s = None

    def describe(
        self, info: pylsl.StreamInfo, *, buffer_s: int = 360
    ) -> tuple[pylsl.StreamInlet, StreamDescription]:
        """Return an inlet that is not open yet, and what the sender says of itself.

        Raises
        ------
        StreamMismatch : that cannot be read, or is not what was announced.
        pylsl.util.TimeoutError, LostError : it does not answer.
        """
        found = found_stream(info)
        require_size(found)
        self._outbox.send(Opening(found.name))
        try:
            inlet = pylsl.StreamInlet(info, max_buflen=buffer_s, recover=False)
        except RuntimeError as error:
            raise StreamMismatch(
                f"stream {found.name!r} cannot be opened by this LSL library: {error} "
                "Expected its protocol or an older one. Update pylsl, or the sender."
            ) from error
        inlet.as_numpy = info.channel_format() == pylsl.cf_string  # gives bytes
        full = self._outbox.patiently(inlet.info, OPEN_LIMIT_S)
        return inlet, as_announced(describe_info(full), found)

    def connect(
        self,
        info: pylsl.StreamInfo,
        inlet: pylsl.StreamInlet,
        description: StreamDescription,
    ) -> Opened:
        """Open the stream, wait for its clock offset, and tell whose it is.

        Raises
        ------
        pylsl.util.TimeoutError, LostError : it does not answer.
        """
        self._outbox.patiently(inlet.open_stream, OPEN_LIMIT_S)
        offsets = OffsetPoller(inlet, self._clock)
        end_s = self._clock() + FIRST_LIMIT_S + 1.0
        while not offsets.tried.is_set() and self._clock() < end_s:
            self._outbox.sleep(0.02)  # nothing is read before it is known
        self.finder.remember(info, offsets.offset_s)
        return Opened(inlet, offsets, description)


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
