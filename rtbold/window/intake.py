"""Source samples in, conditioned ring out: all that is known about one stream.

A *position* counts samples since the filters last started, bridged ones included; the
time base and the resampler speak of positions. A *source index* counts the samples
that really arrived, over the whole session (`EegChunk.index`). Times are on the clock
of the stream's stamps; the pipeline converts to this machine's LSL clock.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rtbold.bundle import Card
from rtbold.condition import (
    ChannelMonitor,
    Conditioner,
    Jump,
    SampleClock,
    SampleClockSettings,
    spatial_matrix,
    usable_channels,
)
from rtbold.electrodes import canonical
from rtbold.messages import (
    WINDOW_S,
    EegChunk,
    Float32Array,
    FloatArray,
    StreamDescription,
)
from rtbold.window.ring import Ring
from rtbold.window.segment import Segment, SpanFacts, WindowSpan, judged


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeSettings:
    """What may be done to make a stream fit."""

    interpolate_missing: bool = False
    upstream_delay_s: float = 0.0  # of the cleaning software
    bridge_max_s: float = 0.1
    bridge_max_share: float = 0.02  # of a window


@dataclass(slots=True)
class IntakeCounters:
    """What went wrong so far; published as `quality`."""

    n_gaps: int = 0
    n_bridged: int = 0
    n_missing: int = 0
    n_stamp_steps: int = 0
    n_segments: int = 0  # times that the filters started


# The newest raw chunks, for a gap that shows only some samples later.

CHUNKS_KEPT = 64


class RecentChunks:
    """Raw samples by source index, and straight lines where some were lost."""

    def __init__(self) -> None:
        self._chunks: deque[EegChunk] = deque(maxlen=CHUNKS_KEPT)

    def append(self, chunk: EegChunk) -> None:
        """Keep a chunk (not a copy)."""
        self._chunks.append(chunk)

    def clear(self) -> None:
        """Forget everything."""
        self._chunks.clear()

    def between(self, begin: int, end: int) -> Iterator[tuple[Float32Array, float]]:
        """Yield the samples [begin, end) again, each piece with its arrival."""
        for chunk in self._chunks:
            first = max(begin - chunk.index, 0)
            last = min(end - chunk.index, chunk.data_uv.shape[1])
            if first < last:
                yield chunk.data_uv[:, first:last], chunk.t_arrived_s


def straight_line(
    before_uv: Float32Array, after_uv: Float32Array, n: int
) -> Float32Array:
    """Return the `n` samples between two, (channels, n); both are (channels, 1)."""
    share = np.arange(1, n + 1) / (n + 1)
    line_uv: Float32Array = (before_uv + (after_uv - before_uv) * share).astype(
        np.float32
    )
    return line_uv


RING_SAMPLES = 5600  # a window, and 12 s for late triggers to ask for it


class Intake:
    """One stream: its time base, filters, ring and channel monitor.

    Parameters
    ----------
    description : of the stream; another one needs another intake.
    card : what the model needs of it.
    settings : what may be done to make it fit.
    source_index : of the first sample that will come.
    counters : to go on counting in.

    Raises
    ------
    StreamMismatch : channels, reference or rate do not fit the card.
    """

    def __init__(
        self,
        description: StreamDescription,
        card: Card,
        settings: IntakeSettings,
        *,
        source_index: int = 0,
        counters: IntakeCounters | None = None,
    ) -> None:
        self.description = description
        self._settings = settings
        self._rows, self._labels = usable_channels(description, card)
        self.spatial = spatial_matrix(
            description,
            card,
            self._labels,
            interpolate_missing=settings.interpolate_missing,
        )
        self.missing = frozenset(
            name for name in card.channels if canonical(name) not in self._labels
        )
        rate_hz = description.rate_hz
        self._conditioner = Conditioner(rate_hz, len(self._rows), card.conditioning)
        self._clock = SampleClock(SampleClockSettings(rate_hz=rate_hz))
        self._window_n = round(WINDOW_S * rate_hz)
        self._ring = Ring(len(self._rows), RING_SAMPLES)
        self.monitor = ChannelMonitor(rate_hz, description.channels)
        self.counters = counters or IntakeCounters()
        self._t_arrived_s = float("nan")
        self._last_uv: Float32Array | None = None
        self._recent = RecentChunks()
        self._segment = self._begin(source_index)

    def _begin(self, source_index: int) -> Segment:
        """Start a segment: nothing before it may be in a window any more."""
        self.counters.n_segments += 1
        self.monitor.restart(source_index)
        return Segment(source_index, self._conditioner.source_position(1))

    @property
    def delay_s(self) -> float:
        """Constant delay of the resampler; a window's end is waited for so long."""
        return self._conditioner.delay_s

    @property
    def newest_s(self) -> float | None:
        """Time of the newest sample, on the stream's clock; None before the first."""
        return self._segment.newest_s

    @property
    def settled(self) -> bool:
        """Whether filters, time base and monitor have settled since they started."""
        settle_n = self._conditioner.settle_s * self.description.rate_hz
        long_enough = self._segment.position >= settle_n
        return long_enough and self._clock.settled and self.monitor.settled

    @property
    def step_s(self) -> float:
        """By how much the stamps have stepped; taken out of the samples' times."""
        return self._clock.step_s

    @property
    def effective_rate_hz(self) -> float:
        """Rate of the samples by their stamps; samples lost one by one lower it."""
        return self._clock.effective_rate_hz

    @property
    def rate_error(self) -> float:
        """Effective over nominal rate, minus one."""
        return self.effective_rate_hz / self.description.rate_hz - 1

    @property
    def drift_s(self) -> float:
        """By how much the last window took longer than at the nominal rate."""
        return self._clock.drift_s(self._window_n)

    @property
    def n_conditioned(self) -> int:
        """Conditioned samples since the filters started."""
        return self._ring.n_written

    def span(self, t_end_s: float) -> WindowSpan | None:
        """Return where the window before `t_end_s` lies; None: not yet complete."""
        n_written = self._ring.n_written
        oldest = max(n_written - RING_SAMPLES, 0)
        return self._segment.span(t_end_s, oldest=oldest, n_conditioned=n_written)

    def facts(self, span: WindowSpan) -> SpanFacts:
        """Return what happened to the samples of a window."""
        # What a bad stretch leaves in the high-pass outlasts the stretch itself.
        ring_n = round(self._conditioner.settle_s * self.description.rate_hz)
        bad, amplitude = judged(self.monitor, self._labels, span, before_n=ring_n)
        needed = self._conditioner.needed(max(span.end - 1, 0))
        return SpanFacts(
            bad=bad,
            amplitude=amplitude,
            bridged_share=self._segment.bridged_share(span),
            stepped=self._segment.stepped(span),
            t_needed_s=self._segment.times.time_of(needed),
            t_needed_arrived_s=self._segment.arrival_of(needed),
        )

    def samples(self, n: int, end: int) -> Float32Array:
        """Return conditioned samples [end - n, end), (stream EEG, n).

        A view: read it before the next chunk.
        """
        return self._ring.latest(n, end)

    def time_of_conditioned(self, m: int) -> float:
        """Return the time of conditioned sample `m`, on the stream's clock."""
        return self._segment.times.time_of(self._conditioner.source_position(m))

    def restart(self, source_index: int) -> None:
        """Begin anew: the stream came back, its next sample is `source_index`."""
        # The same sender: by how much its stamps have stepped still holds.
        self._clock.restart(step_s=self._clock.step_s)
        self._recent.clear()
        self._new_segment(source_index)

    def feed(self, chunk: EegChunk, t_arrived_s: float) -> Iterator[None]:
        """Take one chunk, block by block; yield whenever a window may be complete.

        Blocks end at fixed counts, so that what is decided between them does not
        depend on how the samples were cut into chunks.

        Parameters
        ----------
        chunk : samples.
        t_arrived_s : when it arrived, on the clock of the stream's stamps.
        """
        if chunk.data_uv.shape[1] == 0:
            return
        self._t_arrived_s = t_arrived_s
        if chunk.index != self._segment.next_source:
            self._lost_on_the_way(chunk)
        self._recent.append(chunk)
        done, n_chunk = 0, chunk.data_uv.shape[1]
        while done < n_chunk:
            n = min(n_chunk - done, self._clock.until_update_n)
            self._block(chunk, done, done + n)
            done += n
            yield

    def _block(self, chunk: EegChunk, first: int, end: int) -> None:
        """Take samples [first, end) of `chunk`; gaps split them."""
        done = first
        for jump in self._push_stamps(chunk.t_lsl_s[first:end]):
            at = jump.source_index - chunk.index
            if jump.kind == "step":
                self.counters.n_stamp_steps += 1
                self._segment.note_step(at - done)
                continue
            self._take(chunk, done, at)
            self._gap(jump, n_back=max(done - at, 0))
            done = max(at, done)
        self._take(chunk, done, end)

    def _push_stamps(self, stamps_s: FloatArray) -> tuple[Jump, ...]:
        """Show the next stamps to the clock; fix the line that their samples lie on."""
        times, source_index = self._segment.times, self._segment.next_source
        if times and self._clock.at_update:
            self._fix_line()
        jumps = self._clock.push(stamps_s, self._t_arrived_s, source_index)
        if not times:
            self._fix_line()
        return jumps

    def _fix_line(self) -> None:
        segment, period_s = self._segment, 1 / self._clock.effective_rate_hz
        t_s = self._clock.time_of(segment.next_source)
        segment.times.add(segment.position, t_s, period_s)

    def _take(self, chunk: EegChunk, first: int, end: int) -> None:
        if end > first:
            self._condition(chunk.data_uv[:, first:end], chunk.t_arrived_s)

    def _condition(self, data_uv: Float32Array, t_arrived_s: float) -> None:
        self.monitor.push(data_uv)
        self._ring.write(self._conditioner(data_uv[self._rows]))
        self._segment.advance(data_uv.shape[1], t_arrived_s)
        self._last_uv = data_uv[:, -1:]

    def _gap(self, jump: Jump, *, n_back: int) -> None:
        """Start a segment at the jump; `n_back` samples of it came earlier."""
        self.counters.n_gaps += 1
        self.counters.n_missing += jump.n_missing
        times = self._segment.times
        if not times:  # no sample had a time yet: there is nothing to go on from
            self._new_segment(self._segment.next_source)
            return
        t_s = times.time_of(self._segment.position - n_back) + jump.seconds
        begin = self._segment.next_source - n_back
        again = list(self._recent.between(begin, begin + n_back))
        self._new_segment(begin)
        self._segment.times.add(0, t_s, times.period_s)
        for data_uv, t_arrived_s in again:
            self._condition(data_uv, t_arrived_s)

    def _new_segment(self, source_index: int) -> None:
        self._conditioner.restart()
        self._ring.clear()
        self._segment = self._begin(source_index)

    def _lost_on_the_way(self, chunk: EegChunk) -> None:
        """Bridge the samples that are known to be missing, or begin anew."""
        n_lost = chunk.index - self._segment.next_source
        self.counters.n_missing += max(n_lost, 0)
        if self._may_bridge(n_lost):
            self._bridge(n_lost, chunk)
            return
        self.counters.n_gaps += 1
        self.restart(chunk.index)

    def _may_bridge(self, n_lost: int) -> bool:
        settings, segment = self._settings, self._segment
        bridged = segment.bridged_since(segment.position - self._window_n)
        return (
            segment.position > 0
            and 0 < n_lost <= settings.bridge_max_s * self.description.rate_hz
            and bridged + n_lost <= settings.bridge_max_share * self._window_n
        )

    def _bridge(self, n_lost: int, chunk: EegChunk) -> None:
        """Put a straight line where `n_lost` samples are missing."""
        assert self._last_uv is not None  # a segment with samples has a last one
        self.counters.n_bridged += n_lost
        line_uv = straight_line(self._last_uv, chunk.data_uv[:, :1], n_lost)
        start_s = (self._segment.newest_s or 0.0) + self._clock.step_s
        stamps_s = np.linspace(start_s, chunk.t_lsl_s[0], n_lost + 2)[1:-1]
        self._segment.note_bridge(n_lost)
        for at in range(n_lost):  # singly: the clock changes its line at fixed counts
            if self._push_stamps(stamps_s[at : at + 1]):
                self.counters.n_gaps += 1  # the stamps say more than the count
                self.restart(chunk.index)
                return
            self._condition(line_uv[:, at : at + 1], chunk.t_arrived_s)
