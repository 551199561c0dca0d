"""How often the gate passes a scan without a signal: another subject's EEG.

The EEG of one simulated subject is calibrated on the BOLD of another one: both keep
their autocorrelation, and the vigilance of both falls alike.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluate.fit import SERIES, columns, fitted_folds, passes
from evaluate.scans import cached_read
from evaluate.stats import clustered_upper, share
from rtbold.calibration.evaluate.verdict import ALPHA
from rtbold.sim.settings import NULL_SEEDS

DEFAULT_N = len(NULL_SEEDS)  # subjects; each one's EEG meets seven others' BOLD
# No two add up to the number of subjects, so no pair comes back the other way round.
OFFSETS = (1, 2, 5, 11, 17, 22, 26)
N_OTHERS = 3


def items(n: int) -> list[tuple[int, ...]]:
    """Return (EEG, BOLD, others ...) as seeds: every subject as often as any other."""
    found = []
    for eeg in range(n):
        for offset in OFFSETS:
            bold = (eeg + offset) % n
            if offset >= n or (2 * offset) % n == 0 or offset > n / 2:
                continue
            rest = [(bold + step) % n for step in range(1, n)]
            others = [k for k in rest if k not in (eeg, bold)][:N_OTHERS]
            found.append(tuple(NULL_SEEDS[i] for i in (eeg, bold, *others)))
    return found


def work(item: Sequence[int], cache: Path) -> dict:
    """Calibrate one null scan."""
    eeg, bold, *others = (cached_read(seed, cache) for seed in item)
    return columns(fitted_folds(eeg, bold.bold, others))


def summary(lines: Sequence[dict]) -> dict:
    """Return the pass rate without and with other subjects' EEG.

    *declared*: one ROI a scan, in turn; *every ROI*: mean share over all ROIs, as if
    each had been declared.
    """
    first, second = (np.array([line["key"][i] for line in lines]) for i in (0, 1))
    found: dict = {"scans": len(lines)}
    for name, others in (("phases alone", False), ("other subjects too", True)):
        passed = np.array([passes(line, others=others) for line in lines])
        declared = passed[np.arange(len(lines)), turn(len(lines), passed.shape[1])]
        found[name] = {
            "declared": share(int(declared.sum()), len(lines))
            | {"clustered_upper": clustered_upper(declared * 1.0, first, second)},
            "every_roi": _over_rois(passed, first, second),
        }
    found["alone"] = {}  # one candidate at 5 % by its phases
    for name in SERIES:
        r, p = (
            np.array([line[f"{name}_{k}"] for line in lines]) for k in ("r", "p_phase")
        )
        found["alone"][name] = _over_rois((r > 0) & (p <= ALPHA), first, second)
    return found


def _over_rois(
    passed: np.ndarray, first: np.ndarray, second: np.ndarray
) -> dict[str, float]:
    upper = clustered_upper(passed.mean(axis=1), first, second)
    return {"share": float(passed.mean()), "clustered_upper": upper}


def turn(n_scans: int, n_rois: int) -> np.ndarray:
    """Return which ROI each scan declares: all in turn, by a step that meets all."""
    return (np.arange(n_scans) * 27) % n_rois
