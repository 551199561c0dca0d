"""Run what scripts/bench and scripts/evaluate measure: ask, measure, keep, show.

A question returns figures. They are printed with where and when they were measured;
``--write`` keeps them in docs/data and builds their section of the pages. Long ones
are done item by item: each is a line of a log, and a second call goes on from there.
"""

import argparse
import contextlib
import datetime
import hashlib
import json
import multiprocessing
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pages

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("rtbold", "models", "calibration", "gui")
PACKAGES = (
    "numpy", "scipy", "pylsl", "pyzmq", "openvino", "torch", "mne-lsl", "psutil",
    "PyQt6", "pyqtgraph",
)  # fmt: skip
# What a result of the log depends on: all of the product but what only shows results.
SOURCES = (
    "rtbold/**/*.py",
    "models/**/*.py",
    "calibration/**/*.py",
    "scripts/evaluate/scans.py",
    "scripts/evaluate/fit.py",
)
NOT_INVOLVED = ("live", "outcome", "summary", "subject_card", "explain", "demo")
NOT_INVOLVED_FOLDERS = {"cli", "report", "live", "explain"}

Figures = dict[str, Any]
Measure = Callable[[argparse.Namespace], Figures]  # its first line says what it does
Work = Callable[[Sequence, Path], dict]


@dataclass(frozen=True)
class Suite:
    """Questions that one command asks; `prefix` begins the names of their sections."""

    prefix: str
    questions: Mapping[str, Measure]

    def parser(self, text: str | None) -> argparse.ArgumentParser:
        """Return a command line with what every suite understands."""
        lines = [f"  {n}: {says(q)}" for n, q in self.questions.items()]
        parser = argparse.ArgumentParser(
            description=text,
            epilog="\n".join(lines),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("what", nargs="+", choices=[*self.questions, "all"])
        parser.add_argument("--write", action="store_true", help="into docs/")
        return parser

    def chosen(self, options: argparse.Namespace) -> list[str]:
        """Return the questions that were named."""
        return list(self.questions if "all" in options.what else options.what)

    def run(self, options: argparse.Namespace) -> int:
        """Answer one question after the other; say what is done meanwhile."""
        for name in self.chosen(options):
            measure, section = self.questions[name], f"{self.prefix}{name}"
            progress(f"{name}: {says(measure)} ...")
            load, begun_s = os.getloadavg(), time.monotonic()
            found = measure(options)
            content = {**conditions(load), **found}
            print(f"\n{pages.render(section, content)}\n\n{content['facts']}\n")
            progress(f"{name}: done in {time.monotonic() - begun_s:.0f} s")
            if options.write:
                progress(f"{name}: kept in {pages.keep(section, content)}")
                pages.build(section)
        return 0


def says(measure: Measure) -> str:
    """Return in one line what a question does."""
    return (measure.__doc__ or "").strip().splitlines()[0].rstrip(".")


def progress(text: str) -> None:
    """Say what is being done; figures go to standard output, this does not."""
    print(text, file=sys.stderr, flush=True)


def conditions(load_before: tuple[float, float, float]) -> Figures:
    """Return date, machine, commit, and a sentence of all that figures depend on."""
    now = datetime.datetime.now(datetime.UTC)
    before, after = f"{load_before[0]:.2f}", f"{os.getloadavg()[0]:.2f}"
    machine = (
        f"{_cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
    )
    versions = ", ".join(
        [f"Python {platform.python_version()}", *filter(None, map(_version, PACKAGES))]
    )
    commit = _commit()
    facts = (
        f"{now:%Y-%m-%d %H:%M} UTC; {machine}; load average {before} before, {after} "
        f"after; commit {commit}; {versions}."
    )
    day = now.date().isoformat()
    return {"measured": day, "machine": machine, "commit": commit, "facts": facts}


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

    changed = git("status", "--porcelain", "--untracked-files=no", "--", *PRODUCT)
    return git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


@dataclass(frozen=True)
class Job:
    """Items of one measurement; `work` is a function of a module, for processes."""

    name: str
    items: Sequence[Sequence]  # JSON: numbers and words
    work: Work
    cache: Path
    processes: int = 1


def done_or_do(job: Job) -> list[dict]:
    """Return the line of every item, in order; what is in the log is not done again."""
    job.cache.mkdir(parents=True, exist_ok=True)
    path = job.cache / f"{job.name}.jsonl"
    of = fingerprint(job)
    lines = known(path, of)
    missing = [item for item in job.items if key(item) not in lines]
    progress(f"{job.name}: {len(job.items) - len(missing)} in the cache")
    with path.open("a", encoding="utf-8") as log:
        if log.tell() and not path.read_bytes().endswith(b"\n"):
            log.write("\n")  # behind a line that was cut off
        for n, (item, found) in enumerate(_results(job, missing), 1):
            line = {"of": of, "key": list(item), **found}
            log.write(json.dumps(line) + "\n")
            log.flush()
            lines[key(item)] = line
            progress(f"{job.name}: {n} of {len(missing)} done")
    return [lines[key(item)] for item in job.items]


def known(path: Path, of: str) -> dict[str, dict]:
    """Return what a log has of this state of the sources, by key.

    A last line that was cut off is no result.
    """
    found = {}
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        with contextlib.suppress(json.JSONDecodeError):
            line = json.loads(text)
            if line["of"] == of:
                found[key(line["key"])] = line
    return found


def key(item: Sequence) -> str:
    """Return an item as text."""
    return json.dumps(list(item))


def fingerprint(job: Job) -> str:
    """Return a hash of the code that a result depends on."""
    for pattern in SOURCES:
        if not any(ROOT.glob(pattern)):
            raise RuntimeError(f"no file is {pattern}: have its sources moved?")
    own = f"scripts/{job.work.__module__.replace('.', '/')}.py"
    return code_hash((*SOURCES, own))


def code_hash(patterns: Sequence[str]) -> str:
    """Return a hash of the files that the patterns name, below the repository."""
    digest = hashlib.sha256()
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            folders = set(path.relative_to(ROOT).parts[:-1])
            if path.name.startswith(NOT_INVOLVED) or folders & NOT_INVOLVED_FOLDERS:
                continue
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _results(job: Job, items: Sequence[Sequence]) -> Iterator[tuple[Sequence, dict]]:
    if job.processes == 1:
        for item in items:
            yield item, job.work(item, job.cache)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes, not of this one
    # Spawned, not forked: this process may have run threads of torch by now.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(job.processes, mp_context=context) as pool:
        waiting = {pool.submit(job.work, item, job.cache): item for item in items}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
