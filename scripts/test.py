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
from pathlib import Path

from environment import ROOT, prepare, python_of, require_python

from docs import build_command

EXTRAS = "files,gui,calibration,tensorrt,record,docs,test"
NOTHING_SELECTED = 5  # pytest: no test fits the choice; -k may well pick one kind only
UNIT = "not integration and not realtime"
CLOCKED = "(integration or realtime) and not long"  # one at a time: they watch a clock
LONG_BESIDE = "(integration or realtime) and long and not alone"
LONG_ALONE = "long and alone"
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


def step(title: str, command: list[str], *, folder: Path = ROOT) -> bool:
    """Run one check and say how it went."""
    print(f"== {title}", flush=True)
    code = subprocess.run(command, cwd=folder, env=quiet_env(), check=False).returncode
    good = code in (0, NOTHING_SELECTED if "pytest" in command else 0)
    if not good:
        print(f"== {title}: FAILED (exit {code})", flush=True)
    return good


def quiet_env() -> dict[str, str]:
    """Return the environment: no window, no telemetry, one thread per library."""
    chosen = {"QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **chosen}


def checks(python: Path) -> list[bool]:
    """Lint and type checks; types need symbolic links, so not on Windows."""
    results = [
        step("ruff check", [tool(python, "ruff"), "check", "."]),
        step("ruff format", [tool(python, "ruff"), "format", "--check", "."]),
    ]
    if platform.system() == "Windows":
        print("== types and layers: not run on Windows (needs symbolic links)")
        return results
    results.append(step("link tree", [str(python), "scripts/typecheck_tree.py"]))
    results.append(step("mypy", [tool(python, "mypy")]))
    linter = [tool(python, "lint-imports"), "--config", str(ROOT / "pyproject.toml")]
    results.append(step("import layers", linter, folder=ROOT / ".typecheck"))
    return results


def run_tests(python: Path, options: argparse.Namespace) -> bool:
    """Run pytest: unit tests on every core, then what watches a clock, one by one.

    Coverage doubles the time of many unit tests, so it comes with the long ones only.
    """
    pytest = [str(python), "-m", "pytest"]
    left_out = " and not heavy" if options.fast else ""
    left_out += "" if options.long else " and not long"
    unit = ["-m", UNIT + left_out, "-n", "auto", "--dist", "worksteal"]
    covered = ["--cov", "--cov-report="] if options.long else []
    good = [step("unit tests", [*pytest, *unit, *covered, *options.pytest_args])]
    if options.fast:
        return all(good)
    beside = start_long(pytest) if options.long else None
    more = [*(["--cov-append"] if options.long else []), *options.pytest_args]
    clocked = [*pytest, "-m", CLOCKED, *covered, *more]
    good.append(step("tests with sockets, windows and child processes", clocked))
    if beside:
        good.append(finish_long(beside))
        good.append(step("long tests, alone", [*pytest, "-m", LONG_ALONE]))
        report = [str(python), "-m", "coverage", "report", "--skip-covered"]
        good.append(step("coverage", report))
    return all(good)


def start_long(pytest: list[str]) -> subprocess.Popen[str]:
    """Start the ten-minute tests in the background, output kept for later.

    They mostly wait, so they run beside those that watch a clock; never beside busy
    cores.
    """
    print("== long tests: started beside the others", flush=True)
    return subprocess.Popen(
        [*pytest, "-m", LONG_BESIDE, "-p", "no:cacheprovider"],
        cwd=ROOT,
        env=quiet_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish_long(process: subprocess.Popen[str]) -> bool:
    """Wait for the long tests and show what they said."""
    output, _ = process.communicate()
    print("== long tests")
    print(output, flush=True)
    return process.returncode in (0, NOTHING_SELECTED)


def main() -> int:
    """Prepare, check, test; 0 when everything passed."""
    require_python()
    options = parse()
    if not python_of(ROOT / ".venvs" / "test").exists():
        print(SIZE_NOTE, flush=True)
    python = prepare("test", EXTRAS)
    passed = checks(python)
    if not options.fast:
        passed.append(step("docs", build_command(python)))
    passed.append(run_tests(python, options))
    print("All checks passed." if all(passed) else "Some checks FAILED.", flush=True)
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
