"""Look at everything that a session would open; publish nothing, write nothing."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from rtbold.bundle import Bundle, Card, check_domain, domain_reasons
from rtbold.client import request
from rtbold.clock import Clock
from rtbold.config import RunSettings, check_label
from rtbold.engine import Engine, open_engine
from rtbold.errors import RtboldError
from rtbold.messages import Reason, StreamDescription
from rtbold.preflight.checks import ChannelReport, Finding, asked, refused
from rtbold.preflight.machine import check_disk, check_port, check_priority, time_engine
from rtbold.preflight.streams import Streams
from rtbold.publish import FeedbackSettings, ServerKeys, check_bind
from rtbold.record import find_labrecorder
from rtbold.session import UNNAMED_SUBJECT, load_bundle, session_domain

# What a session would find on this machine before it starts: ports, disk, engine.

ASK_S = 1.0  # for whoever holds the control port
BYTES_PER_VALUE = 4  # as LabRecorder writes float32; double is twice as much
LOG_BYTES_H = 0.2e9  # of the event log, at most as measured
HOUR_S = 3600


def check_own_priority() -> Finding:
    """Say whether a session would run below the usual priority."""
    check = check_priority()
    return Finding("priority", check.state, check.found, check.advice)


def check_ports(run: RunSettings) -> list[Finding]:
    """Say whether both ports can be had, and who has them."""
    try:
        keys = ServerKeys.load(run.curve_keys) if run.curve_keys else None
        check_bind(run.bind, keys)
    except RtboldError as error:
        return [refused("ports", error)]
    ports = ((run.port, "--port"), (run.control_port, "--control-port"))
    findings = [_port(port, option, run.bind) for port, option in ports]
    if any(f.state == "fail" for f in findings):
        return [_with_holder(finding, run) for finding in findings]
    return findings


def _port(port: int, option: str, bind: str) -> Finding:
    if port == 0:
        return Finding(f"port of {option}", "ok", "any free one is taken", must=True)
    check = check_port(port, option=option, bind=bind)
    return Finding(check.name, check.state, check.found, check.advice, must=True)


def _with_holder(finding: Finding, run: RunSettings) -> Finding:
    """Say who has the port, if that can be known."""
    if finding.state != "fail":
        return finding
    if found := _running_session(run):
        advice = (
            f"join it: rtbold gui --connect tcp://{run.bind}:{run.port}; or end it, "
            "or give this session other ports"
        )
        text = f"a session runs here already ({found})"
        return Finding(finding.name, "fail", text, advice, must=True)
    port = int(finding.name.removeprefix("port "))
    holder = _listener_on(port)
    text = f"{finding.found}{f' (held by {holder})' if holder else ''}"
    return Finding(finding.name, "fail", text, finding.advice, must=True)


def _running_session(run: RunSettings) -> str:
    """Return what the session on the control port says it is; empty: none answers."""
    if run.curve_keys is not None:
        return ""  # it would not answer a client without a key of its own
    address = f"tcp://{run.bind}:{run.control_port}"
    with suppress(Exception):  # whatever answers there may not be rtbold
        message: dict[str, Any] = request("HELLO", address=address, timeout_s=ASK_S)[
            "message"
        ]
        who = message.get("subject") or "no subject"
        return f"model {message['model_name']}, {who}, target {message['target']}"
    return ""


def _listener_on(port: int) -> str:
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            if listens and connection.laddr.port == port and connection.pid:
                name = psutil.Process(connection.pid).name()
                return f"{name}, process {connection.pid}"
    return ""


def check_recorder() -> Finding:
    """Say whether the program that writes the recording is there."""
    try:
        path = find_labrecorder()
    except RtboldError as error:
        return refused("recorder", error)
    return Finding("recorder", "ok", f"LabRecorder: {path.name}", must=True)


def check_recording_folder(folder: Path, subject: str) -> Finding:
    """Say whether a session could make its folder there; nothing is left."""
    try:
        check_label("subject", subject)
    except RtboldError as error:
        return refused("recording folder", error)
    folder = folder.absolute()
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    advice = "give another folder (--record DIR), or make it writable"
    if not existing.is_dir():
        found = f"{existing} is a file, expected a folder"
        return Finding("recording folder", "fail", found, advice, must=True)
    try:
        with tempfile.TemporaryDirectory(dir=existing, prefix=".rtbold-"):
            pass
    except OSError as error:
        found = f"cannot write in {existing}: {error.strerror}"
        return Finding("recording folder", "fail", found, advice, must=True)
    made = "" if existing == folder else " (will be made)"
    found = f"{folder}{made}, as sub-{subject}"
    return Finding("recording folder", "ok", found, must=True)


def check_room(folder: Path, *, n_channels: int, rate_hz: float) -> Finding:
    """Measure space and write speed against an hour of this stream.

    Parameters
    ----------
    n_channels, rate_hz : of the stream; 0: there is none yet.
    """
    check = check_disk(folder)
    need_gb = _hour_gb(n_channels, rate_hz)
    if check.state == "fail" or n_channels == 0:
        return Finding("disk", check.state, check.found, check.advice)
    folder = folder.absolute()
    existing = next(p for p in (folder, *folder.parents) if p.is_dir())
    free_gb = shutil.disk_usage(existing).free / 1e9
    found = f"{check.found}; an hour of this stream takes about {need_gb:.1f} GB"
    if free_gb < need_gb:
        advice = "make room, or give another --record DIR"
        return Finding("disk", "fail", found, advice)
    if free_gb < 2 * need_gb:
        return Finding("disk", "warn", found, "room for less than two hours")
    return Finding("disk", check.state, found, check.advice)


def _hour_gb(n_channels: int, rate_hz: float) -> float:
    return (n_channels * rate_hz * BYTES_PER_VALUE * HOUR_S + LOG_BYTES_H) / 1e9


def check_engine(engine: Engine, card: Card, *, tr_s: float) -> Finding:
    """Time an open engine; see `rtbold.preflight.machine.time_engine`."""
    check = time_engine(engine, card, tr_s=tr_s)
    return Finding("engine", check.state, check.found, check.advice)


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


def examine_session(settings: PreflightSettings, clock: Clock) -> Iterator[Found]:
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
        lambda: check_domain(
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
        reasons = check_domain(
            bundle.card,
            stream,
            target=run.target,
            allow_simulated_model=run.allow_simulated_model,
            allow_unvalidated=True,  # the verdict was asked before
        )
        return [reason for reason in reasons if reason == "simulated_model"]

    return ask
