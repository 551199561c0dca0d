"""``rtbold doctor``: what would stop a session on this machine, and what to do."""

import ipaddress
import json
import os
import platform
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

from rtbold import distribution
from rtbold.bundle import SUFFIX, default_root
from rtbold.engine import (
    CudaDevice,
    check_gpu,
    first_device,
    installed,
    keep_telemetry_out,
)
from rtbold.errors import EngineError, RtboldError
from rtbold.messages import Check
from rtbold.owner_only import open_to_others
from rtbold.preflight import lsl_loopback
from rtbold.preflight.checks import decided, refused
from rtbold.preflight.qt_platform import check_qt
from rtbold.record import find_left_over
from rtbold.run_names import run_folders

if TYPE_CHECKING:
    from rtbold.bundle import Card
    from rtbold.engine import Engine

WORTH_HAVING = frozenset(("files", "gui", "record"))  # extras a session may want
DISK_FAIL_GB, DISK_WARN_GB = 1.0, 10.0
DISK_WRITE_MB = 32
DISK_NEEDED_MB_S = 5.0  # 128 channels at 5 kHz are 2.6 MB/s
MAKE_ROOM = "make room, or give another --record DIR"
ANOTHER_FOLDER = "give another folder (--record DIR), or make it writable"
MOST_FOLDERS = 1000  # whose permissions are looked at
MEMORY_WARN_GB = 1.0
SLEEP_WARN_MS = 10.0
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
ON_CPU = "predictions run on the CPU"


def examine_machine(
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
    yield check_privacy(record)
    yield check_left_over()
    yield check_port(port, option="--port")
    yield check_port(control_port, option="--control-port")
    yield from check_lsl()
    yield check_interfaces()
    yield check_multicast()
    yield check_qt()
    yield check_outside()
    yield check_tensorrt()
    if model is not None:
        yield check_engine(model)


def check_python() -> Check:
    """Report interpreter and system."""
    found = f"Python {platform.python_version()} on {platform.platform()}"
    return Check("python", "ok", f"{found}, {sys.executable}")


def check_packages() -> tuple[Check, ...]:
    """Report what rtbold requires, and which of its extras are whole."""
    missing, present = _requirements(extra=None)
    found = _listed("missing: ", missing) or ", ".join(present)
    other = distribution.other_lab() or ""
    core = decided(
        "packages",
        f"{found}; {other}" if other else found,
        (missing, "fail", distribution.pip_install()),
        (other, "warn", f"make a new environment without {distribution.OTHER}"),
    )
    return core, _check_extras()


def _check_extras() -> Check:
    names = distribution.extras()
    lacking = {
        name: missing
        for name in names
        if name != "all" and (missing := _requirements(extra=name)[0])
    }
    whole = sorted(set(names) - set(lacking) - {"all"})
    wanted = sorted(WORTH_HAVING & set(lacking))
    said = [_listed("installed: ", whole)]
    said += [f"{name} lacks {', '.join(lack)}" for name, lack in lacking.items()]
    found = "; ".join(part for part in said if part)
    return decided("extras", found, (wanted, "warn", distribution.pip_install(*wanted)))


def _requirements(*, extra: str | None) -> tuple[list[str], list[str]]:
    """Return what is (missing, present) of the core's or an extra's requirements."""
    missing: list[str] = []
    present: list[str] = []
    for name in distribution.requirements(extra):
        try:
            present.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    return missing, present


def check_port(port: int, *, option: str, bind: str = "127.0.0.1") -> Check:
    """Try to listen where a session would."""
    name = f"port {port}"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        if os.name == "posix":  # as ZMQ does; on Windows it would steal the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((bind, port))
        except OSError as error:
            found = f"cannot listen on {bind}:{port}: {error.strerror}"
            mend = f"end the session or program that has it, or run with {option} N"
            return Check(name, "fail", found, mend)
    return Check(name, "ok", f"free on {bind}")


def check_disk(folder: Path, now_s: Callable[[], float] = time.perf_counter) -> Check:
    """Measure space and write speed where recordings would go."""
    existing = there(folder)
    try:
        mb_s = _write_speed(existing, now_s)
    except OSError as error:
        found = f"cannot write in {existing}: {error.strerror}"
        return Check("disk", "fail", found, ANOTHER_FOLDER)
    free_gb = psutil.disk_usage(str(existing)).free / 1e9
    comfort = (
        f"64 channels at 5 kHz are 4.6 GB an hour and 1.3 MB/s; "
        f"{DISK_WARN_GB:g} GB and {DISK_NEEDED_MB_S:g} MB/s are comfortable"
    )
    return decided(
        "disk",
        f"{free_gb:.1f} GB free, writes {mb_s:.0f} MB/s in {existing}",
        (free_gb < DISK_FAIL_GB, "fail", MAKE_ROOM),
        (free_gb < DISK_WARN_GB or mb_s < DISK_NEEDED_MB_S, "warn", comfort),
    )


def there(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    folder = folder.absolute()
    return next(p for p in (folder, *folder.parents) if p.is_dir())


def _write_speed(folder: Path, now_s: Callable[[], float]) -> float:
    """Return MB/s of a file that is really on the disk, and leave nothing."""
    block = os.urandom(1_000_000)
    with tempfile.TemporaryFile(dir=folder) as file:
        begin_s = now_s()
        for _ in range(DISK_WRITE_MB):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        return DISK_WRITE_MB / (now_s() - begin_s)


def check_privacy(record: Path, subjects: Path | None = None) -> Check:
    """Say which recordings and models other users of this machine can open.

    Nothing is changed: whoever opened them to others may have meant it.

    Parameters
    ----------
    record : folder of recordings; those right below it are looked at.
    subjects : folder of the subjects' models; None: the user's own.
    """
    if sys.platform == "win32":
        found = "files take the access list of their folder; rtbold sets none"
        return Check("privacy", "ok", found)
    root = default_root() if subjects is None else subjects
    folders = [*run_folders(record), *root.glob(f"*/*{SUFFIX}")]
    seen = sorted(path for path in folders if path.is_dir())[:MOST_FOLDERS]
    opened = [path for path in open_to_others(seen) if _reached(path)]
    if not opened:
        return Check("privacy", "ok", f"{len(seen)} recordings and models, none open")
    found = (
        f"other users of this machine can open {len(opened)} of {len(seen)} recordings "
        f"and models, such as {opened[0]}"
    )
    advice = "made by an earlier version: chmod -R go= FOLDER, unless it is meant so"
    return Check("privacy", "warn", found, advice)


def _reached(path: Path) -> bool:
    """Whether every folder above lets others through."""
    return all(any(open_to_others([above])) for above in path.absolute().parents)


def check_left_over() -> Check:
    """Say which LabRecorders of sessions that have died still record."""
    left = find_left_over()
    if not left:
        return Check("recorders", "ok", "none is left over from a session that died")
    found = "; ".join(str(one) for one in left)
    advice = "rtbold recorders --end closes them; the start of a session does too"
    return Check("recorders", "warn", found, advice)


def check_timer(
    n: int = 100,
    *,
    now_s: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> Check:
    """Measure how much later than asked a sleep of 1 ms ends."""
    over_ms = sorted(_oversleep_ms(now_s, sleep) for _ in range(n))
    p95, worst = over_ms[int(0.95 * n)], over_ms[-1]
    found = f"a sleep ends {p95:.2f} ms late (p95), {worst:.2f} ms at worst"
    mend = "close other programs; on a laptop, plug in and choose performance"
    return decided("timer", found, (p95 > SLEEP_WARN_MS, "warn", mend))


def _oversleep_ms(now_s: Callable[[], float], sleep: Callable[[float], None]) -> float:
    begin_s = now_s()
    sleep(0.001)
    return (now_s() - begin_s) * 1e3 - 1


def check_cpu() -> Check:
    """Report cores and how busy they are now."""
    n = len(psutil.Process().cpu_affinity()) if sys.platform == "linux" else None
    n = n or psutil.cpu_count() or 1
    busy = psutil.cpu_percent(interval=0.5)
    found = f"{n} usable cores, {busy:.0f} % busy"
    mend = "two free cores are needed: close other programs"
    return decided("cpu", found, (n < 2 or busy > 80, "warn", mend))


def check_priority() -> Check:
    """Report the priority that a session started from here would have."""
    return priority_check(_lowered())


def priority_check(lowered: Sequence[str]) -> Check:
    """Say whether other programs come before a session; `lowered` is by what."""
    if not lowered:
        return Check("priority", "ok", "not below the usual")
    by = ", ".join(lowered)
    found = f"{by}: other programs come before a session started from here"
    mend = (
        "start it from a terminal that was not lowered: without nice, chrt, or a queue"
    )
    return Check("priority", "warn", found, mend)


def _lowered() -> list[str]:
    niceness = psutil.Process().nice()
    if sys.platform == "win32":  # not run here
        low = (psutil.BELOW_NORMAL_PRIORITY_CLASS, psutil.IDLE_PRIORITY_CLASS)
        return ["priority class below normal"] if niceness in low else []
    found = [f"niceness {niceness}"] if niceness > 0 else []
    if sys.platform == "linux":
        names = {os.SCHED_BATCH: "policy batch", os.SCHED_IDLE: "policy idle"}
        policy = names.get(os.sched_getscheduler(0))
        found += [policy] if policy else []
    return found


def check_memory() -> Check:
    """Report free memory."""
    free_gb = psutil.virtual_memory().available / 1e9
    found = f"{free_gb:.1f} GB available"
    mend = "close other programs: 1 GB is needed"
    return decided("memory", found, (free_gb < MEMORY_WARN_GB, "warn", mend))


def _listed(head: str, names: Sequence[str]) -> str:
    return head + ", ".join(names) if names else ""


def check_outside() -> Check:
    """Say that nothing is sent to anybody: what a library would send is left out."""
    is_out = keep_telemetry_out()
    found = (
        "that of OpenVINO and NNCF is not loaded, and nothing else has one; LSL asks "
        "the local network for streams"
        if is_out
        else "OpenVINO's was loaded before rtbold, and may send what it likes"
    )
    mend = "import rtbold.engine before openvino"
    return decided("telemetry", found, (not is_out, "warn", mend))


def check_tensorrt(device: Callable[[], CudaDevice] = first_device) -> Check:
    """Report package, driver and GPU; a warning only where what is there is broken."""
    try:
        package = installed()
    except EngineError as error:
        return Check("tensorrt", "warn", str(error), "or remove the package")
    if package is None:
        return Check("tensorrt", "ok", f"not installed (optional): {ON_CPU}")
    known = f", compiles for {', '.join(package.gpus())}" if package.gpus() else ""
    try:
        found = device()
    except EngineError as error:
        text = f"{package.name}{known}; cannot run here: {error}; {ON_CPU}"
        return Check("tensorrt", "ok", text)
    here = f"{package.name} on {found.name} ({found.gpu})"
    try:
        check_gpu(found.gpu, package)
    except RtboldError as error:
        return Check("tensorrt", "warn", f"{here}: {ON_CPU}", str(error))
    return Check("tensorrt", "ok", here)


def check_lsl(limit_s: float = LOOPBACK_LIMIT_S) -> tuple[Check, ...]:
    """Send samples from an outlet to an inlet in a child process, within a limit."""
    command = [sys.executable, "-m", lsl_loopback.__name__]
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        found = f"no answer from a stream of our own within {limit_s:g} s"
        ports = "UDP 16571-16604, TCP 16572-16604"
        mend = f"allow Python in the firewall ({ports}), leave the VPN"
        return (Check("lsl", "fail", found, mend),)
    if child.returncode != 0:
        said = (child.stderr.strip().splitlines() or ["nothing"])[-1]
        found = f"the LSL library does not work (exit {child.returncode}): {said}"
        return (Check("lsl", "fail", found, INSTALL_LIBLSL),)
    return loopback_checks(json.loads(child.stdout.strip().splitlines()[-1]))


def loopback_checks(answer: dict[str, float | int | str | None]) -> tuple[Check, ...]:
    """Turn what `lsl_loopback` measured into checks."""
    ppm = abs(float(answer["clock_rate_ppm"] or 0))
    steady = f"runs within {ppm:.0f} ppm of the system's monotonic clock"
    mend = "stop what changes the clock; try again"
    clock = decided("lsl clock", steady, (ppm >= CLOCK_WARN_PPM, "warn", mend))
    return _judge_samples(answer), clock


def _own_version(answer: dict[str, float | int | str | None]) -> str:
    """Return liblsl's version; the release it was built as, where it says so.

    The wheel of pylsl brings a beta, which the number alone does not tell.
    """
    number = int(answer["liblsl"] or 0)  # 118 is 1.18
    tag = re.search(r"/branch:refs/tags/v?([^/]+)", str(answer.get("built") or ""))
    if tag is None:
        return f"{number // 100}.{number % 100:02d}"
    return f"{tag[1]} (a beta)" if re.search(r"[.\d]b\d", tag[1]) else tag[1]


def _judge_samples(answer: dict[str, float | int | str | None]) -> Check:
    versions = f"pylsl {answer['pylsl']}, liblsl {_own_version(answer)}"
    if answer["resolve_ms"] is None:
        found = f"{versions}: a stream of our own was not found"
        mend = "allow Python in the firewall for multicast UDP, leave the VPN"
        return Check("lsl", "fail", found, mend)
    n_lost = int(answer["n_sent"] or 0) - int(answer["n_received"] or 0)
    if n_lost:
        found = f"{versions}: {n_lost} of {answer['n_sent']} samples did not arrive"
        mend = "close other programs and try again; then reinstall pylsl"
        return Check("lsl", "fail", found, mend)
    p95_ms = float(answer["p95_ms"] or 0)
    found = (
        f"{versions}: found in {answer['resolve_ms']:.0f} ms, sample to inlet "
        f"{answer['p50_ms']:.2f} ms (p50), {p95_ms:.2f} ms (p95)"
    )
    mend = "close other programs: each sample waits that long"
    return decided("lsl", found, (p95_ms > LATENCY_WARN_MS, "warn", mend))


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
    advice = (
        "LSL asks on all of them; if a stream is not found, switch off VPN, "
        "virtual and wireless ones, or name the amplifier's in lsl_api.cfg"
    )
    return decided("network", found, (len(outside) > 1, "warn", advice))


def check_multicast() -> Check:
    """Send one multicast datagram to ourselves: LSL finds streams in this way."""
    why = ""
    try:
        if _multicast_round_trip(b"rtbold doctor"):
            return Check("multicast", "ok", f"{MULTICAST_GROUP} reaches this machine")
    except OSError as error:
        why = f": {error.strerror or error}"
    found = f"a datagram to {MULTICAST_GROUP} did not come back{why}"
    mend = (
        "streams of other machines may stay unseen: allow multicast in firewall and "
        "switch (IGMP), or name the machines under KnownPeers in lsl_api.cfg"
    )
    return Check("multicast", "warn", found, mend)


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
    from rtbold.bundle import load
    from rtbold.engine import open_engine

    try:
        bundle = load(model)
    except RtboldError as error:
        return refused("engine", error)
    card = bundle.card
    return time_engine(lambda: open_engine(bundle), card, tr_s=card.tr_s, now_s=now_s)


def time_engine(
    opened: Callable[[], "Engine"],
    card: "Card",
    *,
    tr_s: float,
    now_s: Callable[[], float] = time.perf_counter,
) -> Check:
    """Open an engine, time it on windows of its model, close it.

    Parameters
    ----------
    tr_s : of the session, which every window has to fit into.
    """
    try:
        engine = opened()
    except RtboldError as error:
        return refused("engine", error)
    with closing(engine):
        took_ms = _inference_ms(engine, card, now_s)
    p50_ms, worst_ms = float(np.median(took_ms)), max(took_ms)
    found = (
        f"{card.name} on {engine.name} {engine.precision}: {p50_ms:.1f} ms "
        f"(p50), {worst_ms:.1f} ms at worst, of a TR of {tr_s:g} s"
    )
    share = worst_ms / (1e3 * tr_s)
    slow, near = share > 1, share > TR_SHARE_WARN
    smaller = "use a smaller model or a faster machine"
    closer = "close other programs, or compile for it"
    return decided("engine", found, (slow, "fail", smaller), (near, "warn", closer))


def _inference_ms(
    engine: "Engine", card: "Card", now_s: Callable[[], float]
) -> list[float]:
    shape = (1, len(card.channels), round(card.rate_hz * 16))
    rng = np.random.default_rng(0)
    window_uv = (rng.standard_normal(shape) * 15).astype(np.float32)
    took_ms = []
    for _ in range(N_INFERENCES):
        begin_s = now_s()
        engine(window_uv)
        took_ms.append((now_s() - begin_s) * 1e3)
    return took_ms
