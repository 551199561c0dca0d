"""What an inlet process says to its session, as bytes in a pipe.

A frame is a fixed header and a body: for samples their stamps and values as they lie
in memory (both ends are one machine), for everything else JSON.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from rtbold.acquire.known import KnownStream
from rtbold.acquire.streams import StreamQuery
from rtbold.errors import (
    AmbiguousStream,
    ConfigError,
    RtboldError,
    StreamMismatch,
    StreamNotFound,
)
from rtbold.messages import (
    ClockOffset,
    Discontinuity,
    EegChunk,
    Marker,
    MeasuredVolume,
    StreamChanged,
)

InletState = Literal["starting", "connected", "stalled", "lost", "closed"]


@dataclass(frozen=True, slots=True)
class Order:
    """What an inlet process is started with, one line of JSON on its input."""

    role: Literal["eeg", "marker", "bold"]
    query: StreamQuery
    wait_s: float | None = None  # None: for ever, as after a restart
    unit: str | None = None
    reference: str | None = None
    trigger_channel: str | None = None
    trigger_label: str | None = None
    rest_s: float = 0.01
    next_index: int = 0
    known: KnownStream | None = None


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Nothing new, but the process and its loop live."""


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The inlet's state, at each change."""

    state: InletState


@dataclass(frozen=True, slots=True)
class Opening:
    """A stream is opened now: if the process ends over it, this is the stream."""

    name: str


@dataclass(frozen=True, slots=True)
class Following:
    """Which sender is read from here on; the next process begins with it."""

    known: KnownStream
    other: str = ""  # how it differs from the known one, for people; empty: it is that


@dataclass(frozen=True, slots=True)
class Fault:
    """Why the inlet has no stream. Fatal at the start; later it goes on trying."""

    error: str  # class name in rtbold.errors
    message: str
    fatal: bool

    def exception(self) -> RtboldError:
        """Return the error to raise in the session's process."""
        return _ERRORS.get(self.error, RtboldError)(self.message)


Note = (
    Marker
    | ClockOffset
    | Discontinuity
    | StreamChanged
    | KeepAlive
    | StateChanged
    | Fault
    | MeasuredVolume
    | Opening
    | Following
)
Frame = EegChunk | Note
_ERRORS: dict[str, type[RtboldError]] = {
    e.__name__: e
    for e in (AmbiguousStream, ConfigError, StreamMismatch, StreamNotFound)
}
# kind, bytes of JSON, channels, samples, index, arrival
_HEADER = struct.Struct("<BxxxIIIqd")
_CHUNK = 0
_NOTES: tuple[type, ...] = (
    Marker, ClockOffset, Discontinuity, StreamChanged, KeepAlive, StateChanged, Fault,
    MeasuredVolume, Opening, Following,
)  # fmt: skip
_KINDS = {note: kind for kind, note in enumerate(_NOTES, start=1)}


def pack(frame: Frame) -> list[bytes | memoryview]:
    """Return the parts of `frame` to write, in order, without copying samples."""
    if isinstance(frame, EegChunk):
        n_channels, n_samples = frame.data_uv.shape
        head = _HEADER.pack(
            _CHUNK, 0, n_channels, n_samples, frame.index, frame.t_arrived_s
        )
        return [head, frame.t_lsl_s.data.cast("B"), _bytes_of(frame.data_uv)]
    body = msgspec.json.encode(frame)
    return [_HEADER.pack(_KINDS[type(frame)], len(body), 0, 0, 0, 0.0), body]


def read_frame(readinto: Callable[[memoryview], int]) -> Frame | None:
    """Return the next frame, or None when the pipe has ended.

    Parameters
    ----------
    readinto : fills a buffer and returns how many bytes came; fewer only at the end.
    """
    head = bytearray(_HEADER.size)
    if readinto(memoryview(head)) < len(head):
        return None
    kind, n_bytes, n_channels, n_samples, index, t_arrived_s = _HEADER.unpack(head)
    if kind != _CHUNK:
        body = bytearray(n_bytes)
        if readinto(memoryview(body)) < n_bytes:
            return None
        note: Note = msgspec.json.decode(body, type=_NOTES[kind - 1])
        return note
    stamps = np.empty(n_samples)
    data = np.empty((n_channels, n_samples), dtype=np.float32)
    if readinto(stamps.data.cast("B")) < stamps.nbytes:
        return None
    if readinto(_bytes_of(data)) < data.nbytes:
        return None
    return EegChunk(data, stamps, t_arrived_s, index)


def encode_order(order: Order) -> bytes:
    """Return the line that starts an inlet process."""
    return msgspec.json.encode(order) + b"\n"


def decode_order(line: bytes) -> Order:
    """Return the order in `line`."""
    return msgspec.json.decode(line, type=Order)


def _bytes_of(array: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> memoryview:
    return array.reshape(-1).data.cast("B")
