"""``events.jsonl``: what the loop saw of each event, appended without holding it up.

With the XDF beside it, ``read_event_log`` rebuilds the very same events, so that a
replay gives the published numbers to the last bit.
"""

import json
import logging
import os
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from rtbold.clock import Clock
from rtbold.errors import RtboldError
from rtbold.messages import Event
from rtbold.record.events_read import FORMAT, to_line

LOG = logging.getLogger(__name__)
_CAPACITY = 2_000  # events, about 50 s; bounds memory when the disk hangs
_RETRY_S = 1.0  # between attempts when the disk refuses
_SYNC_S = 1.0  # a crash of the computer loses at most this; one of rtbold, nothing


@dataclass(frozen=True, slots=True)
class EventLogState:
    """How the log is doing; ``failed`` must be seen on every display."""

    status: Literal["ok", "failed", "closed"]  # "failed" stays once events are lost
    n_written: int
    n_lost: int  # events that could not be written; a replay is no longer exact
    n_waiting: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class _Item:
    event: Event
    inline_samples: bool


class EventLogWriter:
    """Append events to a file from a thread of its own; ``append`` never waits.

    When the disk refuses, events are counted as lost, the file gets a line that says
    how many as soon as it can be written again, and the session goes on.

    Parameters
    ----------
    path : a new file; the folder exists.
    clock : paces retries and syncs to disk.
    header : facts for the first line (session id, versions).
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        header: Mapping[str, str] | None = None,
        capacity: int = _CAPACITY,
    ) -> None:
        self._path = path
        self._clock = clock
        self._queue: queue.Queue[_Item | None] = queue.Queue(capacity)
        self._n_written = 0
        self._n_refused = 0  # by a full queue; written by the thread that appends
        self._n_unwritten = 0  # by the disk; written by our thread
        self._n_lost_logged = 0
        self._message = ""
        self._closed = False
        self._retry_at_s = 0.0
        self._sync_at_s = 0.0
        self._file = self._open_new()
        first = {"type": "header", "format": FORMAT, **(header or {})}
        self._file.write(json.dumps(first).encode() + b"\n")
        self._thread = threading.Thread(
            target=self._run, name="rtbold-events-log", daemon=True
        )
        self._thread.start()

    def append(self, event: Event, *, inline_samples: bool = False) -> None:
        """Hand over one event; counted as lost if the queue is full. One thread.

        `inline_samples` writes the samples too: for those that the recorder does not
        have (it was not yet collecting, or the source had just come back).
        """
        try:
            self._queue.put_nowait(_Item(event, inline_samples))
        except queue.Full:
            self._n_refused += 1

    @property
    def state(self) -> EventLogState:
        """Counters and the last error; cheap, from any thread."""
        n_lost = self._n_refused + self._n_unwritten
        message = self._message
        if not message and n_lost:
            message = f"{n_lost} events are missing in {self._path.name}"
        return EventLogState(
            status="failed" if message else "closed" if self._closed else "ok",
            n_written=self._n_written,
            n_lost=n_lost,
            n_waiting=self._queue.qsize(),
            message=message,
        )

    def close(self, timeout_s: float = 5.0) -> EventLogState:
        """Write what waits, sync, close; return the last state."""
        if not self._closed:
            self._put_end(timeout_s)
            self._thread.join(timeout_s)
            self._closed = True
        return self.state

    def _put_end(self, timeout_s: float) -> None:
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            self._message = "the log's thread hangs; its last events are lost"

    def _open_new(self) -> BinaryIO:
        try:
            # Unbuffered: each batch is with the system at once, and outlives us.
            return self._path.open("xb", buffering=0)
        except OSError as error:
            raise RtboldError(
                f"cannot write the event log {self._path}: {error.strerror}. "
                "Expected a new file in a folder that can be written; choose another "
                "--record folder."
            ) from error

    def _run(self) -> None:
        while True:
            items = self._batch()
            events = [item for item in items if item is not None]
            self._write(events)
            if len(events) < len(items):
                break
        self._finish()

    def _batch(self) -> list[_Item | None]:
        items = [self._queue.get()]
        while not self._queue.empty():
            items.append(self._queue.get())
        return items

    def _write(self, items: list[_Item]) -> None:
        now_s = self._clock.now_s()
        if not items or (self._message and now_s < self._retry_at_s):
            self._n_unwritten += len(items)
            return
        lines = [line for item in items if (line := self._line(item)) is not None]
        try:
            self._write_bytes(lines)
            self._sync(now_s)
        except OSError as error:
            self._n_unwritten += len(lines)
            self._message = f"{self._path}: {error.strerror or error}"
            self._retry_at_s = now_s + _RETRY_S
            return
        self._n_written += len(lines)
        self._message = ""

    def _line(self, item: _Item) -> str | None:
        """Return an event as a line; None, and counted as lost, if it cannot be one.

        Anything that is raised here would end the thread, and with it the log, unseen.
        """
        try:
            return to_line(item.event, inline_samples=item.inline_samples)
        except Exception:
            LOG.exception("an event cannot be logged: %r", type(item.event).__name__)
            self._n_unwritten += 1
            return None

    def _write_bytes(self, lines: list[str]) -> None:
        n_lost = self._n_refused + self._n_unwritten
        if n_lost > self._n_lost_logged:
            # Starts a line of its own: the last one may have been cut off.
            lines = ["", json.dumps({"type": "lost", "n": n_lost}), *lines]
        data = ("\n".join(lines) + "\n").encode()
        if self._file.write(data) != len(data):
            raise OSError(None, "written in part only, is the disk full?")
        self._n_lost_logged = n_lost

    def _sync(self, now_s: float) -> None:
        if now_s >= self._sync_at_s:
            os.fsync(self._file.fileno())
            if not self._path.exists():
                raise OSError(None, "the file has vanished")
            self._sync_at_s = now_s + _SYNC_S

    def _finish(self) -> None:
        try:
            if self._n_refused + self._n_unwritten > self._n_lost_logged:
                self._write_bytes([])
            os.fsync(self._file.fileno())
        except OSError as error:
            self._message = f"{self._path}: {error.strerror or error}"
        finally:
            self._file.close()
