"""CPU of acquisition, beside mne-lsl's StreamLSL, on one stream in one run."""

import contextlib
import json
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from runner import progress

from bench.processes import cpu_s, end, one_thread
from bench.roles import RATE_HZ
from rtbold.acquire.acquisition import AcquisitionSettings

ROLES = Path(__file__).with_name("roles.py")
READY_LIMIT_S = 60.0
OUR_POLL_S = AcquisitionSettings().rest_s
SLOW_POLL_S = 0.2  # where StreamLSL is at its cheapest; nothing live would wait so long


@dataclass(frozen=True)
class Variant:
    """One way to take the stream."""

    label: str
    role: str
    poll_s: float


OURS = Variant("rtbold: high-pass, 16 s ring", "highpass", OUR_POLL_S)
LOOP = Variant("rtbold: whole loop but the model", "loop", OUR_POLL_S)
THEIRS = Variant("mne-lsl StreamLSL: high-pass, 16 s", "streamlsl", OUR_POLL_S)
THEIRS_SLOW = Variant("mne-lsl StreamLSL: high-pass, 16 s", "streamlsl", SLOW_POLL_S)
VARIANTS = (OURS, THEIRS, LOOP, THEIRS_SLOW)


@contextlib.contextmanager
def child(
    role: str, stream: str, poll_s: float = 0.0
) -> Iterator["subprocess.Popen[str]"]:
    """Run a role in a process of its own until it takes samples; then give it."""
    with subprocess.Popen(
        [sys.executable, ROLES, role, stream, str(poll_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=one_thread(),
    ) as process:
        assert process.stdout is not None
        end_s = time.monotonic() + READY_LIMIT_S
        try:
            while process.stdout.readline() != "ready\n":
                if process.poll() is not None or time.monotonic() > end_s:
                    raise RuntimeError(
                        f"bench role {role!r} took no samples; its words are above"
                    )
            yield process
        finally:
            end(process)


@dataclass(frozen=True)
class Usage:
    """What one variant cost in one repeat."""

    variant: Variant
    cpu_share: float  # CPU seconds per second
    received_share: float  # samples that came, of those that the source sent


def measure(
    variants: tuple[Variant, ...], *, seconds: float, repeats: int, warm_up_s: float
) -> list[Usage]:
    """Run the variants one after the other, `repeats` times, on one source."""
    stream = f"bench-{uuid.uuid4().hex[:12]}"
    with child("source", stream):
        return [
            _one(variant, stream, seconds=seconds, warm_up_s=warm_up_s)
            for _ in range(repeats)
            for variant in variants
        ]


def _one(variant: Variant, stream: str, *, seconds: float, warm_up_s: float) -> Usage:
    with child(variant.role, stream, variant.poll_s) as process:
        assert process.stdin is not None
        measured = psutil.Process(process.pid)
        time.sleep(warm_up_s)  # until every page of the buffer was touched once
        process.stdin.write("begin\n")
        process.stdin.flush()
        before_s, begun_s = cpu_s(measured), time.monotonic()
        time.sleep(seconds)
        cpu_share = (cpu_s(measured) - before_s) / (time.monotonic() - begun_s)
        answer, _ = process.communicate(timeout=30)  # closes its input: it ends
    said = json.loads(answer.splitlines()[-1])
    received = said["n"] / (said["seconds"] * RATE_HZ)
    progress(
        f"  {variant.label}, every {1000 * variant.poll_s:.0f} ms: {cpu_share:.4f} "
        f"({100 * received:.1f} % of samples)"
    )
    return Usage(variant, cpu_share, received)


def rows(usages: list[Usage]) -> list[dict[str, object]]:
    """Return the figures of each variant; ratios are against StreamLSL of the run."""
    of = {v: [u for u in usages if u.variant == v] for v in VARIANTS}
    median = {
        v: statistics.median(u.cpu_share for u in found)
        for v, found in of.items()
        if found
    }
    return [
        {
            "label": variant.label,
            "poll_ms": 1000 * variant.poll_s,
            "median": share,
            "each": [u.cpu_share for u in of[variant]],
            "ratios": [
                share / median[against] if against in median else None
                for against in (THEIRS, THEIRS_SLOW)
            ],
            "received_share": min(u.received_share for u in of[variant]),
        }
        for variant, share in median.items()
    ]
