"""What the dashboard costs the loop: one session, the dashboard on and off in turns."""

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field

import numpy as np
import pylsl

from bench.latency import LatencyRun
from bench.processes import SessionPlan, cpu_s, dashboard, percentiles, start_session
from rtbold.client import Subscriber

START_LIMIT_S = 120.0
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


def measure(plan: LoopPlan) -> list[Block]:
    """Run twin, session and subscriber; return the blocks in turn."""
    seconds = START_LIMIT_S + plan.n_blocks * (plan.block_s + plan.settle_s)
    wanted = SessionPlan(
        duration_s=seconds, model=plan.model, rate_hz=plan.rate_hz, tr_s=plan.tr_s
    )
    with ExitStack() as stack:
        running = start_session(stack, wanted)
        feed = stack.enter_context(
            Subscriber(running.address, topics=TOPICS, now_s=pylsl.local_clock)
        )
        end_s = time.monotonic() + START_LIMIT_S
        while not _listen(feed, 0.25):
            if time.monotonic() > end_s:
                raise RuntimeError(f"no prediction came within {START_LIMIT_S:g} s")
        blocks = [
            _block(plan, feed, running.address if number % 2 else None)
            for number in range(plan.n_blocks)
        ]
        running.loop.terminate()
        running.loop.wait(30)
    return blocks


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
    seen, end_s = LatencyRun(), time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        for message in feed.poll(min(0.25, left_s)):
            seen.take(message)
    return seen.from_arrival_ms


def compared(blocks: list[Block]) -> dict[str, object]:
    """Return percentiles without and with, their ratio, and that of each pair."""
    found = {}
    for name, on in (("without", False), ("with", True)):
        ms = [ms for b in blocks if b.with_dashboard is on for ms in b.ms]
        found[name] = {"n": len(ms), **percentiles(ms, 2)}
    pairs = list(zip(blocks[::2], blocks[1::2], strict=True))
    return {
        **found,
        "ratio": {
            name: round(found["with"][name] / found["without"][name], 3)
            for name in ("p50", "p95", "p99")
        },
        "p99_ratio_interval": p99_interval(pairs),
        "p99_ratio_of_each_pair": [
            round(_p99([on]) / _p99([off]), 3) for off, on in pairs
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
