"""The processes that are measured: twin, session, fake session, dashboard."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import psutil

SPARE_S = 60.0  # the twin outlives the session
LONGEST_S = 600  # of a fake session; it is ended long before
FEED_WORDS = "feed on "

Process = subprocess.Popen[bytes]


@dataclass(frozen=True, kw_only=True)
class SessionPlan:
    """A session on the twin, on this machine."""

    duration_s: float
    model: str = "demo"
    rate_hz: float = 1000.0
    tr_s: float = 2.1
    seed: int = 5000
    record: Path | None = None  # where the session is recorded


@dataclass(frozen=True)
class Running:
    """A twin and a session on it, each a process with what it says."""

    twin: Process
    twin_log: IO[bytes]
    loop: Process
    loop_log: IO[bytes]
    address: str  # of the feed
    stream: str  # of the twin's EEG


def start_session(stack: ExitStack, plan: SessionPlan) -> Running:
    """Start a twin and a session; both end with `stack`."""
    name, (port, control_port) = f"bench-{uuid.uuid4().hex[:12]}", free_ports()
    twin = start(stack, [
        "simulate", "--seed", str(plan.seed), "--rate", f"{plan.rate_hz:g}",
        "--tr", f"{plan.tr_s:g}", "--duration", f"{plan.duration_s + SPARE_S:g}",
        "--name", name, "--wait-for-consumers", "60",
    ])  # fmt: skip
    recorded = [] if plan.record is None else ["--record", str(plan.record)]
    loop = start(stack, [
        "run", "--model", plan.model, "--stream", f"{name}-eeg",
        "--trigger-stream", f"{name}-markers", "--trigger", "R128",
        "--tr", f"{plan.tr_s:g}", "--duration", f"{plan.duration_s:g}",
        "--wait", "240", "--port", str(port), "--control-port", str(control_port),
        *recorded,
    ])  # fmt: skip
    return Running(*twin, *loop, f"tcp://127.0.0.1:{port}", f"{name}-eeg")


def start(
    stack: ExitStack, arguments: Sequence[str], env: dict[str, str] | None = None
) -> tuple[Process, IO[bytes]]:
    """Start a child of the command line; it ends with `stack`."""
    log = stack.enter_context(tempfile.TemporaryFile())
    process = subprocess.Popen(
        [sys.executable, "-m", "rtbold", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=env or one_thread(),
    )
    stack.callback(end, process)
    return process, log


def end(process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> None:
    """End a process whatever it does."""
    if process.poll() is None:
        process.kill()
        process.wait()


def inlets_of(session: psutil.Process) -> list[psutil.Process]:
    """Return the inlet processes of a session, as they are now."""
    with contextlib.suppress(psutil.Error):
        return [p for p in session.children() if "rtbold.acquire.inlet" in _said_by(p)]
    return []


def recorders_of(record: Path) -> list[psutil.Process]:
    """Return the recorders of sessions below a folder; they outlive their session."""
    return [
        process
        for process in psutil.process_iter()
        if "LabRecorder" in (words := _said_by(process)) and str(record) in words
    ]


def _said_by(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def last_line(log: IO[bytes]) -> str:
    """Return what a child said last."""
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def one_thread() -> dict[str, str]:
    """Return an environment where no numeric library spreads over cores."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and its children so far."""
    times = [p.cpu_times() for p in (process, *process.children(recursive=True))]
    return float(sum(t.user + t.system for t in times))


def free_ports() -> tuple[int, int]:
    """Return two ports that nobody listens on."""
    with socket.socket() as a, socket.socket() as b:
        a.bind(("127.0.0.1", 0))
        b.bind(("127.0.0.1", 0))
        return a.getsockname()[1], b.getsockname()[1]


@contextlib.contextmanager
def fake(n_channels: int, *, speed: float = 1.0) -> Iterator[str]:
    """Run ``rtbold fake`` with 64 ROIs; give the address of its feed."""
    process = subprocess.Popen(
        [
            sys.executable, "-m", "rtbold", "fake", "--port", "0",
            "--control-port", "0", "--channels", str(n_channels), "--rois", "64",
            "--speed", f"{speed:g}", "--duration", str(LONGEST_S),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        if not line.startswith(FEED_WORDS):
            raise RuntimeError(f"rtbold fake said {line!r}")
        yield line.removeprefix(FEED_WORDS).split(",")[0]
    finally:
        end(process)
        process.stderr.close()


def unseen(folder: str) -> dict[str, str]:
    """Return the environment of a dashboard that nobody sees and that knows nobody."""
    hidden = {"QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": folder}
    return {**one_thread(), **hidden}


def unseen_dashboard(stack: ExitStack, address: str) -> Process:
    """Start ``rtbold gui`` on a feed; it is killed with `stack`."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    return start(stack, ["gui", "--connect", address], unseen(folder))[0]


@contextlib.contextmanager
def dashboard(address: str) -> Iterator[psutil.Process]:
    """Run ``rtbold gui`` on a feed; end it afterwards as an operator would."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        process = psutil.Popen(
            [sys.executable, "-m", "rtbold", "gui", "--connect", address],
            stdout=log,
            stderr=log,
            env=unseen(folder),
        )
        try:
            yield process
            if process.poll() is not None:
                raise RuntimeError(
                    f"the dashboard ended by itself. It said: {last_line(log)}"
                )
        finally:
            process.terminate()
            try:
                process.wait(10)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(10)


def percentiles(values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """Return p50, p95, p99 and the greatest, rounded."""
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    found = {"p50": p50, "p95": p95, "p99": p99, "max": max(values)}
    return {name: round(float(value), digits) for name, value in found.items()}
