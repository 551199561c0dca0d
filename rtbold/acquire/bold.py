"""Measured volumes for a session's loop, which never waits for them.

A thread polls the source and fills a bounded queue (policy: drop the oldest, counted).
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from rtbold.acquire.bold_readers import (
    PATIENCE_S,
    BoldSource,
    FileReader,
    Reader,
    TcpReader,
    parse_source,
)
from rtbold.acquire.frames import Fault, Following, Frame, Order, StateChanged
from rtbold.acquire.known import KnownStream
from rtbold.acquire.streams import StreamQuery
from rtbold.acquire.supervisor import Supervisor
from rtbold.clock import Clock
from rtbold.errors import RtboldError
from rtbold.messages import MeasuredVolume, StreamChanged, StreamDescription
from rtbold.text import printable

CAPACITY = 500  # volumes, a quarter of an hour and more
MOST_PER_TURN = 10  # of the loop: a long backlog must not hold up a prediction
RETRY_S = 1.0


class VolumeQueue:
    """Volumes in order; the oldest go when a session takes none."""

    def __init__(self) -> None:
        self._volumes: deque[MeasuredVolume] = deque(maxlen=CAPACITY)
        self.n_dropped = 0

    def put(self, volume: MeasuredVolume) -> None:
        """Append one volume. One thread."""
        self.n_dropped += len(self._volumes) == CAPACITY
        self._volumes.append(volume)

    def take(self) -> list[MeasuredVolume]:
        """Return the next few, without waiting. One thread."""
        volumes: list[MeasuredVolume] = []
        while self._volumes and len(volumes) < MOST_PER_TURN:
            volumes.append(self._volumes.popleft())
        return volumes


class OpenFeed(Protocol):
    """An open source of measured volumes."""

    @property
    def problem(self) -> str:
        """What the operator must know; empty while all is well."""
        ...

    def volumes(self) -> list[MeasuredVolume]:
        """Return the next few that have come, without waiting."""
        ...

    def close(self) -> None:
        """End it; harmless when called twice."""
        ...


class BoldFeed:
    """Polls a reader in a thread of its own until it is closed.

    Parameters
    ----------
    what : the source as people know it.
    clock : LSL's, for the arrival of volumes.
    retry_s : between attempts to find a source that is not there.
    """

    def __init__(
        self, reader: Reader, clock: Clock, *, what: str, retry_s: float = RETRY_S
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._what = what
        self._retry_s = retry_s
        self._queue = VolumeQueue()
        self._problem = ""
        self._closing = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="rtbold-truth", daemon=True
        )
        self._thread.start()

    @property
    def problem(self) -> str:
        """What the operator must know; empty while all is well."""
        if self._problem:
            return self._problem
        n = self._queue.n_dropped
        return f"{self._what}: {n} volumes came too fast and were dropped" if n else ""

    def volumes(self) -> list[MeasuredVolume]:
        """Return the next few that have come, without waiting."""
        return self._queue.take()

    def close(self) -> None:
        """End the thread; one that hangs in a dead share is left behind."""
        self._closing.set()
        self._thread.join(2 * self._retry_s)

    def _run(self) -> None:
        while not self._closing.is_set():
            pause_s = self._turn()
            if pause_s:
                self._closing.wait(pause_s)
        self._reader.close()

    def _turn(self) -> float:
        """Read once; return how long to wait before the next time."""
        try:
            volumes = self._reader.read(self._clock.now_s())
        except OSError as error:
            self._reader.close()
            self._problem = f"{self._what}: {error.strerror or error}"
            return self._retry_s
        except RtboldError as error:
            self._problem = f"{self._what}: {printable(str(error), 400)}"
            return 0.0
        except Exception as error:  # of a reader; the session must go on
            self._reader.close()
            self._problem = f"{self._what}: {error!r}"
            return self._retry_s
        for volume in volumes:
            self._queue.put(volume)
        if volumes:
            self._problem = ""
        return 0.0 if volumes else PATIENCE_S


def check_source(text: str, rois: Sequence[str], *, option: str = "--truth") -> None:
    """Refuse what cannot be a source, before anything is opened.

    Raises
    ------
    ConfigError : it is none, or sends numbers without names and none were given.
    """
    source = parse_source(text, option=option)
    if source.kind != "lsl":
        open_reader(source, rois)


def open_reader(source: BoldSource, rois: Sequence[str]) -> Reader:
    """Return the reader of a file or socket; it is not opened yet.

    Raises
    ------
    ConfigError : the source sends numbers without names, and none were given.
    """
    if source.kind == "file":
        return FileReader(Path(source.name))
    if source.kind == "tcp":
        return TcpReader(source.name, source.port, rois)
    from rtbold.acquire.tbv import TbvReader

    return TbvReader(source.name, source.port, rois)


# The session's side of a stream of measured BOLD; its inlet is a process of its own.
#
# As with EEG and markers: liblsl can hang or abort inside a stream that is lost.


class LslVolumes:
    """Measured volumes of one LSL stream, for a loop that never waits for them.

    The stream need not be there yet: scanners export late.

    Parameters
    ----------
    name : of the stream.
    """

    def __init__(self, name: str) -> None:
        self._order = Order(role="bold", query=StreamQuery(name=name, type="BOLD"))
        self._queue = VolumeQueue()
        self._problem = f"measured BOLD: no stream {name!r} yet"
        self._two_senders = False  # ever
        self._other = ""  # the problem while another sender is read
        self._known: KnownStream | None = None
        self.description: StreamDescription | None = None
        self._supervisor = Supervisor(
            self._make_order, on_frame=self._take, on_death=self._died
        )
        self._supervisor.start()
        self.close = self._supervisor.close

    @property
    def problem(self) -> str:
        """What the operator must know; empty while all is well."""
        return self._problem

    def volumes(self) -> list[MeasuredVolume]:
        """Return the next few that have come, without waiting."""
        return self._queue.take()

    def _make_order(self) -> Order:
        return replace(self._order, known=self._known)

    def _take(self, frame: Frame) -> None:
        """Keep what comes; called in the reader thread."""
        match frame:
            case MeasuredVolume():
                self._queue.put(replace(frame, two_senders=self._two_senders))
            case StreamChanged(description=description):
                self.description = description
                self._problem = self._other
            case Following():
                self._known = frame.known
                self._two_senders |= bool(frame.other)
                self._other = frame.other and (
                    f"measured BOLD: another sender than the first one is read: "
                    f"{frame.other}"
                )
            case StateChanged(state="lost"):
                self._problem = f"measured BOLD: stream {self._order.query.name!r} lost"
            case Fault(message=message):
                self._problem = f"measured BOLD: {message}"

    def _died(self, said: str) -> None:
        if not self._problem:
            last = printable(said.strip().rpartition("\n")[2])
            self._problem = f"measured BOLD: its inlet process ended. {last}".strip()


# Open a source of measured BOLD, whichever it is.


def open_bold(source: BoldSource, rois: Sequence[str], clock: Clock) -> OpenFeed:
    """Return the open source; whoever opens it closes it.

    Parameters
    ----------
    rois : names for a source that sends numbers alone.
    clock : LSL's.
    """
    if source.kind == "lsl":
        return LslVolumes(source.name)
    return BoldFeed(open_reader(source, rois), clock, what=f"measured BOLD ({source})")
