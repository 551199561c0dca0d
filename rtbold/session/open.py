"""Open the parts of a session in an order in which nothing is left half open."""

import queue
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import msgspec

from rtbold.acquire.acquisition import Acquisition
from rtbold.acquire.bold_readers import check_source, parse_source
from rtbold.bundle import store as bundles
from rtbold.bundle.store import Bundle
from rtbold.bundle.subjects import default_root, newest
from rtbold.clock import Clock
from rtbold.config import RunSettings
from rtbold.engine.opening import open_engine, used
from rtbold.engine.protocol import Engine
from rtbold.errors import ConfigError
from rtbold.io.bold_open import open_bold
from rtbold.io.curve import ServerKeys
from rtbold.messages import StreamDescription
from rtbold.pipeline_settings import PipelineSettings
from rtbold.predict.pipeline import Pipeline
from rtbold.publish.compose import SessionFacts, hello
from rtbold.publish.control import Answers, Control, ControlCommand
from rtbold.publish.feed import Feed
from rtbold.publish.feedback import FeedbackSettings
from rtbold.publish.lsl_mirror import LslMirror
from rtbold.publish.sockets import FeedSettings
from rtbold.publish.wire import Hello
from rtbold.record.folder import open_session_folder
from rtbold.record.run import RecordingRun
from rtbold.session.session import Session
from rtbold.session.truth import LiveTruth, SessionTruth
from rtbold.session_parts import (
    acquisition_settings,
    check_clocks,
    check_counted,
    conversion,
    mirror_settings,
    mirror_streams,
    session_domain,
    stream_pipeline_settings,
)
from rtbold.session_state import SessionParts, TimedModel
from rtbold.wire_parts import Ports

UNNAMED_SUBJECT = "anon"


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
    feedback = FeedbackSettings.choose(bundle.card, run.target)
    bundles.check_verdict(bundle.card, run.target, allowed=run.allow_unvalidated)
    with ExitStack() as stack:
        opener = _Opener(run, bundle, feedback, clock, now_unix_s, stack)
        feed, control = opener.sockets()
        engine = open_engine(bundle, engine=run.engine, precision=run.precision)
        stack.callback(engine.close)
        acquisition = Acquisition(acquire)
        stack.callback(acquisition.close)
        acquisition.start()
        ports = Ports(feed=feed.port, control=control.port)
        parts = opener.parts(engine, acquisition, feed, ports=ports)
        feed.publish(parts.hello(None))
        session = Session(parts, opener.commands, clock)
        yield session
        if parts.recording is not None:
            session.summary.recording_problem = parts.recording.close()


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


class _Opener:
    """Opens the parts of one session, one after the other."""

    def __init__(
        self,
        run: RunSettings,
        bundle: Bundle,
        feedback: FeedbackSettings,
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
        self.commands: queue.SimpleQueue[ControlCommand] = queue.SimpleQueue()

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
            Answers(
                on_command=self.commands.put,
                latest=feed.latest,
                now_lsl_s=now_s,
                now_unix_s=self._now_unix_s,
            ),
        )
        return feed, self._stack.enter_context(control)

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
            target=self._feedback.target,
            tr_s=settings.schedule.tr_s,
            simulated=stream.simulated,
            port=ports.feed,
        )
        mirror = LslMirror(mirrored)
        self._stack.callback(mirror.close)
        streams = [stream, *([markers] if markers else []), *mirror_streams(mirrored)]
        self._used = used(engine)
        model = TimedModel(engine, self._clock, runs_on=str(self._used))
        return SessionParts(
            bundle=self._bundle,
            pipeline=Pipeline(self._bundle.card, model, settings),
            model=model,
            acquisition=acquisition,
            feed=feed,
            mirror=mirror,
            recording=self._recording(settings, streams) if run.record else None,
            feedback=self._feedback,
            upstream_ms=run.upstream_delay_ms,
            hello=self._hello(stream, settings.schedule.tr_s, ports),
            trigger_label=run.trigger,
            truth=self._truth(settings.schedule.tr_s) if run.truth else None,
        )

    def _truth(self, tr_s: float) -> LiveTruth:
        """Open the source of measured BOLD; it need not be there yet."""
        run = self._run
        assert run.truth is not None  # the caller looked
        source = open_bold(parse_source(run.truth), run.truth_roi, self._clock)
        self._stack.callback(source.close)
        pairs = SessionTruth(
            self._bundle.card,
            self._feedback.target,
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
        paths = open_session_folder(run.record, self._subject())
        paths.copy_card(self._bundle.path)
        paths.write_settings(
            {
                "run": asdict(run),
                "pipeline": msgspec.to_builtins(settings),
                "model_sha256": self._bundle.sha256,
                "engine": msgspec.to_builtins(self._used),
                "conversion": conversion(
                    streams[0], self._bundle.card, interpolate=run.interpolate
                ),
            }
        )
        given = {"unit": run.unit, "trigger_channel": run.trigger_channel}
        header = {key: value for key, value in given.items() if value is not None}
        recording = RecordingRun(paths, self._clock, header=header)
        self._stack.callback(recording.close)
        recording.start(streams)
        return recording

    def _subject(self) -> str:
        """Return the code that a recording goes under."""
        known = self._run.subject or self._bundle.card.origin.subject
        return known or UNNAMED_SUBJECT

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
            )
            return hello(self._bundle.card, facts, settings=self._feedback)

        return say
