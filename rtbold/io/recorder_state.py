"""The parts of a recording, and what is to be said of them. No thread, no clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rtbold.messages import StreamDescription
from rtbold.record.labrecorder import LabRecorderProcess

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


def judge(
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
