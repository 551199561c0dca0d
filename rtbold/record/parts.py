"""The parts of a recording, and what is to be said of them. No thread, no clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rtbold.messages import StreamDescription
from rtbold.record.labrecorder import LabRecorderProcess, StoppedPart

_SETTLED_S = 2.0  # after a part says that it collects, before that is relied upon
SILENT_S = 15.0  # LabRecorder writes clock offsets every 5 s, whatever streams do
_SILENT_FLOWING_S = 4.0  # while its EEG comes, which it writes twice a second
LOW_BYTES = 500 * 2**20
_FULL_BYTES = 2**16  # file systems keep the last of it for themselves
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
    flowed_at_s: float = -1e9  # when samples of one of its streams last came to us
    left: bool = False  # by its fastest stream: what is left fills no buffer soon
    ended: bool = False
    gone_at_s: float | None = None  # since when all its streams have another part
    retired_at_s: float | None = None  # asked to end for that
    replaced_at_s: float | None = None  # asked to end: it wrote nothing any more
    stopped: StoppedPart | None = None  # once its process is gone

    @property
    def works(self) -> bool:
        """Whether it is to record on."""
        return not self.ended and self.retired_at_s is None

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
        sure = not self.left and not self.silent(now_s)
        return self.works and self.process.running and sure

    def flows(self, now_s: float) -> bool:
        """Whether samples of one of its streams come to us."""
        return now_s - self.flowed_at_s < 1.0

    def silent(self, now_s: float) -> bool:
        """Whether its file does not grow though it should.

        Markers alone stay in LabRecorder's buffer for longer than this would wait.
        """
        if self.left:
            return False
        limit_s = _SILENT_FLOWING_S if self.flows(now_s) else SILENT_S
        return now_s - self.grown_at_s > limit_s

    def finish(self, timeout_s: float = 0.0) -> StoppedPart:
        """End its process if it is there, free what it holds, look at its file once."""
        if self.stopped is None:
            self.stopped = self.process.stop(timeout_s)
        return self.stopped


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
    live = [part for part in parts if part.works]
    if free_bytes is not None and free_bytes < _FULL_BYTES:
        return "failed", "the disk is full: nothing is recorded any more. Make room"
    if not live or not all(part.exists for part in live if part.n_bytes):
        return "failed", "no recorder is running, or its file has vanished"
    if not all(part.process.running for part in live):
        return "failed", "LabRecorder has ended by itself and is not replaced yet"
    if waiting:
        return "failed", "a stream that came back is not recorded"
    if silent := [part for part in live if part.silent(now_s)]:
        silent_s = now_s - min(part.grown_at_s for part in silent)
        text = f"the file has not grown for {silent_s:.0f} s"
        if any(part.flows(now_s) for part in silent):
            return "failed", f"{text}; is the disk full?"
        return "failed", f"{text}: no EEG comes that could be recorded"
    if free_bytes is not None and free_bytes < LOW_BYTES:
        left = f"{free_bytes // 2**20} MB"
        if free_bytes < 2**20:
            left = f"{free_bytes // 2**10} kB"
        return "degraded", f"only {left} are left on the disk"
    if any(part.ended and part.retired_at_s is None for part in parts):
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
