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
from rtbold.io.labrecorder import LabRecorderProcess, StoppedPart
from rtbold.io.session_folder import SessionPaths
from rtbold.messages import StreamDescription

_POLL_S = 0.5
_SETTLED_S = 2.0  # after a part says that it collects, before that is relied upon
_RECOVERED_S = 10.0  # liblsl reconnects to the same source by itself, unannounced
_SILENT_S = 15.0  # LabRecorder writes clock offsets every 5 s, whatever streams do
_LOW_BYTES = 500 * 2**20
_RESTART_S = 5.0  # between attempts to record what is not there
_LINGER_S = 1.2
_MOST_PARTS = 20
NOTE_NAME = "recorder.json"


@dataclass(frozen=True, slots=True)
class RecorderState:
    """How the recording is doing; all but ``recording`` concerns the operator."""

    status: Literal["starting", "recording", "degraded", "failed", "stopped"]
    n_parts: int
    n_bytes: int  # written so far, all parts
    free_bytes: int | None  # on the disk; None: the folder cannot be read
    message: str = ""


@dataclass(slots=True)
class _Part:
    process: LabRecorderProcess
    opened_at_s: float
    settled_at_s: float | None = None  # from when on its streams count as recorded
    n_bytes: int = 0
    grown_at_s: float = 0.0
    ended: bool = False


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
        self._parts: list[_Part] = []
        self._changes: queue.SimpleQueue[StreamDescription] = queue.SimpleQueue()
        self._recovering: dict[str, float] = {}  # uid -> when it counts as recorded
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
        self._clock.sleep_until(self._clock.now_s() + _LINGER_S)
        for part in self._parts:  # all at once: each takes up to 5 s to end
            part.process.ask_to_end()
        stopped = tuple(part.process.stop(timeout_s) for part in self._parts)
        broken = [part.path.name for part in stopped if not part.whole]
        message = f"not whole: {', '.join(broken)}" if broken else ""
        self._state = RecorderState(
            "failed" if broken else "stopped",
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

    def _open_part(self, streams: Sequence[StreamDescription]) -> _Part:
        number = len(self._parts) + 1
        process = LabRecorderProcess(
            self._paths.xdf(number),
            streams,
            log=self._paths.recorder_log(number),
            executable=self._executable,
        )
        now_s = self._clock.now_s()
        part = _Part(process, opened_at_s=now_s, grown_at_s=now_s)
        self._parts.append(part)
        self._write_note()
        return part

    def _stop_part(self, part: _Part) -> None:
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
        self._note_path.write_text(json.dumps(running, indent=2) + "\n")

    def _watch(self) -> None:
        while not self._stop.wait(_POLL_S):
            now_s = self._clock.now_s()
            try:
                self._follow_changes(now_s)
                self._replace_ended(now_s)
                self._update(now_s)
            except (RtboldError, OSError) as error:
                self._fail(str(error))

    def _follow_changes(self, now_s: float) -> None:
        while not self._changes.empty():
            stream = self._changes.get()
            same = [s for p in self._live() for s in p.process.streams]
            if any(s.uid == stream.uid for s in same):
                continue
            if any(_reconnects(s, stream) for s in same):
                self._recovering[stream.uid] = now_s + _RECOVERED_S
            elif len(self._parts) < _MOST_PARTS:
                self._open_part([stream])

    def _replace_ended(self, now_s: float) -> None:
        """Record on, in a new part, what a part that has ended recorded."""
        for part in self._live():
            if part.process.running or now_s < part.opened_at_s + _RESTART_S:
                continue
            part.ended = True
            streams = part.process.still_there()
            if streams and len(self._parts) < _MOST_PARTS:
                self._open_part(streams)

    def _live(self) -> list[_Part]:
        return [part for part in self._parts if not part.ended]

    def _update(self, now_s: float) -> None:
        covered = {uid for uid, at_s in self._recovering.items() if now_s >= at_s}
        for part in self._live():
            self._measure(part, now_s)
            if part.settled_at_s is not None and now_s >= part.settled_at_s:
                covered |= {stream.uid for stream in part.process.streams}
        self._covered = frozenset(covered)
        self._state = self._judge(now_s)

    def _measure(self, part: _Part, now_s: float) -> None:
        n_streams = len(part.process.streams)
        if part.settled_at_s is None and part.process.n_collecting() >= n_streams:
            part.settled_at_s = now_s + _SETTLED_S
        n_bytes = part.process.path.stat().st_size if _exists(part) else 0
        if n_bytes > part.n_bytes:
            part.n_bytes, part.grown_at_s = n_bytes, now_s

    def _judge(self, now_s: float) -> RecorderState:
        free_bytes = _free_bytes(self._paths.folder)
        live = self._live()
        status: Literal["recording", "degraded", "failed"] = "recording"
        message = ""
        if not live or not all(_exists(part) for part in live if part.n_bytes):
            status = "failed"
            message = "no recorder is running, or its file has vanished"
        elif any(now_s - part.grown_at_s > _SILENT_S for part in live):
            status = "failed"
            message = f"the file has not grown for {_SILENT_S:g} s; is the disk full?"
        elif free_bytes is not None and free_bytes < _LOW_BYTES:
            status = "degraded"
            message = f"only {free_bytes // 2**20} MB are left on the disk"
        elif len(live) < len(self._parts):
            status = "degraded"
            message = "LabRecorder ended by itself and was started again"
        n_bytes = sum(part.n_bytes for part in self._parts)
        return RecorderState(status, len(self._parts), n_bytes, free_bytes, message)

    def _fail(self, message: str) -> None:
        old = self._state
        self._state = RecorderState(
            "failed", len(self._parts), old.n_bytes, old.free_bytes, message
        )


def _reconnects(old: StreamDescription, new: StreamDescription) -> bool:
    """Whether liblsl takes `new` for `old` and the file's header still fits it."""
    return (
        old.source_id != ""
        and old.source_id == new.source_id
        and old.channels == new.channels
        and old.rate_hz == new.rate_hz
    )


def _exists(part: _Part) -> bool:
    return part.process.path.is_file()


def _free_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
