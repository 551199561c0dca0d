"""Look at everything that a session would open; publish nothing, write nothing."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rtbold.bundle import store as bundles
from rtbold.bundle.gates import domain_reasons
from rtbold.bundle.store import Bundle
from rtbold.clock import Clock
from rtbold.config import RunSettings
from rtbold.engine.opening import open_engine
from rtbold.errors import RtboldError
from rtbold.io.preflight import (
    check_engine,
    check_own_priority,
    check_ports,
    check_recorder,
    check_recording_folder,
    check_room,
)
from rtbold.messages import Reason, StreamDescription
from rtbold.preflight.checks import ChannelReport, Finding, asked, refused
from rtbold.preflight.streams import Streams
from rtbold.publish.feedback import FeedbackSettings
from rtbold.session.open import UNNAMED_SUBJECT, load_bundle
from rtbold.session_parts import session_domain

ANY_STREAM = StreamDescription(
    # Of a simulated stream nothing is refused but for the model itself.
    name="any",
    type="EEG",
    rate_hz=200.0,
    channels=(),
    simulated=True,
)
NOT_RECORDED = "no --record DIR was given: nothing of this session would be kept"
Found = Finding | ChannelReport


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightSettings:
    """What is looked at, and for how long the streams are listened to."""

    run: RunSettings
    subject_root: Path | None = None
    listen_s: float = 6.0


def examine(settings: PreflightSettings, clock: Clock) -> Iterator[Found]:
    """Yield each check as it is done, the cheap ones first."""
    run = settings.run
    bundle, findings = _model(settings)
    yield from findings
    yield from check_ports(run)
    yield check_own_priority()
    yield from _recording(run, bundle)
    with ExitStack() as stack:
        if bundle is not None:
            yield _engine(run, bundle)
        streams = Streams(run, bundle, clock=clock, stack=stack)
        yield from streams.open()
        stream = streams.description
        if bundle is not None and stream is not None:
            yield from _gates(run, bundle, stream)
        if run.record is not None:
            n_channels = len(stream.channels) if stream else 0
            rate_hz = stream.rate_hz if stream else 0.0
            yield check_room(run.record, n_channels=n_channels, rate_hz=rate_hz)
        if stream is not None:
            yield from streams.listen(settings.listen_s)


def _model(settings: PreflightSettings) -> tuple[Bundle | None, list[Finding]]:
    """Return the bundle, if it can be had, and what is said of it."""
    run = settings.run
    try:
        bundle = load_bundle(run, settings.subject_root)
    except RtboldError as error:
        return None, [refused("model", error)]
    card = bundle.card
    found = (
        f"{card.name} ({card.origin.kind}), {len(card.channels)} channels, "
        f"{len(card.rois)} ROIs, {bundle.sha256[:12]}"
    )
    model = Finding("model", "ok", found, must=True)
    return bundle, [model, *_target(run, bundle)]


def _target(run: RunSettings, bundle: Bundle) -> Iterator[Finding]:
    try:
        target = FeedbackSettings.choose(bundle.card, run.target).target
    except RtboldError as error:
        yield refused("target", error)
        return
    yield Finding("target", "ok", f"feedback from {target}", must=True)
    yield asked(
        "verdict",
        lambda: bundles.check_domain(
            bundle.card,
            ANY_STREAM,
            target=run.target,
            allow_unvalidated=run.allow_unvalidated,
        ),
        found="nothing speaks against this model and target",
        override="--allow-unvalidated",
    )


def _recording(run: RunSettings, bundle: Bundle | None) -> Iterator[Finding]:
    if run.record is None:
        advice = "give --record DIR unless this is a trial"
        yield Finding("recording folder", "warn", NOT_RECORDED, advice)
        return
    of_card = bundle.card.origin.subject if bundle else None
    subject = run.subject or of_card or UNNAMED_SUBJECT
    yield check_recording_folder(run.record, subject)
    yield check_recorder()


def _engine(run: RunSettings, bundle: Bundle) -> Finding:
    try:
        engine = open_engine(bundle, engine=run.engine, precision=run.precision)
    except RtboldError as error:
        return refused("engine", error)
    try:
        return check_engine(engine, bundle.card, tr_s=run.tr_s or bundle.card.tr_s)
    finally:
        engine.close()


def _gates(
    run: RunSettings, bundle: Bundle, stream: StreamDescription
) -> Iterator[Finding]:
    """Say whether this model may run on this stream."""
    card = bundle.card
    origin = asked(
        "simulated model",
        _simulated(run, bundle, stream),
        found=(
            "the stream says that it is simulated: fit for a trial, no brain made it"
            if stream.simulated
            else "the model has seen real data"
        ),
        override="--allow-simulated-model",
    )
    yield origin
    if origin.state == "warn":
        return  # which is a shift of domain already, and said so
    yield asked(
        "domain",
        lambda: domain_reasons(
            card,
            stream,
            session_domain(run),
            triggers=bool(run.trigger_stream or run.trigger or run.trigger_channel),
            allowed=run.allow_domain_shift,
        ),
        found="cleaning and scanner are the model's, or nothing is known of them",
        override="--allow-domain-shift",
    )


def _simulated(
    run: RunSettings, bundle: Bundle, stream: StreamDescription
) -> Callable[[], list[Reason]]:
    """Return a gate that knows of nothing but simulated models on real streams."""

    def ask() -> list[Reason]:
        reasons = bundles.check_domain(
            bundle.card,
            stream,
            target=run.target,
            allow_simulated_model=run.allow_simulated_model,
            allow_unvalidated=True,  # the verdict was asked before
        )
        return [reason for reason in reasons if reason == "simulated_model"]

    return ask
