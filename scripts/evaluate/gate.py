"""How often the gate passes a scan without a signal: another subject's EEG.

The EEG of one simulated subject is calibrated on the BOLD of another one: both keep
their autocorrelation, and the vigilance of both falls alike. The whole recipe runs, on
the first 10 minutes and on all 20, so that two planned looks at one scan are in it too.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluate.fit import SERIES, columns, fitted_folds, passes
from evaluate.scans import cached_read, few_rois, first_minutes
from evaluate.stats import clustered_upper, share
from rtbold.calibration.evaluate.looks import look_levels
from rtbold.calibration.evaluate.verdict import ALPHA
from rtbold.sim.settings import NULL_SEEDS

DEFAULT_N = 24  # subjects: each one's EEG meets the BOLD of all others
MINUTES = (10.0, 20.0)
ROI_STEP = 4  # 16 of 64: about what a lab has, and a fit takes a third of the time


def items(n: int) -> list[tuple[int, int, float]]:
    """Return (EEG, BOLD, minutes); fewer subjects are the first of more."""
    numbers = [(i, j) for i in range(n) for j in range(n) if i != j]
    return [
        (NULL_SEEDS[i], NULL_SEEDS[j], minutes)
        for i, j in sorted(numbers, key=max)
        for minutes in MINUTES
    ]


def work(item: Sequence, cache: Path) -> dict:
    """Calibrate one null scan."""
    *seeds, minutes = item
    eeg, bold = (few_rois(cached_read(seed, cache), ROI_STEP) for seed in seeds)
    part = first_minutes(eeg, minutes)
    return columns(fitted_folds(part, bold.bold[: len(part.bold)]))


def summary(lines: Sequence[dict]) -> dict:
    """Return the pass rate at each length, and at two planned looks together.

    *declared*: one ROI a scan, in turn; *every ROI*: mean share over all ROIs, as if
    each had been declared.
    """
    by_length = {
        m: {tuple(line["key"][:2]): line for line in lines if line["key"][2] == m}
        for m in MINUTES
    }
    found: dict = {"lengths": {}}
    for minutes, each in by_length.items():
        if not each:
            continue
        pairs = np.array(list(each)).T
        cell = {
            "recipe": _rate(np.array([passes(line) for line in each.values()]), pairs)
        }
        for name in SERIES:
            r, p = (
                np.array([line[f"{name}_{k}"] for line in each.values()])
                for k in ("r", "p_alone")
            )
            cell[name] = _rate((r > 0) & (p <= ALPHA), pairs)
        found["lengths"][f"{minutes:g} min"] = cell
    if all(set(by_length[m]) & set(by_length[MINUTES[0]]) for m in MINUTES):
        found["looks"] = _looks(by_length)
    return found


def _looks(by_length: dict[float, dict]) -> dict:
    """Return how often one of two looks passes: planned, and at the whole level."""
    levels = dict(zip(MINUTES, look_levels(MINUTES, ALPHA), strict=True))
    both = [pair for pair in by_length[MINUTES[0]] if pair in by_length[MINUTES[1]]]
    pairs = np.array(both).T

    def either(alpha: dict[float, float]) -> dict:
        each = [
            [passes(by_length[m][pair], alpha=alpha[m]) for pair in both]
            for m in MINUTES
        ]
        return _rate(np.any(each, axis=0), pairs)

    return {
        "levels": {f"{m:g} min": level for m, level in levels.items()},
        "planned": either(levels),
        "at the whole level": either(dict.fromkeys(MINUTES, ALPHA)),
    }


def _rate(passed: np.ndarray, pairs: np.ndarray) -> dict:
    n = len(passed)
    declared = passed[np.arange(n), turn(n, passed.shape[1])]
    upper = clustered_upper(declared * 1.0, pairs[0], pairs[1])
    over_all = clustered_upper(passed.mean(axis=1), pairs[0], pairs[1])
    return {
        "declared": share(int(declared.sum()), n) | {"clustered_upper": upper},
        "every_roi": {"share": float(passed.mean()), "clustered_upper": over_all},
    }


def turn(n_scans: int, n_rois: int) -> np.ndarray:
    """Return which ROI each scan declares: all in turn, by a step that meets all."""
    return (np.arange(n_scans) * 27) % n_rois
