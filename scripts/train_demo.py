"""Train the demo bundles on the twin: the small NeuroBOLT and the band-power ridge.

    python scripts/train_demo.py --cache CACHE --out models

Everything is SIMULATED. Training, validation and test subjects come from seed ranges
of their own; the test subjects are scored once, at the end, by what validation chose.
Reproducible on one machine and thread count; resumable (the cache keeps the scans and
the state after each epoch).
"""

import argparse
import copy
import datetime
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import torch
from torch import nn

from rtbold.bundle.card import Card, Scores
from rtbold.calibration.compare.truth import ceiling_and_oracle
from rtbold.calibration.evaluate.scores import r_of_scans
from rtbold.calibration.lineage import lineage_of_training
from rtbold.calibration.train import demo
from rtbold.calibration.train.batches import Part
from rtbold.calibration.train.dataset import (
    TwinScans,
    data_sha256,
    fit_normalisation,
    normalised,
)
from rtbold.calibration.train.finish import known_eeg, out_of_sample_baseline
from rtbold.calibration.train.machines import join_machines
from rtbold.calibration.train.recipe import load_recipe
from rtbold.calibration.train.ridge import refit_head
from rtbold.calibration.train.start import start_network
from rtbold.calibration.train.trainer import Course, Run, Watch, fit, predict
from rtbold.sim.settings import CHECK_SEEDS, TEST_SEEDS, TRAIN_SEEDS, VALIDATION_SEEDS

N_ORACLE_SUBJECTS = 8

Say = Callable[[str], None]
Parts = tuple[Part, Part]
RECIPE = "neurobolt-small"


def main() -> None:
    """Run the recipe: load, split, train, score, save."""
    options = parse()
    started_s = time.monotonic()
    torch.set_num_threads(options.threads)

    def say(text: str) -> None:
        print(f"{time.monotonic() - started_s:6.0f} s  {text}", flush=True)

    twin = TwinScans("hard", options.duration, demo.demo_card(), options.cache)
    card, parts = load(twin, options)
    say(f"{len(parts[0].scans)} training, {len(parts[1].scans)} validation subjects")
    network = train_network(parts, card, options, say)
    ridges = train_ridges(parts[0], say)
    models: dict[str, nn.Module] = {"demo": network, **ridges}
    scores = score(models, twin, card, options, say)
    better = max(ridges, key=lambda name: mean_r(ridges[name], parts[1]))
    check_uv = demo.check_windows(twin.make(CHECK_SEEDS, n_processes=options.threads))
    for name, key in (("demo", "demo"), ("demo-ridge", better)):
        baseline = out_of_sample_baseline(predict(models[key], parts[1]))
        likeness, scale = known_eeg(parts[0], models[key], tr_s=card.tr_s)
        own = msgspec.structs.replace(
            card, name=name, baseline=baseline, scores=scores[key], likeness=likeness
        )
        path = options.out / f"{name}.rtbold"
        written = demo.write_demo(
            path,
            own,
            models[key],
            check_uv=check_uv,
            created=datetime.datetime.now(datetime.UTC).date().isoformat(),
            scale=scale,
        )
        say(f"wrote {written.path} ({key}), sha256 {written.sha256[:12]}")


def load(twin: TwinScans, options: argparse.Namespace) -> tuple[Card, Parts]:
    """Make the scans, split by subject; freeze the target's scaling on the card."""
    n_processes = options.threads
    train = twin.make(TRAIN_SEEDS[: options.train], n_processes=n_processes)
    validation = twin.make(
        VALIDATION_SEEDS[: options.validation], n_processes=n_processes
    )
    normalisation = fit_normalisation(train, twin.card.normalisation.lowpass_hz)
    card = msgspec.structs.replace(
        twin.card,
        normalisation=normalisation,
        training_data_sha256=data_sha256(train),
        # Validation chose the epoch and the penalty of the head
        lineage=lineage_of_training(scan.seen for scan in (*train, *validation)),
        software=demo.software(),
    )
    splits = [
        Part.whole(scans, [normalised(scan.bold, normalisation) for scan in scans])
        for scans in (train, validation)
    ]
    return card, (splits[0], splits[1])


def train_network(
    parts: Parts, card: Card, options: argparse.Namespace, say: Say
) -> nn.Module:
    """Train by gradient, keep the best epoch, then solve the head in closed form."""

    def say_epoch(course: Course) -> None:
        loss, r = course.losses[-1], course.validation[-1].r
        say(f"epoch {course.epoch}: loss {loss:.4f}, validation R {r:.4f}")

    recipe = load_recipe(RECIPE)
    training = msgspec.structs.replace(recipe.training, epochs=options.epochs)
    recipe = msgspec.structs.replace(recipe, training=training)
    network = start_network(recipe.model, card, seed=options.seed).network
    run = Run(
        machines=join_machines("cpu"),
        seed=options.seed,
        state=options.cache / "network.pt",
        belongs=card.training_data_sha256,
    )
    watch = Watch(now_s=time.monotonic, on_epoch=say_epoch)
    course = fit(network, parts, recipe, run=run, watch=watch)
    say(f"best epoch {course.best_epoch + 1} of {options.epochs}")
    say(f"waited for batches {course.waiting_share:.1%} of the training time")
    solved = copy.deepcopy(network)
    fitted = refit_head(solved, parts)
    say(f"head in closed form: alpha {fitted.alpha:g}, validation R {fitted.r:.4f}")
    return solved if fitted.r > course.best.r else network


def train_ridges(train: Part, say: Say) -> dict[str, nn.Module]:
    """Fit the linear model on potentials and on their Laplacian."""
    ridges: dict[str, nn.Module] = {}
    for unmixing in demo.UNMIXINGS:
        model, fitted = demo.fit_ridge_model(train, unmixing)
        ridges[f"ridge_{unmixing}"] = model
        say(
            f"ridge, unmixing {unmixing}: alpha {fitted.alpha:g}, "
            f"cross-validated R {fitted.r:.4f} over training subjects"
        )
    return ridges


def mean_r(model: nn.Module, part: Part) -> float:
    """Return what the shipped ridge is chosen by."""
    return float(r_of_scans(predict(model, part), part.measured).mean())


def score(
    models: Mapping[str, nn.Module],
    twin: TwinScans,
    card: Card,
    options: argparse.Namespace,
    say: Say,
) -> dict[str, Scores]:
    """Score every model once on subjects that nothing before has seen."""
    # A rehearsal takes validation subjects, so that test seeds stay unseen.
    last = VALIDATION_SEEDS[500:] if options.rehearse else TEST_SEEDS
    seeds = last[: options.test]
    scans = twin.make(seeds, n_processes=options.threads)
    measured = [normalised(scan.bold, card.normalisation) for scan in scans]
    part = Part.whole(scans, measured)
    predicted = {name: predict(model, part) for name, model in models.items()}
    scores = {n: demo.score(p, measured, card.rois) for n, p in predicted.items()}
    ceiling, oracle = ceiling_and_oracle(
        twin, TRAIN_SEEDS[: min(N_ORACLE_SUBJECTS, options.train)], seeds
    )
    beside = {"noise_ceiling": ceiling, "oracle_true_drive": oracle}
    beside |= {name: result.mean_r or 0.0 for name, result in scores.items()}
    for name, result in scores.items():
        say(
            f"SIMULATED, {len(scans)} unseen subjects, {name}: mean R "
            f"{result.mean_r:.4f} ({result.mean_r_low:.4f} to {result.mean_r_high:.4f})"
        )
    say(f"ceiling {ceiling:.4f}, oracle {oracle:.4f}")
    say(f"controls: {scores['demo'].controls}")
    return {
        name: msgspec.structs.replace(
            result,
            controls=result.controls | {k: v for k, v in beside.items() if k != name},
        )
        for name, result in scores.items()
    }


def parse() -> argparse.Namespace:
    """Return the command's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="about 10 MB a scan")
    parser.add_argument("--out", type=Path, required=True, help="where bundles go")
    for name, default, text in (
        ("train", 300, "subjects"),
        ("validation", 12, "subjects"),
        ("test", 40, "subjects"),
        ("epochs", 3, ""),
        ("threads", 2, ""),
        ("seed", 0, ""),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=text)
    parser.add_argument("--duration", type=float, default=600.0, help="seconds a scan")
    parser.add_argument(
        "--rehearse", action="store_true", help="leave test seeds alone"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
