"""The recorder of a session: LabRecorder parts, watched from a thread of their own.

Part 1 holds all streams. A stream that comes back under a new identity is not picked
up by LabRecorder, so it gets a part of its own while the others go on. A part whose
streams have all got another one is ended.
"""

import queue
import shutil
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rtbold.clock import Clock
from rtbold.errors import RtboldError
from rtbold.messages import StreamDescription
from rtbold.record.folder import SessionPaths
from rtbold.record.labrecorder import LabRecorderProcess, StoppedPart
from rtbold.record.left_over import (
    RunningPart,
    WatcherProcess,
    this_session,
    write_note,
)
from rtbold.record.parts import (
    LOW_BYTES,
    SILENT_S,
    Part,
    RecorderState,
    joined,
    reconnects,
    recorder_state,
)

_POLL_S = 0.5
_RECOVERED_S = 10.0  # liblsl reconnects to the same source by itself, unannounced
_RESTART_S = 5.0  # between attempts to record what is not there
_LINGER_S = 1.2
_MOST_RUNNING = 12  # LabRecorders at a time, where a source changes without end
_GRACE_S = 10.0  # a stream may come back to the part that it left
_FORCE_S = 20.0  # after a part was asked to end
_LONGEST_START_S = 180.0
_MOST_STARTS = 3  # LabRecorder looks for its streams a second or two, then gives up
_LOOK_S = 5.0  # of one look at files and processes, until that is said


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
        self._gone: set[str] = set()  # uids that another one has taken the place of
        self._watcher: WatcherProcess | None = None
        self._noted: list[RunningPart] = []
        self._session = this_session()
        self._flowed = "", -1e9  # the EEG's uid, and when it last came
        self._looked_s = clock.now_s()
        # uid -> the stream, and from when on it counts as recorded
        self._recovering: dict[str, tuple[StreamDescription, float]] = {}
        self._covered: frozenset[str] = frozenset()
        self._state = RecorderState("starting", 0, 0, None)
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, name="rtbold-recorder", daemon=True
        )

    def start(
        self, streams: Sequence[StreamDescription], timeout_s: float = 60.0
    ) -> None:
        """Start part 1 and wait until every stream is being collected.

        On a busy machine LabRecorder may give up on a stream that is there: it is
        started again, three times in all.

        Parameters
        ----------
        timeout_s : without a sign of life. A loaded machine may need a minute; each
            stream that is found, each line that LabRecorder prints, begins it anew.

        Raises
        ------
        RtboldError
            LabRecorder is missing, a stream is not on the network, or it does not
            begin in time. Nothing is left running.
        """
        begun_s = self._clock.now_s()
        for n_left in reversed(range(_MOST_STARTS)):
            part = self._open_part(streams)
            self._write_note()
            if self._begins(part, timeout_s):
                break
            found = part.process.still_there()
            if part.process.running or len(found) == len(streams) or not n_left:
                raise self._not_begun(part, self._clock.now_s() - begun_s)
            self._stop_part(part)
        self._watcher = WatcherProcess.start(self._paths.note)
        self._looked_s = self._clock.now_s()
        self._update(self._looked_s)
        self._thread.start()

    def _begins(self, part: Part, timeout_s: float) -> bool:
        """Wait until all streams of a part are collected; False where it gives up."""
        begun_s = alive_s = self._clock.now_s()
        n_said = 0
        while part.process.n_collecting() < len(part.process.streams):
            now_s = self._clock.now_s()
            if (n := _n_bytes(self._paths.recorder_log())) > n_said:
                n_said, alive_s = n, now_s
            end_s = min(alive_s + timeout_s, begun_s + max(timeout_s, _LONGEST_START_S))
            if not part.process.running or now_s >= end_s:
                return False
            self._clock.sleep_until(now_s + 0.05)
        return True

    def _not_begun(self, part: Part, waited_s: float) -> RtboldError:
        """End a part that did not begin; return the error that says so."""
        process = part.process
        said = process.output().strip()[-500:]
        names = list(process.not_collecting())
        if process.running:
            happened = f"did not begin to record {names} within {waited_s:.0f} s"
        else:
            happened = f"ended before it recorded {names}"
        self._stop_part(part)
        return RtboldError(
            f"LabRecorder {happened}; it said: {said!r}. Expected each of these "
            "streams on the network: rtbold streams lists those that answer. If "
            "all are there, the machine is too busy: close other programs, try again."
        )

    def source_changed(self, stream: StreamDescription) -> None:
        """Tell that the session now gets its data from `stream`; returns at once."""
        self._changes.put(stream)

    def samples_came(self, uid: str, now_s: float) -> None:
        """Tell that samples of this outlet have come, so its file must grow."""
        self._flowed = uid, now_s

    def covers(self, uid: str) -> bool:
        """Whether samples of this outlet that arrive now are certainly recorded.

        While they are not, the event log should hold them itself.
        """
        late_s = self._clock.now_s() - self._looked_s
        seen = late_s < _LOOK_S or not self._thread.is_alive()
        return seen and uid in self._covered

    @property
    def state(self) -> RecorderState:
        """The newest state, at most half a second old; from any thread."""
        state = self._state
        late_s = self._clock.now_s() - self._looked_s
        if self._thread.is_alive() and late_s > _LOOK_S and not self._stop.is_set():
            text = f"the disk has not answered for {late_s:.0f} s"
            return replace(state, status="failed", message=text)
        return state

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
            if part.stopped is None:
                part.process.ask_to_end()
        stopped = tuple(part.finish(timeout_s) for part in self._parts)
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
        self._no_note()
        if self._watcher is not None:
            self._watcher.dismiss()
        return stopped

    def _no_note(self) -> None:
        with suppress(OSError):  # the disk may be gone
            self._paths.note.unlink(missing_ok=True)

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
            n_running = sum(part.stopped is None for part in self._parts)
            if n_running >= _MOST_RUNNING:
                raise RtboldError(f"{n_running} LabRecorders run already")
            self._open_part(streams)
        except (RtboldError, OSError) as error:
            self._retry_s[uids] = now_s + _RESTART_S
            names = ", ".join(stream.name for stream in streams)
            self._missed = f"{names} was not recorded all the time: {error}"
            return False
        return True

    def _stop_part(self, part: Part) -> None:
        part.finish(timeout_s=2.0)
        self._parts.remove(part)
        self._no_note()

    def _write_note(self) -> None:
        """Leave word of what runs, for whoever has to end it if we cannot."""
        running = [
            RunningPart(
                pid=part.process.pid,
                file=str(part.process.path),
                control=str(part.process.control_path or ""),
                session=self._session,
            )
            for part in self._parts
            if part.stopped is None
        ]
        if running != self._noted:
            write_note(self._paths.note, running)
            self._noted = running

    def _watch(self) -> None:
        while not self._stop.wait(_POLL_S):
            now_s = self._clock.now_s()
            try:
                self._look(now_s)
                self._write_note()
            except Exception as error:  # told; the recording itself may go on
                self._fail(str(error) or repr(error))
            self._looked_s = self._clock.now_s()

    def _look(self, now_s: float) -> None:
        """Follow streams and processes, and see how the files do."""
        self._follow_changes(now_s)
        self._replace_ended(now_s)
        self._replace_silent(now_s)
        self._end_retired(now_s)
        self._update(now_s)

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
        same = [s for s in same if (s.name, s.type) == (stream.name, stream.type)]
        if any(s.uid == stream.uid for s in same):
            followed = True
        elif any(reconnects(s, stream) for s in same):
            self._recovering[stream.uid] = stream, now_s + _RECOVERED_S
            return True
        else:
            followed = self._try_part([stream], now_s)
        if followed:
            self._gone.discard(stream.uid)
            self._gone |= {s.uid for s in same if s.uid != stream.uid}
        return followed

    def _replace_ended(self, now_s: float) -> None:
        """Record on, in a new part, what a part that has ended recorded."""
        for part in self._live():
            if part.process.running or now_s < part.opened_at_s + _RESTART_S:
                continue
            part.ended = self._again(part, part.process.still_there(), now_s)

    def _replace_silent(self, now_s: float) -> None:
        """Record on, in a new part, where a disk was full or a file has vanished.

        LabRecorder goes on, and writes nothing any more, once a disk was full.
        """
        free = _free_bytes(self._paths.folder)
        if free is None or free < LOW_BYTES:
            return
        for part in self._live():
            flows = part.flows(now_s)
            silent = now_s - part.grown_at_s > SILENT_S  # a busy machine is no reason
            if not (flows and silent and part.process.running):
                continue
            if self._again(part, part.process.streams, now_s):
                part.ended, part.replaced_at_s = True, now_s
                part.process.ask_to_end()

    def _again(
        self, part: Part, streams: Sequence[StreamDescription], now_s: float
    ) -> bool:
        """Whether a new part records what is left of `streams`, or nothing is left."""
        wanted = [
            self._newest(s) for s in streams if s.uid not in self._gone or not s.uid
        ]
        return not wanted or self._try_part(wanted, now_s)

    def _end_retired(self, now_s: float) -> None:
        """End what records nothing any more, and free what it holds."""
        for part in self._live():
            uids = {stream.uid for stream in part.process.streams}
            if part.process.running and uids <= self._gone:
                part.gone_at_s = part.gone_at_s or now_s
                if now_s - part.gone_at_s >= _GRACE_S:
                    part.retired_at_s = now_s
                    part.process.ask_to_end()
            else:
                part.gone_at_s = None
        for part in self._parts:
            if part.works or part.stopped is not None:
                continue
            asked_s = part.retired_at_s or part.replaced_at_s or now_s
            if not part.process.running or now_s - asked_s > _FORCE_S:
                part.finish()

    def _newest(self, stream: StreamDescription) -> StreamDescription:
        """Return what liblsl has taken for `stream` since, or itself."""
        later = [new for new, _ in self._recovering.values() if reconnects(stream, new)]
        return later[-1] if later else stream

    def _live(self) -> list[Part]:
        return [part for part in self._parts if part.works]

    def _update(self, now_s: float) -> None:
        uid, flowed_s = self._flowed
        for part in self._live():
            if any(stream.uid == uid for stream in part.process.streams):
                part.flowed_at_s = flowed_s
            fastest = max(part.process.streams, key=lambda stream: stream.rate_hz)
            part.left = fastest.uid in self._gone
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


def _n_bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
