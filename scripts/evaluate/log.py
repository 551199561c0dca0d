"""One line of JSON for everything that is done, so that a second call goes on."""

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What a simulated scan and its reading depend on, and what a result does.
READ_SOURCES = (
    "rtbold/sim/*.py",
    "rtbold/conditioning.py",
    "rtbold/resample.py",
    "models/*.py",
    "calibration/base.py",
    "calibration/dataset.py",
    "calibration/strategies/reading.py",
    "calibration/subject_ridge.py",
)
SOURCES = (
    *READ_SOURCES,
    "calibration/*.py",
    "calibration/strategies/*.py",
    "scripts/measure_calibration_scans.py",
    "scripts/measure_calibration_fit.py",
)
NOT_INVOLVED = ("live", "outcome", "summary", "subject_card", "explain", "demo")
Work = Callable[[Sequence, Path], dict]


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
    print(f"{job.name}: {len(job.items) - len(missing)} in the cache", flush=True)
    with path.open("a", encoding="utf-8") as log:
        if log.tell() and not path.read_bytes().endswith(b"\n"):
            log.write("\n")  # behind a line that was cut off
        for n, (item, found) in enumerate(_results(job, missing), 1):
            line = {"of": of, "key": list(item), **found}
            log.write(json.dumps(line) + "\n")
            log.flush()
            lines[key(item)] = line
            print(f"{job.name}: {n} of {len(missing)} done", flush=True)
    return [lines[key(item)] for item in job.items]


def known(path: Path, of: str) -> dict[str, dict]:
    """Return what a log has of this state of the sources, by key.

    A last line that was cut off is no result.
    """
    found = {}
    if not path.exists():
        return found
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        if line["of"] == of:
            found[key(line["key"])] = line
    return found


def key(item: Sequence) -> str:
    """Return an item as text."""
    return json.dumps(list(item))


def fingerprint(job: Job) -> str:
    """Return a hash of the code that a result depends on."""
    own = f"scripts/{job.work.__module__}.py"
    return code_hash((*SOURCES, own))


def code_hash(patterns: Sequence[str]) -> str:
    """Return a hash of the files that the patterns name, below the repository."""
    digest = hashlib.sha256()
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            if not path.name.startswith(NOT_INVOLVED):
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
