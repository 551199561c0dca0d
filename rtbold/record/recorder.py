"""The recorder of a session: LabRecorder parts, watched from a thread of their own.

Part 1 holds all streams. A stream that comes back under a new identity is not picked
up by LabRecorder, so it gets a part of its own while the others go on.
"""

import json
import queue
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rtbold.clock import Clock
from rtbold.errors import RtboldError
from rtbold.messages import StreamDescription
from rtbold.record.folder import SessionPaths
from rtbold.record.labrecorder import LabRecorderProcess, StoppedPart

# The parts of a recording, and what is to be said of them. No thread, no clock.

_SETTLED_S = 2.0  # after a part says that it collects, before that is relied upon
_SILENT_S = 15.0  # LabRecorder writes clock offsets every 5 s, whatever streams do
_LOW_BYTES = 500 * 2**20
RecorderStatus = Literal["starting", "recording", "degraded", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class RecorderState:
    """How the recording is doing; all but ``recording`` concerns the operator."""

    status: RecorderStatus
    n_parts: int
    n_bytes: int  # written so far, all parts
    free_bytes: int | None  # on the disk; None: the folder cannot be read
    message: str = ""


@dataclass(slots=True)
class Part:
    """One LabRecorder and its file."""

    process: LabRecorderProcess
    opened_at_s: float
    settled_at_s: float | None = None  # from when on its streams count as recorded
    n_bytes: int = 0
    grown_at_s: float = 0.0
    ended: bool = False

    @property
    def exists(self) -> bool:
        """Whether its file is there."""
        return self.process.path.is_file()

    def measure(self, now_s: float) -> None:
        """Note whether it collects and how its file has grown."""
        n_streams = len(self.process.streams)
        if self.settled_at_s is None and self.process.n_collecting() >= n_streams:
            self.settled_at_s = now_s + _SETTLED_S
        n_bytes = self.process.path.stat().st_size if self.exists else 0
        if n_bytes > self.n_bytes:
            self.n_bytes, self.grown_at_s = n_bytes, now_s

    def records(self, now_s: float) -> bool:
        """Whether what its streams send now is certainly recorded."""
        if self.settled_at_s is None or now_s < self.settled_at_s:
            return False
        return not self.ended and self.process.running


def recorder_state(
    parts: Sequence[Part],
    now_s: float,
    *,
    free_bytes: int | None,
    waiting: bool,
    missed: str,
) -> RecorderState:
    """Return the state of a recording.

    Parameters
    ----------
    waiting : whether a stream is not recorded because no part could be opened.
    missed : what could not be recorded earlier; it stays said.
    """
    status, message = _verdict(parts, now_s, free_bytes, waiting=waiting)
    if missed and status == "recording":
        status = "degraded"
    n_bytes = sum(part.n_bytes for part in parts)
    return RecorderState(
        status, len(parts), n_bytes, free_bytes, joined(message, missed)
    )


def _verdict(
    parts: Sequence[Part], now_s: float, free_bytes: int | None, *, waiting: bool
) -> tuple[RecorderStatus, str]:
    live = [part for part in parts if not part.ended]
    if not live or not all(part.exists for part in live if part.n_bytes):
        return "failed", "no recorder is running, or its file has vanished"
    if not all(part.process.running for part in live):
        return "failed", "LabRecorder has ended by itself and is not replaced yet"
    if waiting:
        return "failed", "a stream that came back is not recorded"
    if any(now_s - part.grown_at_s > _SILENT_S for part in live):
        text = f"the file has not grown for {_SILENT_S:g} s; is the disk full?"
        return "failed", text
    if free_bytes is not None and free_bytes < _LOW_BYTES:
        return "degraded", f"only {free_bytes // 2**20} MB are left on the disk"
    if len(live) < len(parts):
        return "degraded", "LabRecorder ended by itself and was started again"
    return "recording", ""


def joined(*texts: str) -> str:
    """Return those texts that say something, as one."""
    return "; ".join(text for text in texts if text)


def reconnects(old: StreamDescription, new: StreamDescription) -> bool:
    """Whether liblsl takes `new` for `old` and the file's header still fits it."""
    return (
        old.source_id != ""
        and old.source_id == new.source_id
        and old.channels == new.channels
        and old.rate_hz == new.rate_hz
    )


_POLL_S = 0.5
_RECOVERED_S = 10.0  # liblsl reconnects to the same source by itself, unannounced
_RESTART_S = 5.0  # between attempts to record what is not there
_LINGER_S = 1.2
_MOST_PARTS = 20
NOTE_NAME = "recorder.json"


class Recorder:
    """Records a session until it is stopped; survives the death of this process.

    Parameters
    ----------
    paths : of the run, from ``open_session_folder``.
    clock : LSL's.
    executable : of LabRecorderCLI; None: find it.
    """

    def __init__(
        self, paths: SessionPaths, clock: Clock, *, executable: Path | None = None
    ) -> None:
        self._paths = paths
        self._clock = clock
        self._executable = executable
        self._parts: list[Part] = []
        self._changes: queue.SimpleQueue[StreamDescription] = queue.SimpleQueue()
        # Not recorded yet, by name and type; its newest identity counts.
        self._waiting: dict[tuple[str, str], StreamDescription] = {}
        self._retry_s: dict[tuple[str, ...], float] = {}  # by uids of a failed part
        self._missed = ""  # what could not be recorded, for the rest of the session
        self._noted = ""
        # uid -> the stream, and from when on it counts as recorded
        self._recovering: dict[str, tuple[StreamDescription, float]] = {}
        self._covered: frozenset[str] = frozenset()
        self._state = RecorderState("starting", 0, 0, None)
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, name="rtbold-recorder", daemon=True
        )

    def start(
        self, streams: Sequence[StreamDescription], timeout_s: float = 20.0
    ) -> None:
        """Start part 1 and wait until every stream is being collected.

        Raises
        ------
        RtboldError
            LabRecorder is missing, a stream is not on the network, or it does not
            begin in time. Nothing is left running.
        """
        part = self._open_part(streams)
        self._write_note()
        end_s = self._clock.now_s() + timeout_s
        while part.process.n_collecting() < len(streams):
            if not part.process.running or self._clock.now_s() >= end_s:
                said = part.process.output().strip()[-500:]
                self._stop_part(part)
                raise RtboldError(
                    f"LabRecorder did not begin to record {[s.name for s in streams]} "
                    f"within {timeout_s:g} s; it said: {said!r}. Are all these streams "
                    "on the network (rtbold streams)?"
                )
            self._clock.sleep_until(self._clock.now_s() + 0.05)
        self._update(self._clock.now_s())
        self._thread.start()

    def source_changed(self, stream: StreamDescription) -> None:
        """Tell that the session now gets its data from `stream`; returns at once."""
        self._changes.put(stream)

    def covers(self, uid: str) -> bool:
        """Whether samples of this outlet that arrive now are certainly recorded.

        While they are not, the event log should hold them itself.
        """
        return uid in self._covered

    @property
    def state(self) -> RecorderState:
        """The newest state, at most half a second old; from any thread."""
        return self._state

    def stop(self, timeout_s: float = 20.0) -> tuple[StoppedPart, ...]:
        """End all parts, look at their files, return what is left of each.

        LabRecorder writes twice a second and drops what it has not written when it
        is asked to end; so it is given a moment to write what has been seen so far.
        """
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._parts:
            self._clock.sleep_until(self._clock.now_s() + _LINGER_S)
        for part in self._parts:  # all at once: each takes up to 5 s to end
            part.process.ask_to_end()
        stopped = tuple(part.process.stop(timeout_s) for part in self._parts)
        broken = [part.path.name for part in stopped if not part.whole]
        not_whole = f"not whole: {', '.join(broken)}" if broken else ""
        message = joined(not_whole, self._missed)
        self._state = RecorderState(
            "failed" if message else "stopped",
            len(stopped),
            sum(part.n_bytes for part in stopped),
            _free_bytes(self._paths.folder),
            message,
        )
        self._note_path.unlink(missing_ok=True)
        return stopped

    @property
    def _note_path(self) -> Path:
        return self._paths.folder / NOTE_NAME

    def _open_part(self, streams: Sequence[StreamDescription]) -> Part:
        number = len(self._parts) + 1
        process = LabRecorderProcess(
            self._paths.xdf(number),
            streams,
            log=self._paths.recorder_log(number),
            executable=self._executable,
        )
        now_s = self._clock.now_s()
        part = Part(process, opened_at_s=now_s, grown_at_s=now_s)
        self._parts.append(part)
        for stream in streams:
            self._recovering.pop(stream.uid, None)
        return part

    def _try_part(self, streams: Sequence[StreamDescription], now_s: float) -> bool:
        """Open a part; False, and to be tried again later, if that fails."""
        uids = tuple(stream.uid for stream in streams)
        if now_s < self._retry_s.get(uids, now_s):
            return False
        try:
            if len(self._parts) >= _MOST_PARTS:
                raise RtboldError(f"{_MOST_PARTS} parts were opened already")
            self._open_part(streams)
        except (RtboldError, OSError) as error:
            self._retry_s[uids] = now_s + _RESTART_S
            names = ", ".join(stream.name for stream in streams)
            self._missed = f"{names} was not recorded all the time: {error}"
            return False
        return True

    def _stop_part(self, part: Part) -> None:
        part.process.stop(timeout_s=2.0)
        self._parts.remove(part)
        self._note_path.unlink(missing_ok=True)

    def _write_note(self) -> None:
        """Leave word of what runs, for whoever has to end it if we cannot."""
        running = [
            {
                "pid": part.process.pid,
                "file": str(part.process.path),
                "control": str(part.process.control_path or ""),
            }
            for part in self._parts
            if not part.ended
        ]
        note = json.dumps(running, indent=2) + "\n"
        if note != self._noted:
            self._note_path.write_text(note)
            self._noted = note

    def _watch(self) -> None:
        while not self._stop.wait(_POLL_S):
            now_s = self._clock.now_s()
            try:
                self._follow_changes(now_s)
                self._replace_ended(now_s)
                self._update(now_s)
                self._write_note()
            except Exception as error:  # told; the recording itself may go on
                self._fail(str(error) or repr(error))

    def _follow_changes(self, now_s: float) -> None:
        while not self._changes.empty():
            stream = self._changes.get()
            self._waiting[stream.name, stream.type] = stream
        for key, stream in tuple(self._waiting.items()):
            if self._follow(stream, now_s):
                del self._waiting[key]

    def _follow(self, stream: StreamDescription, now_s: float) -> bool:
        """Whether `stream` is recorded now, or will be without further ado."""
        same = [s for part in self._live() for s in part.process.streams]
        if any(s.uid == stream.uid for s in same):
            return True
        if any(reconnects(s, stream) for s in same):
            self._recovering[stream.uid] = stream, now_s + _RECOVERED_S
            return True
        return self._try_part([stream], now_s)

    def _replace_ended(self, now_s: float) -> None:
        """Record on, in a new part, what a part that has ended recorded."""
        for part in self._live():
            if part.process.running or now_s < part.opened_at_s + _RESTART_S:
                continue
            streams = [self._newest(s) for s in part.process.still_there()]
            part.ended = not streams or self._try_part(streams, now_s)

    def _newest(self, stream: StreamDescription) -> StreamDescription:
        """Return what liblsl has taken for `stream` since, or itself."""
        later = [new for new, _ in self._recovering.values() if reconnects(stream, new)]
        return later[-1] if later else stream

    def _live(self) -> list[Part]:
        return [part for part in self._parts if not part.ended]

    def _update(self, now_s: float) -> None:
        for part in self._live():
            part.measure(now_s)
        sure = [part for part in self._parts if part.records(now_s)]
        recorded = [stream for part in sure for stream in part.process.streams]
        covered = {stream.uid for stream in recorded}
        covered |= {
            new.uid
            for new, at_s in self._recovering.values()
            if now_s >= at_s and any(reconnects(old, new) for old in recorded)
        }
        self._covered = frozenset(covered)
        self._state = recorder_state(
            self._parts,
            now_s,
            free_bytes=_free_bytes(self._paths.folder),
            waiting=bool(self._waiting),
            missed=self._missed,
        )

    def _fail(self, message: str) -> None:
        old = self._state
        self._state = RecorderState(
            "failed", len(self._parts), old.n_bytes, old.free_bytes, message
        )


def _free_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
