"""How good a calibration and its verdict are, on SIMULATED subjects.

    python scripts/measure_calibration.py gate --cache CACHE [--n 60] [--write]

Each question has its own seeds (rtbold/sim/seeds.py), which nothing was developed on.
What is done stands in CACHE, line by line, and a second call goes on from there; lines
of an earlier state of the code are done again. `--write` puts the figures into
docs/data and docs/data/calibration.md.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import measure_calibration_confound as confound
import measure_calibration_coverage as coverage
import measure_calibration_everything as everything
import measure_calibration_gate as gate
import measure_calibration_page as page
import measure_calibration_power as power
import measure_calibration_subjects as subjects
import measure_calibration_time as timing
import torch

LEAST_N = 3  # a subject, another's BOLD, and a third one's EEG


@dataclass(frozen=True)
class Question:
    """One thing to be measured."""

    measure: Callable[..., dict]
    default_n: int
    table: Callable[[dict], str]
    counts: str


QUESTIONS = {
    "subjects": Question(
        subjects.measure, subjects.DEFAULT_N, page.subjects, "subjects"
    ),
    "gate": Question(gate.measure, gate.DEFAULT_N, page.gate, "subjects"),
    "power": Question(power.measure, power.DEFAULT_N, page.power, "subjects"),
    "confound": Question(confound.measure, confound.DEFAULT_N, page.confound, "scans"),
    "coverage": Question(coverage.measure, coverage.DEFAULT_N, page.coverage, "scans"),
    "time": Question(timing.measure, timing.DEFAULT_N, page.time, "cases"),
    "everything": Question(
        everything.measure, everything.DEFAULT_N, page.everything, "subjects"
    ),
    "horizon": Question(
        subjects.measure_horizon, subjects.DEFAULT_N, page.horizon, "subjects"
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure one thing, print it, and write it where asked."""
    options = parse(arguments)
    question = QUESTIONS[options.question]
    n = question.default_n if options.n is None else options.n
    torch.set_num_threads(1)
    load = os.getloadavg()
    start_s = time.monotonic()
    found = question.measure(n, options.cache, processes=options.processes)
    spent_s = time.monotonic() - start_s
    print(json.dumps(found, indent=1))
    print(question.table(found))
    print(f"{spent_s:.0f} s with {options.processes} processes", flush=True)
    if options.write:
        page.write(options.question, found, question.table(found), load_before=load)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("question", choices=list(QUESTIONS))
    parser.add_argument(
        "--cache",
        type=Path,
        required=True,
        help="folder; gate and power: 9 MB a subject",
    )
    counts = ", ".join(f"{k} {q.default_n} {q.counts}" for k, q in QUESTIONS.items())
    parser.add_argument("--n", type=int, help=f"how many [{counts}]")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="into docs/")
    options = parser.parse_args(arguments)
    question = QUESTIONS[options.question]
    if options.n is not None and not LEAST_N <= options.n <= question.default_n:
        parser.error(
            f"--n is {options.n}, expected {LEAST_N} to {question.default_n} "
            f"{question.counts}"
        )
    return options


if __name__ == "__main__":
    sys.exit(main())
