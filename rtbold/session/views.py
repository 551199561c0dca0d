"""What a session shows beside its predictions: EEG, bands, quality. Pure."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from msgspec import UNSET, UnsetType

from rtbold.acquire import Acquisition, InletStatus, OpenFeed, simple_rate_hz
from rtbold.bundle import Card
from rtbold.condition import (
    SPAN_S,
    ChannelFlag,
    Intake,
    channel_state,
    model_channels,
)
from rtbold.electrodes import canonical
from rtbold.messages import (
    MODEL_RATE_HZ,
    Discontinuity,
    EegChunk,
    Event,
    Float32Array,
    Marker,
    StreamChanged,
    StreamDescription,
)
from rtbold.predict import Pipeline
from rtbold.publish import (
    Bands,
    ChannelPart,
    CommandQueue,
    Eeg,
    Feed,
    Quality,
    RecordingPart,
    StreamState,
    bands_message,
    eeg_message,
)
from rtbold.record import RecordingRun
from rtbold.session.arrivals import ArrivalWatch
from rtbold.window import Window

MOST_EEG_SAMPLES = 400  # of one message; who lags further sees a hole


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What the edge knows of the stream and the pipeline does not."""

    state: StreamState
    age_s: float | None
    trigger_age_s: float | None
    n_overflow_samples: int  # dropped, because the session took none for too long
    other_sender: str = ""  # `other_senders`
    outages: tuple[int, float] = (0, 0.0)  # `Outages.counted`
    recording: RecordingPart | None = None  # None: nothing is recorded


def recording_part(run: RecordingRun | None) -> RecordingPart | None:
    """Return how the recording is doing, for those who watch; it names no folder."""
    if run is None:
        return None
    state = run.state
    return RecordingPart(
        state=state.status,
        file=run.paths.xdf().name,
        n_bytes=state.n_bytes,
        t_begun=run.begun_s,
    )


class Outages:
    """Times without the EEG's stream, over all its connections.

    What is lost while a stream is connected is known by its stamps (`IntakeCounters`).
    What is lost between two connections is known by arrivals alone; where the same one
    goes on, its stamps tell what came late and was not lost. Pure.
    """

    def __init__(self) -> None:
        self._n, self._lost_s = 0, 0.0
        self._arrived_s: float | None = None  # of the newest samples
        self._open = False
        self._stamp_s: float | None = None  # of the newest; None: another stream's
        self._period_s = 0.0

    def take(self, event: Event) -> None:
        """See one event."""
        match event:
            case EegChunk(t_arrived_s=t_arrived_s):
                if self._open and self._arrived_s is not None:
                    self._n += 1
                    self._lost_s += self._lost_before(event, self._arrived_s)
                self._arrived_s, self._open = t_arrived_s, False
                self._stamp_s = float(event.t_lsl_s[-1])
            case Discontinuity(kind="lost"):
                self._open = self._arrived_s is not None
            case StreamChanged(description=description):
                self._open = self._arrived_s is not None
                self._stamp_s = None
                rate_hz = description.rate_hz
                self._period_s = 1 / rate_hz if rate_hz > 0 else 0.0

    def _lost_before(self, chunk: EegChunk, arrived_s: float) -> float:
        """Return the seconds that never came, at most as many as nothing came."""
        silent_s = max(chunk.t_arrived_s - arrived_s, 0.0)
        if self._stamp_s is None:
            return silent_s
        missing_s = float(chunk.t_lsl_s[0]) - self._stamp_s - self._period_s
        if not math.isfinite(missing_s):
            return silent_s
        return min(max(missing_s, 0.0), silent_s)

    def counted(self, now_s: float) -> tuple[int, float]:
        """Return how many, and how many seconds; the one that lasts among them."""
        if not self._open or self._arrived_s is None:
            return self._n, self._lost_s
        return self._n + 1, self._lost_s + max(now_s - self._arrived_s, 0.0)


class Views:
    """Draws from a pipeline what the topics eeg, bands and quality say."""

    def __init__(self, pipeline: Pipeline, card: Card) -> None:
        self._pipeline = pipeline
        self._card = card
        self._shown: tuple[Window | None, int] = (None, 0)
        self._index = 0  # of the next sample, over the whole session
        self._rate_hz = MODEL_RATE_HZ  # nominal, of the newest stream

    def eeg(self) -> Eeg | None:
        """Return the conditioned samples since the last call."""
        intake, window = self._pipeline.intake, self._pipeline.window
        if intake is None or window is None or window.newest_s is None:
            return None
        before = self._shown[1] if self._shown[0] is window else 0
        end = window.end_200hz
        first = before if before <= end else 0  # the filters started anew
        first = max(first, end - MOST_EEG_SAMPLES)
        self._shown = (window, end)
        if first == end:
            return None
        data_uv = self._model_channels(intake, window.latest(end - first))
        t_first_s = self._pipeline.clocks.to_local(window.time_of(first))
        message = eeg_message(data_uv, self._index, t_first_s)
        self._index += end - first
        return message

    def bands(self) -> Bands | None:
        """Return the band powers of the last seconds."""
        intake, window = self._pipeline.intake, self._pipeline.window
        n = round(SPAN_S * MODEL_RATE_HZ)
        if intake is None or window is None or window.newest_s is None:
            return None
        if window.end_200hz < n:
            return None
        data_uv = self._model_channels(intake, window.latest(n))
        t_end_s = self._pipeline.clocks.to_local(window.time_of(window.end_200hz))
        return bands_message(data_uv, t_end_s)

    def quality(self, stream: StreamFacts) -> Quality:
        """Return the state of stream and channels, and the counts of the session."""
        intake, counters = self._pipeline.intake, self._pipeline.counters
        if intake is not None:
            self._rate_hz = intake.description.rate_hz
        n_outages, outages_s = stream.outages
        lost_s = outages_s + counters.n_missing / self._rate_hz
        schedule = self._pipeline.schedule
        counts, lag_s = schedule.counts, schedule.trigger_lag_s
        return Quality(
            stream_state=stream.state,
            stream_age_ms=_ms(stream.age_s),
            rate_hz_nominal=intake.description.rate_hz if intake else None,
            rate_hz_effective=_effective_hz(intake) if intake else None,
            channels=self._channels(intake),
            n_gaps=counters.n_gaps + n_outages,
            n_missing_samples=counters.n_missing + round(outages_s * self._rate_hz),
            n_stamp_steps=counters.n_stamp_steps,
            n_triggers=counts.n_triggers,
            n_triggers_missed=counts.n_missed,
            n_triggers_double=counts.n_double + counts.n_stray,
            trigger_age_ms=_ms(stream.trigger_age_s),
            trigger_lag_ms=UNSET if math.isnan(lag_s) else round(1000 * lag_s, 1),
            n_triggers_implausible=counts.n_implausible or UNSET,
            n_overflow_samples=stream.n_overflow_samples or UNSET,
            other_sender=stream.other_sender or UNSET,
            stream_lag_ms=_told_ms(intake.lags.lag_s if intake else None),
            stream_lag_usual_ms=_told_ms(intake.lags.usual_s if intake else None),
            lost_s=round(lost_s, 3) or UNSET,
            recording=stream.recording,
        )

    def _channels(self, intake: Intake | None) -> tuple[ChannelPart, ...]:
        flags = bad_now(intake) if intake else {}
        missing = intake.fit.missing if intake else frozenset(self._card.channels)
        return tuple(
            ChannelPart(
                label=name,
                state="missing"
                if name in missing
                else channel_state(flags.get(name, ())),
                interpolated=name in missing or bool(flags.get(name)),
            )
            for name in self._card.channels
        )

    @staticmethod
    def _model_channels(intake: Intake, samples_uv: Float32Array) -> Float32Array:
        """Return the samples as the model would get them now, (model channels, n)."""
        plan = intake.fit.spatial.matrix(frozenset(bad_now(intake)))
        return model_channels(plan.matrix, samples_uv).astype(np.float32)


def bad_now(intake: Intake) -> dict[str, frozenset[ChannelFlag]]:
    """Return the EEG channels that are bad at this moment, by canonical name."""
    return {
        canonical(state.label): state.flags
        for state in intake.monitor.report()
        if state.kind == "eeg" and state.flags
    }


def other_senders(acquisition: Acquisition) -> str:
    """Return which streams come from another sender than at the start, and which."""
    inlets = {"EEG": acquisition.eeg, "triggers": acquisition.marker}
    texts = {name: inlet.other_sender for name, inlet in inlets.items() if inlet}
    return "; ".join(f"{name}: {text}" for name, text in texts.items() if text)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)


def _told_ms(seconds: float | None) -> float | UnsetType:
    return UNSET if seconds is None else round(1000 * seconds, 1)


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def _effective_hz(intake: Intake) -> float | None:
    return _finite(intake.rates.rate_hz or intake.effective_rate_hz)


# What a session tells its operator beside the predictions: what has changed.

CLOCK_CHANGE_S = 0.001
Say = Callable[[str, str], None]  # level, text


class Watch:
    """Looks once a second at streams, clock and recording; speaks when they change.

    Parameters
    ----------
    feed : where the session publishes.
    say : takes level and text.
    tell_clock : publishes how well a foreign clock is aligned, in ms.
    truth : where measured BOLD comes from.
    commands : of operators; it knows how many were refused.
    """

    def __init__(
        self,
        acquisition: Acquisition,
        pipeline: Pipeline,
        recording: RecordingRun | None,
        *,
        feed: Feed,
        say: Say,
        tell_clock: Callable[[float], None],
        truth: OpenFeed | None = None,
        commands: CommandQueue | None = None,
    ) -> None:
        self._acquisition = acquisition
        self._pipeline = pipeline
        self._recording = recording
        self._feed = feed
        self._say = say
        self._tell_clock = tell_clock
        self._truth = truth
        self._commands = commands
        self._arrivals = ArrivalWatch(pipeline, say)
        self._logged_truth = ""
        self._said: dict[str, object] = {}  # of each state and problem, the last
        self._logged_uncertainty_s: float | None = None
        self._marker_uid = ""
        self._logged_senders = ""
        self._n_logged_encode_errors = self._n_logged_overflow = 0
        self._n_logged_refused = {"feed": 0, "control": 0}

    def take(self, event: Event) -> None:
        """Take an event that the pipeline has seen, for how it came."""
        if isinstance(event, EegChunk):
            self._arrivals.heard(event.t_arrived_s)
        elif isinstance(event, Marker):
            self._arrivals.triggered()

    def look(self) -> None:
        """Say what is new.

        Raises
        ------
        RtboldError : the acquisition found that it must refuse its stream.
        """
        if self._acquisition.refused is not None:
            raise self._acquisition.refused
        self._look_at_clock()
        self._look_at_markers()
        self._arrivals.look()
        eeg, marker = self._acquisition.eeg, self._acquisition.marker
        problem = self._recording.problem if self._recording else ""
        engine = str(self._pipeline.engine_problem or "")
        self._look_at_truth()
        self._look_at_losses()
        self._look_at_senders()
        self._look_at_refusals()
        self._say_state("EEG stream", eeg)
        if marker is not None:
            self._say_state("trigger stream", marker)
        self._say_problem("RECORDING", problem)
        self._say_problem("ENGINE", engine)

    def _say_state(self, what: str, inlet: InletStatus) -> None:
        """Say the state of an inlet, where it is another than was said last."""
        if self._said.get(what) != (state := (inlet.state, inlet.problem)):
            self._said[what] = state
            text = f"{what} {inlet.state}. {inlet.problem or ''}"
            self._say("error" if inlet.problem else "info", text.strip())

    def _say_problem(self, what: str, problem: str) -> None:
        """Say a problem that is new, and that it is over."""
        if self._said.get(what, "") == problem:
            return
        self._said[what] = problem
        if problem:
            self._say("error", f"{what}: {problem}")
        else:
            self._say("info", f"{what}: all is well again")

    def _look_at_senders(self) -> None:
        """Say that another sender is read in place of the first one, or no longer."""
        senders = other_senders(self._acquisition)
        if senders and senders != self._logged_senders:
            self._say(
                "error",
                f"another sender of the same name is read. {senders}. Every value is "
                "degraded (stream_changed) until the first one is back. Is it the same "
                "program, started again? If not, end it.",
            )
        elif self._logged_senders and not senders:
            self._say("info", "the stream comes from its first sender again")
        self._logged_senders = senders

    def _look_at_truth(self) -> None:
        problem = self._truth.problem if self._truth else ""
        if problem and problem != self._logged_truth:
            self._say("error", f"TRUTH: {problem}")
        self._logged_truth = problem

    def _look_at_losses(self) -> None:
        """Say what should have gone out or come in, and was dropped."""
        n = self._feed.n_encode_errors
        if n > self._n_logged_encode_errors:
            self._n_logged_encode_errors = n
            self._say(
                "error",
                f"FEED: {n} messages could not be encoded and did not go out, the last "
                f"for {self._feed.last_encode_error!r}. Subscribers miss them; tell "
                "who made this rtbold.",
            )
        n = self._acquisition.n_overflow
        if n > self._n_logged_overflow:
            self._n_logged_overflow = n
            self._say(
                "error",
                f"EEG: {n} samples were dropped, because the session took none for too "
                "long. What else keeps this machine busy?",
            )

    def _look_at_refusals(self) -> None:
        """Say at the first refusal, and again when they are ten times as many."""
        n = self._feed.n_refused
        if self._much_more("feed", n):
            self._say(
                "warning",
                f"FEED: {n} connections were refused or cut off: too many of them, too "
                "many or too large subscriptions, or no subscriber at all. The others "
                "notice nothing. Which program subscribes here in vain?",
            )
        n = self._commands.n_refused if self._commands else 0
        if self._much_more("control", n):
            self._say(
                "warning",
                f"CONTROL: {n} commands or connections were refused: they came faster "
                "than the session takes them, or were none. Who sent a command was "
                "told. Which program sends so many?",
            )

    def _much_more(self, what: str, n: int) -> bool:
        told = self._n_logged_refused[what]
        if n == 0 or n < 10 * told:
            return False
        self._n_logged_refused[what] = n
        return True

    def _look_at_markers(self) -> None:
        """Let the recording follow a marker stream that came back as another one."""
        stream = self._acquisition.marker_description
        if stream is None or stream.uid == self._marker_uid:
            return
        if self._marker_uid and self._recording is not None:
            self._recording.marker_changed(stream)
        self._marker_uid = stream.uid

    def _look_at_clock(self) -> None:
        uncertainty_s = self._pipeline.clocks.uncertainty_s
        if uncertainty_s is None or not math.isfinite(uncertainty_s):
            return
        told_s = self._logged_uncertainty_s
        if told_s is None or abs(uncertainty_s - told_s) > CLOCK_CHANGE_S:
            self._logged_uncertainty_s = uncertainty_s
            self._tell_clock(1000 * uncertainty_s)

    def stream_changed(self, stream: StreamDescription) -> None:
        """Say which stream it is now, and whether the model can use it."""
        n_eeg = sum(channel.kind == "eeg" for channel in stream.channels)
        self._say(
            "info",
            f"stream {stream.name!r} on {stream.host!r}: {n_eeg} EEG channels of "
            f"{len(stream.channels)} at {_rate(stream)}, reference "
            f"{stream.reference or 'not said'}",
        )
        if self._pipeline.misfit is not None:
            text = f"nothing can be predicted from it: {self._pipeline.misfit}"
            self._say("error", text)


def _rate(stream: StreamDescription) -> str:
    set_hz = simple_rate_hz(stream.rate_hz)
    if set_hz == stream.rate_hz:
        return f"{stream.rate_hz:g} Hz"
    return f"{set_hz:g} Hz (it declares a measured rate, {stream.rate_hz!r} Hz)"
