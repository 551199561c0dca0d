"""What the dashboard costs the loop: one session, the dashboard on and off in turns."""

import contextlib
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field

import numpy as np
import psutil
import pylsl
from bench_latency import Session, free_ports, percentiles, start

from rtbold.client import Subscriber

START_LIMIT_S = 120.0
SPARE_S = 60.0  # what is started beforehand outlives what is measured
N_DRAWS = 2000
TOPICS = ("hello", "pred.fb", "hb")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopPlan:
    """Blocks of one session, without and with the dashboard in turns.

    Parameters
    ----------
    tr_s : short, so that many predictions come: with 80 in a block and 8 blocks of each
        kind a p99 is the sixth worst of 640. A whole number of the twin's chunks. What
        the window paints for one prediction is long done when the next is due.
    settle_s : of each block, not measured: a program starts or ends.
    """

    n_blocks: int = 16
    block_s: float = 20.0
    settle_s: float = 5.0
    tr_s: float = 0.25
    model: str = "demo"
    rate_hz: float = 1000.0


@dataclass
class Block:
    """Latencies of one block, from the needed sample's arrival to the subscriber."""

    with_dashboard: bool
    ms: list[float] = field(default_factory=list)
    dashboard_cpu_share: float | None = None


def dashboard_environment(folder: str) -> dict[str, str]:
    """Return the environment of a dashboard that nobody sees and that knows nobody."""
    return {
        **os.environ,
        "QT_QPA_PLATFORM": "offscreen",
        "XDG_CONFIG_HOME": folder,
        "OMP_NUM_THREADS": "1",
    }


@contextlib.contextmanager
def dashboard(address: str) -> Iterator[psutil.Process]:
    """Run ``rtbold gui`` on a feed; end it afterwards as an operator would."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        process = psutil.Popen(
            [sys.executable, "-m", "rtbold", "gui", "--connect", address],
            stdout=log,
            stderr=log,
            env=dashboard_environment(folder),
        )
        try:
            yield process
            if process.poll() is not None:
                log.seek(0)
                said = log.read().decode(errors="replace")[-500:]
                raise RuntimeError(f"the dashboard ended by itself. It said: {said}")
        finally:
            process.terminate()
            try:
                process.wait(10)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(10)


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and its children so far."""
    times = [p.cpu_times() for p in (process, *process.children(recursive=True))]
    return float(sum(t.user + t.system for t in times))


def measure(plan: LoopPlan) -> list[Block]:
    """Run twin, session and subscriber; return the blocks in turn."""
    name, (port, control_port) = f"bench-{uuid.uuid4().hex[:12]}", free_ports()
    address = f"tcp://127.0.0.1:{port}"
    duration_s = START_LIMIT_S + plan.n_blocks * (plan.block_s + plan.settle_s)
    with ExitStack() as stack:
        start(stack, [
            "simulate", "--rate", f"{plan.rate_hz:g}", "--tr", f"{plan.tr_s:g}",
            "--duration", f"{duration_s + SPARE_S:g}", "--name", name,
            "--wait-for-consumers", "60",
        ])  # fmt: skip
        session, _ = start(stack, [
            "run", "--model", plan.model, "--stream", f"{name}-eeg",
            "--trigger-stream", f"{name}-markers", "--trigger", "R128",
            "--tr", f"{plan.tr_s:g}", "--duration", f"{duration_s:g}",
            "--wait", "120", "--port", str(port), "--control-port", str(control_port),
        ])  # fmt: skip
        feed = stack.enter_context(
            Subscriber(address, topics=TOPICS, now_s=pylsl.local_clock)
        )
        _wait_for_values(feed)
        blocks = [
            _block(plan, feed, address if number % 2 else None)
            for number in range(plan.n_blocks)
        ]
        session.terminate()
        session.wait(30)
    return blocks


def _wait_for_values(feed: Subscriber) -> None:
    seen, end_s = Session(), time.monotonic() + START_LIMIT_S
    while not seen.from_arrival_ms:
        if time.monotonic() > end_s:
            raise RuntimeError(f"no prediction came within {START_LIMIT_S:g} s")
        for message in feed.poll(0.25):
            seen.take(message)


def _block(plan: LoopPlan, feed: Subscriber, address: str | None) -> Block:
    """Measure one block; with the dashboard if there is an address."""
    block = Block(with_dashboard=address is not None)
    with ExitStack() as stack:
        process = stack.enter_context(dashboard(address)) if address else None
        _listen(feed, plan.settle_s)
        before_s = cpu_s(process) if process else 0.0
        block.ms = _listen(feed, plan.block_s)
        if process:
            block.dashboard_cpu_share = (cpu_s(process) - before_s) / plan.block_s
    return block


def _listen(feed: Subscriber, seconds: float) -> list[float]:
    seen, end_s = Session(), time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        for message in feed.poll(min(0.25, left_s)):
            seen.take(message)
    return seen.from_arrival_ms


def compared(blocks: list[Block]) -> dict[str, object]:
    """Return percentiles without and with, their ratio, and that of each pair."""
    kinds = {"without": False, "with": True}
    whole = {
        name: [ms for b in blocks if b.with_dashboard is on for ms in b.ms]
        for name, on in kinds.items()
    }
    found = {name: _four(ms) for name, ms in whole.items()}
    pairs = list(zip(blocks[::2], blocks[1::2], strict=True))
    return {
        **found,
        "ratio": {
            name: round(found["with"][name] / found["without"][name], 3)
            for name in ("p50", "p95", "p99")
        },
        "p99_ratio_interval": p99_interval(pairs),
        "p99_ratio_of_each_pair": [
            round(_four(on.ms)["p99"] / _four(off.ms)["p99"], 3) for off, on in pairs
        ],
        "p50_ratio_of_each_pair": [
            round(statistics.median(on.ms) / statistics.median(off.ms), 3)
            for off, on in pairs
        ],
        "blocks": [{**asdict(b), "ms": [round(ms, 2) for ms in b.ms]} for b in blocks],
    }


def p99_interval(pairs: list[tuple[Block, Block]]) -> list[float]:
    """Return between what 90 % of the p99 ratios lie, were other pairs drawn of these.

    Pairs, not predictions: what disturbs one prediction disturbs its neighbours.
    """
    rng = np.random.default_rng(0)
    ratios = []
    for drawn in rng.integers(len(pairs), size=(N_DRAWS, len(pairs))):
        off, on = zip(*(pairs[k] for k in drawn), strict=True)
        ratios.append(_p99(on) / _p99(off))
    return [round(float(bound), 3) for bound in np.percentile(ratios, (5, 95))]


def _p99(blocks: Sequence[Block]) -> float:
    return float(np.percentile(np.concatenate([b.ms for b in blocks]), 99))


def _four(ms: list[float]) -> dict[str, float]:
    p50, p95, p99, most = percentiles(ms)
    return {
        "n": len(ms), "p50": round(p50, 2), "p95": round(p95, 2),
        "p99": round(p99, 2), "max": round(most, 2),
    }  # fmt: skip
