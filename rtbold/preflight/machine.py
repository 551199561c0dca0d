"""``rtbold doctor``: what would stop a session on this machine, and what to do."""

import ipaddress
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

from rtbold.errors import RtboldError
from rtbold.io.check_tensorrt import check_tensorrt
from rtbold.io.checks import (
    Check,
    check_cpu,
    check_disk,
    check_memory,
    check_packages,
    check_port,
    check_priority,
    check_python,
    check_timer,
)
from rtbold.preflight import lsl_loopback

if TYPE_CHECKING:
    from rtbold.bundle.card import Card
    from rtbold.engine.protocol import Engine
LOOPBACK_LIMIT_S = 20.0
LATENCY_WARN_MS = 20.0
CLOCK_WARN_PPM = 1000.0
MULTICAST_GROUP = "239.255.172.215"  # one of the groups that LSL asks
MULTICAST_LIMIT_S = 1.0
N_INFERENCES = 20
TR_SHARE_WARN = 0.25  # of the TR that inference may take
INSTALL_LIBLSL = (
    "pip install --force-reinstall pylsl; on other systems see "
    "https://github.com/sccn/liblsl/releases"
)


def examine(
    *, port: int, control_port: int, record: Path, model: str | None
) -> Iterator[Check]:
    """Yield each check as it is done; takes about five seconds in all."""
    yield check_python()
    yield from check_packages()
    yield check_cpu()
    yield check_priority()
    yield check_memory()
    yield check_timer()
    yield check_disk(record)
    yield check_port(port, option="--port")
    yield check_port(control_port, option="--control-port")
    yield from check_lsl()
    yield check_interfaces()
    yield check_multicast()
    yield check_tensorrt()
    if model is not None:
        yield check_engine(model)


def check_lsl(limit_s: float = LOOPBACK_LIMIT_S) -> tuple[Check, ...]:
    """Send samples from an outlet to an inlet in a child process, within a limit."""
    command = [sys.executable, "-m", lsl_loopback.__name__]
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return (
            Check(
                "lsl",
                "fail",
                f"no answer from a stream of our own within {limit_s:g} s",
                "allow Python in the firewall (UDP 16571-16604, TCP 16572-16604), "
                "leave the VPN",
            ),
        )
    if child.returncode != 0:
        said = (child.stderr.strip().splitlines() or ["nothing"])[-1]
        found = f"the LSL library does not work (exit {child.returncode}): {said}"
        return (Check("lsl", "fail", found, INSTALL_LIBLSL),)
    return judge_loopback(json.loads(child.stdout.strip().splitlines()[-1]))


def judge_loopback(answer: dict[str, float | int | str | None]) -> tuple[Check, ...]:
    """Turn what `rtbold.io.lsl_loopback` measured into checks."""
    versions = f"pylsl {answer['pylsl']}, liblsl {answer['liblsl']}"
    ppm = float(answer["clock_rate_ppm"] or 0)
    clock = Check(
        "lsl clock",
        "ok" if abs(ppm) < CLOCK_WARN_PPM else "warn",
        f"runs within {abs(ppm):.0f} ppm of the system's monotonic clock",
        "" if abs(ppm) < CLOCK_WARN_PPM else "stop what changes the clock; try again",
    )
    if answer["resolve_ms"] is None:
        advice = "allow Python in the firewall for multicast UDP, leave the VPN"
        found = f"{versions}: a stream of our own was not found"
        return (Check("lsl", "fail", found, advice), clock)
    n_lost = int(answer["n_sent"] or 0) - int(answer["n_received"] or 0)
    if n_lost:
        found = f"{versions}: {n_lost} of {answer['n_sent']} samples did not arrive"
        advice = "close other programs and try again; then reinstall pylsl"
        return (Check("lsl", "fail", found, advice), clock)
    p95_ms = float(answer["p95_ms"] or 0)
    found = (
        f"{versions}: found in {answer['resolve_ms']:.0f} ms, sample to inlet "
        f"{answer['p50_ms']:.2f} ms (p50), {p95_ms:.2f} ms (p95)"
    )
    slow = p95_ms > LATENCY_WARN_MS
    advice = "close other programs: each sample waits that long" if slow else ""
    return (Check("lsl", "warn" if slow else "ok", found, advice), clock)


def check_interfaces() -> Check:
    """List the network interfaces that are up, and hint at what confuses LSL."""
    stats = psutil.net_if_stats()
    up = {
        name: [a.address for a in addresses if a.family == socket.AF_INET]
        for name, addresses in psutil.net_if_addrs().items()
        if name in stats and stats[name].isup
    }
    outside = {
        name: addresses
        for name, addresses in up.items()
        if any(not ipaddress.ip_address(a).is_loopback for a in addresses)
    }
    found = "; ".join(f"{name} {', '.join(a)}" for name, a in outside.items())
    if not outside:
        advice = "enough for one machine; connect a network for an amplifier on another"
        return Check("network", "warn", "only the loopback interface is up", advice)
    if len(outside) > 1:
        advice = (
            "LSL asks on all of them; if a stream is not found, switch off VPN, "
            "virtual and wireless ones, or name the amplifier's in lsl_api.cfg"
        )
        return Check("network", "warn", found, advice)
    return Check("network", "ok", found)


def check_multicast() -> Check:
    """Send one multicast datagram to ourselves: LSL finds streams in this way."""
    word = b"rtbold doctor"
    try:
        heard = _multicast_round_trip(word)
    except OSError as error:
        heard, why = False, f": {error.strerror or error}"
    else:
        why = ""
    if heard:
        return Check("multicast", "ok", f"{MULTICAST_GROUP} reaches this machine")
    return Check(
        "multicast",
        "warn",
        f"a datagram to {MULTICAST_GROUP} did not come back{why}",
        "streams of other machines may stay unseen: allow multicast in firewall and "
        "switch (IGMP), or name the machines under KnownPeers in lsl_api.cfg",
    )


def _multicast_round_trip(word: bytes) -> bool:
    membership = socket.inet_aton(MULTICAST_GROUP) + bytes(4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("", 0))  # a free port: LSL's own is left alone
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        listener.settimeout(MULTICAST_LIMIT_S)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            sender.sendto(word, (MULTICAST_GROUP, listener.getsockname()[1]))
        try:
            return listener.recv(64) == word
        except TimeoutError:
            return False


def check_engine(model: str, now_s: Callable[[], float] = time.perf_counter) -> Check:
    """Open a bundle as a session would, and time its inference."""
    from rtbold.bundle.store import load
    from rtbold.engine.opening import open_engine

    try:
        bundle = load(model)
        engine = open_engine(bundle)
    except RtboldError as error:
        return Check("engine", "fail", str(error))  # which says what to do
    check = time_engine(engine, bundle.card, tr_s=bundle.card.tr_s, now_s=now_s)
    engine.close()
    return check


def time_engine(
    engine: "Engine",
    card: "Card",
    *,
    tr_s: float,
    now_s: Callable[[], float] = time.perf_counter,
) -> Check:
    """Time an open engine on windows of its model.

    Parameters
    ----------
    tr_s : of the session, which every window has to fit into.
    """
    shape = (1, len(card.channels), round(card.rate_hz * 16))
    rng = np.random.default_rng(0)
    window_uv = (rng.standard_normal(shape) * 15).astype(np.float32)
    took_ms = []
    for _ in range(N_INFERENCES):
        begin_s = now_s()
        engine(window_uv)
        took_ms.append((now_s() - begin_s) * 1e3)
    p50_ms, worst_ms = float(np.median(took_ms)), max(took_ms)
    found = (
        f"{card.name} on {engine.name} {engine.precision}: {p50_ms:.1f} ms "
        f"(p50), {worst_ms:.1f} ms at worst, of a TR of {tr_s:g} s"
    )
    tr_ms = tr_s * 1e3
    if worst_ms > tr_ms:
        return Check("engine", "fail", found, "use a smaller model or a faster machine")
    if worst_ms > TR_SHARE_WARN * tr_ms:
        return Check("engine", "warn", found, "close other programs, or compile for it")
    return Check("engine", "ok", found)
