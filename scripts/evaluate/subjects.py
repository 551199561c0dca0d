"""Subjects that nothing was developed on: against base and ridge."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluate.fit import held_out
from evaluate.scans import read, simulated
from rtbold.calibration.compare.effects import effect, mean_with_interval
from rtbold.calibration.evaluate.nulls import pairing
from rtbold.calibration.evaluate.scores import r_with_drift
from rtbold.sim.settings import CALIBRATED_SEEDS

DEFAULT_N = len(CALIBRATED_SEEDS)
LEARN_MINUTES = 16.0
SERIES = ("stack", "network", "base", "subject")
COMPARISONS = (
    ("stack", "base"), ("stack", "subject"), ("network", "base"), ("base", "subject"),
)  # fmt: skip


def items(n: int) -> list[tuple[int]]:
    """Return the subjects' seeds."""
    return [(seed,) for seed in CALIBRATED_SEEDS[:n]]


def work(item: Sequence[int], cache: Path) -> dict:
    """Calibrate from the first minutes, score on the last."""
    eeg = read(simulated(item[0]))
    last = held_out(eeg, LEARN_MINUTES)
    rows = last.folds[0].part.test
    measured = last.scored[rows]
    series = {name: getattr(last, name)[rows] for name in SERIES}
    return {
        "n_test": len(rows),
        "r": {k: _mean(pairing(v, measured).r) for k, v in series.items()},
        "r_with_drift": {
            k: _mean(r_with_drift(v, measured)) for k, v in series.items()
        },
    }


def summary(lines: Sequence[dict]) -> dict:
    """Return means and effects, with and without drift."""
    found: dict = {"n_test": lines[0]["n_test"]}
    for kind in ("r", "r_with_drift"):
        values = {k: np.array([line[kind][k] for line in lines]) for k in SERIES}
        found[kind] = {
            "mean": {k: mean_with_interval(v) for k, v in values.items()},
            "difference": {
                f"{a} - {b}": effect(values[a] - values[b]) for a, b in COMPARISONS
            },
        }
    return found


def _mean(r: np.ndarray) -> float:
    return round(float(r.mean()), 5)
