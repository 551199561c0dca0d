"""Open the parts of a session in an order in which nothing is left half open."""

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path

import msgspec

from rtbold import bundle as bundles, distribution
from rtbold.acquire import (
    Acquisition,
    AcquisitionSettings,
    StreamQuery,
    TriggerChannel,
    TriggerSource,
    TriggerStream,
    check_source,
    open_bold,
    parse_source,
)
from rtbold.bundle import (
    Bundle,
    Card,
    SessionDomain,
    check_domain,
    check_verdict,
    default_root,
    domain_reasons,
    newest,
    unfit_because,
)
from rtbold.clock import Clock
from rtbold.condition import IntakeSettings, stream_fit
from rtbold.config import RunSettings
from rtbold.engine import Engine, open_engine, ran_on, used
from rtbold.errors import ConfigError, StreamMismatch
from rtbold.feedback import FeedbackChain, Reference, asked_target, choose_target
from rtbold.messages import Reason, StreamDescription
from rtbold.predict import Pipeline, PipelineSettings, stream_settings
from rtbold.publish import (
    CommandQueue,
    Control,
    Feed,
    FeedSettings,
    Hello,
    Log,
    LslMirror,
    MirrorSettings,
    Ports,
    Replies,
    ServerKeys,
    SessionFacts,
    hello,
)
from rtbold.record import (
    RecordingRun,
    find_left_over,
    open_session_folder,
    wait_for_end,
)
from rtbold.run_names import UNNAMED_SUBJECT, RunGroup
from rtbold.session.baseline import FoundBaseline, find_baseline, whole_run
from rtbold.session.blinded import Blinding, SealedSession, prepare_blinding
from rtbold.session.discretion import Discretion, of_this_machine
from rtbold.session.protocol import ChosenRun, ProtocolRun, check_fits, choose_run
from rtbold.session.session import Session, SessionParts, TimedModel
from rtbold.session.truth import LiveTruth, SessionTruth
from rtbold.window import ScheduleSettings

# From the settings of a run to the settings of its parts. Pure.


def acquisition_settings(run: RunSettings) -> AcquisitionSettings:
    """Return which streams to take."""
    return AcquisitionSettings(
        query=StreamQuery(name=run.stream, type=run.type, host=run.host),
        wait_s=run.wait_s,
        unit=run.unit,
        reference=run.reference,
        trigger=trigger_source(run),
    )


def session_domain(run: RunSettings) -> SessionDomain:
    """Return what the options say of where the EEG comes from.

    Raises
    ------
    ConfigError : --cleaning names no chain.
    """
    return SessionDomain(cleaning=run.cleaning, scanner=run.scanner)


def trigger_source(run: RunSettings) -> TriggerSource | None:
    """Return where volume triggers come from; None for a free run.

    Raises
    ------
    ConfigError : nothing was said, or two sources were.
    """
    if run.trigger_channel and run.trigger_stream:
        raise ConfigError(
            "--trigger-channel and --trigger-stream were both given; a session has one "
            "source of triggers. Prefer the channel: it shares the EEG's clock."
        )
    if run.trigger_channel:
        return TriggerChannel(run.trigger_channel, run.trigger)
    if run.trigger_stream or run.trigger:
        delay_ms = run.upstream_delay_ms
        return TriggerStream(
            StreamQuery(
                name=run.trigger_stream,
                type="Markers",
                host=run.trigger_host,
                name_option="--trigger-stream",
                host_option="--trigger-host",
            ),
            run.trigger,
            None if delay_ms is None else delay_ms / 1000,
        )
    if run.tr_s is None:
        raise ConfigError(
            "no source of volume triggers was given. Expected --trigger-stream NAME "
            "(with --trigger R128), or --trigger-channel LABEL; to run without the "
            "scanner's clock, ask for it with --tr 2.1."
        )
    return None


def check_counted(acquire: AcquisitionSettings) -> None:
    """Refuse measured BOLD where volumes are not counted by the scanner's triggers."""
    if acquire.trigger is None:
        raise ConfigError(
            "--truth was given for a free run, whose volumes have no numbers that the "
            "scanner knows. Expected triggers: give --trigger-stream or "
            "--trigger-channel, or leave --truth out."
        )


def check_clocks(eeg: StreamDescription, marker: StreamDescription | None) -> None:
    """Refuse to lock EEG to triggers where one of them is on a foreign clock."""
    foreign = [s for s in (eeg, marker) if s is not None and s.foreign_clock]
    if marker is None or not foreign:
        return
    raise StreamMismatch(
        f"stream {foreign[0].name!r} is stamped on another clock than LSL's (Unix "
        "time), so triggers and samples cannot be put in line to the millisecond. Take "
        "the triggers from a channel of the EEG stream (--trigger-channel), or let the "
        "sender stamp with LSL's local_clock."
    )


def stream_pipeline_settings(
    run: RunSettings, bundle: Bundle, stream: StreamDescription
) -> PipelineSettings:
    """Refuse a stream that does not fit the bundle; say how windows are made.

    Raises
    ------
    StreamMismatch : channels, rate or reference do not fit.
    DomainRefused : the model may not run on such a stream.
    """
    card = bundle.card
    standing = check_domain(
        card,
        stream,
        **asked_target(card, run.target),
        allow_simulated_model=run.allow_simulated_model,
        allow_unvalidated=run.allow_unvalidated,
    )
    if "simulated_model" not in standing:  # that is a shift already, and said so
        standing += domain_reasons(
            card,
            stream,
            session_domain(run),
            triggers=trigger_source(run) is not None,
            allowed=run.allow_domain_shift,
        )
    return pipeline_settings(run, card, stream, standing=standing)


def pipeline_settings(
    run: RunSettings,
    card: Card,
    stream: StreamDescription,
    *,
    standing: tuple[Reason, ...],
) -> PipelineSettings:
    """Return how events become predictions in this run.

    Raises
    ------
    StreamMismatch : channels, rate or reference do not fit.
    """
    source = trigger_source(run)
    delayed = isinstance(source, TriggerStream) and run.upstream_delay_ms is not None
    delay_s = (run.upstream_delay_ms or 0.0) / 1000 if delayed else 0.0
    if run.upstream_delay_ms is None:
        standing = (*standing, "upstream_delay_unknown")
    return stream_settings(
        stream,
        card,
        schedule=ScheduleSettings(
            tr_s=run.tr_s or card.tr_s,
            mode="trigger" if source else "free_run",
            dummy_volumes=run.dummy_volumes,
            trigger_every=run.trigger_every,
        ),
        intake=IntakeSettings(
            interpolate_missing=run.interpolate, upstream_delay_s=delay_s
        ),
        standing=standing,
    )


def conversion(
    stream: StreamDescription, card: Card, *, interpolate: bool
) -> dict[str, object]:
    """Return the matrix from the stream's channels to the model's, for the record.

    As it is while no channel is bad; it is computed anew when the bad ones change.
    """
    fit = stream_fit(stream, card, interpolate_missing=interpolate)
    return {
        "from_channels": fit.labels,
        "from_reference": stream.reference,
        "to_channels": card.channels,
        "to_reference": card.reference,
        "matrix": fit.spatial.matrix(frozenset()).matrix.tolist(),
    }


def mirror_settings(
    bundle: Bundle,
    *,
    target: str,
    tr_s: float,
    simulated: bool,
    port: int,
    blinded: bool = False,
) -> MirrorSettings:
    """Return what the LSL mirror says about itself; a blinded one has no ROIs."""
    return MirrorSettings(
        rois=() if blinded else bundle.card.rois,
        target=target,
        tr_s=tr_s,
        model_sha256=bundle.sha256,
        simulated=simulated,
        port=port,
    )


def mirror_streams(settings: MirrorSettings) -> tuple[StreamDescription, ...]:
    """Return the mirror's streams as the recorder must look for them."""
    return tuple(
        StreamDescription(
            name=name,
            type=kind,
            rate_hz=rate_hz,
            channels=(),
            source_id=settings.source_id(name),
        )
        for name, kind, rate_hz in (
            (settings.name, "Prediction", 1 / settings.tr_s),
            (settings.events_name, "Markers", 0.0),
        )
    )


LOG = logging.getLogger(__name__)


@contextmanager
def open_session(
    run: RunSettings,
    *,
    clock: Clock,
    now_unix_s: Callable[[], float],
    subject_root: Path | None = None,
) -> Iterator[Session]:
    """Open everything that `run` asks for; close it again whatever happens.

    Cheap refusals come first: options, bundle, ports. Then the streams, then what
    others see of us.

    Raises
    ------
    RtboldError : any part cannot be had; the message says what to do.
    """
    acquire = acquisition_settings(run)
    session_domain(run)  # refuses a chain that is no name
    if run.truth is not None:
        check_source(run.truth, run.truth_roi)
        check_counted(acquire)
    bundle = load_bundle(run, subject_root)
    subject = recorded_subject(run, bundle.card)
    chosen = choose_run(run, subject=subject, now_unix_s=now_unix_s())
    if chosen is not None:
        run = chosen.settings
    carried = carried_baseline(run, bundle)
    feedback = feedback_chain(
        run,
        bundle.card,
        carried=carried.reference,
        has_protocol=chosen is not None and chosen.measures_baseline,
    )
    asked = asked_target(bundle.card, run.target)
    if chosen is not None:
        tr_s = run.tr_s or bundle.card.tr_s
        check_fits(chosen, tr_s=tr_s, target=feedback.target.name, card=bundle.card)
    check_verdict(bundle.card, **asked, allowed=run.allow_unvalidated)
    blinding = prepare_blinding(run, bundle.card, chosen)
    with ExitStack() as stack:
        opener = _Opener(run, bundle, feedback, clock, now_unix_s, stack)
        opener.blinding = blinding
        opener.chosen = chosen
        opener.carried = carried.reference
        feed, control = opener.sockets()
        engine = open_engine(bundle, engine=run.engine, precision=run.precision)
        stack.callback(engine.close)
        acquisition = Acquisition(acquire)
        stack.callback(acquisition.close)
        acquisition.start()
        ports = Ports(feed=feed.port, control=control.port)
        parts = opener.parts(engine, acquisition, feed, ports=ports)
        feed.publish(parts.hello(None))
        if carried.text:
            LOG.info("%s", carried.text)
            feed.publish(Log(level="info", text=carried.text))
        if text := withheld_text(run, bundle.card):
            LOG.warning("%s", text)
            feed.publish(Log(level="warning", text=text))
        session = Session(
            parts, opener.commands, clock, discretion=_discretion(run, acquisition)
        )
        for note in chosen.notes if chosen else ():
            session.warn(note)
        yield session
        problem = parts.protocol.close() if parts.protocol else ""
        if parts.recording is not None:
            problem = parts.recording.close() or problem
        session.summary.recording_problem = problem


def carried_baseline(run: RunSettings, bundle: Bundle) -> FoundBaseline:
    """Return the baseline that an earlier run measured, if one is asked for."""
    settings = run.fed_back
    if settings.baseline == "card" or run.record is None:
        return FoundBaseline(None, "")
    group = RunGroup(
        subject=recorded_subject(run, bundle.card), session=run.session, task=run.task
    )
    return find_baseline(
        run.record,
        group,
        settings,
        weights=dict(choose_target(bundle.card, settings.target).weights),
        model_sha256=bundle.sha256,
    )


def feedback_chain(
    run: RunSettings,
    card: Card,
    *,
    carried: Reference | None = None,
    has_protocol: bool = False,
) -> FeedbackChain:
    """Return what makes feedback of this run's predictions.

    Parameters
    ----------
    carried : the baseline of an earlier run.
    has_protocol : it says in which volumes nobody regulates.

    Raises
    ------
    ConfigError : the target cannot be read or has no baseline, or the baseline is one
        that nothing has measured or will measure.
    """
    settings = run.fed_back
    measures = has_protocol or run.kind == "baseline" or carried is not None
    if settings.baseline != "card" and not measures:
        raise ConfigError(
            f"feedback.baseline is {settings.baseline!r}, but none was measured, and "
            "nothing says in which volumes nobody regulates. Expected a protocol, or "
            "an earlier run with --kind baseline, recorded into the same folder with "
            "the same model and target."
        )
    withheld = bool(withheld_text(run, card))
    return FeedbackChain(settings, card, withheld=withheld, carried=carried)


def withheld_text(run: RunSettings, card: Card) -> str:
    """Return why nothing is fed back of this model; empty: nothing is withheld."""
    why = unfit_because(card, **asked_target(card, run.target))
    if not why or run.approval is not None:
        return ""
    return (
        f"nothing is fed back: calibration found {run.target or card.target!r} {why}. "
        "Whoever answers for the study may approve of it: --approval ID."
    )


def _discretion(run: RunSettings, acquisition: Acquisition) -> Discretion:
    """Return what takes the names of this session's places and computers out."""
    kind, _, truth = (run.truth or "").partition(":")
    given = [
        run.record,
        run.curve_keys,
        run.blind,
        Path(run.model) if run.model else None,
    ]
    given.append(Path(truth).parent if kind == "file" else None)
    given.append(run.protocol.absolute().parent if run.protocol else None)
    source = truth.rpartition(":")[0] if kind in ("tcp", "tbv") else None
    streams = (acquisition.description, acquisition.marker_description)
    return of_this_machine(
        [folder for folder in given if folder is not None],
        [
            run.host,
            run.trigger_host,
            source,
            *(s.host for s in streams if s is not None),
        ],
    )


def load_bundle(run: RunSettings, subject_root: Path | None) -> Bundle:
    """Return the bundle that the options name; there is no default model."""
    name = run.model or run.subject
    if name is None:
        raise ConfigError(
            "no model was given, and there is no default one. Expected --model BUNDLE "
            "(rtbold models list shows them) or --subject CODE."
        )
    if run.subject is not None:
        return bundles.load(newest(subject_root or default_root(), run.subject))
    return bundles.load(name, subject_root=subject_root)


def recorded_subject(run: RunSettings, card: Card | None) -> str:
    """Return the code that a recording goes under; None: the card is not known."""
    of_card = card.origin.subject if card else None
    return run.record_as or run.subject or of_card or UNNAMED_SUBJECT


class _Opener:
    """Opens the parts of one session, one after the other."""

    def __init__(
        self,
        run: RunSettings,
        bundle: Bundle,
        feedback: FeedbackChain,
        clock: Clock,
        now_unix_s: Callable[[], float],
        stack: ExitStack,
    ) -> None:
        self._run = run
        self._bundle = bundle
        self._feedback = feedback
        self._clock = clock
        self._now_unix_s = now_unix_s
        self._stack = stack
        self.commands = CommandQueue()
        self.blinding: Blinding | None = None
        self.chosen: ChosenRun | None = None  # of a protocol
        self.carried: Reference | None = None  # the baseline of an earlier run

    def sockets(self) -> tuple[Feed, Control]:
        """Bind both ports, before anything expensive is done."""
        run, now_s = self._run, self._clock.now_s
        keys = ServerKeys.load(run.curve_keys) if run.curve_keys else None
        feed = Feed(
            FeedSettings(
                bind=run.bind, port=run.port, encoding=run.encoding, keys=keys
            ),
            session=str(uuid.uuid4()),
            now_lsl_s=now_s,
            now_unix_s=self._now_unix_s,
        )
        self._stack.enter_context(feed)
        control = Control(
            FeedSettings(
                bind=run.bind,
                port=run.control_port,
                keys=keys,
                port_option="--control-port",
            ),
            Replies(
                on_command=self.commands.put,
                latest=feed.latest,
                now_lsl_s=now_s,
                now_unix_s=self._now_unix_s,
                on_refused=self.commands.count_refused,
            ),
        )
        return feed, self._stack.enter_context(control)

    def _end_left_over(self, streams: list[StreamDescription], feed: Feed) -> None:
        """End recorders of a session that died: they would take our predictions."""
        found = find_left_over()
        ours = [one for one in found if one.concerns(streams, self._run.record)]
        for one in found:
            mine = one in ours
            if mine:
                one.end()
            left = "it records no stream of this session and is left alone"
            done = "it was asked to end" if mine else left
            text = f"RECORDING: {one.in_words(one.file.name)}: {done}"
            LOG.warning("%s", text)
            feed.publish(Log(level="warning", text=text))
        wait_for_end(ours)

    def parts(
        self, engine: Engine, acquisition: Acquisition, feed: Feed, *, ports: Ports
    ) -> SessionParts:
        """Build the pipeline for the stream that was found, and what shows it."""
        run = self._run
        stream, markers = acquisition.description, acquisition.marker_description
        assert stream is not None  # the acquisition has started
        check_clocks(stream, markers)
        settings = stream_pipeline_settings(run, self._bundle, stream)
        mirrored = mirror_settings(
            self._bundle,
            target=self._feedback.target.name,
            tr_s=settings.schedule.tr_s,
            simulated=stream.simulated,
            port=ports.feed,
            blinded=self.blinding is not None,
        )
        streams = [stream, *([markers] if markers else []), *mirror_streams(mirrored)]
        self._end_left_over(streams, feed)
        mirror = LslMirror(mirrored)
        self._stack.callback(mirror.close)
        self._used, self._machine = used(engine), ran_on(engine)
        model = TimedModel(engine, self._clock, runs_on=str(self._used))
        if self.blinding is not None:
            self.blinding.check_precision(self._used.precision)
        recording = self._recording(settings, streams) if run.record else None
        number = self._run_number(recording)
        protocol = self._protocol(recording)
        blinded = self._blinded(recording)
        return SessionParts(
            bundle=self._bundle,
            pipeline=Pipeline(self._bundle.card, model, settings),
            model=model,
            acquisition=acquisition,
            feed=feed,
            mirror=mirror,
            recording=recording,
            feedback=self._feedback,
            upstream_ms=run.upstream_delay_ms,
            hello=self._hello(stream, settings.schedule.tr_s, ports),
            trigger_label=run.trigger,
            truth=self._truth(settings.schedule.tr_s) if run.truth else None,
            kind=run.kind,
            run_number=number,
            protocol=protocol,
            where=protocol.where if protocol else whole_run(run.kind, number),
            blinded=blinded,
        )

    def _blinded(self, recording: RecordingRun | None) -> SealedSession | None:
        if self.blinding is None or recording is None:
            return None
        chain = deepcopy(self._feedback)  # a second one, for the real predictions
        return self.blinding.begin(recording, self._clock, chain=chain)

    def _run_number(self, recording: RecordingRun | None) -> int:
        if self.chosen is not None:
            return self.chosen.asked.run
        return recording.number if recording else self._run.run or 1

    def _protocol(self, recording: RecordingRun | None) -> ProtocolRun | None:
        if self.chosen is None:
            return None
        protocol = ProtocolRun(
            self.chosen,
            recording.paths.folder if recording else None,
            begun_s=self._clock.now_s(),
            now_unix_s=self._now_unix_s,
        )
        self._stack.callback(protocol.close)
        return protocol

    def _truth(self, tr_s: float) -> LiveTruth:
        """Open the source of measured BOLD; it need not be there yet."""
        run = self._run
        assert run.truth is not None  # the caller looked
        source = open_bold(parse_source(run.truth), run.truth_roi, self._clock)
        self._stack.callback(source.close)
        pairs = SessionTruth(
            self._bundle.card,
            self._feedback.target.name,
            tr_s=tr_s,
            first=run.truth_first,
            by_onset=run.truth_by_onset,
        )
        return LiveTruth(source, pairs)

    def _recording(
        self, settings: PipelineSettings, streams: list[StreamDescription]
    ) -> RecordingRun:
        run = self._run
        assert run.record is not None  # the caller looked
        paths = open_session_folder(
            run.record,
            recorded_subject(run, self._bundle.card),
            session=run.session,
            task=run.task,
            run=run.run,
            copy=run.record_copy,
        )
        paths.copy_card(self._bundle.path)
        paths.write_settings(
            {
                "run": asdict(run),
                "pipeline": msgspec.to_builtins(settings),
                "protocol": (
                    msgspec.to_builtins(self.chosen.asked) if self.chosen else None
                ),
                "model_sha256": self._bundle.sha256,
                "engine": msgspec.to_builtins(self._used),
                "machine": self._machine,
                "carried_baseline": msgspec.to_builtins(self.carried),
                "rtbold": distribution.version(),
                "conversion": conversion(
                    streams[0], self._bundle.card, interpolate=run.interpolate
                ),
            }
        )
        given = {"unit": run.unit, "trigger_channel": run.trigger_channel}
        header = {key: value for key, value in given.items() if value is not None}
        recording = RecordingRun(
            paths, self._clock, header=header, copy=run.record_copy
        )
        self._stack.callback(recording.close)
        recording.start(streams)
        return recording

    def _hello(
        self, stream: StreamDescription, tr_s: float, ports: Ports
    ) -> Callable[[float | None], Hello]:
        """Return how to say what subscribers must know of this session."""

        def say(clock_uncertainty_ms: float | None) -> Hello:
            facts = SessionFacts(
                model_sha256=self._bundle.sha256,
                simulated_stream=stream.simulated,
                ports=ports,
                tr_s=tr_s,
                engine=self._used.name,
                precision=self._used.precision,
                encoding=self._run.encoding,
                upstream_delay_ms=self._run.upstream_delay_ms,
                clock_uncertainty_ms=clock_uncertainty_ms,
                approval=self._run.approval or "",
            )
            return hello(self._bundle.card, facts, settings=self._feedback.settings)

        return say
