"""Measure what docs/benchmarks.md states: latency, memory, CPU; print markdown.

    python scripts/bench.py all --minutes 30 --write
    python scripts/bench.py cpu --seconds 20

Run it on a quiet machine: what else runs there is in the figures (the load average
stands beside them). `--write` replaces the sections of docs/benchmarks.md.
"""

import argparse
import os
import sys
from collections.abc import Callable

# Before numpy comes in: no numeric library may spread over cores behind the meter.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import bench_budget
import bench_cpu
import bench_gui
import bench_gui_report
import bench_latency
import bench_micro
import bench_models
import bench_precision
import bench_report
import bench_sizes

MODELS_S = 270.0  # `models` ends within five minutes, closing included
NAMES = ("latency", "cpu", "ring", "engine", "stages", "models", "gui")


def latency(arguments: argparse.Namespace) -> str:
    """Run a whole session with the twin."""
    plan = bench_latency.LatencyPlan(
        minutes=arguments.minutes,
        model=bench_micro.bundle_name(arguments.model),
        rate_hz=arguments.rate,
    )
    seen = bench_latency.run(plan)
    return "### Latency, missed volumes, memory\n\n" + bench_report.latency(plan, seen)


def cpu(arguments: argparse.Namespace) -> str:
    """Compare acquisition with StreamLSL."""
    usages = bench_cpu.measure(
        bench_cpu.VARIANTS,
        seconds=arguments.seconds,
        repeats=arguments.repeats,
        warm_up_s=arguments.warm_up,
    )
    return (
        "### CPU of acquisition\n\n"
        "All processes of each together; one source (64 channels, 5 kHz, chunks of 20 "
        f"ms), not counted; one after the other, {arguments.repeats} times "
        f"{arguments.seconds:g} s each after {arguments.warm_up:g} s of warm-up. High-"
        "pass: Butterworth order 2, 0.5 Hz. Buffer 16 s at 5 kHz; the whole loop keeps "
        "32 s at 200 Hz instead.\n\n" + bench_cpu.table(usages)
    )


def ring(arguments: argparse.Namespace) -> str:
    """Show that a write costs the same whatever the ring's length."""
    table = bench_micro.ring(repeats=5 * arguments.repeats)
    return f"### Ring\n\n{table}"


def engine(arguments: argparse.Namespace) -> str:
    """Time one window on each engine."""
    name = bench_micro.bundle_name(arguments.model)
    table = bench_micro.engines(name, n_calls=20, repeats=5 * arguments.repeats)
    return f"### Engines\n\n{table}"


def stages(arguments: argparse.Namespace) -> str:
    """Take the loop apart."""
    table = bench_micro.stages(repeats=5 * arguments.repeats)
    return f"### Stages of the loop\n\n{table}"


def models(arguments: argparse.Namespace) -> str:
    """Hold NeuroBOLT's engines against eager PyTorch, and every architecture."""
    load, turns = os.getloadavg(), 5 * arguments.repeats
    budget, medians = bench_budget.Budget(MODELS_S), {}
    steps = {
        "NeuroBOLT base": lambda: bench_models.neurobolt(budget, turns=turns),
        "what a precision costs demo in R": lambda: bench_precision.demo_r(budget),
        "every architecture": lambda: bench_sizes.architectures(
            budget, turns=turns, medians=medians
        ),
        "64 ROIs beside one": lambda: bench_sizes.rois(budget, turns=turns),
    }
    parts, unfinished = bench_budget.finished(steps, budget)
    if arguments.write and "every architecture" not in unfinished:
        bench_sizes.store(medians, bench_report.facts(load))
    return "### Models\n\n" + joined(parts)


def joined(parts: list[str]) -> str:
    """Return parts as paragraphs; a table's rows follow each other."""
    text = ""
    for part in parts:
        row = part.startswith("| `") and text.splitlines()[-1].startswith("|")
        text += ("\n" if row else "\n\n") + part
    return text.lstrip()


def gui(arguments: argparse.Namespace) -> str:
    """Time the dashboard's frames, and see what the loop notices of it."""
    load, plan = os.getloadavg(), bench_gui.GuiPlan()
    figures = bench_gui.measure(plan)
    if arguments.write:
        bench_gui.store(figures, bench_report.facts(load))
    return bench_gui_report.text(plan, figures)


BENCHES: dict[str, Callable[[argparse.Namespace], str]] = {
    "latency": latency,
    "cpu": cpu,
    "ring": ring,
    "engine": engine,
    "stages": stages,
    "models": models,
    "gui": gui,
}


def parse(given: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="+", choices=(*NAMES, "all"))
    parser.add_argument("--minutes", type=float, default=30.0, help="of the session")
    parser.add_argument("--model", default="demo", help="bundle: a name or a path")
    parser.add_argument("--rate", type=float, default=1000.0, help="of the twin, Hz")
    parser.add_argument("--seconds", type=float, default=60.0, help="cpu: per repeat")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--warm-up", type=float, default=20.0, help="cpu: seconds")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    return parser.parse_args(given)


def main(given: list[str]) -> int:
    """Run what was asked for, print it, and write it down if that was asked for."""
    arguments = parse(given)
    names = NAMES if "all" in arguments.what else tuple(arguments.what)
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        load = os.getloadavg()
        text = BENCHES[name](arguments)
        section = f"{text}\n\n{bench_report.facts(load)}"
        print(f"\n{section}\n", flush=True)
        if arguments.write:
            bench_report.put(name, section)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
