"""How good a calibration and its verdict are, on SIMULATED subjects.

    python scripts/evaluate gate --cache CACHE [--n 60] [--write]

Each question has its own seeds (rtbold/sim/settings.py), on which nothing was
developed.
What is done stands in CACHE, line by line, and a second call goes on from there; lines
of an earlier state of the code are done again. `--write` puts the figures into
docs/data and the page on calibration.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from runner import Job, Measure, Suite, done_or_do

from evaluate import (
    confound,
    coverage,
    gate,
    learning,
    models,
    power,
    removed,
    subjects,
    time,
)

LEAST_N = 3  # subjects: a pair of two says nothing of the pairs


# What each counts. A module has DEFAULT_N, items(), work() and summary().
PARTS = {
    "subjects": (subjects, "subjects"),
    "models": (models, "subjects"),
    "gate": (gate, "subjects"),
    "power": (power, "subjects"),
    "confound": (confound, "scans"),
    "removed": (removed, "scans"),
    "coverage": (coverage, "scans"),
    "time": (time, "cases"),
    "learning": (learning, "persons"),
}


def asking(name: str) -> Measure:
    """Return a question of as many subjects, scans or cases as the options say."""
    part, what = PARTS[name]

    def requested(options: argparse.Namespace) -> dict:
        n = part.DEFAULT_N if options.n is None else options.n
        together = 1 if part is time else options.processes
        cache = options.cache.absolute()
        lines = done_or_do(Job(name, part.items(n), part.work, cache, together))
        return {what: n, **part.summary(lines)}

    requested.__doc__ = part.__doc__
    return requested


SUITE = Suite("calibration_", {name: asking(name) for name in PARTS})


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
        help="folder; gate, power, models: 9 MB a subject",
    )
    counts = ", ".join(
        f"{name} {part.DEFAULT_N} {what}" for name, (part, what) in PARTS.items()
    )
    parser.add_argument("--n", type=int, help=f"how many [{counts}]")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args(given)
    for name in SUITE.chosen(options):
        part, what = PARTS[name]
        if options.n is not None and not LEAST_N <= options.n <= part.DEFAULT_N:
            parser.error(
                f"--n is {options.n}, expected {LEAST_N} to {part.DEFAULT_N} {what} "
                f"for {name}"
            )
    return options
