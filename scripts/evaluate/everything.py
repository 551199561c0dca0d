"""Default strategy against training all weights, on the same folds.

The shipped network, and one of the base size from nothing (an untrained encoder: the
default keeps the subject's ridge there, which stands beside both). A fold is an item of
its own: all weights of the base size take minutes a fold.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from measure_calibration_log import Job, done_or_do
from measure_calibration_scans import base, simulated
from measure_calibration_stats import effect, mean_with_interval

from rtbold.calibration.base import Base, Start, fresh_base
from rtbold.calibration.nulls import pairing
from rtbold.calibration.outoffold import Session, out_of_fold, read_scan
from rtbold.calibration.split import strict_folds
from rtbold.calibration.strategies.head import ClosedFormHead
from rtbold.calibration.strategies.protocol import Strategy
from rtbold.calibration.strategies.tuned import Tuned
from rtbold.calibration.target import MeasuredScan
from rtbold.electrodes import canonical
from rtbold.sim.seeds import CALIBRATED_SEEDS
from rtbold.sim.settings import NEUROBOLT_CHANNELS

DEFAULT_N = 8  # subjects, of the shipped network
N_BASE_SIZE = 2
N_FOLDS = 5
STRATEGIES = ("head", "all")
SERIES = ("network", "ridge_live", "scored")


def items(n: int) -> list[tuple]:
    """Return (base, seed, strategy, fold)."""
    subjects = [("shipped", seed) for seed in CALIBRATED_SEEDS[:n]]
    subjects += [("base size", seed) for seed in CALIBRATED_SEEDS[:N_BASE_SIZE]]
    return [
        (size, seed, strategy, fold)
        for size, seed in subjects
        for strategy in STRATEGIES
        for fold in range(N_FOLDS)
    ]


def work(item: Sequence, cache: Path) -> dict:
    """Fit one fold and keep what it predicted."""
    size, seed, name, fold = item
    read = _session(size, seed, name)
    part = strict_folds(read.material.onsets_s)[fold]
    folded = out_of_fold(read, (part,))
    rows = {series: getattr(folded, series)[part.test] for series in SERIES}
    draft = _path(cache, item).with_suffix(".part.npz")
    np.savez(draft, **rows)
    draft.replace(_path(cache, item))
    return {"notes": folded.folds[0].notes, "errors": list(folded.folds[0].errors)}


@lru_cache(maxsize=1)
def _session(size: str, seed: int, name: str) -> Session:
    """Return a scan that has been read; the next fold is of the same, mostly."""
    start = _base(size)
    session = simulated(seed, channels=start.network.config.channels)
    material, twin = session.material, session.twin
    measured = MeasuredScan(twin.bold[material.volume], material.onsets_s, base().rois)
    strategy: Strategy = ClosedFormHead() if name == "head" else Tuned("all")
    return read_scan(material, measured, start, strategy=strategy)


def _base(size: str) -> Base:
    if size == "shipped":
        return base()
    channels = tuple(map(canonical, NEUROBOLT_CHANNELS))
    return fresh_base(channels, base().rois, Start("neurobolt", "base"))


def _path(cache: Path, item: Sequence) -> Path:
    return cache / ("everything-" + "-".join(map(str, item)).replace(" ", "_") + ".npz")


def measure(n: int, cache: Path, *, processes: int) -> dict:
    """Return R of each strategy and the paired differences."""
    done_or_do(Job("everything", items(n), work, cache, processes))
    sizes = {"shipped": n, "base size": N_BASE_SIZE}
    return {size: _compared(size, count, cache) for size, count in sizes.items()}


def _compared(size: str, n: int, cache: Path) -> dict:
    found: dict[str, list[float]] = {"head": [], "all": [], "ridge": []}
    for seed in CALIBRATED_SEEDS[:n]:
        for strategy in STRATEGIES:
            series = whole(cache, (size, seed, strategy))
            found[strategy].append(_r(series, "network"))
        found["ridge"].append(_r(series, "ridge_live"))
    r = {name: np.array(values) for name, values in found.items()}
    return {
        "subjects": n,
        "mean": {name: mean_with_interval(values) for name, values in r.items()},
        "difference": {
            f"{name} - all": effect(r[name] - r["all"]) for name in ("head", "ridge")
        },
        "each": {name: values.round(4).tolist() for name, values in r.items()},
    }


def whole(cache: Path, item: Sequence) -> dict[str, np.ndarray]:
    """Return the series of all folds, one behind the other."""
    folds = []
    for fold in range(N_FOLDS):
        with np.load(_path(cache, (*item, fold)), allow_pickle=False) as arrays:
            folds.append(dict(arrays))
    return {name: np.concatenate([fold[name] for fold in folds]) for name in SERIES}


def _r(series: dict[str, np.ndarray], name: str) -> float:
    return float(pairing(series[name], series["scored"]).r.mean())
