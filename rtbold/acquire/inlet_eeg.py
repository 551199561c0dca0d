"""In the inlet process: pull EEG, convert it to microvolt, notice its loss."""

import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtbold.acquire.describe import factors_to_uv, require_eeg, with_reference
from rtbold.acquire.follow import (
    FrameWriter,
    Opened,
    StreamFollower,
    is_foreign,
    offset_event,
)
from rtbold.acquire.frames import Order, StateChanged
from rtbold.acquire.streams import found_stream
from rtbold.acquire.triggers import RisingEdges, channel_markers, find_channel
from rtbold.clock import Clock
from rtbold.messages import EegChunk, StreamChanged, StreamDescription

BUFFER_S = 60  # held by liblsl while the session does not read
PULL_S = 0.5  # longest chunk, as in a backlog
WAIT_S = 0.1  # for a sample; what else the loop does must not wait longer
STALL_S = 0.75  # of silence; senders push every 0.5 s at the slowest, as a rule
LONGEST_STALL_S = 1.0  # where a sender's usual chunks come less often
USUAL_TIMES = 1.5
CHUNKS_KEPT = 9  # of them, by when they came
CHUNKS_NEEDED = 3
REOPEN_S = 2.5  # a half-open connection does not come back by itself in time
_DTYPES = {"float32": "f4", "double64": "f8", "int64": "i8", "int32": "i4",
           "int16": "i2", "int8": "i1"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a stream."""

    factors: NDArray[np.floating]  # (channels, 1)
    buffer: NDArray[np.generic]  # (samples, channels), as liblsl fills it
    trigger: int | None  # channel


@dataclass(slots=True)
class OpenEeg(Opened):
    """An open stream and how to read it."""

    reading: Reading
    announced: bool = False


class Flow:
    """Whether samples flow; pure, time is an argument."""

    def __init__(self, now_s: float) -> None:
        self._last_s = now_s
        self._apart_s: deque[float] = deque(maxlen=CHUNKS_KEPT)
        self.stalled = False

    @property
    def _patience_s(self) -> float:
        """Return how long a silence is none yet: by how the samples usually come."""
        if len(self._apart_s) < CHUNKS_NEEDED:
            return LONGEST_STALL_S
        usual_s = USUAL_TIMES * median(self._apart_s)
        return min(max(STALL_S, usual_s), LONGEST_STALL_S)

    def step(self, now_s: float, n_samples: int) -> Literal["", "stalled", "reopen"]:
        """Return what to do after a pull at `now_s` that gave `n_samples`."""
        if n_samples:
            self._apart_s.append(now_s - self._last_s)
            self._last_s = now_s
            self.stalled = False
            return ""
        silent_s = now_s - self._last_s
        if not self.stalled and silent_s >= self._patience_s:
            self.stalled = True
            return "stalled"
        return "reopen" if silent_s >= STALL_S + REOPEN_S else ""


class EegInlet:
    """Follows one stream through its losses; the index goes on over all of them."""

    def __init__(
        self, order: Order, outbox: FrameWriter, clock: Callable[[], float]
    ) -> None:
        self._order = order
        self._outbox = outbox
        self._clock = clock
        self._stream = StreamFollower(order, outbox, clock)
        self._finder = self._stream.finder
        self._index = order.next_index
        self._edges = RisingEdges()
        self._connected = False
        self._described = False

    def follow(self) -> None:
        """Find, open and pull the stream, again and again; see `StreamFollower`."""
        self._stream.run(
            lambda info: self._pull_all(self._open(info)),
            lost=lambda: self._set_connected("lost"),
        )

    def _open(self, info: pylsl.StreamInfo) -> OpenEeg:
        """Open `info` once it was described and checked."""
        inlet, said = self._stream.describe(info, buffer_s=BUFFER_S)
        stream = with_reference(said, self._order.reference)
        reading = self._check(stream, found_stream(info).format)
        opened = self._stream.connect(info, inlet, stream)
        self._edges.reset()
        return OpenEeg(inlet, opened.offsets, stream, reading)

    def _check(self, stream: StreamDescription, sample_format: str) -> Reading:
        """Return how to read the stream, or refuse it."""
        require_eeg(stream, sample_format)
        channels = stream.channels
        label = self._order.trigger_channel
        trigger = None if label is None else find_channel(channels, label)
        factors = factors_to_uv(channels, self._order.unit)[:, None]
        if trigger is not None:
            factors[trigger] = 1.0  # codes are no voltage, whatever their unit says
        # Single precision stays single: a quarter of the time, and it holds the
        # powers of ten exactly.
        single = sample_format == "float32"
        n_samples = max(64, int(PULL_S * stream.rate_hz))
        return Reading(
            factors.astype(np.float32 if single else np.float64),
            np.empty((n_samples, len(channels)), _DTYPES[sample_format]),
            trigger,
        )

    def _pull_all(self, opened: OpenEeg) -> None:
        """Pull until the stream must be opened again, or another one."""
        flow = Flow(self._clock())
        try:
            while True:
                n_samples = self._pull(opened)
                now_s = self._clock()
                if n_samples == len(opened.reading.buffer):
                    continue  # a backlog: no pause
                step = flow.step(now_s, n_samples)
                if step == "stalled":
                    self._stall(opened)
                if step == "reopen" or self._finder.leaves(quiet=flow.stalled):
                    break
                # Samples wake this loop; it rests so that single ones come together
                self._outbox.sleep(self._order.rest_s)
        finally:
            opened.offsets.close()
        if self._connected:
            self._set_connected("lost")

    def _pull(self, opened: OpenEeg) -> int:
        """Wait for samples and send all that are there; return their number."""
        buffer = opened.reading.buffer
        _, stamps = opened.inlet.pull_chunk(
            timeout=WAIT_S, max_samples=1, dest_obj=buffer[:1]
        )
        if stamps:
            _, more = opened.inlet.pull_chunk(
                timeout=0.0, max_samples=len(buffer) - 1, dest_obj=buffer[1:]
            )
            stamps += more
        n_samples = len(stamps)
        if n_samples == 0:
            self._tell_offset(opened)
            return 0
        t_arrived_s = self._clock()
        t_lsl_s = np.array(stamps)
        if not opened.announced:
            self._announce(opened, float(t_lsl_s[-1]))
        self._finder.heard(t_arrived_s, _local_s(opened, float(t_lsl_s[-1])))
        if not self._connected:
            self._finder.rest()
            self._set_connected("connected")
        self._tell_offset(opened)
        raw = buffer[:n_samples].T  # (channels, samples) from here on
        data_uv = np.empty(raw.shape, np.float32)
        np.multiply(raw, opened.reading.factors, out=data_uv, casting="same_kind")
        self._outbox.send(EegChunk(data_uv, t_lsl_s, t_arrived_s, self._index))
        self._index += n_samples
        if (trigger := opened.reading.trigger) is not None:
            edges = self._edges(raw[trigger], t_lsl_s)
            wanted = self._order.trigger_label
            for marker in channel_markers(edges, wanted, t_arrived_s):
                self._outbox.send(marker)
        return n_samples

    def _stall(self, opened: OpenEeg) -> None:
        """Tell of the silence; at the start the description, so that a user sees it."""
        if not self._described:
            self._announce(opened, None)
        self._edges.reset()
        self._set_connected("stalled")

    def _announce(self, opened: OpenEeg, t_lsl_s: float | None) -> None:
        """Tell of the stream, once it is known which clock its stamps are on."""
        if t_lsl_s is not None:
            host, offset_s = opened.description.host, opened.offsets.offset_s
            foreign = is_foreign(t_lsl_s, self._clock(), offset_s=offset_s, host=host)
            opened.description = replace(opened.description, foreign_clock=foreign)
            opened.announced = True
        self._described = True
        self._outbox.send(StreamChanged(opened.description))

    def _tell_offset(self, opened: OpenEeg) -> None:
        if not self._connected:
            return  # the stream must be described first
        event = offset_event(opened.offsets, opened.description, is_marker=False)
        if event is not None:
            self._outbox.send(event)

    def _set_connected(self, state: Literal["connected", "stalled", "lost"]) -> None:
        self._connected = state == "connected"
        self._outbox.send(StateChanged(state))


def _local_s(opened: OpenEeg, t_lsl_s: float) -> float | None:
    """Return when a sample was taken, this machine's LSL clock; None: not known."""
    offset_s = opened.offsets.offset_s
    if offset_s is None or opened.description.foreign_clock:
        return None
    return t_lsl_s + offset_s if math.isfinite(t_lsl_s) else None


def run_eeg(order: Order, outbox: FrameWriter, clock: Clock) -> None:
    """Run the EEG inlet of `order` until the session ends."""
    with suppress(BrokenPipeError):  # the session is gone
        EegInlet(order, outbox, clock.now_s).follow()
