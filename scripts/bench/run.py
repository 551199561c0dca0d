"""Measure what docs/data/benchmarks.md states: latency, memory, CPU.

    python scripts/bench all --minutes 30 --write
    python scripts/bench cpu --seconds 20

Run it on a quiet machine: what else runs there is in the figures (the load average
stands beside them). `--write` keeps them in docs/data and builds the page's sections.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

# Before numpy comes in: no numeric library may spread over cores behind the meter.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from runner import Figures, Suite, progress

from bench import cpu, gui, latency, micro, models, precision, sizes


def of_latency(options: argparse.Namespace) -> Figures:
    """Run a whole session with the twin: latency, missed volumes, memory."""
    path = Path(options.model)  # children run elsewhere
    model = str(path.resolve()) if path.exists() else options.model
    plan = latency.LatencyPlan(options.minutes, model=model, rate_hz=options.rate)
    return latency.figures(plan, latency.run(plan))


def of_cpu(options: argparse.Namespace) -> Figures:
    """Compare acquisition with StreamLSL."""
    plan = {
        "seconds": options.seconds,
        "repeats": options.repeats,
        "warm_up_s": options.warm_up,
    }
    return {**plan, "rows": cpu.rows(cpu.measure(cpu.VARIANTS, **plan))}


def of_stages(options: argparse.Namespace) -> Figures:
    """Take the loop apart."""
    return {"rows": micro.stages(repeats=5 * options.repeats)}


def of_models(options: argparse.Namespace) -> Figures:
    """Hold NeuroBOLT's engines against eager PyTorch, and every architecture."""
    turns = 5 * options.repeats
    progress(f"  NeuroBOLT base on every engine, {turns} turns")
    parts = [models.neurobolt(turns=turns)]
    progress("  what each precision costs demo in R")
    parts.append(precision.demo_r())
    progress(f"  64 ROIs beside one, {turns} turns")
    parts.append(sizes.rois(turns=turns))
    progress(f"  every architecture, {turns} turns")
    table, medians = sizes.architectures(turns=turns)
    return {"parts": [*parts, table], "architectures": medians}


def of_gui(options: argparse.Namespace) -> Figures:
    """Time the dashboard's frames, and see what the loop notices of it."""
    return gui.measure(gui.GuiPlan())


SUITE = Suite(
    "bench_",
    {
        "latency": of_latency,
        "cpu": of_cpu,
        "stages": of_stages,
        "models": of_models,
        "gui": of_gui,
    },
)


def parse(given: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = SUITE.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="of the session")
    parser.add_argument("--model", default="demo", help="bundle: a name or a path")
    parser.add_argument("--rate", type=float, default=1000.0, help="of the twin, Hz")
    parser.add_argument("--seconds", type=float, default=60.0, help="cpu: per repeat")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--warm-up", type=float, default=20.0, help="cpu: seconds")
    return parser.parse_args(given)


def main(given: Sequence[str]) -> int:
    """Measure what was asked for."""
    return SUITE.run(parse(given))
