"""What a session would find on this machine before it starts: ports, disk, engine."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from rtbold.bundle.card import Card
from rtbold.client import request
from rtbold.config import RunSettings
from rtbold.engine.protocol import Engine
from rtbold.errors import RtboldError
from rtbold.io.checks import check_disk, check_port, check_priority
from rtbold.io.curve import ServerKeys, check_bind
from rtbold.preflight.checks import Finding, refused
from rtbold.preflight.machine import time_engine
from rtbold.record.folder import check_label
from rtbold.record.labrecorder import find_labrecorder

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
    """Time an open engine; see `rtbold.io.doctor.time_engine`."""
    check = time_engine(engine, card, tr_s=tr_s)
    return Finding("engine", check.state, check.found, check.advice)
