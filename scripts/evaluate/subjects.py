"""Subjects that nothing was developed on: against base and ridge; horizons."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from runner import Job, done_or_do

from evaluate.fit import held_out, session_of
from evaluate.scans import read, simulated
from evaluate.stats import effect, mean_with_interval
from rtbold.calibration.nuisances import r_with_drift
from rtbold.calibration.nulls import pairing
from rtbold.calibration.outoffold import HORIZONS, FitOptions, out_of_fold
from rtbold.calibration.split import strict_folds
from rtbold.sim.seeds import CALIBRATED_SEEDS

DEFAULT_N = len(CALIBRATED_SEEDS)
LEARN_MINUTES = 16.0
SERIES = ("network", "base", "ridge", "ridge_live")
COMPARISONS = (
    ("network", "base"), ("network", "ridge"), ("network", "ridge_live"),
    ("base", "ridge"),
)  # fmt: skip


def work(item: Sequence[int], cache: Path) -> dict:
    """Calibrate from the first minutes, score on the last; then every horizon."""
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


def horizon_work(item: Sequence[int], cache: Path) -> dict:
    """Return the out-of-fold R of the whole scan, for every horizon."""
    eeg = read(simulated(item[0]))
    session, parts = session_of(eeg), strict_folds(eeg.onsets_s)
    found = {}
    for horizon in HORIZONS:
        folded = out_of_fold(session, parts, FitOptions(horizon_tr=horizon))
        found[str(horizon)] = {name: _mean(folded.r(name)) for name in SERIES}
    return {"r": found}


def measure(n: int, cache: Path, *, processes: int) -> dict:
    """Return R of each model and the paired differences between them."""
    items = [(seed,) for seed in CALIBRATED_SEEDS[:n]]
    lines = done_or_do(Job("subjects", items, work, cache, processes))
    return {"subjects": n, **summary(lines)}


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


def measure_horizon(n: int, cache: Path, *, processes: int) -> dict:
    """Return R for each horizon, and what it costs against none."""
    items = [(seed,) for seed in CALIBRATED_SEEDS[:n]]
    lines = done_or_do(Job("horizon", items, horizon_work, cache, processes))
    return {"subjects": n, **horizon_summary(lines)}


def horizon_summary(lines: Sequence[dict]) -> dict:
    """Return means over subjects and paired differences to horizon 0."""
    found: dict = {}
    for name in SERIES:
        r = {h: np.array([x["r"][h][name] for x in lines]) for h in lines[0]["r"]}
        found[name] = {
            h: {"r": mean_with_interval(v), "against_0": effect(v - r["0"])}
            for h, v in r.items()
        }
    return found


def _mean(r: np.ndarray) -> float:
    return round(float(r.mean()), 5)
