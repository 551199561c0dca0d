"""The session's side of acquisition: events out, inlet processes behind it.

liblsl can hang or abort inside a lost stream, so each inlet (EEG, and markers where
there are any) lives in a process of its own, which a supervisor starts again.
"""

import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Literal, TypeGuard

import numpy as np

from rtbold.acquire.describe import to_uv_factor
from rtbold.acquire.frames import (
    Fault,
    Following,
    Frame,
    InletState,
    KeepAlive,
    Opening,
    Order,
    StateChanged,
)
from rtbold.acquire.known import KnownStream
from rtbold.acquire.streams import StreamQuery
from rtbold.acquire.supervisor import Supervisor
from rtbold.acquire.triggers import TriggerChannel, TriggerSource, TriggerStream
from rtbold.errors import ConfigError, RtboldError
from rtbold.messages import (
    Discontinuity,
    EegChunk,
    Event,
    Marker,
    SenderChanged,
    StreamChanged,
    StreamDescription,
)
from rtbold.text import printable

# The bounded queue between the inlet readers and the session's loop.

GATHERED_S = 0.05  # samples that come within it are given as one chunk
EVENTS_MAX = 20_000  # of all kinds; a session that takes none for minutes is stuck


class EventQueue:
    """Events in order of arrival. Policy when full: ``drop_oldest`` samples.

    Where samples were dropped, ``Discontinuity("overflow", n)`` stands in their place.

    Parameters
    ----------
    hold_s : seconds of samples to hold at most, once the rate is known.
    """

    def __init__(self, hold_s: float) -> None:
        self._hold_s = hold_s
        self._samples_max = hold_s * 5000.0
        self._events: deque[Event] = deque()
        self._n_samples = 0
        self._arrived = threading.Condition()
        self.n_dropped = 0

    def set_rate(self, rate_hz: float) -> None:
        """Set the bound for a stream of `rate_hz`; 0 (markers) changes nothing."""
        if rate_hz > 0:
            self._samples_max = self._hold_s * rate_hz

    def put(self, event: Event) -> None:
        """Append `event`, and drop the oldest samples beyond the bound."""
        with self._arrived:
            last = self._events[-1] if self._events else None
            if isinstance(event, EegChunk) and _continues(last, event):
                self._events[-1] = _joined(last, event)
            else:
                self._events.append(event)
            self._n_samples += _samples(event)
            while self._n_samples > self._samples_max:
                self._drop_oldest_samples()
            if len(self._events) > EVENTS_MAX:
                dropped = _samples(self._events.popleft())
                self._n_samples -= dropped
                self.n_dropped += dropped
            self._arrived.notify()

    def take(self, timeout_s: float, *, gather: bool = False) -> list[Event]:
        """Return and remove everything; wait up to `timeout_s` for the first event.

        Parameters
        ----------
        gather : samples alone can wait: they are given together after `timeout_s`.
        """
        with self._arrived:
            if timeout_s > 0:
                enough = self._urgent if gather else lambda: bool(self._events)
                self._arrived.wait_for(enough, timeout_s)
            events = list(self._events)
            self._events.clear()
            self._n_samples = 0
            return events

    def _urgent(self) -> bool:
        """Whether there is anything but samples."""
        return any(not isinstance(event, EegChunk) for event in self._events)

    def _drop_oldest_samples(self) -> None:
        """Put one overflow mark in the place of the oldest chunk."""
        at, chunk = next(
            (i, e) for i, e in enumerate(self._events) if isinstance(e, EegChunk)
        )
        n = _samples(chunk)
        before = self._events[at - 1] if at else None
        if isinstance(before, Discontinuity) and before.kind == "overflow":
            self._events[at - 1] = Discontinuity("overflow", before.n_missing + n)
            del self._events[at]
        else:
            self._events[at] = Discontinuity("overflow", n)
        self._n_samples -= n
        self.n_dropped += n


def _continues(before: Event | None, chunk: EegChunk) -> TypeGuard[EegChunk]:
    """Return whether two chunks are one piece that is short enough to be one chunk."""
    return (
        isinstance(before, EegChunk)
        and before.index + before.data_uv.shape[1] == chunk.index
        and abs(float(chunk.t_lsl_s[-1] - before.t_lsl_s[0])) < GATHERED_S
        and chunk.t_arrived_s - before.t_arrived_s < GATHERED_S
        and len(before.data_uv) == len(chunk.data_uv)
    )


def _joined(before: EegChunk, chunk: EegChunk) -> EegChunk:
    return EegChunk(
        np.concatenate([before.data_uv, chunk.data_uv], axis=1),
        np.concatenate([before.t_lsl_s, chunk.t_lsl_s]),
        chunk.t_arrived_s,
        before.index,
    )


def _samples(event: Event) -> int:
    return event.data_uv.shape[1] if isinstance(event, EegChunk) else 0


START_MARGIN_S = 15.0  # over the wait that was asked for: a busy machine's start-up
DEATHS_MAX = 3  # of processes over one stream, before a session has begun
_FLOWING: tuple[InletState, ...] = ("starting", "connected")


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquisitionSettings:
    """Which streams to take, and how to read them."""

    query: StreamQuery = field(default_factory=StreamQuery)
    wait_s: float = 5.0  # for a stream to show up at the start
    unit: str | None = None  # --unit, overrides what the stream says
    reference: str | None = None  # --reference, likewise
    trigger: TriggerSource | None = None
    rest_s: float = 0.01  # of the inlet process, after samples came
    queue_s: float = 30.0  # samples held for a slow session; then the oldest go

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.unit is not None and to_uv_factor(self.unit) is None:
            raise ConfigError(
                f"--unit is {self.unit!r}, expected one of V, mV, uV (or their full "
                "names)."
            )


@dataclass(frozen=True, slots=True)
class InletStatus:
    """How one inlet is doing; a snapshot."""

    state: InletState = "starting"
    n_received: int = 0  # samples, or markers
    n_starts: int = 0  # of its process; above 1: it was restarted
    n_lost: int = 0  # times that the stream was lost
    last_arrived_s: float | None = None  # LSL clock; its age is now minus this
    problem: str | None = None  # why it has no stream, for people
    other_sender: str = ""  # how it differs from the first one; empty: it is that one
    pid: int | None = None


class _Inlet:
    """One supervised inlet process and what is known of its stream."""

    def __init__(self, order: Order, queue: EventQueue) -> None:
        self._order = order
        self._queue = queue
        self._lock = threading.Lock()
        self._status = InletStatus()
        self._next_index = 0
        self._known: KnownStream | None = None
        self._opening = ""  # name of the stream that the process is at
        self._n_deaths = 0  # over it
        self.description: StreamDescription | None = None
        self.fault: Fault | None = None
        self.settled = threading.Event()  # a description or a fatal fault is there
        self._supervisor = Supervisor(
            self._make_order, on_frame=self._take, on_death=self._died
        )
        self.start, self.close = self._supervisor.start, self._supervisor.close

    @property
    def status(self) -> InletStatus:
        with self._lock:
            status = self._status
        starts, pid = self._supervisor.n_starts, self._supervisor.pid
        return replace(status, n_starts=starts, pid=pid)

    def _make_order(self) -> Order:
        """Return the first order, or one that finds the same stream again."""
        known = self._known
        if known is None or self.description is None:
            return self._order
        alive_s = None if known.is_replaced else self._status.last_arrived_s
        return replace(
            self._order,
            wait_s=None,
            next_index=self._next_index,
            known=replace(known, alive_s=alive_s or known.alive_s),
        )

    def _take(self, frame: Frame) -> None:
        """Keep the books and pass events on; called in the reader thread."""
        match frame:
            case EegChunk():
                self._next_index = frame.index + frame.data_uv.shape[1]
                self._count(frame.data_uv.shape[1], frame.t_arrived_s)
            case Marker(source="stream"):
                self._count(1, frame.t_arrived_s)
            case StateChanged(state=state):
                self._enter(state)
            case Fault():
                self._fail(frame)
            case Opening(name=name):
                self._opening = name
            case Following():
                self._opening = ""
                self._follow(frame)
            case StreamChanged(description=description):
                self.description = description
                self._set_problem(None)
                self.settled.set()
        if isinstance(frame, KeepAlive | StateChanged | Fault | Opening | Following):
            return
        if self._order.role == "marker" and isinstance(frame, StreamChanged):
            return  # the pipeline's StreamChanged is about the EEG
        self._queue.put(frame)

    def _count(self, n: int, t_arrived_s: float) -> None:
        with self._lock:
            self._status = replace(
                self._status,
                n_received=self._status.n_received + n,
                last_arrived_s=t_arrived_s,
            )

    def _enter(self, state: InletState) -> None:
        """Note the new state; its samples cease or flow again."""
        with self._lock:
            before = self._status
            leaves = before.state in _FLOWING and state not in _FLOWING
            problem = None if state == "connected" else before.problem
            n_lost = before.n_lost + leaves
            self._status = replace(before, state=state, n_lost=n_lost, problem=problem)
        if self._order.role == "marker":
            return
        if leaves:
            self._queue.put(Discontinuity("lost"))
        elif state == "connected" and before.state not in _FLOWING:
            self._queue.put(Discontinuity("resumed"))

    def _follow(self, frame: Following) -> None:
        """Note which sender it is from here on; tell the pipeline of a change."""
        self._known = frame.known
        with self._lock:
            before = self._status
            self._status = replace(before, other_sender=frame.other)
        is_other = bool(frame.other)
        if is_other is not bool(before.other_sender) and self._order.role != "bold":
            self._queue.put(SenderChanged(self._order.role, is_other=is_other))

    def _fail(self, fault: Fault) -> None:
        self._set_problem(fault.message)
        if fault.fatal:
            self.fault = fault
            self.settled.set()

    def _set_problem(self, problem: str | None) -> None:
        with self._lock:
            self._status = replace(self._status, problem=problem)

    def _died(self, said: str) -> None:
        """Note that the process ended by itself; the supervisor starts another."""
        if self.description is not None:
            self._enter("lost")
        last = printable(said.strip().rpartition("\n")[2])
        at = f" while it opened stream {self._opening!r}" if self._opening else ""
        ended = f"the {self._order.role} inlet process ended{at}. {last}"
        self._set_problem(ended.strip())
        self._n_deaths += bool(at)
        if self.description is None and self._n_deaths >= DEATHS_MAX:
            self._fail(
                Fault(
                    "StreamMismatch",
                    f"stream {self._opening!r} cannot be opened: {DEATHS_MAX} "
                    f"processes ended over it, expected one that reads it. {last} "
                    "Look at its sender.",
                    fatal=True,
                )
            )


class Acquisition:
    """EEG and markers as events; survives the loss of its streams and processes."""

    def __init__(self, settings: AcquisitionSettings) -> None:
        self._settings = settings
        self._queue = EventQueue(settings.queue_s)
        self._inlets = {
            order.role: _Inlet(order, self._queue) for order in _orders(settings)
        }
        self._closed = False

    def start(self) -> StreamDescription:
        """Find and open the streams; return the EEG stream's description.

        Raises
        ------
        StreamNotFound, AmbiguousStream, StreamMismatch, ConfigError
            As the inlet found it. Nothing is left running then.
        RtboldError
            The inlet process does not come up.
        """
        try:
            for inlet in self._inlets.values():
                inlet.start()
            for inlet in self._inlets.values():
                description = self._settle(inlet)
                self._queue.set_rate(description.rate_hz)
        except BaseException:
            self.close()
            raise
        assert self.description is not None  # settled without a fault
        return self.description

    def events(self, timeout_s: float = 0.0, *, gather: bool = False) -> list[Event]:
        """Return all events that wait, in order of arrival.

        Waits up to `timeout_s` for the first one; an empty list if none came.

        Parameters
        ----------
        gather : samples alone can wait for the whole of `timeout_s`: nothing is due.
        """
        return self._queue.take(timeout_s, gather=gather)

    @property
    def refused(self) -> RtboldError | None:
        """Why a stream must not be used after all; the session has to end with it.

        Only markers on a foreign clock do this, whose first one comes after the start.
        """
        faults = (inlet.fault for inlet in self._inlets.values())
        return next((fault.exception() for fault in faults if fault), None)

    def close(self) -> None:
        """End the inlet processes; harmless when called twice."""
        self._closed = True
        for inlet in self._inlets.values():
            inlet.close()

    @property
    def description(self) -> StreamDescription | None:
        """The EEG stream as it was last described."""
        return self._inlets["eeg"].description

    @property
    def marker_description(self) -> StreamDescription | None:
        """The marker stream as it was last described; None without one."""
        inlet = self._inlets.get("marker")
        return None if inlet is None else inlet.description

    @property
    def eeg(self) -> InletStatus:
        """How the EEG inlet is doing."""
        return self._status("eeg")

    @property
    def marker(self) -> InletStatus | None:
        """How the marker inlet is doing; None without one."""
        return self._status("marker") if "marker" in self._inlets else None

    @property
    def n_overflow(self) -> int:
        """Samples that were dropped because the session took none for too long."""
        return self._queue.n_dropped

    def _status(self, role: Literal["eeg", "marker"]) -> InletStatus:
        status = self._inlets[role].status
        return replace(status, state="closed") if self._closed else status

    def _settle(self, inlet: _Inlet) -> StreamDescription:
        came = inlet.settled.wait(self._settings.wait_s + START_MARGIN_S)
        if inlet.fault is not None:
            raise inlet.fault.exception()
        if not came or inlet.description is None:
            raise RtboldError(
                "the inlet process did not come up, expected it within "
                f"{START_MARGIN_S:g} s: {inlet.status.problem or 'it said nothing.'} "
                "Run rtbold doctor."
            )
        return inlet.description


def _orders(settings: AcquisitionSettings) -> list[Order]:
    trigger = settings.trigger
    in_stream = trigger if isinstance(trigger, TriggerChannel) else None
    eeg = Order(
        role="eeg",
        query=settings.query,
        wait_s=settings.wait_s,
        unit=settings.unit,
        reference=settings.reference,
        trigger_channel=in_stream.channel if in_stream else None,
        trigger_label=in_stream.label if in_stream else None,
        rest_s=settings.rest_s,
    )
    if not isinstance(trigger, TriggerStream):
        return [eeg]
    marker = Order(
        role="marker",
        query=trigger.query,
        wait_s=settings.wait_s,
        trigger_label=trigger.label,
    )
    return [eeg, marker]
