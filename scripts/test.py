"""Set up the full environment, then lint, check types and run the tests.

    python scripts/test.py                # lint, types, docs, tests
    python scripts/test.py --fast         # unit tests only
    python scripts/test.py --long         # every test, and coverage (CI sets this)
    python scripts/test.py -- -k ring     # what follows -- goes to pytest

torch: on Linux the plain wheel from PyPI brings several GB of CUDA libraries. For the
CPU build (200 MB) install it first into the environment:

    python -m venv .venvs/test
    .venvs/test/bin/pip install torch==2.13.0 --index-url \
        https://download.pytorch.org/whl/cpu
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from environment import ROOT, prepare, python_of, require_python

from docs import build_command

EXTRAS = "files,gui,calibration,training,tensorrt,record,feedback,bids,docs,test"
LOWEST = 19  # of the niceness
NOTHING_SELECTED = 5  # pytest: no test fits the choice; -k may well pick one kind only
PYTEST = ("-m", "pytest", "--durations=15", "--durations-min=2")
COVERED = ("--cov", "--cov-report=")
NO_CACHE = ("-p", "no:cacheprovider")  # one process at a time may write it
# Not .coverage.*, which pytest-cov takes up
PLAYED_COVERAGE, HEAVY_COVERAGE = ".played-coverage", ".heavy-coverage"
UNIT = "not integration and not realtime and not heavy"
HEAVY = "heavy and not realtime"  # nobody waits for them: lowered
# One at a time: for the clock
CLOCKED = "integration and not realtime and not heavy and not long"
PLAYED = "realtime and not long"  # a minute each and little work: they share it
LONG_BESIDE = "long and not alone and (realtime or integration and not heavy)"
LONG_ALONE = "long and alone and (realtime or not heavy)"
SIZE_NOTE = """\
The full test environment takes about 1.1 GB to fetch and 2.3 GB on disk with the CPU
build of torch. On Linux the plain torch wheel adds several GB of CUDA libraries; how to
get the CPU build first: python scripts/test.py --help
"""


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fast", action="store_true", help="unit tests only")
    parser.add_argument(
        "--long",
        action="store_true",
        default=os.environ.get("CI") == "true",
        help="also the long tests, and coverage (default when CI=true)",
    )
    parser.add_argument("pytest_args", nargs="*", help="passed on to pytest")
    return parser.parse_args()


def tool(python: Path, name: str) -> str:
    """Return the path of a console script in the environment."""
    suffix = ".exe" if os.name == "nt" else ""
    return str(python.parent / f"{name}{suffix}")


@dataclass(frozen=True)
class Check:
    """One command, and where it runs."""

    title: str
    command: list[str]
    folder: Path = ROOT
    more_env: dict[str, str] = field(default_factory=dict)
    lowered: bool = False  # it takes what the others leave of the cores

    def run(self, output: IO[str] | None = None) -> bool:
        """Run it; what it says goes to the terminal, or into `output`."""
        print(f"== {self.title}", file=output, flush=True)
        begun_s = time.monotonic()
        with subprocess.Popen(
            self.command,
            cwd=self.folder,
            env={**quiet_env(), **self.more_env},
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
        ) as process:
            if self.lowered and hasattr(os, "setpriority"):
                os.setpriority(os.PRIO_PROCESS, process.pid, LOWEST)
        code, took_s = process.returncode, time.monotonic() - begun_s
        good = code in (0, NOTHING_SELECTED if "pytest" in self.command else 0)
        said = "passed" if good else f"FAILED (exit {code})"
        print(f"== {self.title}: {said}, {took_s:.0f} s", file=output, flush=True)
        return good


class Beside:
    """Checks that run one after the other beside something else.

    What they say is kept until `finish`, so that it stays in one piece.
    """

    def __init__(self, checks: list[Check]) -> None:
        self._checks, self._results = checks, [False] * len(checks)
        self._output = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self._thread = threading.Thread(target=self._run, daemon=True)
        titles = ", ".join(check.title for check in checks)
        print(f"== started beside what follows, told after it: {titles}", flush=True)
        self._thread.start()

    def _run(self) -> None:
        for n, check in enumerate(self._checks):
            self._results[n] = check.run(self._output)

    def finish(self) -> list[bool]:
        """Wait for them and show what they said."""
        self._thread.join()
        self._output.seek(0)
        print(self._output.read(), end="", flush=True)
        self._output.close()
        return self._results


def quiet_env() -> dict[str, str]:
    """Return the environment: no window, no telemetry, one thread per library."""
    chosen = {"QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **chosen}


def lints(python: Path) -> list[bool]:
    """Run what takes a second."""
    ruff = tool(python, "ruff")
    return [
        Check("ruff check", [ruff, "check", "."]).run(),
        Check("ruff format", [ruff, "format", "--check", "."]).run(),
    ]


def slow_checks(python: Path, *, docs: bool) -> list[Check]:
    """Types, layers, docs: a minute or two on one core."""
    checks = []
    if platform.system() == "Windows":
        print("== types and layers: not run on Windows (needs symbolic links)")
    else:
        config = ["--config", str(ROOT / "pyproject.toml")]
        linter = [tool(python, "lint-imports"), *config]
        checks += [
            Check("link tree", [str(python), "scripts/typecheck_tree.py"]),
            Check("mypy", [tool(python, "mypy")]),
            Check("import layers", linter, ROOT / ".typecheck"),
        ]
    return [*checks, Check("docs", build_command(python))] if docs else checks


def unit_tests(python: Path, options: argparse.Namespace) -> Check:
    """Return the unit tests, on every core.

    Coverage doubles the time of many of them, so it comes with the long tests only.
    """
    chosen = UNIT + ("" if options.long else " and not long")
    spread = ["-n", "auto", "--dist", "worksteal"]
    covered = COVERED if options.long else []
    words = [*PYTEST, "-m", chosen, *spread, *covered, *options.pytest_args]
    return Check("unit tests", [str(python), *words])


def heavy_tests(python: Path, options: argparse.Namespace) -> Check:
    """Return what computes for many seconds; it bears to be held up."""
    chosen = HEAVY + ("" if options.long else " and not long")
    words = [*PYTEST, "-m", chosen, *NO_CACHE, *(COVERED if options.long else [])]
    return Check(
        "exports, engines and calibrations",
        [str(python), *words, *options.pytest_args],
        more_env={"COVERAGE_FILE": str(ROOT / HEAVY_COVERAGE)},
        lowered=True,
    )


def played_tests(python: Path, options: argparse.Namespace) -> Check:
    """Return what plays sessions in real time: it mostly waits.

    On one worker: with two, sessions missed triggers while all else ran beside them.
    """
    words = [*PYTEST, "-m", PLAYED, *NO_CACHE, *(COVERED if options.long else [])]
    command = [str(python), *words, *options.pytest_args]
    coverage = {"COVERAGE_FILE": str(ROOT / PLAYED_COVERAGE)}
    return Check("sessions in real time", command, more_env=coverage)


def clocked_tests(python: Path, options: argparse.Namespace) -> list[bool]:
    """Run what watches a clock, one by one; beside it what waits, and what is heavy."""
    waiting, covered = [played_tests(python, options)], []
    if options.long:
        long = [*PYTEST, "-m", LONG_BESIDE, *NO_CACHE]
        waiting.append(Check("long tests", [str(python), *long]))
        covered = [*COVERED, "--cov-append"]
    beside = [Beside(waiting), Beside([heavy_tests(python, options)])]
    words = [*PYTEST, "-m", CLOCKED, *covered, *options.pytest_args]
    title = "tests with sockets, windows and child processes"
    good = Check(title, [str(python), *words]).run()
    return [good, *(result for each in beside for result in each.finish())]


def long_alone(python: Path) -> list[bool]:
    """Run the long tests that bear nothing beside them; then tell the coverage."""
    coverage = [str(python), "-m", "coverage"]
    parts = [
        name for name in (PLAYED_COVERAGE, HEAVY_COVERAGE) if (ROOT / name).exists()
    ]
    combine = [*coverage, "combine", "--append", *parts]
    good = [Check("long tests, alone", [str(python), *PYTEST, "-m", LONG_ALONE]).run()]
    if parts:  # not where -k left none of them
        good.append(Check("coverage of all", combine).run())
    return [*good, Check("coverage", [*coverage, "report", "--skip-covered"]).run()]


def run_all(python: Path, options: argparse.Namespace) -> list[bool]:
    """Run every check that is asked for."""
    passed = lints(python)
    beside = Beside(slow_checks(python, docs=not options.fast))
    passed.append(unit_tests(python, options).run())
    passed += beside.finish()
    if not options.fast:
        passed += clocked_tests(python, options)
        passed += long_alone(python) if options.long else []
    return passed


def main() -> int:
    """Prepare, check, test; 0 when everything passed."""
    require_python()
    options = parse()
    if not python_of(ROOT / ".venvs" / "test").exists():
        print(SIZE_NOTE, flush=True)
    python = prepare("test", EXTRAS)
    passed = run_all(python, options)
    print("All checks passed." if all(passed) else "Some checks FAILED.", flush=True)
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
