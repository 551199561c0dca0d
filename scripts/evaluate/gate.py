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


def items(n: int) -> list[tuple[int, int]]:
    """Return (EEG, BOLD) as seeds; fewer subjects are the first of more."""
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    return [
        (NULL_SEEDS[i], NULL_SEEDS[j]) for i, j in sorted(pairs, key=lambda p: max(p))
    ]


def work(item: Sequence[int], cache: Path) -> dict:
    """Calibrate one null scan, at both lengths."""
    eeg, bold = (few_rois(cached_read(seed, cache), ROI_STEP) for seed in item)
    found = {}
    for minutes in MINUTES:
        part = first_minutes(eeg, minutes)
        fitting = fitted_folds(part, bold.bold[: len(part.bold)])
        found[length(minutes)] = columns(fitting)
    return found


def length(minutes: float) -> str:
    """Return the name of a length."""
    return f"{minutes:g} min"


def summary(lines: Sequence[dict]) -> dict:
    """Return the pass rate at each length, and at two planned looks together.

    *declared*: one ROI a scan, in turn; *every ROI*: mean share over all ROIs, as if
    each had been declared.
    """
    pairs = np.array([line["key"] for line in lines]).T
    found: dict = {"scans": len(lines), "lengths": {}}
    for minutes in MINUTES:
        each = [line[length(minutes)] for line in lines]
        cell = {"recipe": _rate(np.array([passes(line) for line in each]), pairs)}
        for name in SERIES:
            r, p = (
                np.array([line[f"{name}_{k}"] for line in each])
                for k in ("r", "p_alone")
            )
            cell[name] = _rate((r > 0) & (p <= ALPHA), pairs)
        found["lengths"][length(minutes)] = cell
    found["looks"] = _looks(lines, pairs)
    return found


def _looks(lines: Sequence[dict], pairs: np.ndarray) -> dict:
    """Return how often one of two looks passes: planned, and at the whole level."""
    levels = dict(zip(MINUTES, look_levels(MINUTES, ALPHA), strict=True))
    planned, unplanned = (
        np.any(
            [
                [passes(line[length(m)], alpha=alpha[m]) for line in lines]
                for m in MINUTES
            ],
            axis=0,
        )
        for alpha in (levels, dict.fromkeys(MINUTES, ALPHA))
    )
    return {
        "levels": {length(m): level for m, level in levels.items()},
        "planned": _rate(planned, pairs),
        "at the whole level": _rate(unplanned, pairs),
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
