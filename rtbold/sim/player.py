"""Play any recording in real time: paced by absolute deadline, stamped by count.

The stamp of sample i is ``start_s + i / rate_hz`` however late the chunk left, as an
amplifier's is; so a loaded machine shows as lateness and never as drift. The twin and
``rtbold play`` share this module; outlets are opened by ``rtbold.sim.outlets``.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np

from rtbold.clock import Clock
from rtbold.errors import ConfigError
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


@dataclass(slots=True)
class _Tally:
    """Counts of a running play."""

    n_samples: int = 0
    n_events: int = 0
    n_late: int = 0
    worst_late_s: float = 0.0


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
    stop = stop or threading.Event()
    tally = _Tally()
    offset_s = start_s
    for blocks in _passes(data_uv, loop=loop):
        events = _by_due_time(markers)
        n_before = tally.n_samples
        for chunk in _chunks(blocks, n_chunk):
            if stop.is_set():
                return _report(tally)
            n_end = tally.n_samples + chunk.shape[1]
            due_s = start_s + n_end / rate_hz
            _send_events(events, clock, tally, offset_s=offset_s, until_s=due_s)
            clock.sleep_until(due_s)
            # LSL wants (samples, channels): the one transpose of this path.
            samples = np.ascontiguousarray(chunk.T, dtype=np.float32)
            outlet.push_block(samples, start_s + (n_end - 1) / rate_hz)
            late_s = clock.now_s() - due_s
            tally.n_samples = n_end
            tally.n_late += late_s > chunk_s
            tally.worst_late_s = max(tally.worst_late_s, late_s)
        if tally.n_samples == n_before:
            break  # an empty recording would loop for ever
        offset_s = start_s + tally.n_samples / rate_hz
    return _report(tally)


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


def _send_events(
    events: _Pending, clock: Clock, tally: _Tally, *, offset_s: float, until_s: float
) -> None:
    """Send each event that is due before the chunk, at its own moment."""
    while (item := events.due_before(until_s - offset_s)) is not None:
        due_s, outlet, event = item
        clock.sleep_until(offset_s + due_s)
        outlet.push_event(event.values, offset_s + event.t_s)
        tally.n_events += 1


def _report(tally: _Tally) -> PlayReport:
    return PlayReport(tally.n_samples, tally.n_events, tally.n_late, tally.worst_late_s)
