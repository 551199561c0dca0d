"""Measure what docs/data/benchmarks.md states: latency, memory, CPU.

    python scripts/bench all --minutes 30 --write
    python scripts/bench cpu --seconds 20

Run it on a quiet machine: what else runs there is in the figures (the load average
stands beside them). `--write` keeps them in docs/data and builds the page's sections.
"""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

# Before numpy comes in: no numeric library may spread over cores behind the meter.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pages
from runner import Figures, Suite

from bench import (
    budget,
    cpu,
    gui,
    kills,
    latency,
    micro,
    models,
    precision,
    sizes,
    soak,
    subscribers,
    training,
)

MODELS_S = 270.0  # `models` ends within five minutes, closing included
ARCHITECTURES = "every architecture"


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
    turns, allowed, medians = 5 * options.repeats, budget.Budget(MODELS_S), {}
    steps = {
        "NeuroBOLT base": lambda: models.neurobolt(allowed, turns=turns),
        "what a precision costs demo in R": lambda: precision.demo_r(allowed),
        ARCHITECTURES: lambda: sizes.architectures(
            allowed, turns=turns, medians=medians
        ),
        "64 ROIs beside one": lambda: sizes.rois(allowed, turns=turns),
    }
    parts, unfinished = budget.finished(steps, allowed)
    found: Figures = {"parts": joined(parts), "architectures": medians}
    if ARCHITECTURES in unfinished:  # what an earlier run measured stays
        earlier = json.loads(pages.data_file("bench_models").read_text("utf-8"))
        found["architectures"] = earlier["architectures"]
        found["architectures_measured"] = earlier["facts"]
    return found


def joined(parts: Sequence[str]) -> str:
    """Return parts as paragraphs; a table's rows follow each other."""
    text = ""
    for part in parts:
        row = part.startswith("| `") and text.splitlines()[-1].startswith("|")
        text += ("\n" if row else "\n\n") + part
    return text.lstrip()


def of_gui(options: argparse.Namespace) -> Figures:
    """Time the dashboard's frames, and see what the loop notices of it."""
    return gui.measure(gui.GuiPlan())


def of_soak(options: argparse.Namespace) -> Figures:
    """Run a session with everything beside it and faults at random from a seed."""
    return soak.run(soak.SoakPlan(options.minutes, seed=options.seed))


def of_kills(options: argparse.Namespace) -> Figures:
    """Kill processes at random and look what the record has lost."""
    return kills.run(kills.KillsPlan(options.kills, seed=options.seed))


def of_subscribers(options: argparse.Namespace) -> Figures:
    """Hold 300 subscribers and 50 browsers, one of each frozen, against one of each."""
    return subscribers.measure(subscribers.SubscribersPlan(seconds=options.seconds))


def of_train(options: argparse.Namespace) -> Figures:
    """Hold training steps of NeuroBOLT base against a plain loop."""
    return training.measure(training.TrainPlan(turns=options.repeats))


SUITE = Suite(
    "bench_",
    {
        "latency": of_latency,
        "cpu": of_cpu,
        "stages": of_stages,
        "models": of_models,
        "train": of_train,
        "gui": of_gui,
        "soak": of_soak,
        "kills": of_kills,
        "subscribers": of_subscribers,
    },
)


def parse(given: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = SUITE.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="of the session")
    parser.add_argument("--seed", type=int, default=1, help="soak, kills: which")
    parser.add_argument("--kills", type=int, default=50, help="kills: how many")
    parser.add_argument("--model", default="demo", help="bundle: a name or a path")
    parser.add_argument("--rate", type=float, default=1000.0, help="of the twin, Hz")
    parser.add_argument("--seconds", type=float, default=60.0, help="cpu, subscribers")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--warm-up", type=float, default=20.0, help="cpu: seconds")
    return parser.parse_args(given)


def main(given: Sequence[str]) -> int:
    """Measure what was asked for."""
    return SUITE.run(parse(given))
