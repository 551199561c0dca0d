"""A session with the twin on this machine: latency, missed TRs, memory, CPU."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO

import numpy as np
import psutil
import pylsl

from rtbold.client import Message, Subscriber

LOOK_EVERY_S = 5.0
HEAD_S = 25.0  # warm-up of the session before it is measured
SPARE_S = 60.0  # the twin outlives the session
SILENCE_S = 60.0
MIB = 1 << 20

Seen = dict[str, tuple[float, int]]  # processes -> CPU seconds, unique bytes


@dataclass(frozen=True)
class LatencyPlan:
    """What is run."""

    minutes: float = 30.0
    model: str = "demo"
    rate_hz: float = 1000.0
    seed: int = 5000


@dataclass
class Session:
    """What a subscriber saw, and what the processes cost meanwhile."""

    from_arrival_ms: list[float] = field(default_factory=list)
    from_lsl_ms: list[float] = field(default_factory=list)
    from_window_ms: list[float] = field(default_factory=list)
    infer_ms: list[float] = field(default_factory=list)
    volumes: list[int] = field(default_factory=list)
    triggers: set[int] = field(default_factory=set)
    n_unlocked: int = 0
    n_by_status: Counter[str] = field(default_factory=Counter)
    quality: dict[str, object] = field(default_factory=dict)
    looks: list[tuple[float, Seen]] = field(default_factory=list)
    n_lost_messages: int = 0
    twin_said: str = ""
    loop_said: str = ""

    def take(self, message: Message) -> None:
        """Take one message; `t_received_s` is on LSL's clock."""
        body = message.body
        if message.topic == "quality":
            self.quality = body
        elif message.topic == "trigger" and body["volume_index"] is not None:
            self.triggers.add(body["volume_index"])
        elif message.topic == "pred.fb":
            self.n_by_status[body["status"]] += 1
            if body["volume_index"] is not None:
                self.volumes.append(body["volume_index"])
                self.n_unlocked += not body["trigger_locked"]
            self._time(message)

    def _time(self, message: Message) -> None:
        """Note the latencies of a prediction that has a value."""
        body, stage = message.body, message.body["latency_ms"]
        if stage["infer"] is None or stage["arrive"] is None:
            return
        from_window = 1000 * (message.t_received_s - body["window"]["t_end"])
        # from the pipeline to the subscriber; then back to the sample's own time
        inside = stage["prepare"] + stage["infer"] + stage["publish"]
        from_pipeline = from_window - (body["age_ms"] - inside)
        from_lsl = from_pipeline + stage["acquire"]
        self.from_window_ms.append(from_window)
        self.from_lsl_ms.append(from_lsl)
        self.from_arrival_ms.append(from_lsl - stage["arrive"])
        self.infer_ms.append(stage["infer"])

    @property
    def n_missed(self) -> int:
        """Volumes up to the last predicted one without a prediction."""
        if not self.volumes:
            return 0
        due = self.triggers | set(range(max(self.volumes) + 1))
        return len({v for v in due if v <= max(self.volumes)} - set(self.volumes))

    @property
    def n_doubled(self) -> int:
        """Predictions beyond the first of their volume."""
        return len(self.volumes) - len(set(self.volumes))


def run(plan: LatencyPlan) -> Session:
    """Run twin, session and subscriber, each a process; return what was seen."""
    seen, name = Session(), f"bench-{uuid.uuid4().hex[:12]}"
    duration_s = 60 * plan.minutes + HEAD_S
    port, control_port = free_ports()
    with ExitStack() as stack:
        twin, twin_log = start(stack, [
            "simulate", "--seed", str(plan.seed), "--rate", f"{plan.rate_hz:g}",
            "--duration", str(duration_s + SPARE_S), "--name", name,
            "--wait-for-consumers", "60",
        ])  # fmt: skip
        loop, loop_log = start(stack, [
            "run", "--model", plan.model, "--stream", f"{name}-eeg",
            "--trigger-stream", f"{name}-markers", "--trigger", "R128",
            "--duration", str(duration_s), "--wait", "240",
            "--port", str(port), "--control-port", str(control_port),
        ])  # fmt: skip
        feed = stack.enter_context(
            Subscriber(
                f"tcp://127.0.0.1:{port}",
                topics=("hello", "pred.fb", "trigger", "quality", "hb"),
                now_s=pylsl.local_clock,  # this machine's, as every time in the body
            )
        )
        _follow(seen, feed, loop)
        seen.n_lost_messages = sum(feed.n_gaps.values())
        twin.terminate()
        twin.wait(30)
        seen.twin_said, seen.loop_said = _last_line(twin_log), _last_line(loop_log)
    if not seen.from_window_ms:
        raise RuntimeError(f"no prediction came. The session: {seen.loop_said}")
    return seen


def _follow(seen: Session, feed: Subscriber, loop: "subprocess.Popen[bytes]") -> None:
    """Subscribe until the session ends; look at its processes from time to time."""
    first_s = due_s = None
    heard_s = time.monotonic()
    while loop.poll() is None:
        messages = feed.poll(0.25)
        for message in messages:
            seen.take(message)
        now_s = time.monotonic()
        heard_s = now_s if messages else heard_s
        if not seen.from_window_ms:
            if now_s - heard_s > 300:
                raise RuntimeError("the session has not begun within 300 s")
            continue
        if now_s - heard_s > SILENCE_S:
            raise RuntimeError(f"the session has said nothing for {SILENCE_S:g} s")
        first_s = now_s if first_s is None else first_s
        if due_s is None or now_s >= due_s:
            due_s = now_s + LOOK_EVERY_S
            seen.looks.append((now_s - first_s, _look(loop.pid)))


def _look(pid: int) -> Seen:
    """Return CPU time and unique memory of the session and its inlet processes."""
    top = psutil.Process(pid)
    groups = {"loop and feed": [top], "inlets": top.children(recursive=True)}
    found: Seen = {}
    for name, processes in groups.items():
        try:
            times = [p.cpu_times() for p in processes]
            uss = sum(p.memory_full_info().uss for p in processes)
        except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            continue  # the session is ending
        found[name] = (sum(t.user + t.system for t in times), uss)
    return found


def start(
    stack: ExitStack, arguments: list[str]
) -> tuple["subprocess.Popen[bytes]", IO[bytes]]:
    """Start a child of the command line; it ends with `stack`."""
    log = stack.enter_context(tempfile.TemporaryFile())
    process = subprocess.Popen(
        [sys.executable, "-m", "rtbold", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    stack.callback(_end, process)
    return process, log


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.kill()
        process.wait()


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def free_ports() -> tuple[int, int]:
    """Return two ports that nobody listens on."""
    with socket.socket() as a, socket.socket() as b:
        a.bind(("127.0.0.1", 0))
        b.bind(("127.0.0.1", 0))
        return a.getsockname()[1], b.getsockname()[1]


def percentiles(values: list[float]) -> tuple[float, float, float, float]:
    """Return p50, p95, p99 and the greatest."""
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    return float(p50), float(p95), float(p99), max(values)
