"""How good a calibration and its verdict are, on SIMULATED subjects.

    python scripts/evaluate gate --cache CACHE [--n 60] [--write]

Each question has its own seeds (rtbold/sim/seeds.py), which nothing was developed on.
What is done stands in CACHE, line by line, and a second call goes on from there; lines
of an earlier state of the code are done again. `--write` puts the figures into
docs/data and the page on calibration.
"""

import argparse
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from runner import Question, Suite

from evaluate import confound, coverage, gate, power, subjects, time

LEAST_N = 3  # a subject, another's BOLD, and a third one's EEG


def counting(measure: Callable[..., dict], n: int, counts: str) -> Question:
    """Return a question of `n` subjects, scans or cases, unless --n says otherwise."""

    @functools.wraps(measure)
    def asked(options: argparse.Namespace) -> dict:
        count = n if options.n is None else options.n
        return measure(count, options.cache, processes=options.processes)

    return Question(asked, n, counts)


SUITE = Suite(
    "calibration_",
    {
        "subjects": counting(subjects.measure, subjects.DEFAULT_N, "subjects"),
        "gate": counting(gate.measure, gate.DEFAULT_N, "subjects"),
        "power": counting(power.measure, power.DEFAULT_N, "subjects"),
        "confound": counting(confound.measure, confound.DEFAULT_N, "scans"),
        "coverage": counting(coverage.measure, coverage.DEFAULT_N, "scans"),
        "time": counting(time.measure, time.DEFAULT_N, "cases"),
    },
)


def main(given: Sequence[str]) -> int:
    """Answer what was asked."""
    options = parse(given)
    torch.set_num_threads(1)
    return SUITE.run(options)


def parse(given: Sequence[str]) -> argparse.Namespace:
    """Return the command's options."""
    parser = SUITE.parser(__doc__)
    parser.add_argument(
        "--cache",
        type=Path,
        required=True,
        help="folder; gate and power: 9 MB a subject",
    )
    counts = ", ".join(
        f"{name} {q.default_n} {q.counts}" for name, q in SUITE.questions.items()
    )
    parser.add_argument("--n", type=int, help=f"how many [{counts}]")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args(given)
    for name in SUITE.chosen(options):
        question = SUITE.questions[name]
        if options.n is not None and not LEAST_N <= options.n <= question.default_n:
            parser.error(
                f"--n is {options.n}, expected {LEAST_N} to {question.default_n} "
                f"{question.counts} for {name}"
            )
    return options
