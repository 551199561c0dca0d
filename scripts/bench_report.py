"""Figures of scripts/bench.py as markdown, in docs/data/benchmarks.md."""

import datetime
import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from bench_latency import MIB, LatencyPlan, Session, percentiles

from rtbold.io.acquisition import AcquisitionSettings

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "data" / "benchmarks.md"
SOURCES = ("rtbold", "models", "gui")
PACKAGES = (
    "numpy", "scipy", "pylsl", "pyzmq", "openvino", "torch", "mne-lsl", "psutil",
    "PyQt6", "pyqtgraph",
)  # fmt: skip
SETTLED_S = 60.0  # what start-up took has been given back by then
EDGE_S = 300.0  # memory at the start and at the end is that of five minutes


def facts(load_before: tuple[float, float, float]) -> str:
    """Return machine, date, versions, commit, and how busy the machine was."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    before, after = f"{load_before[0]:.2f}", f"{os.getloadavg()[0]:.2f}"
    versions = ", ".join(
        [f"Python {platform.python_version()}", *filter(None, map(_version, PACKAGES))]
    )
    return (
        f"{now}; {_cpu()}, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.release()}; load average {before} before, {after} after; "
        f"commit {_commit()}; {versions}."
    )


def _version(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return ""


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*:\s*(.+)", info.read_text())
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine()


def _commit() -> str:
    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", *SOURCES)
    return git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


def latency(plan: LatencyPlan, seen: Session) -> str:
    """Return the tables of one session."""
    return "\n".join(
        [
            f"Twin (26 EEG channels and ECG, {plan.rate_hz:g} Hz, chunks of 50 ms), "
            f"session and subscriber on this machine, {plan.minutes:g} minutes, model "
            f"`{plan.model}`; {len(seen.from_window_ms)} predictions with values.",
            "",
            *_latency_rows(seen),
            "",
            _whole(seen),
            "",
            *_process_rows(seen),
            "",
            _memory(seen),
            "",
            f"The twin: {seen.twin_said}. The session: {seen.loop_said}.",
        ]
    )


def _latency_rows(seen: Session) -> list[str]:
    look_ms = 1000 * AcquisitionSettings().poll_s
    rows = (
        ("arrival of the last needed sample to subscriber", seen.from_arrival_ms),
        (
            f"the same, had it just missed a look ({look_ms:g} ms more)",
            [ms + look_ms for ms in seen.from_arrival_ms],
        ),
        ("that sample's LSL time to subscriber", seen.from_lsl_ms),
        ("window end T to subscriber (filter included)", seen.from_window_ms),
        ("inference alone, as the session timed it", seen.infer_ms),
    )
    lines = ["| ms | p50 | p95 | p99 | max |", "|---|---|---|---|---|"]
    for label, values in rows:
        p50, p95, p99, most = percentiles(values)
        lines.append(
            f"| {label} | {p50:.1f} | {p95:.1f} | **{p99:.1f}** | {most:.1f} |"
        )
    return lines


def _whole(seen: Session) -> str:
    states = ", ".join(f"{n} {status}" for status, n in seen.n_by_status.most_common())
    quality = seen.quality
    return (
        f"Volumes predicted: {len(set(seen.volumes))}; missed: **{seen.n_missed}**, "
        f"doubled: **{seen.n_doubled}**, without their own trigger: {seen.n_unlocked}; "
        f"messages lost by the subscriber: {seen.n_lost_messages}. Status: {states}. "
        f"Gaps: {quality.get('n_gaps')}, samples missing: "
        f"{quality.get('n_missing_samples')}, stamp steps: "
        f"{quality.get('n_stamp_steps')}, triggers missed: "
        f"{quality.get('n_triggers_missed')}."
    )


def _process_rows(seen: Session) -> list[str]:
    lines = [
        "| processes | CPU seconds per second | unique memory, first 5 min "
        "| last 5 min | max |",
        "|---|---|---|---|---|",
    ]
    names = list(seen.looks[0][1]) if seen.looks else []
    for name in names:
        looks = [(t, found[name]) for t, found in seen.looks if name in found]
        (t0, (cpu0, _)), (t1, (cpu1, _)) = looks[0], looks[-1]
        cpu = (cpu1 - cpu0) / (t1 - t0) if t1 > t0 else float("nan")
        first, last, most = _edges([(t, uss) for t, (_, uss) in looks])
        memory = " | ".join(f"{mib:.1f} MiB" for mib in (first, last, most))
        lines.append(f"| {name} | {cpu:.4f} | {memory} |")
    return lines


def _edges(looks: list[tuple[float, int]]) -> tuple[float, float, float]:
    """Return MiB: median at the start, median at the end, greatest."""
    end_s = looks[-1][0]
    edge_s = min(EDGE_S, end_s / 3)
    first = [uss for t, uss in looks if t <= edge_s]
    last = [uss for t, uss in looks if t >= end_s - edge_s]
    most = max(uss for _, uss in looks)
    return float(np.median(first)) / MIB, float(np.median(last)) / MIB, most / MIB


def _memory(seen: Session) -> str:
    """Say what all processes hold together, and whether it grows."""
    n_processes = len(seen.looks[0][1]) if seen.looks else 0
    whole = [
        (t, sum(uss for _, uss in found.values()))
        for t, found in seen.looks
        if len(found) == n_processes
    ]
    if len(whole) < 3:
        return "Unique memory: looked too seldom to tell."
    first, last, most = _edges(whole)
    settled_s = min(SETTLED_S, whole[-1][0] / 3)
    later = [(t, uss / MIB) for t, uss in whole if t >= settled_s]
    slope = np.polyfit([t for t, _ in later], [mib for _, mib in later], 1)[0]
    return (
        f"Unique memory of all of them: {first:.1f} MiB in the first and {last:.1f} "
        "MiB in the last five minutes (a third of the run if it is shorter), at most "
        f"**{most:.1f} MiB**; line through the {len(later)} looks after the first "
        f"{settled_s:.0f} s: {3600 * slope:+.2f} MiB an hour."
    )


def put(name: str, text: str, *, page: Path = PAGE) -> None:
    """Replace the section of `page` between its marks, or append it."""
    old = page.read_text(encoding="utf-8")
    block = f"<!-- bench:{name} -->\n{text}\n<!-- /bench:{name} -->"
    pattern = rf"<!-- bench:{name} -->.*?<!-- /bench:{name} -->"
    new, n = re.subn(pattern, lambda _: block, old, flags=re.DOTALL)
    page.write_text(new if n else f"{old.rstrip()}\n\n{block}\n", encoding="utf-8")
