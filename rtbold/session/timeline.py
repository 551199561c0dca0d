"""The EEG of a recorded session as files without holes, and where each moment lies.

A file of samples has no stamps: what is at 10 s is the sample of that place. So what is
missing is filled with zeros and told as a gap; a long gap, or a stream with other
channels, begins another file. What is a gap is judged as the live session judged it.
All times here are on the LSL clock of the machine that ran the session.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from rtbold.condition import SampleClock, SampleClockSettings, StreamClocks
from rtbold.messages import (
    ClockOffset,
    Discontinuity,
    EegChunk,
    Event,
    Float32Array,
    FloatArray,
    Marker,
    MeasuredVolume,
    OperatorCommand,
    StreamChanged,
    StreamDescription,
    TimePassed,
)

LONGEST_FILLED_S = 60.0  # a longer gap begins another file
_BURST_S = 10.0  # within which a jump back takes a gap back
_OTHER_CLOCK_S = 5.0  # by which a returned stream's stamps differ from its arrival


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples that never came; zeros stand for them."""

    first: int  # place in the file
    n: int


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Samples that follow on each other."""

    first: int  # place in the file
    t_s: FloatArray  # (samples,), never falling


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """One file: samples at a fixed rate without a hole."""

    description: StreamDescription
    data_uv: Float32Array  # (channels, samples)
    gaps: tuple[Gap, ...]
    pieces: tuple[_Piece, ...]

    @property
    def t_first_s(self) -> float:
        """When its first sample was taken."""
        return float(self.pieces[0].t_s[0])

    def place(self, t_s: float) -> float:
        """Return where a moment lies, in samples; outside: as if they went on."""
        rate_hz = self.description.rate_hz
        begins = [float(piece.t_s[0]) for piece in self.pieces]
        at = max(bisect_right(begins, t_s) - 1, 0)
        piece = self.pieces[at]
        n = len(piece.t_s)
        if t_s < piece.t_s[0]:
            return piece.first + float(t_s - piece.t_s[0]) * rate_hz
        if t_s <= piece.t_s[-1]:
            return piece.first + _between(piece.t_s, t_s)
        beyond = piece.first + n - 1 + float(t_s - piece.t_s[-1]) * rate_hz
        last = at + 1 == len(self.pieces)
        return beyond if last else min(beyond, float(self.pieces[at + 1].first))


def _between(t_s: FloatArray, moment_s: float) -> float:
    """Return the place of a moment among times that never fall, as `np.interp`."""
    after = int(np.searchsorted(t_s, moment_s))
    if after == 0 or t_s[after] == moment_s:
        return float(after)
    step_s = float(t_s[after] - t_s[after - 1])
    return after - 1 + float(moment_s - t_s[after - 1]) / step_s


@dataclass(frozen=True, slots=True)
class Happening:
    """A marker, a command or a measured volume, and when it was."""

    event: Marker | OperatorCommand | MeasuredVolume
    t_s: float


@dataclass(slots=True, eq=False)
class _Run:
    """Samples of one stream while they come, and where they are cut."""

    description: StreamDescription
    clock: SampleClock
    data_uv: list[Float32Array] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)  # place of each of them
    t_s: list[FloatArray] = field(default_factory=list)  # steps are still in them
    n: int = 0
    cuts: dict[int, int] = field(default_factory=lambda: {0: 0})  # place: n missing
    steps: dict[int, float] = field(default_factory=lambda: {0: 0.0})  # place: s


class Timeline:
    """Takes the events of a session in order; then gives its files and happenings."""

    def __init__(self) -> None:
        self._clocks = StreamClocks()
        self._runs: list[_Run] = []
        self._now_s = self._arrived_s = float("nan")  # of anything; of samples
        self._next_index: int | None = None
        self._resumed = False
        self.happenings: list[Happening] = []
        self.described: list[StreamDescription] = []  # every one that came

    def take(self, events: Iterable[Event]) -> None:
        """Take events."""
        for event in events:
            match event:
                case EegChunk():
                    self._chunk(event)
                case StreamChanged(description=description):
                    self.described.append(description)
                    self._clocks.describe(description)
                    self._describe(description)
                case ClockOffset():
                    self._clocks.take_offset(event)
                case Discontinuity(kind="resumed"):
                    self._resumed = True
                case TimePassed(now_lsl_s=now_s):
                    self._now_s = now_s
                case Marker():
                    self._happen(event, self._of_marker(event))
                case OperatorCommand():
                    self._happen(event, self._now_s)
                case MeasuredVolume():
                    told_s = event.t_volume_s
                    self._happen(event, event.t_arrived_s if told_s is None else told_s)

    def stretches(self) -> tuple[Stretch, ...]:
        """Return the files, in order of time. Called once: it hands the samples on."""
        runs, self._runs = [run for run in self._runs if run.n], []
        return tuple(file for run in runs for file in _files(run))

    def _happen(
        self, event: Marker | OperatorCommand | MeasuredVolume, t_s: float
    ) -> None:
        self.happenings.append(Happening(event, t_s))

    def _of_marker(self, marker: Marker) -> float:
        t_s = self._clocks.to_local(self._clocks.of_marker(marker))
        in_stream = marker.source == "channel" and bool(self._runs)
        return t_s - (self._runs[-1].clock.step_s if in_stream else 0.0)

    def _describe(self, description: StreamDescription) -> None:
        """Begin another file where samples of this stream cannot go on in the last."""
        old = self._runs[-1].description if self._runs else None
        if old is None or _kind(old) != _kind(description):
            settings = SampleClockSettings(rate_hz=description.rate_hz)
            self._runs.append(_Run(description, SampleClock(settings)))
            self._resumed, self._next_index = False, None

    def _chunk(self, chunk: EegChunk) -> None:
        n = chunk.data_uv.shape[1]
        if n == 0 or not self._runs:
            return
        run, clocks = self._runs[-1], self._clocks
        if run.n == 0:
            clocks.take_chunk(chunk)
        t_s = _filled(chunk.t_lsl_s, run.description.rate_hz)
        local_s = t_s + clocks.to_local(0.0)
        self._cut_before(run, chunk, float(local_s[0]))
        self._now_s = self._arrived_s = chunk.t_arrived_s
        self._next_index, self._resumed = chunk.index + n, False
        t_arrived_s = clocks.to_stream(chunk.t_arrived_s)
        first = run.n
        run.data_uv.append(chunk.data_uv)
        run.starts.append(first)
        run.t_s.append(local_s)
        run.n += n
        for jump in run.clock.push(chunk.t_lsl_s, t_arrived_s, first):
            _note_jump(run, jump.source_index, jump.seconds, kind=jump.kind)
        run.steps[max(run.cuts)] = run.clock.step_s  # measured ever better
        clocks.take_line(run.clock.time_of(run.n - 1), chunk.t_arrived_s)

    def _cut_before(self, run: _Run, chunk: EegChunk, t_first_s: float) -> None:
        """Cut where samples are known to be lost, or the stream came back."""
        if run.n == 0:
            return
        step_s, rate_hz = run.clock.step_s, run.description.rate_hz
        n_lost = chunk.index - (self._next_index or 0)
        if self._resumed:
            between_s = t_first_s - step_s - _newest_s(run)
            n_s = chunk.data_uv.shape[1] / rate_hz
            by_arrival_s = chunk.t_arrived_s - n_s - self._arrived_s
            if abs(between_s - by_arrival_s) > _OTHER_CLOCK_S:
                step_s += between_s - by_arrival_s
                between_s = by_arrival_s
            n_lost = max(round(between_s * rate_hz) - 1, 0)
        elif n_lost <= 0:
            return
        run.clock.restart(step_s=step_s)
        run.cuts[run.n] = n_lost
        run.steps[run.n] = step_s


def _kind(description: StreamDescription) -> tuple[object, ...]:
    return description.channels, description.rate_hz, description.reference


def _newest_s(run: _Run) -> float:
    return float(np.max(run.t_s[-1])) - run.steps[max(run.cuts)]


def _filled(stamps_s: FloatArray, rate_hz: float) -> FloatArray:
    """Return stamps with what is no number taken from its neighbours."""
    good = np.isfinite(stamps_s)
    if good.all():
        return stamps_s
    places = np.arange(len(stamps_s))
    if not good.any():
        return np.zeros(len(stamps_s)) + places / rate_hz
    at = int(np.flatnonzero(good)[0])
    return np.where(good, stamps_s, stamps_s[at] + (places - at) / rate_hz)


def _note_jump(run: _Run, place: int, seconds: float, *, kind: str) -> None:
    rate_hz = run.description.rate_hz
    n = round(seconds * rate_hz)
    last = max(run.cuts)
    if kind == "gap" and n > 0:
        run.cuts[place] = n
        run.steps[place] = run.clock.step_s
        return
    if n < 0 and place - last < _BURST_S * rate_hz and run.cuts[last] >= -n:
        run.cuts[last] += n  # a late burst: less was missing than it seemed
    run.cuts.setdefault(place, 0)
    run.steps[place] = run.clock.step_s


def _files(run: _Run) -> Iterator[Stretch]:
    """Yield the files of one stream, its long gaps left out."""
    places = sorted(place for place in run.cuts if place < run.n)
    longest_n = LONGEST_FILLED_S * run.description.rate_hz
    breaks = [p for p in places if p == 0 or run.cuts[p] > longest_n]
    t_s = np.concatenate(run.t_s)
    for begin, end in pairwise([*breaks, run.n]):
        inner = [p for p in places if begin <= p < end]
        missing = {p: run.cuts[p] if p > begin else 0 for p in inner}
        yield _file(run, t_s, [*inner, end], missing=missing)


def _file(
    run: _Run, t_s: FloatArray, edges: Sequence[int], *, missing: dict[int, int]
) -> Stretch:
    n = edges[-1] - edges[0] + sum(missing.values())
    n_channels = len(run.data_uv[0])
    whole_uv = np.zeros((n_channels, n), dtype=np.float32)
    gaps, pieces, at = [], [], 0
    for first, end in pairwise(edges):
        if missing[first]:
            gaps.append(Gap(at, missing[first]))
        at += missing[first]
        _copy(run, first, whole_uv[:, at : at + end - first])
        moments_s = np.maximum.accumulate(t_s[first:end] - run.steps[first])
        pieces.append(_Piece(at, moments_s))
        at += end - first
    return Stretch(run.description, whole_uv, tuple(gaps), tuple(pieces))


def _copy(run: _Run, first: int, into_uv: Float32Array) -> None:
    """Copy the samples from `first` on, as many as there is room for."""
    end = first + into_uv.shape[1]
    number = bisect_right(run.starts, first) - 1
    while number < len(run.starts) and (at := run.starts[number]) < end:
        chunk_uv = run.data_uv[number][:, max(first - at, 0) : end - at]
        place = max(at, first) - first
        into_uv[:, place : place + chunk_uv.shape[1]] = chunk_uv
        number += 1


def stretch_of(stretches: Sequence[Stretch], t_s: float) -> int:
    """Return which file a moment belongs to: the last that had begun, or the first."""
    begun = [n for n, one in enumerate(stretches) if one.t_first_s <= t_s]
    return max(begun, default=0)
