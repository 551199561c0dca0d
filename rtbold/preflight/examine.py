"""Look at everything that a session would open; publish nothing, write nothing."""

import math
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from rtbold.bundle import Bundle, Card, check_domain, domain_reasons
from rtbold.client import request
from rtbold.clock import Clock
from rtbold.config import RunSettings
from rtbold.engine import open_engine
from rtbold.errors import RtboldError
from rtbold.feedback import asked_target, choose_target
from rtbold.messages import Check, Reason, StreamDescription
from rtbold.preflight.checks import decided, gate_finding, refused, tried
from rtbold.preflight.machine import (
    ANOTHER_FOLDER,
    MAKE_ROOM,
    check_disk,
    check_left_over,
    check_port,
    check_priority,
    check_privacy,
    there,
    time_engine,
)
from rtbold.preflight.stream_checks import ChannelReport
from rtbold.preflight.streams import Streams
from rtbold.protocol import plan_run, run_line
from rtbold.publish import ServerKeys, check_bind
from rtbold.record import find_labrecorder
from rtbold.run_names import RunGroup, check_unused, next_run
from rtbold.session import (
    carried_baseline,
    check_fits,
    choose_run,
    feedback_chain,
    load_bundle,
    prepare_blinding,
    recorded_subject,
    session_domain,
    withheld_text,
)
from rtbold.text import first_few

ASK_S = 1.0  # for whoever holds the control port
BYTES_PER_VALUE = 4  # as LabRecorder writes float32; double is twice as much
LOG_BYTES_H = 0.2e9  # of the event log, at most as measured
HOUR_S = 3600
NOT_RECORDED = "no --record DIR was given: nothing of this session would be kept"
# A simulated stream: the gates refuse nothing on it but the model itself.
ANY_STREAM = StreamDescription(
    name="any", type="EEG", rate_hz=200.0, channels=(), simulated=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightSettings:
    """What is looked at, and for how long the streams are listened to."""

    run: RunSettings
    subject_root: Path | None = None
    listen_s: float = 6.0
    now_unix_s: float = math.inf  # tells what is left of a break between runs


def examine_session(
    settings: PreflightSettings, clock: Clock
) -> Iterator[Check | ChannelReport]:
    """Yield each check as it is done, the cheap ones first."""
    run, bundle = settings.run, None
    try:
        bundle = load_bundle(run, settings.subject_root)
    except RtboldError as error:
        yield refused("model", error)
    protocol, run, measures = _protocol(settings, bundle)
    if bundle is not None:
        yield from _model(run, bundle, measures=measures)
    yield from protocol
    if bundle is not None and run.blind is not None:
        yield from _blinding(settings, bundle)
    yield from check_ports(run)
    yield check_priority()
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


def _protocol(
    settings: PreflightSettings, bundle: Bundle | None
) -> tuple[list[Check], RunSettings, bool]:
    """Return what is found of the protocol, the settings that it leads to.

    And whether a baseline is measured in it.
    """
    run, name = settings.run, "protocol"
    if run.protocol is None:
        return [], run, False
    card = bundle.card if bundle else None
    try:
        chosen = choose_run(
            run,
            subject=recorded_subject(run, card),
            now_unix_s=settings.now_unix_s,
        )
        assert chosen is not None  # there is a protocol
        if card is not None:
            target = choose_target(card, chosen.settings.fed_back.target).name
            tr_s = run.tr_s or card.tr_s
            check_fits(chosen, tr_s=tr_s, target=target, card=card)
    except RtboldError as error:
        alone = replace(
            run,
            protocol=None,
            run=None,
            attempt=None,
            condition=None,
            confirmed_by=None,
        )
        return [refused(name, error)], alone, True  # as it is not known
    asked = chosen.asked
    plan = plan_run(chosen.protocol.study, asked.run, attempt=asked.attempt)
    found = f"{plan.study}, {run_line(plan)}, attempt {asked.attempt}"
    checks = [Check(name, "ok", found, must=True)]
    checks += [Check(name, "warn", note) for note in chosen.notes]
    return checks, chosen.settings, chosen.measures_baseline


def _blinding(settings: PreflightSettings, bundle: Bundle) -> Iterator[Check]:
    """Say what a blinded session would be refused for; the same in every arm."""
    run, name = settings.run, "blinding"
    try:
        subject = recorded_subject(run, bundle.card)
        now_unix_s = settings.now_unix_s
        chosen = choose_run(run, subject=subject, now_unix_s=now_unix_s)
        used = chosen.settings if chosen else run
        found = prepare_blinding(used, bundle.card, chosen)
    except RtboldError as error:
        yield refused(name, error)
        return
    assert found is not None  # the caller looked
    study, place = found.study.design.study, found.place.code
    text = f"study {study!r}, place {place}"
    if "yoked" in found.study.design.arms:
        text += f", {len(found.donors)} donors fit"
    others = "; ".join(map(str, found.refused))
    yield Check(name, "warn" if others else "ok", text, others, must=True)


def _model(run: RunSettings, bundle: Bundle, *, measures: bool) -> Iterator[Check]:
    card = bundle.card
    found = (
        f"{card.name} ({card.origin.kind}), {len(card.channels)} channels, "
        f"{len(card.rois)} ROIs, {bundle.sha256[:12]}"
    )
    yield Check("model", "ok", found, must=True)
    if not bundle.sealed:
        yield Check(
            "seal",
            "warn",
            "the bundle has none: nothing shows whether its card was changed",
            "make it again, or rtbold models seal BUNDLE where you know it is right",
        )
    target = tried(
        "target",
        lambda: _feedback_words(bundle, run, measures=measures),
    )
    yield target
    if target.state == "ok":
        yield _verdict(run, card)


def _verdict(run: RunSettings, card: Card) -> Check:
    """Say whether model and target may be used, and whether anything is fed back."""
    found = gate_finding(
        "verdict",
        lambda: check_domain(
            card,
            ANY_STREAM,
            **asked_target(card, run.target),
            allow_unvalidated=run.allow_unvalidated,
        ),
        found="nothing speaks against this model and target",
        override="--allow-unvalidated",
    )
    withheld = withheld_text(run, card) if found.state == "warn" else ""
    return replace(found, found=f"{found.found}; {withheld}") if withheld else found


def _feedback_words(bundle: Bundle, run: RunSettings, *, measures: bool) -> str:
    """Return what is fed back, and from what it is made if it is a contrast.

    Parameters
    ----------
    measures : a baseline is measured in this run's protocol.

    Raises
    ------
    ConfigError : the target cannot be read, or there is no baseline for it.
    """
    carried = carried_baseline(run, bundle)
    chain = feedback_chain(
        run, bundle.card, carried=carried.reference, has_protocol=measures
    )
    words = f"feedback from {chain.target.name}"
    if chain.target.name not in chain.target.weights:
        parts = [f"{w:+.3g} {roi}" for roi, w in chain.target.weights.items()]
        words += f": {first_few(parts)}"
    return f"{words}; {carried.text}" if carried.text else words


def _engine(run: RunSettings, bundle: Bundle) -> Check:
    return time_engine(
        lambda: open_engine(bundle, engine=run.engine, precision=run.precision),
        bundle.card,
        tr_s=run.tr_s or bundle.card.tr_s,
    )


def _gates(
    run: RunSettings, bundle: Bundle, stream: StreamDescription
) -> Iterator[Check]:
    """Say whether this model may run on this stream."""
    origin = _origin(run, bundle, stream)
    yield origin
    if origin.state == "warn":
        return  # which is a shift of domain already, and said so
    yield gate_finding(
        "domain",
        lambda: domain_reasons(
            bundle.card,
            stream,
            session_domain(run),
            triggers=run.locked,
            allowed=run.allow_domain_shift,
        ),
        found="cleaning and scanner are the model's, or nothing is known of them",
        override="--allow-domain-shift",
    )


def _origin(run: RunSettings, bundle: Bundle, stream: StreamDescription) -> Check:
    """Ask the gate that knows of nothing but simulated models on real streams."""

    def ask() -> list[Reason]:
        reasons = check_domain(
            bundle.card,
            stream,
            target=run.target,
            allow_simulated_model=run.allow_simulated_model,
            allow_unvalidated=True,  # the verdict was asked before
        )
        return [reason for reason in reasons if reason == "simulated_model"]

    simulated = (
        "the stream says that it is simulated: fit for a trial, no brain made it"
    )
    found = simulated if stream.simulated else "the model has seen real data"
    return gate_finding(
        "simulated model", ask, found=found, override="--allow-simulated-model"
    )


# The ports, and who has them.


def check_ports(run: RunSettings) -> list[Check]:
    """Say whether both ports can be had, and who has them."""
    try:
        keys = ServerKeys.load(run.curve_keys) if run.curve_keys else None
        check_bind(run.bind, keys)
    except RtboldError as error:
        return [refused("ports", error)]
    ports = ((run.port, "--port"), (run.control_port, "--control-port"))
    return [_port(run, port, option) for port, option in ports]


def _port(run: RunSettings, port: int, option: str) -> Check:
    if port == 0:
        return Check(f"port of {option}", "ok", "any free one is taken", must=True)
    check = replace(check_port(port, option=option, bind=run.bind), must=True)
    if check.state != "fail":
        return check
    if session := _running_session(run):
        advice = (
            f"join it: rtbold gui --connect tcp://{run.bind}:{run.port}; or end it, "
            "or give this session other ports"
        )
        found = f"a session runs here already ({session})"
        return replace(check, found=found, advice=advice)
    holder = _listener_on(port)
    return (
        replace(check, found=f"{check.found} (held by {holder})") if holder else check
    )


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


# Where it would be recorded.


def _recording(run: RunSettings, bundle: Bundle | None) -> Iterator[Check]:
    if run.record is None:
        advice = "give --record DIR unless this is a trial"
        yield Check("recording folder", "warn", NOT_RECORDED, advice)
        yield check_left_over()  # it records, though nobody asks for it
        return
    subject = recorded_subject(run, bundle.card if bundle else None)
    yield check_recording_folder(run, subject)
    if run.record_copy is not None:
        yield check_copy_folder(run.record_copy, run.record)
    yield check_privacy(run.record)
    yield check_recorder()
    yield check_left_over()


def check_recorder() -> Check:
    """Say whether the program that writes the recording is there."""
    return tried("recorder", lambda: f"LabRecorder: {find_labrecorder().name}")


def check_recording_folder(run: RunSettings, subject: str) -> Check:
    """Say whether a session could make its folder there; nothing is left."""
    assert run.record is not None  # the caller looked
    name, folder = "recording folder", run.record.absolute()
    roots = [folder, *([run.record_copy] if run.record_copy else [])]
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    try:
        group = RunGroup(subject=subject, session=run.session, task=run.task)
        if not existing.is_dir():
            found = f"{existing} is a file, expected a folder"
            return Check(name, "fail", found, ANOTHER_FOLDER, must=True)
        with tempfile.TemporaryDirectory(dir=existing, prefix=".rtbold-"):
            pass
        if run.run is not None:
            check_unused(run.run, roots, group)
        planned = group.run(run.run or next_run(roots, group))
    except RtboldError as error:
        return refused(name, error)
    except OSError as error:
        found = f"cannot write in {existing}: {error.strerror}"
        return Check(name, "fail", found, ANOTHER_FOLDER, must=True)
    made = "" if existing == folder else " (will be made)"
    return Check(name, "ok", f"{folder}{made}, as {planned.stem}", must=True)


def check_copy_folder(copy: Path, record: Path) -> Check:
    """Say whether a second copy could be written, and whether on another disk."""
    name, here = "recording copy", there(copy)
    try:
        with tempfile.TemporaryDirectory(dir=here, prefix=".rtbold-"):
            pass
        same = here.stat().st_dev == there(record).stat().st_dev
    except OSError as error:
        found = f"cannot write in {here}: {error.strerror}"
        mend = "give another folder (--record-copy DIR), or make it writable"
        return Check(name, "fail", found, mend)
    mend = "it is on the recording's own disk: give a folder on another one"
    return decided(name, str(copy.absolute()), (same, "warn", mend))


def check_room(folder: Path, *, n_channels: int, rate_hz: float) -> Check:
    """Measure space and write speed against an hour of this stream.

    Parameters
    ----------
    n_channels, rate_hz : of the stream; 0: there is none yet.
    """
    check = check_disk(folder)
    if check.state == "fail" or n_channels == 0:
        return check
    need_gb = (n_channels * rate_hz * BYTES_PER_VALUE * HOUR_S + LOG_BYTES_H) / 1e9
    free_gb = psutil.disk_usage(str(there(folder))).free / 1e9
    return decided(
        "disk",
        f"{check.found}; an hour of this stream takes about {need_gb:.1f} GB",
        (free_gb < need_gb, "fail", MAKE_ROOM),
        (free_gb < 2 * need_gb, "warn", "room for less than two hours"),
        (check.state == "warn", "warn", check.advice),
    )
