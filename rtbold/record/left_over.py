"""Recorders whose session has died: found, told, and ended politely.

A recorder outlives its session on purpose: it keeps what an amplifier sends on. But it
would take the next session's predictions for its own, and would fill the disk. So the
next session ends it when it starts; and a small watcher ends it once its file has not
grown for some minutes, which is when its streams are gone.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
import psutil

from rtbold.messages import StreamDescription
from rtbold.owner_only import write_text
from rtbold.record.folder import EVENTS_NAME, NOTE_NAME
from rtbold.record.labrecorder import PROGRAM, remove_control

WAIT_S = 20.0  # for those that were asked to end; each takes up to 5 s, if not busy
FORCED_S = 3.0


class SessionProcess(msgspec.Struct, frozen=True):
    """Which process a recorder belongs to; process ids are used again."""

    pid: int
    created_s: float

    def started(self, recorder: psutil.Process) -> bool:
        """Whether it is there, and is still the parent of its recorder.

        Who loses a parent gets another one, so this needs no clock.
        """
        with suppress(psutil.Error):
            parent = recorder.parent()
            return parent is not None and parent.pid == self.pid
        return False

    @property
    def alive(self) -> bool:
        """Whether it is there, as far as the clock tells.

        A clock that was set since moves `created_s`: `started` is surer.
        """
        with suppress(psutil.Error):
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created_s) < 1.0
            return same and bool(process.status() != psutil.STATUS_ZOMBIE)
        return False


class RunningPart(msgspec.Struct, frozen=True, kw_only=True):
    """One recorder in ``recorder.json``."""

    pid: int
    file: str
    control: str  # FIFO that ends it; empty on Windows
    session: SessionProcess | None = None  # None: written by an earlier version


def this_session() -> SessionProcess:
    """Return the process that we are."""
    return SessionProcess(os.getpid(), psutil.Process().create_time())


def write_note(note: Path, running: Sequence[RunningPart]) -> None:
    """Write ``recorder.json``; there is a whole one at every moment.

    Raises
    ------
    OSError : the folder cannot be written.
    """
    draft = note.with_name(f".{note.name}")
    text = json.dumps([msgspec.to_builtins(part) for part in running], indent=2)
    write_text(draft, text + "\n")
    draft.replace(note)


def read_note(note: Path) -> list[RunningPart]:
    """Return what a note lists; nothing if there is none, or it cannot be read."""
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(note.read_bytes(), type=list[RunningPart])
    return []


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A recorder that runs though its session does not."""

    process: psutil.Process
    file: Path
    control: Path | None  # None: it cannot be asked, only terminated
    streams: str = ""  # those that it records, as it was told

    def __str__(self) -> str:
        return self.in_words(str(self.file))

    def in_words(self, file: str) -> str:
        """Say that it is there; a log that others read has the file's name alone."""
        return (
            f"a LabRecorder (process {self.process.pid}) of a session that has died "
            f"still records into {file}"
        )

    @property
    def runs(self) -> bool:
        """Whether it is still there."""
        with suppress(psutil.Error):
            running: bool = self.process.is_running()
            return running and self.process.status() != psutil.STATUS_ZOMBIE
        return False

    def concerns(self, streams: Sequence[StreamDescription], root: Path | None) -> bool:
        """Whether it records any of these streams, or into a folder below `root`."""
        ids = {s.uid for s in streams} | {s.source_id for s in streams}
        if any(name and f"'{name}'" in self.streams for name in ids):
            return True
        return root is not None and root.absolute() in self.file.absolute().parents

    def end(self) -> None:
        """Ask it to end, and return at once.

        Where it cannot be asked it is terminated: its file lacks half a second.
        """
        with suppress(psutil.Error):
            if self.control is None or not _ask(self.control):
                self.process.terminate()


def find_left_over() -> list[LeftOver]:
    """Return this user's recorders of sessions that have died, wherever they write.

    Those of sessions that run, and those that rtbold did not start, are left alone.
    """
    return [found for process in _recorders() if (found := _left_over(process))]


def end_left_over(note: Path) -> list[int]:
    """Politely end the recorders that a session which died has left running.

    Parameters
    ----------
    note : ``recorder.json`` in the folder of that session; removed afterwards.

    Returns
    -------
    Process ids that were asked to end.
    """
    asked = []
    for part in read_note(note):
        with suppress(psutil.Error):
            process = psutil.Process(part.pid)
            # Process ids are used again: it must still be the one that was started.
            if part.file in process.cmdline():
                control = Path(part.control) if part.control else None
                LeftOver(process, Path(part.file), control).end()
                asked.append(part.pid)
    note.unlink(missing_ok=True)
    return asked


def wait_for_end(left: Sequence[LeftOver], timeout_s: float = WAIT_S) -> None:
    """Wait until they are gone, by force in the end; remove the notes of those."""
    gone, alive = psutil.wait_procs([one.process for one in left], timeout=timeout_s)
    for process in alive:
        with suppress(psutil.Error):
            process.terminate()
    gone += psutil.wait_procs(alive, timeout=FORCED_S)[0]
    pids = {process.pid for process in gone}
    for one in left:
        if one.process.pid in pids:
            with suppress(OSError):
                one.file.with_name(NOTE_NAME).unlink(missing_ok=True)


def _recorders() -> Iterator[psutil.Process]:
    """Yield this user's LabRecorders that run."""
    user = psutil.Process().username()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            there = process.status() != psutil.STATUS_ZOMBIE
            if there and PROGRAM in process.name() and process.username() == user:
                yield process


def _left_over(process: psutil.Process) -> LeftOver | None:
    with suppress(psutil.Error, ValueError, OSError):  # or it is not ours to see
        _, first, *streams = process.cmdline()
        file = Path(first)
        noted = [
            p for p in read_note(file.with_name(NOTE_NAME)) if p.pid == process.pid
        ]
        part = noted[0] if noted else None
        if part is None and not file.with_name(EVENTS_NAME).is_file():
            return None  # somebody's own
        session = part.session if part else None
        if session is None:
            alive = _parent_is_rtbold(process)
        else:
            alive = session.started(process) or session.alive
        if alive:
            return None
        control = part.control if part else ""
        known = Path(control) if control else _control_of(process)
        return LeftOver(process, file, known, " ".join(streams))
    return None


def _parent_is_rtbold(process: psutil.Process) -> bool:
    """Whether the process that started it is there, where no note says which it is."""
    with suppress(psutil.Error):
        parent = process.parent()
        return parent is not None and any("rtbold" in w for w in parent.cmdline())
    return False


def _control_of(process: psutil.Process) -> Path | None:
    """Return the FIFO that is a recorder's standard input, where the system tells."""
    with suppress(OSError):
        path = Path(os.readlink(f"/proc/{process.pid}/fd/0"))
        return path if path.is_fifo() else None
    return None


def _ask(control: Path) -> bool:
    """Write the line that ends a recorder; whether that could be done."""
    if sys.platform == "win32":  # no FIFO there
        return False
    try:
        descriptor = os.open(control, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        os.write(descriptor, b"\n")
    except OSError:
        return False
    finally:
        os.close(descriptor)
    remove_control(control)
    return True


class WatcherProcess:
    """``python -m rtbold.record.watcher NOTE``, which waits for our end."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    @classmethod
    def start(cls, note: Path) -> Self | None:
        """Start it; None if that cannot be done, for a recording needs it not."""
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":  # not run here
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        command = [sys.executable, "-m", "rtbold.record.watcher", str(note)]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                **apart,
            )
        except OSError:
            return None
        return cls(process)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def dismiss(self, timeout_s: float = 10.0) -> None:
        """Let it go: the session has ended its recorders itself."""
        with suppress(OSError, subprocess.TimeoutExpired):
            self._process.communicate(b"done\n", timeout=timeout_s)
