"""One session: pull, push through the pipeline, publish. The story of every TR."""

import gc
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from rtbold.acquire import Acquisition, EventGate, InletStatus
from rtbold.bundle import Bundle
from rtbold.clock import Clock
from rtbold.config import KindName
from rtbold.errors import StreamMismatch
from rtbold.feedback import Feedback, FeedbackChain, Norm, Reference, SafetyLimits
from rtbold.messages import (
    TR_TOLERANCE,
    WINDOW_S,
    BoldPrediction,
    Event,
    Float32Array,
    Marker,
    MeasuredVolume,
    OperatorCommand,
    Reason,
    Status,
    StreamChanged,
    TimePassed,
)
from rtbold.predict import Pipeline, marked_late
from rtbold.protocol import BlockNow, Step
from rtbold.publish import (
    Allowance,
    CommandQueue,
    ControlCommand,
    Feed,
    Hello,
    LiveIntervals,
    Log,
    LslMirror,
    Message,
    Moments,
    SessionState,
    StreamState,
    Trigger,
    pred_fb,
    pred_roi,
    run_phase,
)
from rtbold.record import RecordingRun
from rtbold.session.baseline import as_kept, keep_baseline
from rtbold.session.blinded import SealedSession
from rtbold.session.discretion import Discretion
from rtbold.session.machine import garbage_on_demand
from rtbold.session.protocol import ProtocolRun
from rtbold.session.recompute import Where, nowhere
from rtbold.session.truth import LiveTruth
from rtbold.session.views import (
    Outages,
    StreamFacts,
    Views,
    Watch,
    other_senders,
    recording_part,
)

# Small parts of a session: what it counts, times and calls things.


class TimedModel:
    """An engine that notes how long its last call took.

    Parameters
    ----------
    runs_on : engine and precision, for people.
    """

    def __init__(
        self,
        engine: Callable[[Float32Array], Float32Array],
        clock: Clock,
        *,
        runs_on: str = "",
    ) -> None:
        self._engine = engine
        self._clock = clock
        self.runs_on = runs_on
        self.infer_ms: float | None = None

    @property
    def feature_distance(self) -> Float32Array | None:
        """What the engine says of the last call's features; None: nothing."""
        found: Float32Array | None = getattr(self._engine, "feature_distance", None)
        return found

    def __call__(self, eeg_uv: Float32Array) -> Float32Array:
        """Run the engine; same shapes."""
        begun_s = self._clock.now_s()
        values = self._engine(eeg_uv)
        self.infer_ms = 1000 * (self._clock.now_s() - begun_s)
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionParts:
    """The open parts of a session; whoever opened them closes them."""

    bundle: Bundle
    pipeline: Pipeline
    model: TimedModel
    acquisition: Acquisition
    feed: Feed
    mirror: LslMirror | None
    recording: RecordingRun | None
    feedback: FeedbackChain
    upstream_ms: float | None
    hello: Callable[[float | None], Hello]  # from the clock's uncertainty in ms
    trigger_label: str | None  # of --trigger; None: the only one that comes
    truth: LiveTruth | None  # None: nobody measures BOLD
    kind: KindName = "training"  # of the run; feedback is shown in training alone
    run_number: int = 1
    protocol: ProtocolRun | None = None  # None: a run without blocks
    where: Where = nowhere  # in the protocol the volume of a prediction lies
    blinded: SealedSession | None = None  # None: what is predicted is what goes out


@dataclass(slots=True)
class SessionSummary:
    """What came out, for the last lines on the screen."""

    n_by_status: Counter[Status] = field(default_factory=Counter)
    n_late: int = 0
    n_volumes: int = 0
    worst_age_ms: float = 0.0
    recording_problem: str = ""
    shown: str = ""  # what was limited of what was shown; empty: nothing was shown
    truth: str = ""  # score after the run; empty: nothing was measured


def stream_state(inlet: InletStatus) -> StreamState:
    """Return the wire's word for the state of an inlet."""
    match inlet.state:
        case "connected":
            return "running"
        case "stalled":
            return "stalled"
        case "starting":
            return "searching"
    return "lost"


VALUES_COME = f"values come once it has gone on for {WINDOW_S:g} s"
BACK_IN_TR = f"the triggers come at the expected TR again; {VALUES_COME}"


def other_tr_text(found_s: float, tr_s: float) -> str:
    """Return what came and what was expected where triggers keep another TR."""
    n = round(found_s / tr_s)
    multiple = n > 1 and abs(found_s / (n * tr_s) - 1) <= TR_TOLERANCE
    lost = f" They may be {n} TRs apart because triggers are lost: look at the cable."
    return (
        f"triggers come every {found_s:.4g} s, expected {tr_s:.4g} s "
        f"({100 * TR_TOLERANCE:g} % at most off). Give the scanner's TR with --tr, or "
        "--trigger-every N if these are slice triggers, or use a model for this TR."
        + (lost if multiple else "")
    )


logger = logging.getLogger(__name__)
TIME_PASSES_EVERY_S = 0.05
EEG_EVERY_S = 0.1
SLOW_VIEWS_EVERY_S = 1.0
PHASE_EVERY_S = 5.0  # again: whoever missed it shows no feedback until then
ODD_TRIGGERS = 20, 20.0  # told at once, and a second: doubles, late ones, dummies
VOLUMES_THAT_MAY_BE_REFUSED = 10  # a wrong TR this early ends the session


class Session:
    """Runs the loop in the caller's thread until the time is over or it is told to.

    Parameters
    ----------
    parts : open already.
    commands : what operators asked for; filled by the control socket's thread.
    clock : LSL's.
    discretion : takes names of persons and computers out of what is said.
    """

    def __init__(
        self,
        parts: SessionParts,
        commands: CommandQueue,
        clock: Clock,
        *,
        discretion: Discretion,
    ) -> None:
        self._parts = parts
        self.discretion = discretion
        self._commands = commands
        self._clock = clock
        self._views = Views(parts.pipeline, parts.bundle.card)
        self._outages = Outages()
        self._stopping = False
        self._paused = False
        self._last_status: tuple[Status, tuple[Reason, ...]] | None = None
        self._watch = Watch(
            parts.acquisition,
            parts.pipeline,
            parts.recording,
            feed=parts.feed,
            say=self._say,
            tell_clock=lambda ms: parts.feed.publish(parts.hello(ms)),
            truth=parts.truth.source if parts.truth else None,
            commands=commands,
        )
        self._gate = EventGate(
            parts.trigger_label,
            parts.acquisition,
            say=lambda text: self._say("error", text),
        )
        self._n_runs = 0  # as told
        self._other_tr_s: float | None = None  # what the triggers keep, as told
        self._odd_triggers = Allowance(*ODD_TRIGGERS)
        self._interpolated: tuple[str, ...] = ()
        self._eeg_due_s = self._slow_due_s = self._phase_due_s = clock.now_s()
        self._begun_s = clock.now_s()
        self._planned_s: float | None = None
        self._stopped = False  # by the participant, in a run without a protocol
        self._limits = SafetyLimits(parts.feedback.settings)
        self._norm: Norm | None = None  # as told
        self._kept: Reference | None = None  # the measured baseline, as it was kept
        self.intervals = LiveIntervals(parts.bundle.card.intervals)
        self.summary = SessionSummary()

    @property
    def _protocol(self) -> ProtocolRun | None:
        return self._parts.protocol

    @property
    def recording(self) -> RecordingRun | None:
        """What this session leaves behind; None: nothing was asked for."""
        return self._parts.recording

    def warn(self, text: str) -> None:
        """Tell the operator before the loop begins."""
        self._say("warning", text)

    def stop(self) -> None:
        """End the loop at its next turn; safe from a signal handler."""
        self._stopping = True

    def run(
        self, duration_s: float | None = None, *, priority: str = ""
    ) -> SessionSummary:
        """Loop until `duration_s` is over, or a STOP, or `stop`.

        Parameters
        ----------
        priority : what came of asking for a higher one (`raised_priority`).
        """
        name, runs_on = self._parts.bundle.card.name, self._parts.model.runs_on
        self._say("info", f"model {name!r} runs on {runs_on}")
        if priority:
            self._say("info", priority)
        with garbage_on_demand():
            self._loop(duration_s)
        self._parts.feedback.finish()
        self._keep_baseline()
        self.summary.shown = self._limits.in_words()
        if self.summary.shown:
            self._say("info", f"feedback: {self.summary.shown}")
        if self._parts.truth is not None:
            self.summary.truth = self._parts.truth.pairs.after_run()
        return self.summary

    def _loop(self, duration_s: float | None) -> None:
        begun_s = due_s = self._begun_s = self._clock.now_s()
        self._planned_s = duration_s
        self._publish_phase(begun_s)  # before any prediction
        self._push(TimePassed(begun_s))  # so that what has queued up shows its age
        while not self._stopping:
            for event in self._pull(due_s):
                self._push(event)
            now_s = self._clock.now_s()
            if now_s >= due_s:
                self._push(TimePassed(now_s))
                self._show(now_s)
                due_s = max(due_s + TIME_PASSES_EVERY_S, now_s)
            if duration_s is not None and now_s - begun_s >= duration_s:
                break
            if self._protocol is not None and self._protocol.is_over(now_s):
                break
        self._publish_phase(self._clock.now_s(), ended=True)
        for command in self._commands.close():  # whoever sent it was told "ok"
            for event in self._command(command):
                self._push(event)

    def _pull(self, until_s: float) -> Iterator[Event]:
        """Yield what operators and streams have sent; wait for it up to `until_s`."""
        for command in self._commands.take(self._clock.now_s()):
            yield from self._command(command)
        timeout_s = max(until_s - self._clock.now_s(), 0.0)
        gather = not self._parts.pipeline.waits
        for event in self._parts.acquisition.events(timeout_s, gather=gather):
            stop = self._protocol.command_of(event) if self._protocol else None
            yield from self._gate(event) if stop is None else (stop,)
        if self._parts.truth is not None:
            yield from self._parts.truth.source.volumes()

    def _push(self, event: Event) -> None:
        """Take one event through the pipeline and publish what it completes."""
        t_pipeline_s = self._clock.now_s()
        self._outages.take(event)
        if self._parts.recording is not None:
            self._parts.recording.take(event)
        if isinstance(event, OperatorCommand):
            self._heed(event)
        for prediction in self._parts.pipeline.push(event):
            self._publish(prediction, t_pipeline_s)
        self._watch.take(event)
        if isinstance(event, Marker):
            self._publish_trigger(event)
        elif isinstance(event, StreamChanged):
            self.discretion.learn(event.description.host)
            self._watch.stream_changed(event.description)
        elif isinstance(event, MeasuredVolume):
            self._publish_truth(event)

    def _publish(self, prediction: BoldPrediction, t_pipeline_s: float) -> None:
        now_s = self._clock.now_s()
        if prediction.values is not None:
            prediction = replace(prediction, infer_ms=self._parts.model.infer_ms)
        prediction = marked_late(prediction, now_s)
        moments = Moments(
            t_pipeline_s=t_pipeline_s,
            t_predicted_s=now_s,
            t_publish_s=self._clock.now_s(),
            upstream_ms=self._parts.upstream_ms,
        )
        step = self._take_volume(prediction, now_s)
        card, widths = self._parts.bundle.card, self.intervals.widths
        now, blinded = self._parts.where(prediction), self._parts.blinded
        shown = blinded.deliver(prediction, now) if blinded else prediction
        feedback = self._fed_back(shown, now)
        roi = pred_roi(prediction, card, moments, widths=widths)
        fb = pred_fb(prediction, card, moments, feedback=feedback, widths=widths)
        if blinded is None:
            self._send(fb, roi)
        else:  # the real ones are for the statistician alone
            self._send(fb)
            own = blinded.feedback_of(prediction, now)
            real = pred_fb(prediction, card, moments, feedback=own, widths=widths)
            blinded.seal(roi, real)
            if text := blinded.news():
                self._say("info", text)
        self._publish_step(step)
        self._mark(step, prediction.tick.t_trigger_s)
        if self._parts.mirror is not None:
            self._parts.mirror.push(roi, fb)
        if self._parts.truth is not None:
            self._parts.truth.pairs.predicted(prediction)
        self._note(shown, fb.age_ms)
        gc.collect()  # the next one is a TR away

    # The protocol: what a volume or a command changes in it

    def _take_volume(self, prediction: BoldPrediction, now_s: float) -> Step:
        """Return where a volume lies; what shows less goes out before its value."""
        if self._protocol is None:
            return Step()
        step = self._protocol.tick(prediction.tick, now_s)
        if step.changed is None or step.changed.shows:
            return step
        self._publish_step(step)
        return replace(step, changed=None)

    def _mark(self, step: Step, t_s: float) -> None:
        """Tell the recording and the operator of a block that begins at `t_s`."""
        for text in step.markers:
            self._say("info", text)
            if self._parts.mirror is not None:
                self._parts.mirror.push_event(text, t_s)

    def _publish_step(self, step: Step) -> None:
        """Say where the protocol now is, if that is new, and keep it."""
        if step.changed is None or self._protocol is None:
            return
        self._publish_phase(self._clock.now_s())
        if step.changed.where != "before":
            self._keep_published(self._protocol.phase)

    def _heed(self, command: OperatorCommand) -> None:
        """Do at once what the participant asks for; mark it in the recording."""
        if command.op == "resume" and self._stopped:
            self._stopped = False
            self._publish_phase(self._clock.now_s())
        if self._protocol is not None:
            step = self._protocol.take(command)
            self._publish_step(step)
            self._mark(step, self._clock.now_s())
        elif command.op == "participant_stop":
            self._stopped = True
            self._publish_phase(self._clock.now_s())
        if command.op in ("participant_stop", "adverse_event", "answer"):
            text = f"{command.op}: {command.text}".removesuffix(": ")
            urgent = command.op != "answer"
            self._say("warning" if urgent else "info", text)
            if self._parts.mirror is not None:
                self._parts.mirror.push_event(text, self._clock.now_s())

    def _fed_back(self, prediction: BoldPrediction, now: BlockNow | None) -> Feedback:
        """Return what a participant may be shown of a prediction."""
        feedback = self._limits.push(self._parts.feedback.push(prediction, now), now)
        norm = feedback.norm
        if self._norm is not None and norm.baseline != self._norm.baseline:
            n_eff = "?" if norm.n_eff is None else f"{norm.n_eff:g}"
            text = f"baseline {norm.baseline!r}: {norm.n} volumes, {n_eff} independent"
            self._say("info", text)
            self._keep_baseline()
        self._norm = norm
        return feedback

    def _keep_baseline(self) -> None:
        """Keep a measured baseline for the runs that follow; a full disk ends none."""
        chain, recording = self._parts.feedback, self._parts.recording
        found = chain.measured
        if recording is None or found is None or found is self._kept:
            return
        self._kept = found
        kept = as_kept(found, chain, model_sha256=self._parts.bundle.sha256)
        try:
            keep_baseline(recording.paths.folder, kept)
        except OSError as error:
            text = f"the baseline could not be kept: {error.strerror or error}"
            self._say("error", text)

    def _note(self, prediction: BoldPrediction, age_ms: float) -> None:
        """Count, and say when the status has changed."""
        summary = self.summary
        summary.n_by_status[prediction.status] += 1
        summary.n_late += "late" in prediction.reasons
        if prediction.tick.volume_index is not None:
            summary.n_volumes += 1
        if prediction.values is not None:
            summary.worst_age_ms = max(summary.worst_age_ms, age_ms)
        if self._interpolated != (names := self._parts.pipeline.interpolated):
            self._interpolated = names
            self._say(
                "info",
                f"reference and interpolation recomputed; interpolated channels: "
                f"{', '.join(names) or 'none'}",
            )
        status = prediction.status, prediction.reasons
        if status != self._last_status:
            self._last_status = status
            self._say("info", f"status {status[0]}: {', '.join(status[1]) or 'well'}")

    # What is shown beside the predictions

    def _show(self, now_s: float) -> None:
        feed = self._parts.feed
        n_refused = self._commands.n_refused
        feed.set_state(self._state(), self._newest_s(), n_refused=n_refused)
        if now_s >= self._eeg_due_s:
            self._eeg_due_s = max(self._eeg_due_s + EEG_EVERY_S, now_s)
            if feed.wants("eeg"):
                self._publish_view(self._views.eeg)
        if now_s >= self._phase_due_s:
            self._publish_phase(now_s)
        if now_s >= self._slow_due_s:
            self._slow_due_s = max(self._slow_due_s + SLOW_VIEWS_EVERY_S, now_s)
            facts = self._stream_facts(now_s)
            self._publish_view(lambda: self._views.quality(facts))
            if feed.wants("bands"):
                self._publish_view(self._views.bands)
            self._watch.look()

    def _publish_phase(self, now_s: float, *, ended: bool = False) -> None:
        """Say which run this is, of which kind, and at the end that it is over."""
        self._phase_due_s = now_s + PHASE_EVERY_S
        if self._protocol is not None and not ended:
            self._parts.feed.publish(self._protocol.phase)
            return
        self._parts.feed.publish(
            run_phase(
                self._parts.kind,
                self._parts.run_number,
                begun_s=self._begun_s,
                planned_s=self._planned_s,
                ended_s=now_s if ended else None,
                stopped=self._stopped,
            )
        )

    def _publish_truth(self, volume: MeasuredVolume) -> None:
        if (truth := self._parts.truth) is None:
            return
        learn = self.intervals.take
        message = self._publish_view(
            lambda: truth.pairs.measured(volume, say=self._say, learn=learn)
        )
        if message is not None:
            self._keep_published(message)

    def _send(self, *messages: Message) -> None:
        for message in messages:
            self._parts.feed.publish(message)
        self._keep_published(*messages)

    def _keep_published(self, *messages: Message) -> None:
        """Keep what has gone out, so that it can be verified later."""
        if (recording := self._parts.recording) is not None:
            for message in messages:
                recording.published(message.topic, message)

    def _publish_view(self, draw: Callable[[], Message | None]) -> Message | None:
        """Publish what is only looked at; a fault in it must not end a session."""
        try:
            message = draw()
        except Exception:
            logger.exception("a view could not be drawn; the session goes on")
            return None
        if message is not None:
            self._parts.feed.publish(message)
        return message

    def _stream_facts(self, now_s: float) -> StreamFacts:
        newest_s = self._newest_s()
        marker = self._parts.acquisition.marker
        heard_s = marker.last_arrived_s if marker else None
        return StreamFacts(
            state=stream_state(self._parts.acquisition.eeg),
            age_s=None if newest_s is None else now_s - newest_s,
            trigger_age_s=None if heard_s is None else now_s - heard_s,
            n_overflow_samples=self._parts.acquisition.n_overflow,
            other_sender=other_senders(self._parts.acquisition),
            outages=self._outages.counted(now_s),
            recording=recording_part(self._parts.recording),
        )

    def _newest_s(self) -> float | None:
        window = self._parts.pipeline.window
        newest_s = window.newest_s if window else None
        return (
            None if newest_s is None else self._parts.pipeline.clocks.to_local(newest_s)
        )

    def _state(self) -> SessionState:
        if self._paused:
            return "paused"
        if stream_state(self._parts.acquisition.eeg) != "running":
            return "stalled"
        state = self._parts.pipeline.schedule.state
        if state in ("triggers_lost", "tr_changed"):
            return "paused"
        return "waiting" if state in ("waiting", "dummies") else "running"

    def _publish_trigger(self, marker: Marker) -> None:
        note = self._parts.pipeline.last_trigger
        if note is None:
            return
        now_s = self._clock.now_s()
        if note.kind != "volume" and not self._odd_triggers.take(now_s):
            return  # counted in `quality`; a flood of them must not fill the feed
        self._parts.feed.publish(
            Trigger(
                kind=note.kind,
                volume_index=note.volume_index,
                t_trigger=note.t_local_s,
                label=marker.label,
            )
        )
        self._note_run()
        self._check_tr()

    def _note_run(self) -> None:
        n_runs = self._parts.pipeline.schedule.counts.n_runs
        if n_runs != self._n_runs:
            self._n_runs = n_runs
            self._say("info", f"run {n_runs} of the scanner began; {VALUES_COME}")

    def _check_tr(self) -> None:
        """Say that the scanner's TR is not the session's; refuse it at the start.

        The schedule pauses by itself, and goes on by itself.
        """
        schedule = self._parts.pipeline.schedule
        tr_s, was_s = schedule.tr_mismatch, self._other_tr_s
        self._other_tr_s = tr_s
        if (tr_s is None) is (was_s is None):
            return
        if tr_s is None:
            self._say("info", BACK_IN_TR)
            return
        text = other_tr_text(tr_s, self._parts.pipeline.tr_s)
        early = self.summary.n_volumes <= VOLUMES_THAT_MAY_BE_REFUSED
        if early and not schedule.tr_was_right:
            raise StreamMismatch(text)
        self._say("error", f"paused: {text}")

    def _say(self, level: str, text: str) -> None:
        """Tell the log, and whoever subscribes to it: one line that names nobody."""
        text = self.discretion.line(text)
        logger.log(logging.getLevelNamesMapping()[level.upper()], "%s", text)
        self._parts.feed.publish(Log(level=level, text=text))  # type: ignore[arg-type]

    def _command(self, command: ControlCommand) -> Iterator[Event]:
        self._say("info", f"operator: {command.op} {command.text}".strip())
        match command.op:
            case "stop":
                self.stop()
            case "pause" | "start" | "resume":
                self._paused = command.op == "pause"
                yield OperatorCommand("pause" if self._paused else "resume")
            case op:
                if op in ("mark", "note") and self._parts.mirror is not None:
                    text = f"{op}: {command.text}"
                    self._parts.mirror.push_event(text, self._clock.now_s())
                yield OperatorCommand(op, command.text)
