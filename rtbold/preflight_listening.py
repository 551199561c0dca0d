"""Listen to a session's streams with its own time base and channel monitor. Pure.

No model is needed, so a stream that fits none is heard too.
"""

from collections import Counter
from statistics import median

import numpy as np

from rtbold.condition.channel_quality import ChannelMonitor, MonitoredChannel
from rtbold.condition.clocks import StreamClocks
from rtbold.condition.timebase import SampleClock, SampleClockSettings
from rtbold.messages import ClockOffset, EegChunk, Event, Marker, StreamDescription
from rtbold.preflight_heard import HeardSamples, HeardTriggers


class Listening:
    """Takes the events of an acquisition; says what was heard.

    Parameters
    ----------
    stream : as it was found.
    """

    def __init__(self, stream: StreamDescription) -> None:
        self._stream = stream
        self._monitor = ChannelMonitor(stream.rate_hz, stream.channels)
        self._clock = SampleClock(SampleClockSettings(rate_hz=stream.rate_hz))
        self._clocks = StreamClocks()
        self._clocks.describe(stream)
        self._n_samples = 0
        self._ages_s: list[float] = []
        self._t_arrived_s = 0.0
        self._n_gaps = self._n_missing = self._n_steps = 0
        self._labels: Counter[str] = Counter()
        self._stamps_s: list[float] = []
        self.offsets_s: list[float] = []

    def take(self, event: Event) -> None:
        """Take one event of the acquisition."""
        match event:
            case EegChunk() if event.data_uv.shape[0] == len(self._stream.channels):
                self._chunk(event)
            case ClockOffset():
                self._clocks.take_offset(event)
                if event.stream == "eeg":
                    self.offsets_s.append(event.offset_s)
            case Marker():
                self._labels[event.label] += 1

    def take_volume(self, marker: Marker) -> None:
        """Take a marker that is the scanner's trigger."""
        self._stamps_s.append(marker.t_lsl_s)

    def _chunk(self, chunk: EegChunk) -> None:
        if chunk.data_uv.shape[1] == 0:
            return
        self._clocks.take_chunk(chunk)
        self._monitor.push(chunk.data_uv)
        for jump in self._clock.push(chunk.t_lsl_s, chunk.t_arrived_s):
            self._n_steps += jump.kind == "step"
            self._n_gaps += jump.kind == "gap"
            self._n_missing += jump.n_missing
        self._n_samples += chunk.data_uv.shape[1]
        self._t_arrived_s = chunk.t_arrived_s
        newest_s = self._clocks.to_local(float(chunk.t_lsl_s[-1]))
        self._ages_s.append(chunk.t_arrived_s - newest_s)

    def samples(self, seconds: float, now_s: float) -> HeardSamples:
        """Return what came of the EEG in `seconds` before `now_s`."""
        if not self._ages_s:
            return HeardSamples(seconds=seconds)
        rate_hz = self._clock.effective_rate_hz
        known = self._clock.settled and np.isfinite(rate_hz)
        return HeardSamples(
            seconds=seconds,
            n_samples=self._n_samples,
            age_s=median(self._ages_s),
            silent_s=now_s - self._t_arrived_s,
            rate_hz=float(rate_hz) if known else None,
            n_gaps=self._n_gaps,
            n_missing=self._n_missing,
            n_stamp_steps=self._n_steps,
        )

    def triggers(self, seconds: float) -> HeardTriggers:
        """Return what came of the scanner's triggers."""
        return HeardTriggers(
            seconds=seconds, labels=self._labels, stamps_s=tuple(self._stamps_s)
        )

    @property
    def channels(self) -> tuple[MonitoredChannel, ...]:
        """The state of each channel of the stream; empty: too little was heard."""
        return self._monitor.report() if self._monitor.settled else ()

    @property
    def amplitude_text(self) -> str:
        """What is wrong with the amplitude; empty: nothing, or it is not known."""
        return self._monitor.amplitude_text() if self._monitor.settled else ""

    @property
    def uncertainty_s(self) -> float | None:
        """Of a foreign clock's alignment; None: the clock is LSL's."""
        return self._clocks.uncertainty_s
