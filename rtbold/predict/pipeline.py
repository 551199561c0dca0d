"""The pure pipeline: events in, predictions out.

No clock, socket, thread or file is in it, and time passing is an event too. The live
session, ``replay``, calibration and the tests all call this one, so that replaying a
recorded session gives the published numbers to the last bit.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from rtbold.bundle import Card
from rtbold.condition import (
    Intake,
    IntakeCounters,
    IntakeSettings,
    LagWatch,
    SpatialPlan,
    StreamClocks,
    check_same_kind,
    model_window,
    stream_fit,
)
from rtbold.errors import EngineError, RateMismatch, StreamMismatch
from rtbold.messages import (
    MODEL_RATE_HZ,
    WINDOW_S,
    BoldPrediction,
    ClockOffset,
    Discontinuity,
    EegChunk,
    Event,
    Float32Array,
    Marker,
    OperatorCommand,
    Reason,
    SenderChanged,
    StreamChanged,
    StreamDescription,
    Tick,
    TimePassed,
)
from rtbold.predict.lines import LineSettings
from rtbold.predict.muscle import MuscleMonitor, MuscleResult, MuscleSettings
from rtbold.predict.ood import OodMonitor, OodResult, OodSettings
from rtbold.predict.status import (
    Misfit,
    NoWindow,
    Pause,
    QualitySettings,
    StatusReasons,
    WindowFacts,
    status_of,
    with_fact,
)
from rtbold.window import (
    CutWindow,
    Schedule,
    ScheduleSettings,
    TriggerNote,
    Window,
    trigger_kind,
)

OUTLETS_KNOWN = 16  # whose usual lag is kept, should they come back
FILTERS_BEGIN_S = 0.75  # a window that begins later is at most 0.01 sd off
UNLIKE_HELD_S = 2.0  # of something else in a window may still look like before
SAME_S = 1e-6  # two times that are this near are one
Model = Callable[[Float32Array], Float32Array]  # (1, channels, 3200) -> (1, rois)


def feature_distance(model: Model) -> float | None:
    """Return how far out the last call's features were; None: it does not say.

    An attribute and no second result: most engines and every test answer BOLD alone.
    """
    found: Float32Array | None = getattr(model, "feature_distance", None)
    return None if found is None else float(found[0])


def null_prediction(
    tick: Tick,
    known: StatusReasons,
    card: Card,
    *,
    t_trigger_s: float,
    tr_s: float,
) -> BoldPrediction:
    """Return the answer to `tick` without values.

    Parameters
    ----------
    t_trigger_s : of the tick, on this machine's LSL clock.
    """
    shift_tr = (card.slice_reference or 0.0) + card.horizon_tr
    return BoldPrediction(
        tick=replace(tick, t_trigger_s=t_trigger_s),
        t_start_s=t_trigger_s - WINDOW_S,
        t_end_s=t_trigger_s,
        bold_time_s=t_trigger_s + shift_tr * tr_s,
        status=known.status,
        reasons=known.reasons,
        values=None,
        next_due_s=t_trigger_s + tr_s,
    )


def compared(made: BoldPrediction, ood: OodResult) -> BoldPrediction:
    """Return a prediction with its out-of-distribution score."""
    made = replace(made, unlikeness=ood.unlikeness)
    return made if ood.fact is None else with_fact(made, ood.fact)


def tensed(made: BoldPrediction, muscle: MuscleResult) -> BoldPrediction:
    """Return a prediction with what muscles have to do with it."""
    lasts = muscle.fact == "long_tense"
    made = replace(made, tension=muscle.tension, long_tense=lasts)
    return made if muscle.fact is None else with_fact(made, "tense")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSettings:
    """How one session turns events into predictions.

    A default is what a recorded session had that says nothing of it; what sessions of
    today have in its place, `stream_settings` says.
    """

    schedule: ScheduleSettings
    intake: IntakeSettings = field(default_factory=IntakeSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    likeness: OodSettings = field(default_factory=OodSettings)
    muscle: MuscleSettings | None = None  # None: not looked for
    standing: tuple[Reason, ...] = ()  # reasons that hold for the whole session
    patience_s: float = 1.0  # for samples after they are due; then the answer is null


def stream_settings(
    stream: StreamDescription,
    card: Card,
    *,
    schedule: ScheduleSettings,
    intake: IntakeSettings,
    standing: tuple[Reason, ...] = (),
) -> PipelineSettings:
    """Return the settings of a session on this stream, before its first sample.

    A late trigger is waited for as long as the filters delay the signal, or as long as
    `schedule` says if that is longer.

    Raises
    ------
    StreamMismatch : channels, reference or rate do not fit the card.
    """
    fit = stream_fit(stream, card, interpolate_missing=intake.interpolate_missing)
    wait_s = max(fit.delay_s, schedule.wait_s)
    return PipelineSettings(
        schedule=replace(schedule, wait_s=wait_s),
        intake=intake,
        quality=QualitySettings(filters_begin_s=FILTERS_BEGIN_S),
        likeness=OodSettings(lines=LineSettings(), held_s=UNLIKE_HELD_S),
        muscle=MuscleSettings(),
        standing=standing,
    )


def _slices_per_tr(schedule: ScheduleSettings) -> int | None:
    """Return how many groups of slices a volume has, if triggers come with each."""
    return schedule.trigger_every if schedule.trigger_every > 1 else None


class Pipeline:
    """From the events of a session to one prediction per tick.

    Parameters
    ----------
    card : of the bundle.
    model : the engine; called with one window, once per tick that may be predicted.
    settings : of this session.
    """

    def __init__(self, card: Card, model: Model, settings: PipelineSettings) -> None:
        self._card = card
        self._model = model
        self._settings = settings
        self.schedule = Schedule(settings.schedule)
        self.tr_s = settings.schedule.tr_s
        self.counters = IntakeCounters()
        self.intake: Intake | None = None  # with its window: of the stream
        self.window: Window | None = None
        self.misfit: StreamMismatch | None = None  # why there is neither
        self.clocks = StreamClocks()
        self._lags: dict[str, LagWatch] = {}  # by the uid of the outlet
        self._due: deque[Tick] = deque()
        self._now_s: float | None = None  # local; from TimePassed alone
        self._next_source = 0
        self.last_trigger: TriggerNote | None = None
        self.engine_problem: EngineError | None = None  # of the last that failed
        self.interpolated: tuple[str, ...] = ()  # in the newest window
        self._trigger_age_s: float | None = None
        self._without_trigger = 0  # volumes in a row whose trigger came too late
        self._warmed_up = False
        self._ood = OodMonitor(
            card.likeness,
            tr_s=self.tr_s,
            slices_per_tr=_slices_per_tr(settings.schedule),
            settings=settings.likeness,
        )
        self._muscle = MuscleMonitor(
            card.muscle, card.channels, tr_s=self.tr_s, settings=settings.muscle
        )
        self._began_simulated: bool | None = None  # None: no stream yet
        self._other_senders: dict[str, bool] = {}  # stream -> the known one is back
        self._had_usable = False

    def push(self, event: Event) -> list[BoldPrediction]:
        """Take one event; return the predictions that it completes, in order."""
        match event:
            case EegChunk():
                return self._chunk(event)
            case Marker():
                self._marker(event)
            case ClockOffset():
                self.clocks.take_offset(event)
                self._follow_clock()
            case TimePassed(now_lsl_s=now_s):
                self._now_s = now_s
                self._due.extend(self.schedule.passed(self.clocks.to_stream(now_s)))
            case StreamChanged(description=description):
                self._describe(description)
            case SenderChanged(stream=stream, is_other=is_other):
                self._other_senders[stream] = not is_other
            case Discontinuity():
                self._discontinuity(event)
            case OperatorCommand():
                self._command(event)
        return self._predict_due()

    @property
    def upstream_delay_s(self) -> float:
        """Delay of the cleaning software, as it was given."""
        return self._settings.intake.upstream_delay_s

    @property
    def waits(self) -> bool:
        """Whether a TR is due whose samples have not all come: each of them counts."""
        return bool(self._due)

    def _chunk(self, chunk: EegChunk) -> list[BoldPrediction]:
        """Condition samples block by block; predict each tick whose window is there."""
        self._next_source = chunk.index + chunk.data_uv.shape[1]
        if self.window is None or self.window.newest_s is None:
            self.clocks.take_chunk(chunk)
            self._follow_clock()
        if self.intake is None or self.window is None:
            return []
        predictions = []
        t_arrived_s = self.clocks.to_stream(chunk.t_arrived_s)
        for block in self.intake.conditioned(chunk, t_arrived_s):
            self.window.append(block)
            self._start_free_run(self.window.newest_s)
            predictions += self._predict_due()
        if self.window.newest_s is not None:
            self.clocks.take_line(self.window.newest_s, chunk.t_arrived_s)
            self._follow_clock()
        return predictions

    def _start_free_run(self, newest_s: float | None) -> None:
        """Let a free run begin at the first sample that is no backlog."""
        age_s = self._age_s(newest_s)
        if newest_s is None or age_s is None:
            return
        if age_s < self._settings.patience_s:
            self.schedule.first_sample(newest_s)

    def _known_again(self, stream: str) -> None:
        """Drop the mark once nothing of the other sender can be in a window."""
        if self._other_senders.get(stream):
            del self._other_senders[stream]

    @property
    def _standing(self) -> tuple[Reason, ...]:
        changed: tuple[Reason, ...] = ("stream_changed",) if self._other_senders else ()
        return self._settings.standing + changed

    def _marker(self, marker: Marker) -> None:
        self._known_again("marker")
        t_stream_s = self.clocks.of_marker(marker)
        if marker.source == "channel" and self.intake is not None:
            t_stream_s -= self.intake.step_s  # as from its sample's own time
        t_arrived_s = self.clocks.to_stream(marker.t_arrived_s)
        self._trigger_age_s = max(t_arrived_s - t_stream_s, 0.0)
        before, since_s = self.schedule.counts, self.schedule.running_since_s
        ticks = self.schedule.trigger(t_stream_s, t_arrived_s)
        self._due.extend(ticks)
        if self.schedule.running_since_s != since_s:
            self._warmed_up = self._had_usable = False  # upstream warms up anew too
        self.last_trigger = TriggerNote(
            kind=trigger_kind(before, self.schedule.counts, ticks),
            volume_index=ticks[-1].volume_index if ticks else None,
            t_local_s=self.clocks.to_local(t_stream_s),
        )

    def _follow_clock(self) -> None:
        """Move the TR grid along when the stamps' clock has become another one."""
        moved_s = self.clocks.moved_s()
        if moved_s == 0.0:
            return
        self.schedule.shift(moved_s)
        if self.intake is not None and self.intake.description.foreign_clock:
            self.intake.lags.shift(moved_s)
        self._due = deque(
            replace(tick, t_trigger_s=tick.t_trigger_s + moved_s) for tick in self._due
        )

    def _describe(self, description: StreamDescription) -> None:
        """Take a (new) stream; the model sees it only if it fits the card."""
        self._known_again("eeg")
        self.clocks.describe(description)
        self._follow_clock()
        if self._began_simulated is None:
            self._began_simulated = description.simulated
        try:
            check_same_kind(description, simulated=self._began_simulated)
            self.intake = Intake(
                description,
                self._card,
                self._settings.intake,
                source_index=self._next_source,
                counters=self.counters,
                lags=self._lags_of(description),
            )
            self.window = Window(len(self.intake.fit.rows))
            self.misfit = None
        except StreamMismatch as error:
            self.intake = self.window = None
            self.misfit = error

    def _lags_of(self, description: StreamDescription) -> LagWatch:
        """Return the lags of this outlet so far: one that was found again goes on."""
        known = self._lags.pop(description.uid, None) if description.uid else None
        lags = known or LagWatch(
            description.rate_hz,
            tolerance_s=self._settings.quality.lag_tolerance_s,
            aligned=description.foreign_clock,
        )
        self._lags[description.uid] = lags  # the newest last
        while len(self._lags) > OUTLETS_KNOWN:
            del self._lags[next(iter(self._lags))]
        return lags

    def _discontinuity(self, event: Discontinuity) -> None:
        if event.kind != "resumed" or self.intake is None or self.window is None:
            return
        self.window.append(self.intake.restart(self._next_source))

    def _command(self, command: OperatorCommand) -> None:
        if command.op == "pause":
            self.schedule.pause("operator_pause")
        elif command.op == "resume":
            self.schedule.resume()

    def _predict_due(self) -> list[BoldPrediction]:
        """Answer due ticks in order; the first that must wait holds up the rest."""
        answered = []
        while self._due:
            prediction = self._predict_tick(self._due[0])
            if prediction is None:
                break
            self._due.popleft()
            answered.append(prediction)
        return answered

    def _predict_tick(self, tick: Tick) -> BoldPrediction | None:
        """Return the prediction of one tick, or None while its samples may come."""
        if tick.paused:
            return self._null(tick, status_of(Pause(tick.paused)))
        if self.intake is not None and self.intake.rates.rate_hz is not None:
            return self._without_samples(tick)  # its samples lie nowhere in time
        cut = self.window.cut(self._window_end(tick)) if self.window else None
        if cut is None or self.intake is None:
            return self._without_samples(tick) if self._overdue(tick) else None
        return self._predict(tick, cut, self.intake)

    def _window_end(self, tick: Tick) -> float:
        """Return where the tick lies on the stamps of the EEG.

        The cleaning software hands on what it got `upstream_delay_s` ago.
        """
        return tick.t_trigger_s + self._settings.intake.upstream_delay_s

    def _overdue(self, tick: Tick) -> bool:
        if self._now_s is None:
            return False
        delay_s = self.intake.fit.delay_s if self.intake else 0.0
        due_s = self.clocks.to_local(self._window_end(tick)) + delay_s
        return self._now_s > due_s + self._settings.patience_s

    def _without_samples(self, tick: Tick) -> BoldPrediction:
        """Answer a tick whose samples did not come in time."""
        misfit: Misfit | None = None
        if self.misfit is not None:
            misfit = "rate" if isinstance(self.misfit, RateMismatch) else "channels"
        elif self.intake is not None and self.intake.rates.rate_hz is not None:
            misfit = "rate"
        facts = NoWindow(
            misfit=misfit,
            warmed_up=self._warmed_up,
            standing=self._standing,
        )
        return self._null(tick, status_of(facts))

    def _count_extrapolated(self, tick: Tick) -> None:
        """Count the volumes in a row that were due before their trigger came."""
        free = self._settings.schedule.mode == "free_run"
        locked = free or tick.trigger_locked
        self._without_trigger = 0 if locked else self._without_trigger + 1

    def _predict(self, tick: Tick, cut: CutWindow, intake: Intake) -> BoldPrediction:
        self._count_extrapolated(tick)
        facts, plan = self._facts(tick, cut, intake)
        known = status_of(facts, self._settings.quality)
        self._warmed_up |= facts.full and facts.settled
        answer = replace(
            self._null(tick, known),
            source_first=cut.source_first,
            source_end=cut.source_end,
            t_needed_s=self.clocks.to_local(cut.t_needed_s),
            t_needed_arrived_s=cut.t_needed_arrived_s,
        )
        self.interpolated = plan.interpolated
        if not known.usable or cut.data_uv is None:
            return answer
        self._had_usable = True
        window_uv = model_window(
            plan.matrix,
            cut.data_uv,
            remove_mean=self._card.conditioning.remove_window_mean,
        )
        try:
            answer = replace(answer, values=self._model(window_uv[None])[0])
        except EngineError as error:  # a number that is none: said, never shown
            self.engine_problem = error
            return with_fact(answer, "engine_failed")
        return self._compared_with_calibration(answer, window_uv)

    def _compared_with_calibration(
        self, answer: BoldPrediction, window_uv: Float32Array
    ) -> BoldPrediction:
        filled = set(self.interpolated)
        skip = [i for i, name in enumerate(self._card.channels) if name in filled]
        features = feature_distance(self._model)
        ood = self._ood(window_uv, features=features, skip=skip)
        return tensed(compared(answer, ood), self._muscle(window_uv, skip))

    def _facts(
        self, tick: Tick, cut: CutWindow, intake: Intake
    ) -> tuple[WindowFacts, SpatialPlan]:
        """Return what is known of a window, and how the model's channels are made."""
        bad, amplitude = (
            intake.bad_between(cut.source_first, cut.source_end, cut.data_uv)
            if cut.whole
            else ({}, "unknown")
        )
        plan = intake.fit.spatial.matrix(frozenset(bad))
        newest_s = self.window.newest_s if self.window else None
        bridged = self._settings.schedule.max_flywheel
        from_triggers = tick.trigger_locked or self._without_trigger > bridged
        span = cut.source_first, cut.source_end
        # A sample was taken before the cleaning software stamped it.
        upstream_s = self._settings.intake.upstream_delay_s
        return WindowFacts(
            full=cut.whole and self._in_run(tick),
            settled=intake.settled,
            warmed_up=self._warmed_up,
            had_usable=self._had_usable,
            gap=cut.before_start and self.counters.n_segments > 1,
            restarted=self.counters.n_segments > 1,
            begins_s=cut.first_200hz / MODEL_RATE_HZ,
            bridged_share=cut.bridged_share,
            stamp_step=cut.stepped,
            drift_s=intake.drift_s,
            effective_rate_error=intake.rate_error,
            wander_s=intake.wander_s(*span),
            newest_off_s=intake.newest_off_s(cut.source_end),
            short_gap=intake.short_gap_between(*span),
            repeated=cut.whole and intake.monitor.repeated_between(*span),
            stream_age_s=self._age_s(newest_s),
            stream_lead_s=intake.lags.lead_s(cut.source_first) - upstream_s,
            lag_change_s=intake.lags.change_s(cut.source_first),
            tr_s=self.tr_s,
            trigger_age_s=self._trigger_age_s if from_triggers else None,
            without_triggers=self._without_trigger > bridged,
            n_model_channels=len(self._card.channels),
            bad={n: bad[n] for n in self._card.channels if n in bad},
            missing=intake.fit.missing,
            spatial_usable=plan.usable,
            amplitude=amplitude,
            standing=self._standing,
        ), plan

    def _in_run(self, tick: Tick) -> bool:
        """Return whether the scanner has run through the whole window."""
        return tick.t_trigger_s - WINDOW_S >= self.schedule.running_since_s - SAME_S

    def _age_s(self, newest_s: float | None) -> float | None:
        """Return how old the newest sample is; 0 while no time has passed at all."""
        if newest_s is None or self._now_s is None:
            return None if newest_s is None else 0.0
        return self.clocks.to_stream(self._now_s) - newest_s

    def _null(self, tick: Tick, known: StatusReasons) -> BoldPrediction:
        t_s = self.clocks.to_local(tick.t_trigger_s)
        return null_prediction(tick, known, self._card, t_trigger_s=t_s, tr_s=self.tr_s)
