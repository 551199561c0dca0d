"""A second copy of a recording on another disk, which never disturbs the first.

Events and messages are written to it by logs of their own, so that they go on when the
first disk is gone. What other programs write (the XDF, LabRecorder's words) is followed
as it grows. Nothing is ever deleted or overwritten there.
"""

import os
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtbold.clock import Clock
from rtbold.errors import RtboldError
from rtbold.owner_only import create
from rtbold.record.events_log import EventLogWriter, PublishedLog
from rtbold.record.folder import (
    EVENTS_NAME,
    NOTE_NAME,
    PUBLISHED_NAME,
    SessionPaths,
    claim_run,
)
from rtbold.run_names import parse

_EVERY_S = 0.25
_SYNC_EVERY = 4  # steps; a crash of the computer loses at most this
_BLOCK_BYTES = 2**22
_LOW_BYTES = 500 * 2**20
_MOST_COPIES = 99
# Written by logs of their own; and the note, which changes, and is of no use there
_NOT_FOLLOWED = frozenset((EVENTS_NAME, PUBLISHED_NAME, NOTE_NAME))


@dataclass(slots=True)
class _Followed:
    """How much of a file has been copied."""

    n_bytes: int = 0


class FolderCopy:
    """Copies what the files of a folder have grown by. One thread; no clock.

    Parameters
    ----------
    source, target : folders that exist.
    """

    def __init__(self, source: Path, target: Path) -> None:
        self._source = source
        self._target = target
        self._followed: dict[str, _Followed] = {}

    def step(self, *, sync: bool = True) -> None:
        """Append to each copy what is new; a failure leaves the others to be tried.

        Parameters
        ----------
        sync : wait until it is on the disk.

        Raises
        ------
        OSError : of the first that failed; what was not copied is tried again.
        """
        failed: OSError | None = None
        for file in sorted(self._source.iterdir()):
            if file.name in _NOT_FOLLOWED or file.name.startswith("."):
                continue
            if not file.is_file():
                continue
            try:
                self._follow(file, sync=sync)
            except OSError as error:
                failed = failed or error
        if failed is not None:
            raise failed

    def _follow(self, file: Path, *, sync: bool) -> None:
        known = self._followed.get(file.name)
        target = self._target / file.name
        first = known is None or not target.exists()
        with file.open("rb") as reader, create(target, exclusive=first) as writer:
            if known is None or first:
                known = self._followed[file.name] = _Followed()
            reader.seek(known.n_bytes)
            while block := reader.read(_BLOCK_BYTES):
                n = writer.write(block)
                known.n_bytes += n
                if n < len(block):
                    raise OSError(None, f"{target}: written in part, is the disk full?")
            if sync:
                os.fsync(writer.fileno())


class RecordingCopy:
    """The copy of one run: its own logs, and a thread that follows the other files.

    Parameters
    ----------
    paths : of the run, which is copied.
    root : folder of all copies, on another disk.
    clock : LSL's.
    header : first line of the event log.
    """

    def __init__(
        self,
        paths: SessionPaths,
        root: Path,
        clock: Clock,
        *,
        header: Mapping[str, Any],
    ) -> None:
        self._clock = clock
        self._message = ""
        self.folder: Path | None = None  # None: the copy could not be begun
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.events: EventLogWriter | None = None
        self.published: PublishedLog | None = None
        try:
            self.folder = _claimed(root, paths.folder)
            events = self.folder / EVENTS_NAME
            self.events = EventLogWriter(events, clock, header=header)
            self.published = PublishedLog(self.folder / PUBLISHED_NAME, clock)
        except (OSError, RtboldError) as error:
            self._message = f"cannot be made in {root}: {error}"
            return
        self._files = FolderCopy(paths.folder, self.folder)
        self._thread = threading.Thread(
            target=self._run, name="rtbold-copy", daemon=True
        )
        self._thread.start()

    @property
    def problem(self) -> str:
        """What is wrong with the copy; empty while all is well."""
        logs = [log.state.message for log in (self.events, self.published) if log]
        texts = list(dict.fromkeys(filter(None, (self._message, *logs))))
        return f"copy: {'; '.join(texts)}" if texts else ""

    def close(self, timeout_s: float = 10.0) -> str:
        """Copy what is left, once the first recording has ended; return what is wrong.

        It waits no longer than `timeout_s` for a disk that does not answer.
        """
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                self._message = f"{self.folder} does not answer; its end is missing"
        for log in (self.events, self.published):
            if log is not None:
                log.close(timeout_s)
        return self.problem

    def _run(self) -> None:
        n = 0
        while not self._stop.wait(_EVERY_S):
            n += 1
            self._step(sync=n % _SYNC_EVERY == 0)
        self._step(sync=True)

    def _step(self, *, sync: bool) -> None:
        assert self.folder is not None  # the thread runs only then
        try:
            self._files.step(sync=sync)
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            where = error.filename or self.folder
            self._message = f"{where}: {error.strerror or error}"
            return
        low = free < _LOW_BYTES
        self._message = f"only {free // 2**20} MB are left on its disk" if low else ""


def _claimed(root: Path, run: Path) -> Path:
    """Make the folder of a copy, named as the run's; never one that is there.

    Raises
    ------
    OSError : it cannot be made.
    """
    name = parse(run.name)
    if name is None:
        raise OSError(None, f"{run.name} is no name of a run")
    for n in range(1, _MOST_COPIES + 1):
        try:
            return claim_run(root, name, suffix="" if n == 1 else f"_copy-{n:02d}")
        except FileExistsError:
            continue
    raise OSError(None, f"{root} holds {_MOST_COPIES} copies of {run.name}")
