"""The streams of a session before it starts: opened, listened to, closed again."""

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from statistics import median

import numpy as np

from rtbold.acquire import (
    Acquisition,
    AcquisitionSettings,
    Bursts,
    EventGate,
    OpenFeed,
    RateWatch,
    check_source,
    factors_to_uv,
    open_bold,
    parse_source,
)
from rtbold.bundle import Bundle
from rtbold.clock import Clock
from rtbold.condition import (
    ChannelMonitor,
    MonitoredChannel,
    SampleClock,
    SampleClockSettings,
    StreamClocks,
)
from rtbold.config import RunSettings
from rtbold.errors import AmbiguousStream, ConfigError, RtboldError, StreamMismatch
from rtbold.messages import (
    Check,
    ClockOffset,
    EegChunk,
    Event,
    Marker,
    StreamDescription,
)
from rtbold.preflight import stream_checks as judge
from rtbold.preflight.checks import refused, tried
from rtbold.preflight.stream_checks import (
    ChannelReport,
    ReceivedSamples,
    ReceivedTriggers,
)
from rtbold.session import acquisition_settings, check_clocks, check_counted

LOOK_EVERY_S = 0.05
ANY_TR_S = 1.0  # stands in where triggers cannot be had, so that the EEG is looked at


class Listening:
    """Takes the events of an acquisition; says what was received. Pure.

    It has the session's own time base and channel monitor, and needs no model.

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
        self._rates, self._bursts = RateWatch(stream.rate_hz), Bursts()
        self._n: Counter[str] = Counter()  # by the names of `ReceivedSamples`
        self._ages_s: list[float] = []
        self._t_arrived_s = 0.0
        self._labels: Counter[str] = Counter()
        self._stamps_s: list[float] = []
        self._trigger_lags_s: list[float] = []
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
        t_s = self._clocks.to_local(self._clocks.of_marker(marker))
        self._trigger_lags_s.append(marker.t_arrived_s - t_s)

    def _chunk(self, chunk: EegChunk) -> None:
        if chunk.data_uv.shape[1] == 0:
            return
        self._clocks.take_chunk(chunk)
        self._bursts.heard(chunk.t_arrived_s)
        n_before = self._n["n_samples"]
        self._monitor.push(chunk.data_uv, n_before)
        for jump in self._clock.push(chunk.t_lsl_s, chunk.t_arrived_s, n_before):
            self._n["n_stamp_steps"] += jump.kind == "step"
            self._n["n_gaps"] += jump.kind == "gap"
            self._n["n_missing"] += jump.n_missing
        self._rates.push(chunk.t_lsl_s, n_before)
        self._n["n_samples"] += chunk.data_uv.shape[1]
        self._t_arrived_s = chunk.t_arrived_s
        newest_s = self._clocks.to_local(float(chunk.t_lsl_s[-1]))
        self._ages_s.append(chunk.t_arrived_s - newest_s)

    def samples(self, seconds: float, now_s: float) -> ReceivedSamples:
        """Return what came of the EEG in `seconds` before `now_s`."""
        if not self._ages_s:
            return ReceivedSamples(seconds=seconds)
        rate_hz = self._clock.effective_rate_hz
        known = self._clock.settled and np.isfinite(rate_hz)
        return ReceivedSamples(
            seconds=seconds,
            age_s=median(self._ages_s),
            silent_s=now_s - self._t_arrived_s,
            rate_hz=float(rate_hz) if known else None,
            other_rate_hz=self._rates.rate_hz,
            burst_s=self._bursts.every_s,
            **self._n,
        )

    def triggers(self, seconds: float) -> ReceivedTriggers:
        """Return what came of the scanner's triggers."""
        return ReceivedTriggers(
            seconds=seconds,
            labels=self._labels,
            stamps_s=tuple(self._stamps_s),
            lag_s=median(self._trigger_lags_s) if self._trigger_lags_s else None,
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


class Streams:
    """Opens what can be opened, and says what a session would say of the rest.

    Parameters
    ----------
    bundle : None: it cannot be had, and nothing is said of how the stream fits it.
    stack : closes what was opened.
    """

    def __init__(
        self, run: RunSettings, bundle: Bundle | None, *, clock: Clock, stack: ExitStack
    ) -> None:
        self._run = run
        self._bundle = bundle
        self._clock = clock
        self._stack = stack
        self._acquisition: Acquisition | None = None
        self._truth: OpenFeed | None = None
        self._trigger_problem: RtboldError | None = None
        self._locked = False
        self.description: StreamDescription | None = None

    def open(self) -> Iterator[Check]:
        """Find the streams; say whether they fit the model by what they declare."""
        try:
            settings = self._settings()
        except ConfigError as error:
            yield refused("units", error)
            return
        problem = self._start(settings)
        if self.description is None:
            assert problem is not None  # there would be a description
            yield refused("stream", problem)
            return
        stream = self.description
        kind = "simulated EEG" if stream.simulated else "EEG"
        found = f"{stream.name!r} on {stream.host!r}: {kind}, {_size(stream)}"
        if not stream.source_id:
            found += (
                "; it names no source id: started again, it counts as another sender"
            )
        yield Check("stream", "ok", found, must=True)
        yield self._units(stream)
        if self._bundle is not None:
            card = self._bundle.card
            yield judge.check_channels(card, stream, interpolate=self._run.interpolate)
            yield judge.check_reference(card, stream)
        if self._run.truth is not None:
            yield from self._open_truth(self._run.truth, settings)

    def _settings(self) -> AcquisitionSettings:
        """Return which streams to take; without triggers where none were named."""
        run = self._run
        try:
            return acquisition_settings(run)
        except ConfigError as error:
            bare = replace(
                run, trigger_stream=None, trigger_host=None, trigger_channel=None,
                trigger=None, tr_s=run.tr_s or ANY_TR_S,
            )  # fmt: skip
            settings = acquisition_settings(bare)  # raises if it was the unit
            self._trigger_problem = error
            return settings

    def _start(self, settings: AcquisitionSettings) -> RtboldError | None:
        """Open as much as can be opened; return what the session would say first."""
        problems: list[RtboldError] = []
        found = False
        for attempt in _attempts(settings):
            if found and attempt.trigger is not None:
                continue  # the EEG stream is well: it is the triggers
            acquisition = Acquisition(attempt)
            try:
                self.description = acquisition.start()
            except RtboldError as error:
                problems.append(error)
                found |= acquisition.description is not None
                if not found and not isinstance(error, StreamMismatch):
                    break  # the EEG stream itself is not there
                continue
            self._stack.callback(acquisition.close)
            self._acquisition = acquisition
            self._locked = attempt.trigger is not None
            if settings.trigger is not None and not self._locked:
                self._trigger_problem = problems[-1]
            break
        return problems[0] if problems else None

    def _units(self, stream: StreamDescription) -> Check:
        units = {c.unit or "none" for c in stream.channels if c.kind == "eeg"}
        found = f"the stream says {', '.join(sorted(units))}"
        if self._run.unit:
            found += f"; --unit {self._run.unit} goes over it"

        def convertible() -> str:
            factors_to_uv(stream.channels, self._run.unit)
            return found

        return tried("units", convertible)

    def _open_truth(
        self, source: str, settings: AcquisitionSettings
    ) -> Iterator[Check]:
        try:
            check_source(source, self._run.truth_roi)
            check_counted(settings)
        except ConfigError as error:
            yield refused("measured BOLD", error)
            return
        self._truth = open_bold(parse_source(source), self._run.truth_roi, self._clock)
        self._stack.callback(self._truth.close)

    def listen(self, seconds: float) -> Iterator[Check | ChannelReport]:
        """Take what comes for some seconds, and judge it."""
        stream, acquisition = self.description, self._acquisition
        assert stream is not None  # the caller looked
        assert acquisition is not None
        ear = Listening(stream)
        n_volumes = self._hear(acquisition, ear, seconds)
        heard = ear.samples(seconds, self._clock.now_s())
        yield judge.check_samples(heard, stream)
        if heard.n_samples:
            yield judge.check_rate(heard, stream)
            yield self._clock_check(acquisition, ear)
        if self._bundle is not None:
            card = self._bundle.card
            lines = judge.channel_lines(card, stream, ear.channels)
            if heard.n_samples:
                yield judge.check_amplitude(lines, ear.amplitude_text)
                yield judge.check_quality(lines)
            yield ChannelReport(lines, judge.extra_channels(card, stream))
        yield self._triggers(ear, seconds)
        if self._truth is not None:
            yield judge.check_truth(
                str(self._run.truth),
                n_volumes,
                problem=self._truth.problem,
                seconds=seconds,
            )

    def _hear(self, acquisition: Acquisition, ear: Listening, seconds: float) -> int:
        """Let `ear` take everything; return how many measured volumes came."""
        gate = EventGate(self._run.trigger, acquisition, say=lambda text: None)
        for event in acquisition.events():  # samples older than what is counted
            if isinstance(event, ClockOffset):
                ear.take(event)
        n_volumes, end_s = 0, self._clock.now_s() + seconds
        while self._clock.now_s() < end_s and acquisition.refused is None:
            for event in acquisition.events(LOOK_EVERY_S):
                self._pass(event, ear, gate)
            if self._truth is not None:
                n_volumes += len(self._truth.volumes())
        self._trigger_problem = self._trigger_problem or acquisition.refused
        return n_volumes

    def _pass(self, event: Event, ear: Listening, gate: EventGate) -> None:
        ear.take(event)
        if not isinstance(event, Marker):
            return
        try:
            volumes = gate(event)
        except AmbiguousStream as error:
            self._trigger_problem = error
            return
        for volume in volumes:
            if isinstance(volume, Marker):
                ear.take_volume(volume)

    def _clock_check(self, acquisition: Acquisition, ear: Listening) -> Check:
        stream = acquisition.description
        assert stream is not None  # it is open
        try:
            check_clocks(stream, acquisition.marker_description)
        except StreamMismatch as error:
            return refused("clock", error)
        return judge.check_clock(
            stream, ear.offsets_s, ear.uncertainty_s, here=socket.gethostname()
        )

    def _triggers(self, ear: Listening, seconds: float) -> Check:
        if self._trigger_problem is not None:
            return refused("triggers", self._trigger_problem)
        if not self._locked or self._acquisition is None:
            return Check("triggers", "ok", judge.FREE_RUN)
        marker = self._acquisition.marker_description
        source = (
            f"channel {self._run.trigger_channel!r}"
            if marker is None
            else f"marker stream {marker.name!r} on {marker.host!r}"
        )
        tr_s = self._run.tr_s or (self._bundle.card.tr_s if self._bundle else None)
        return judge.check_triggers(
            ear.triggers(seconds),
            source=source,
            wanted=self._run.trigger,
            every_s=None if tr_s is None else tr_s / self._run.trigger_every,
        )


def _attempts(settings: AcquisitionSettings) -> Iterator[AcquisitionSettings]:
    """Yield the settings, then such as ask for less, to find out what is wrong."""
    yield settings
    if settings.unit is None:
        settings = replace(settings, unit="uV")
        yield settings
    if settings.trigger is not None:
        yield replace(settings, trigger=None)


def _size(stream: StreamDescription) -> str:
    n_eeg = sum(channel.kind == "eeg" for channel in stream.channels)
    return f"{n_eeg} EEG of {len(stream.channels)} channels, {stream.rate_hz:g} Hz"
