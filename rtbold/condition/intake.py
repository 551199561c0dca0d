"""Raw samples of one stream in, conditioned blocks with their times out.

Every sample is named by its source index (`EegChunk.index`): clock, channel monitor and
segment read it, and each block says where it lies on the 200 Hz axis. Times are on the
clock of the stream's stamps; the pipeline converts to this machine's LSL clock.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from rtbold.acquire import RateWatch, with_set_rate
from rtbold.bundle import Card
from rtbold.condition.arrival_lag import LagWatch
from rtbold.condition.channel_quality import Amplitude, ChannelFlag, ChannelMonitor
from rtbold.condition.clock_model import Jump
from rtbold.condition.conditioner import Conditioner, filter_delay_s
from rtbold.condition.segment import Segment
from rtbold.condition.spatial import SpatialMatrix, spatial_matrix, usable_channels
from rtbold.condition.spectra import hum_at_end
from rtbold.condition.timebase import SampleClock, SampleClockSettings
from rtbold.electrodes import canonical
from rtbold.messages import (
    WINDOW_S,
    EegChunk,
    Float32Array,
    FloatArray,
    StreamDescription,
)


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


@dataclass(frozen=True, slots=True, eq=False)
class StreamFit:
    """How a stream gives what a model needs."""

    rows: list[int]  # of the stream's channels that are used
    labels: tuple[str, ...]  # their canonical names
    missing: frozenset[str]  # channels of the model that the stream lacks
    spatial: SpatialMatrix
    delay_s: float  # of the filters; a window's end is waited for so long


def stream_fit(
    description: StreamDescription, card: Card, *, interpolate_missing: bool = False
) -> StreamFit:
    """Return how a stream fits a card, before its first sample.

    Raises
    ------
    StreamMismatch : channels, reference or rate do not fit the card.
    """
    description = with_set_rate(description)
    rows, labels = usable_channels(description, card)
    spatial = spatial_matrix(
        description, card, labels, interpolate_missing=interpolate_missing
    )
    return StreamFit(
        rows=rows,
        labels=labels,
        missing=frozenset(c for c in card.channels if canonical(c) not in labels),
        spatial=spatial,
        delay_s=filter_delay_s(card.conditioning, description.rate_hz),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Conditioned samples as they follow on each other, and where they lie."""

    data_uv: Float32Array  # (stream EEG, n) at 200 Hz; n may be 0
    index_200hz: int  # of the first; begins with 0 when the filters start
    segment: Segment  # times of its samples; another one: the filters started anew


CHUNKS_KEPT = 64  # for a gap that shows only some samples later


class RecentChunks:
    """The newest raw samples by source index."""

    def __init__(self) -> None:
        self._chunks: deque[EegChunk] = deque(maxlen=CHUNKS_KEPT)

    def append(self, chunk: EegChunk) -> None:
        """Keep a chunk (not a copy)."""
        self._chunks.append(chunk)

    def clear(self) -> None:
        """Forget everything."""
        self._chunks.clear()

    def between(
        self, source_first: int, source_end: int
    ) -> Iterator[tuple[Float32Array, float]]:
        """Yield the samples [first, end) again, each piece with its arrival."""
        for chunk in self._chunks:
            first = max(source_first - chunk.index, 0)
            last = min(source_end - chunk.index, chunk.data_uv.shape[1])
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


class Intake:
    """Time base, filters and channel monitor of one stream.

    Parameters
    ----------
    description : of the stream; another one needs another intake.
    card : what the model needs of it.
    settings : what may be done to make it fit.
    source_index : of the first sample that will come.
    counters : to go on counting in.
    lags : of the same sender so far; None: it is a new one.

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
        lags: LagWatch | None = None,
    ) -> None:
        self.description = description = with_set_rate(description)
        self._settings = settings
        self.fit = stream_fit(
            description, card, interpolate_missing=settings.interpolate_missing
        )
        rate_hz = description.rate_hz
        self._conditioner = Conditioner(rate_hz, len(self.fit.rows), card.conditioning)
        self._settle_n = self._conditioner.settle_s * rate_hz
        self._clock = SampleClock(SampleClockSettings(rate_hz=rate_hz))
        self._window_n = round(WINDOW_S * rate_hz)
        self.rates = RateWatch(rate_hz)
        self.monitor = ChannelMonitor(rate_hz, description.channels)
        self.counters = counters or IntakeCounters()
        self.lags = lags or LagWatch(rate_hz, aligned=description.foreign_clock)
        self.lags.restart(source_index)
        self._t_arrived_s = float("nan")
        self._last_uv: Float32Array | None = None
        self._recent = RecentChunks()
        self._nothing_uv = np.empty((len(self.fit.rows), 0), np.float32)
        self._begin(source_index)

    def _begin(self, source_index: int) -> None:
        """Start a segment: nothing before it may be in a window any more."""
        self.counters.n_segments += 1
        self.monitor.restart()
        self._conditioner.restart()
        self._pieces: list[Float32Array] = []  # conditioned since the last block
        self._segment = Segment(source_index, self._conditioner.resampler)

    @property
    def settled(self) -> bool:
        """Whether filters, time base and monitor have settled since they started."""
        long_enough = self._segment.n_source >= self._settle_n
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

    def wander_s(self, source_first: int, source_end: int) -> float:
        """Return by how much stamps and count move apart within a window."""
        return self._clock.wander_s(source_first, source_end)

    def newest_off_s(self, source_end: int) -> float:
        """Return by how much the stamps at a window's end are off the line."""
        return self._clock.newest_off_s(source_end)

    def bad_between(
        self,
        source_first: int,
        source_end: int,
        window_uv: Float32Array | None = None,
    ) -> tuple[Mapping[str, frozenset[ChannelFlag]], Amplitude]:
        """Return the bad channels of a window, by canonical name, and the amplitude.

        What a bad stretch leaves in the high-pass outlasts the stretch itself, so the
        time that the filters take to settle counts too.

        Parameters
        ----------
        window_uv : its conditioned samples: they show hum that has only just begun.
        """
        first = max(source_first - round(self._settle_n), self.monitor.oldest_index)
        found = self.monitor.bad_between(first, source_end)
        by_name = {canonical(label): flags for label, flags in found.items()}
        if window_uv is not None:
            for row in np.flatnonzero(hum_at_end(window_uv)):
                name = self.fit.labels[row]
                by_name[name] = by_name.get(name, frozenset()) | {"line_noise"}
        bad = {name: by_name[name] for name in self.fit.labels if name in by_name}
        return bad, self.monitor.amplitude_between(first, source_end)

    def short_gap_between(self, source_first: int, source_end: int) -> bool:
        """Return whether a gap in a window is too short to make it invalid."""
        return self._segment.short_gap(source_first, source_end)

    def restart(self, source_index: int) -> Block:
        """Begin anew: the stream came back, its next sample is `source_index`.

        Returns an empty block, after which nothing older can be cut.
        """
        # The same sender: by how much its stamps have stepped still holds.
        self._clock.restart(step_s=self._clock.step_s)
        self._recent.clear()
        self.lags.restart(source_index)
        self._begin(source_index)
        return self._hand_on()

    def conditioned(self, chunk: EegChunk, t_arrived_s: float) -> Iterator[Block]:
        """Condition one chunk; yield its blocks one by one.

        Blocks end at fixed counts, so that what is decided between them does not
        depend on how the samples were cut into chunks.

        Parameters
        ----------
        chunk : samples.
        t_arrived_s : when it arrived, on the clock of the stream's stamps.
        """
        n_chunk = chunk.data_uv.shape[1]
        if n_chunk == 0:
            return
        self._t_arrived_s = t_arrived_s
        if chunk.index != self._segment.source_end:
            self._lost_on_the_way(chunk)
        self._recent.append(chunk)
        done = 0
        while done < n_chunk:
            n = min(n_chunk - done, self._clock.until_update_n)
            self._condition_block(chunk, done, done + n)
            done += n
            self._note_lag(chunk)
            yield self._hand_on()

    def _hand_on(self) -> Block:
        """Return what was conditioned since the last block."""
        pieces, self._pieces = self._pieces, []
        data_uv = (
            pieces[0]
            if len(pieces) == 1
            else np.concatenate([self._nothing_uv, *pieces], axis=1)
        )
        index_200hz = self._conditioner.resampler.n_out - data_uv.shape[1]
        return Block(data_uv, index_200hz, self._segment)

    def _note_lag(self, chunk: EegChunk) -> None:
        """Compare the chunk's arrival with the time of its newest sample."""
        if self._clock.settled:
            newest_s = self._clock.time_of(chunk.index + chunk.data_uv.shape[1] - 1)
            lag_s = self._t_arrived_s - newest_s
            self.lags.note(lag_s, self._segment.source_end)

    def _condition_block(self, chunk: EegChunk, first: int, end: int) -> None:
        """Take samples [first, end) of `chunk`; gaps split them."""
        self.rates.push(chunk.t_lsl_s[first:end], chunk.index + first)
        done = first
        for jump in self._push_stamps(chunk.t_lsl_s[first:end]):
            at = jump.source_index - chunk.index
            if jump.kind != "gap":
                self._note_jump(jump)
                continue
            self._take(chunk, done, at)
            self._gap(jump, n_back=max(done - at, 0))
            done = max(at, done)
        self._take(chunk, done, end)

    def _note_jump(self, jump: Jump) -> None:
        """Note a jump over which the samples go on."""
        segment, counters = self._segment, self.counters
        if jump.kind == "taken_back":
            counters.n_missing -= jump.n_missing
            counters.n_stamp_steps -= segment.take_back(jump.source_index)
        elif jump.kind == "short_gap":
            segment.note_short_gap(jump.source_index)
            counters.n_missing += jump.n_missing
        else:
            segment.note_step(jump.source_index - segment.source_end)
            counters.n_stamp_steps += 1

    def _push_stamps(self, stamps_s: FloatArray) -> tuple[Jump, ...]:
        """Show the next stamps to the clock; fix the line that their samples lie on."""
        segment, clock = self._segment, self._clock
        timed = segment.timed
        if timed and clock.at_update:
            self._note_line()
        jumps = clock.push(stamps_s, self._t_arrived_s, segment.source_end)
        if not timed:
            self._note_line()
        return jumps

    def _note_line(self) -> None:
        t_s = self._clock.time_of(self._segment.source_end)
        self._segment.note_line(t_s, 1 / self._clock.effective_rate_hz)

    def _take(self, chunk: EegChunk, first: int, end: int) -> None:
        if end > first:
            self._condition(chunk.data_uv[:, first:end], chunk.t_arrived_s)

    def _condition(self, data_uv: Float32Array, t_arrived_s: float) -> None:
        self.monitor.push(data_uv, self._segment.source_end)
        self._pieces.append(self._conditioner(data_uv[self.fit.rows]))
        self._segment.advance(data_uv.shape[1], t_arrived_s)
        self._last_uv = data_uv[:, -1:]

    def _gap(self, jump: Jump, *, n_back: int) -> None:
        """Start a segment at the jump; `n_back` samples of it came earlier."""
        self.counters.n_gaps += 1
        self.counters.n_missing += jump.n_missing
        before = self._segment
        if not before.timed:  # no sample had a time yet: there is nothing to go on from
            self._begin(before.source_end)
            return
        begin = before.source_end - n_back
        self._begin(begin)
        self._segment.note_line(before.time_of(begin) + jump.seconds, before.period_s)
        for data_uv, t_arrived_s in self._recent.between(begin, before.source_end):
            self._condition(data_uv, t_arrived_s)

    def _lost_on_the_way(self, chunk: EegChunk) -> None:
        """Bridge the samples that are known to be missing, or begin anew."""
        n_lost = chunk.index - self._segment.source_end
        self.counters.n_missing += max(n_lost, 0)
        if self._may_bridge(n_lost):
            self._bridge(n_lost, chunk)
            return
        self.counters.n_gaps += 1
        self.restart(chunk.index)

    def _may_bridge(self, n_lost: int) -> bool:
        settings, segment = self._settings, self._segment
        end = segment.source_end
        bridged = segment.n_bridged(end - self._window_n, end)
        return (
            segment.n_source > 0
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
            jumps = self._push_stamps(stamps_s[at : at + 1])
            for jump in jumps:
                if jump.kind not in ("gap", "step"):
                    self._note_jump(jump)
            if any(jump.kind in ("gap", "step") for jump in jumps):
                self.counters.n_gaps += 1  # the stamps say more than the count
                self.restart(chunk.index)
                return
            self._condition(line_uv[:, at : at + 1], chunk.t_arrived_s)
