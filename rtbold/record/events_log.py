"""``events.jsonl``: what the loop saw of each event, appended without holding it up.

With the XDF beside it, ``read_event_log`` rebuilds the very same events, so that a
replay gives the published numbers to the last bit. ``published.jsonl`` holds what went
out, so that a replay can be compared with it.
"""

import json
import logging
import os
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import msgspec

from rtbold.clock import Clock
from rtbold.errors import RtboldError
from rtbold.messages import EegChunk, Event
from rtbold.owner_only import create
from rtbold.record.event_lines import FORMAT, samples_line, to_line

LOG = logging.getLogger(__name__)
_CAPACITY = 2_000  # events, about 50 s; bounds memory when the disk hangs
_RETRY_S = 1.0  # between attempts when the disk refuses
_SYNC_S = 1.0  # a crash of the computer loses at most this; one of rtbold, nothing
_PATIENCE_S = 3.0  # of one write, until it is said that the disk does not answer


@dataclass(frozen=True, slots=True)
class EventLogState:
    """How the log is doing; ``failed`` must be seen on every display."""

    status: Literal["ok", "failed", "closed"]  # "failed" stays once events are lost
    n_written: int
    n_lost: int  # events that could not be written; a replay is no longer exact
    n_waiting: int
    message: str = ""


class Line(NamedTuple):
    """What becomes a line in the log's thread."""

    what: str  # it is, for the program's own log
    make: Callable[[], str]  # the line, without its break


class LineLog:
    """Append lines to a file from a thread of its own; handing them over never waits.

    When the disk refuses, lines are counted as lost, the file gets a line that says how
    many as soon as it can be written again, and the session goes on.

    Parameters
    ----------
    path : a new file; the folder exists. Its owner alone can open it.
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
        self._queue: queue.Queue[Line | None] = queue.Queue(capacity)
        self._n_written = 0
        self._n_refused = 0  # by a full queue; written by the thread that appends
        self._n_unwritten = 0  # by the disk; written by our thread
        self._n_lost_logged = 0
        self._message = ""
        self._closed = False
        self._retry_at_s = 0.0
        self._sync_at_s = 0.0
        self._begun_s: float | None = None  # of the write that is going on
        self._file = self._open_new()
        first = {"type": "header", "format": FORMAT, **(header or {})}
        self._file.write(json.dumps(first).encode() + b"\n")
        self._thread = threading.Thread(
            target=self._run, name=f"rtbold-{path.stem}-log", daemon=True
        )
        self._thread.start()

    def put(self, what: str, make: Callable[[], str]) -> None:
        """Hand over one line; counted as lost if the queue is full. One thread."""
        try:
            self._queue.put_nowait(Line(what, make))
        except queue.Full:
            self._n_refused += 1

    @property
    def state(self) -> EventLogState:
        """Counters and the last error; cheap, from any thread."""
        n_lost = self._n_refused + self._n_unwritten
        message = self._message or self._hanging()
        if not message and n_lost:
            message = f"{n_lost} events are missing in {self._path.name}"
        return EventLogState(
            status="failed" if message else "closed" if self._closed else "ok",
            n_written=self._n_written,
            n_lost=n_lost,
            n_waiting=self._queue.qsize(),
            message=message,
        )

    def _hanging(self) -> str:
        begun_s = self._begun_s
        if begun_s is None or (took_s := self._clock.now_s() - begun_s) < _PATIENCE_S:
            return ""
        return f"{self._path}: the disk has not answered for {took_s:.0f} s"

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
            return create(self._path, exclusive=True)
        except OSError as error:
            raise RtboldError(
                f"cannot write the event log {self._path}: {error.strerror}. "
                "Expected a new file in a folder that can be written; choose another "
                "--record folder."
            ) from error

    def _run(self) -> None:
        while True:
            items = self._batch()
            lines = [item for item in items if item is not None]
            self._write(lines)
            if len(lines) < len(items):
                break
        self._finish()

    def _batch(self) -> list[Line | None]:
        items = [self._queue.get()]
        while not self._queue.empty():
            items.append(self._queue.get())
        return items

    def _write(self, items: list[Line]) -> None:
        now_s = self._clock.now_s()
        if not items or (self._message and now_s < self._retry_at_s):
            self._n_unwritten += len(items)
            return
        lines = [line for item in items if (line := self._line(item)) is not None]
        self._begun_s = now_s
        try:
            self._write_bytes(lines)
            self._sync(now_s)
        except OSError as error:
            self._n_unwritten += len(lines)
            self._message = f"{self._path}: {error.strerror or error}"
            self._retry_at_s = now_s + _RETRY_S
            return
        finally:
            self._begun_s = None
        self._n_written += len(lines)
        self._message = ""

    def _line(self, item: Line) -> str | None:
        """Return a line; None, and counted as lost, if it cannot be one.

        Anything that is raised here would end the thread, and with it the log, unseen.
        """
        try:
            return item.make()
        except Exception:
            LOG.exception("%s cannot be logged: %r", self._path.name, item.what)
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


class EventLogWriter(LineLog):
    """``events.jsonl``: one line for each event; see `LineLog`."""

    def append(self, event: Event, *, inline_samples: bool = False) -> None:
        """Hand over one event.

        `inline_samples` writes the samples too: for those that the recorder does not
        have (it was not yet collecting, or the source had just come back).
        """
        what = type(event).__name__
        self.put(what, lambda: to_line(event, inline_samples=inline_samples))

    def append_samples(self, chunk: EegChunk) -> None:
        """Hand over the samples of a chunk whose event was written without them."""
        self.put("samples", lambda: samples_line(chunk))


_ENVELOPE = ("session", "seq", "t_lsl", "t_unix_ms", "replayed")  # the feed's


class PublishedLog(LineLog):
    """``published.jsonl``: what went out of predictions, feedback and truth."""

    def append(self, topic: str, message: msgspec.Struct) -> None:
        """Hand over one message, as it goes on the wire."""
        self.put(topic, lambda: published_line(topic, message))


def published_line(topic: str, message: msgspec.Struct) -> str:
    """Return a message as one line, without what the feed adds to it."""
    fields = json.loads(msgspec.json.encode(message))
    kept = {key: value for key, value in fields.items() if key not in _ENVELOPE}
    return json.dumps({"topic": topic, **kept}, separators=(",", ":"))
