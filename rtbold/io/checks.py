"""What one check of ``rtbold doctor`` found, and the checks of the machine itself."""

import os
import platform
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import psutil

CheckState = Literal["ok", "warn", "fail"]
WORTH_HAVING = frozenset(("files", "gui", "record"))  # extras a session may want
DISK_FAIL_GB, DISK_WARN_GB = 1.0, 10.0
DISK_WRITE_MB = 32
DISK_NEEDED_MB_S = 5.0  # 128 channels at 5 kHz are 2.6 MB/s
MEMORY_WARN_GB = 1.0
SLEEP_WARN_MS = 10.0


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's report."""

    name: str
    state: CheckState
    found: str
    advice: str = ""  # what to do; empty if nothing is to be done


def check_python() -> Check:
    """Report interpreter and system."""
    found = f"Python {platform.python_version()} on {platform.platform()}"
    return Check("python", "ok", f"{found}, {sys.executable}")


def check_packages() -> tuple[Check, ...]:
    """Report what rtbold requires, and which of its extras are whole."""
    missing, present = _requirements(extra=None)
    core = Check(
        "packages",
        "fail" if missing else "ok",
        _listed("missing: ", missing) or ", ".join(present),
        "pip install --force-reinstall rtbold" if missing else "",
    )
    return (core, _check_extras())


def _check_extras() -> Check:
    names = metadata.metadata("rtbold").get_all("Provides-Extra") or []
    lacking = {
        name: missing
        for name in names
        if name != "all" and (missing := _requirements(extra=name)[0])
    }
    whole = sorted(set(names) - set(lacking) - {"all"})
    wanted = sorted(WORTH_HAVING & set(lacking))
    said = [_listed("installed: ", whole)]
    said += [f"{name} lacks {', '.join(lack)}" for name, lack in lacking.items()]
    return Check(
        "extras",
        "warn" if wanted else "ok",
        "; ".join(part for part in said if part),
        f"pip install 'rtbold[{','.join(wanted)}]'" if wanted else "",
    )


def _requirements(*, extra: str | None) -> tuple[list[str], list[str]]:
    """Return what is (missing, present) of the core's or an extra's requirements."""
    missing: list[str] = []
    present: list[str] = []
    for requirement in metadata.requires("rtbold") or []:
        text, _, marker = requirement.partition(";")
        of_extra = marker.replace("'", '"').partition('extra == "')[2].rstrip('" ')
        if of_extra != (extra or ""):
            continue
        name = text
        for mark in "[<>=!~ (":
            name = name.partition(mark)[0]
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
            return Check(
                name,
                "fail",
                f"cannot listen on {bind}:{port}: {error.strerror}",
                f"end the session or program that has it, or run with {option} N",
            )
    return Check(name, "ok", f"free on {bind}")


def check_disk(folder: Path, now_s: Callable[[], float] = time.perf_counter) -> Check:
    """Measure space and write speed where recordings would go."""
    folder = folder.absolute()
    existing = next(p for p in (folder, *folder.parents) if p.is_dir())
    try:
        mb_s = _write_speed(existing, now_s)
    except OSError as error:
        return Check(
            "disk",
            "fail",
            f"cannot write in {existing}: {error.strerror}",
            "give another folder (--record DIR), or make it writable",
        )
    free_gb = psutil.disk_usage(str(existing)).free / 1e9
    found = f"{free_gb:.1f} GB free, writes {mb_s:.0f} MB/s in {existing}"
    if free_gb < DISK_FAIL_GB:
        return Check("disk", "fail", found, "make room, or give another --record DIR")
    if free_gb < DISK_WARN_GB or mb_s < DISK_NEEDED_MB_S:
        advice = (
            f"64 channels at 5 kHz are 4.6 GB an hour and 1.3 MB/s; "
            f"{DISK_WARN_GB:g} GB and {DISK_NEEDED_MB_S:g} MB/s are comfortable"
        )
        return Check("disk", "warn", found, advice)
    return Check("disk", "ok", found)


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
    if p95 > SLEEP_WARN_MS:
        advice = "close other programs; on a laptop, plug in and choose performance"
        return Check("timer", "warn", found, advice)
    return Check("timer", "ok", found)


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
    if n < 2 or busy > 80:
        return Check(
            "cpu", "warn", found, "two free cores are needed: close other programs"
        )
    return Check("cpu", "ok", found)


def check_priority() -> Check:
    """Report the priority that a session started from here would have."""
    return judge_priority(_lowered())


def judge_priority(lowered: Sequence[str]) -> Check:
    """Say whether other programs come before a session; `lowered` is by what."""
    if not lowered:
        return Check("priority", "ok", "not below the usual")
    return Check(
        "priority",
        "warn",
        f"{', '.join(lowered)}: other programs come before a session started from here",
        "start it from a terminal that was not lowered: without nice, chrt, or a queue",
    )


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
    if free_gb < MEMORY_WARN_GB:
        return Check("memory", "warn", found, "close other programs: 1 GB is needed")
    return Check("memory", "ok", found)


def worst_state(checks: Sequence[Check]) -> CheckState:
    """Return fail if any check failed, else warn if any warned."""
    states = {check.state for check in checks}
    return "fail" if "fail" in states else "warn" if "warn" in states else "ok"


def _listed(head: str, names: Sequence[str]) -> str:
    return head + ", ".join(names) if names else ""
