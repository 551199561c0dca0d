"""How often measured BOLD lies inside the intervals, in minutes after calibration."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluate.fit import fitted_folds, held_out
from evaluate.scans import first_minutes, read, simulated
from rtbold.bundle.card import LEVELS
from rtbold.calibration.compare.effects import mean_with_interval
from rtbold.calibration.evaluate.intervals import conformal_intervals
from rtbold.sim.settings import COVERAGE_SEEDS

DEFAULT_N = len(COVERAGE_SEEDS)
LEARN_MINUTES = 16.0
SERIES = ("stack", "subject")
KINDS = ("inside", "inside_without_level", "inside_learned")


def items(n: int) -> list[tuple[int]]:
    """Return the subjects' seeds."""
    return [(seed,) for seed in COVERAGE_SEEDS[:n]]


def work(item: Sequence[int], cache: Path) -> dict:
    """Calibrate on the first minutes; look at the last."""
    eeg = read(simulated(item[0]))
    learned = fitted_folds(first_minutes(eeg, LEARN_MINUTES)).folded
    last = held_out(eeg, LEARN_MINUTES)
    rows = last.folds[0].part.test
    return {
        name: _of_series(
            (getattr(learned, name), learned.target),
            (getattr(last, name)[rows], last.target[rows]),
        )
        for name in SERIES
    }


def _of_series(learned: tuple, later: tuple) -> dict:
    """Return per level and ROI the share of later volumes inside, and two reasons."""
    intervals = conformal_intervals(*learned)
    residual = later[1] - later[0]
    early = learned[1] - learned[0]
    level_free = residual - residual.mean(axis=0)
    found = {}
    for place, level in enumerate(LEVELS):
        widths = [row[place] for row in intervals.half_width]
        half = np.array([np.nan if w is None else w for w in widths])
        known = early[np.isfinite(early).all(axis=1)]
        shares = [inside(each, half) for each in (residual, level_free, known)]
        found[f"{level:g}"] = dict(zip(KINDS, shares, strict=True))
    sd = residual.std(axis=0) / np.nanstd(early, axis=0)
    level = np.abs(residual.mean(axis=0)) / np.nanstd(early, axis=0)
    return {
        "levels": found,
        "sd_ratio": float(sd.mean()),
        "offset": float(level.mean()),
    }


def inside(residual: np.ndarray, half: np.ndarray) -> list[float | None]:
    """Return the share of volumes inside per ROI; None where there is no interval."""
    shares = (np.abs(residual) <= half).mean(axis=0)
    return [
        None if np.isnan(width) else round(float(share), 4)
        for share, width in zip(shares, half, strict=True)
    ]


def summary(lines: Sequence[dict]) -> dict:
    """Return coverage per level: mean over scans and ROIs, and the ROIs' extremes."""
    return {name: _coverage([line[name] for line in lines]) for name in SERIES}


def _coverage(each: Sequence[dict]) -> dict:
    found: dict = {}
    for level in each[0]["levels"]:
        cell = found[level] = {}
        for kind in KINDS:
            table = np.array([one["levels"][level][kind] for one in each], dtype=float)
            per_scan = np.nanmean(table, axis=1)
            cell[kind] = mean_with_interval(per_scan[np.isfinite(per_scan)])
            if kind == "inside":
                rois = np.nanmean(table, axis=0)
                extremes = {"lowest": float(rois.min()), "highest": float(rois.max())}
                missing = float(np.isnan(table).mean())
        cell |= {"rois": extremes, "without_interval": missing}
    for name in ("sd_ratio", "offset"):
        found[name] = float(np.mean([one[name] for one in each]))
    return found
