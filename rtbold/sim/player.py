"""Play any recording in real time: paced by absolute deadline, stamped by count.

The stamp of sample i is ``start_s + i / rate_hz`` however late the chunk left, as an
amplifier's is; so a loaded machine shows as lateness and never as drift. The twin and
``rtbold play`` share this module; outlets are opened by ``rtbold.sim.outlets``.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

import numpy as np

from rtbold.acquire import same_label
from rtbold.clock import Clock
from rtbold.errors import ConfigError
from rtbold.files import RecordedMarker, Recording
from rtbold.messages import Float32Array


class SampleOutlet(Protocol):
    """Where paced samples go; an LSL outlet, or a list in tests."""

    def push_block(self, samples: Float32Array, t_last_s: float) -> None:
        """Send (samples, channels), contiguous; the last is stamped `t_last_s`."""
        ...


class EventOutlet(Protocol):
    """Where irregular values go: markers (one string), or a BOLD volume (floats)."""

    def push_event(
        self, values: tuple[str, ...] | tuple[float, ...], t_s: float
    ) -> None:
        """Send one irregular sample, stamped `t_s`."""
        ...


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """One irregular sample; times count from the first EEG sample."""

    values: tuple[str, ...] | tuple[float, ...]
    t_s: float  # its stamp
    due_s: float | None = None  # when it is sent; None: at its stamp


@dataclass(frozen=True, slots=True)
class Track:
    """Events that are played beside the samples, through an outlet of their own."""

    outlet: EventOutlet
    events: Sequence[TimedEvent]


def marker_events(labels: Iterable[str], times_s: Iterable[float]) -> list[TimedEvent]:
    """Return markers as events, each sent at the moment that it stamps."""
    return [
        TimedEvent((label,), float(t_s))
        for label, t_s in zip(labels, times_s, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class PlayReport:
    """What was played, and how well the pace was kept."""

    n_samples: int
    n_events: int
    n_late: int  # chunks that left more than one chunk after their deadline
    worst_late_s: float


def play(
    data_uv: Float32Array | Iterable[Float32Array],
    rate_hz: float,
    outlet: SampleOutlet,
    clock: Clock,
    *,
    start_s: float,
    markers: Sequence[Track] = (),
    chunk_s: float = 0.05,
    loop: bool = False,
    stop: threading.Event | None = None,
) -> PlayReport:
    """Play samples, and the events beside them, in real time; block until the end.

    Parameters
    ----------
    data_uv : (channels, samples), or an iterable of such blocks for what is too long
        to be held at once. `loop` needs an array.
    start_s : on `clock`, the stamp of the first sample. Normally a moment from now.
    markers : tracks of events; with `loop` they are repeated in each pass.
    chunk_s : a chunk is sent once its last sample is due.
    stop : ends the play within one chunk when set.

    Returns
    -------
    What was sent. Late chunks are counted; their stamps are still right.
    """
    if rate_hz <= 0:
        raise ConfigError(f"rate_hz is {rate_hz!r}, expected samples a second above 0")
    n_chunk = max(1, round(chunk_s * rate_hz))
    pacer = _Pacer(outlet, clock, rate_hz=rate_hz, start_s=start_s, chunk_s=chunk_s)
    stop = stop or threading.Event()
    for blocks in _passes(data_uv, loop=loop):
        n_before = pacer.n_samples
        events = _by_due_time(markers)
        for chunk in _chunks(blocks, n_chunk):
            if stop.is_set():
                return pacer.report()
            pacer.send(chunk, events)
        if pacer.n_samples == n_before:
            break  # an empty recording would loop for ever
        pacer.begin_pass()
    return pacer.report()


class _Pacer:
    """Sends chunks and events at their moments; counts what it sent."""

    def __init__(
        self,
        outlet: SampleOutlet,
        clock: Clock,
        *,
        rate_hz: float,
        start_s: float,
        chunk_s: float,
    ) -> None:
        self._outlet = outlet
        self._clock = clock
        self._rate_hz = rate_hz
        self._start_s = start_s
        self._chunk_s = chunk_s
        self._pass_start_s = start_s
        self.n_samples = 0
        self._n_events = 0
        self._n_late = 0
        self._worst_late_s = 0.0

    def begin_pass(self) -> None:
        """Let the times of events count from the next sample."""
        self._pass_start_s = self._start_s + self.n_samples / self._rate_hz

    def send(self, chunk: Float32Array, events: "_Pending") -> None:
        """Wait until the chunk is over, sending events as they are due; send it."""
        n_end = self.n_samples + chunk.shape[1]
        due_s = self._start_s + n_end / self._rate_hz
        self._send_events(events, until_s=due_s)
        self._clock.sleep_until(due_s)
        # LSL wants (samples, channels): the one transpose of this path.
        samples = np.ascontiguousarray(chunk.T, dtype=np.float32)
        self._outlet.push_block(samples, self._start_s + (n_end - 1) / self._rate_hz)
        self.n_samples = n_end
        late_s = self._clock.now_s() - due_s
        self._n_late += late_s > self._chunk_s
        self._worst_late_s = max(self._worst_late_s, late_s)

    def _send_events(self, events: "_Pending", *, until_s: float) -> None:
        while (item := events.due_before(until_s - self._pass_start_s)) is not None:
            due_s, outlet, event = item
            self._clock.sleep_until(self._pass_start_s + due_s)
            outlet.push_event(event.values, self._pass_start_s + event.t_s)
            self._n_events += 1

    def report(self) -> PlayReport:
        """Return the counts so far."""
        return PlayReport(
            self.n_samples, self._n_events, self._n_late, self._worst_late_s
        )


def _passes(
    data_uv: Float32Array | Iterable[Float32Array], *, loop: bool
) -> Iterator[Iterable[Float32Array]]:
    """Yield the blocks of each pass over the recording."""
    if not isinstance(data_uv, np.ndarray):
        if loop:
            raise ConfigError(
                "loop needs the whole recording as one array, got blocks; "
                "load it, or play without --loop"
            )
        yield data_uv
        return
    if data_uv.ndim != 2:
        raise ConfigError(
            f"the recording has shape {data_uv.shape}, expected (channels, samples)"
        )
    while True:
        yield (data_uv,)
        if not loop:
            return


def _chunks(blocks: Iterable[Float32Array], n_chunk: int) -> Iterator[Float32Array]:
    """Cut blocks into chunks; only the last chunk of a block may be shorter."""
    for block in blocks:
        for first in range(0, block.shape[1], n_chunk):
            yield block[:, first : first + n_chunk]


class _Pending:
    """Events of all tracks in the order in which they are due."""

    def __init__(self, items: list[tuple[float, EventOutlet, TimedEvent]]) -> None:
        self._items = items
        self._next = 0

    def due_before(self, t_s: float) -> tuple[float, EventOutlet, TimedEvent] | None:
        """Return and drop the next event that is due up to `t_s`, if there is one."""
        if self._next == len(self._items) or self._items[self._next][0] > t_s:
            return None
        self._next += 1
        return self._items[self._next - 1]


def _by_due_time(tracks: Sequence[Track]) -> _Pending:
    """Merge tracks; events that are due at once keep their order."""
    items = chain.from_iterable(
        ((e.t_s if e.due_s is None else e.due_s, track.outlet, e) for e in track.events)
        for track in tracks
    )
    return _Pending(sorted(items, key=lambda item: item[0]))


# Which part of a recording is played, with which markers.


def cut(
    recording: Recording, *, start_s: float = 0.0, duration_s: float | None = None
) -> Recording:
    """Return the part of `recording` from `start_s` on, markers moved with it.

    Raises
    ------
    ConfigError
        `start_s` is not within the recording, or `duration_s` is not above 0.
    """
    if not 0 <= start_s < recording.duration_s:
        raise ConfigError(
            f"--start is {start_s:g}, expected 0 to less than "
            f"{recording.duration_s:g} s, the length of the recording."
        )
    if duration_s is not None and not duration_s > 0:
        raise ConfigError(f"--duration is {duration_s:g}, expected seconds above 0.")
    n_samples = recording.data_uv.shape[1]
    first = round(start_s * recording.rate_hz)
    end = n_samples
    if duration_s is not None:
        end = min(end, first + max(1, round(duration_s * recording.rate_hz)))
    shift_s, length_s = first / recording.rate_hz, (end - first) / recording.rate_hz
    moved = (replace(m, t_s=m.t_s - shift_s) for m in recording.markers)
    stamps_s = recording.stamps_s
    return replace(
        recording,
        data_uv=recording.data_uv[:, first:end],
        markers=tuple(m for m in moved if 0 <= m.t_s < length_s),
        stamps_s=None if stamps_s is None else stamps_s[first:end],
    )


def with_triggers(recording: Recording, *, every_s: float, label: str) -> Recording:
    """Return `recording` with an artificial trigger every `every_s`, from 0 on.

    Raises
    ------
    ConfigError
        `every_s` is no time between volumes, or the recording has such markers.
    """
    if not 0.1 <= every_s <= 10:
        raise ConfigError(
            f"--trigger-every-s is {every_s:g}, expected seconds in 0.1 to 10; "
            "2100 looks like ms."
        )
    own = [m.label for m in recording.markers if same_label(m.label, label)]
    if own:
        raise ConfigError(
            f"the recording has markers {own[0]!r} of its own, which artificial ones "
            "would be mixed up with. Choose another --trigger-label, or --no-markers."
        )
    times_s = np.arange(0.0, recording.duration_s, every_s)
    triggers = (RecordedMarker(label, float(t_s)) for t_s in times_s)
    merged = sorted([*recording.markers, *triggers], key=lambda marker: marker.t_s)
    return replace(recording, markers=tuple(merged))
