"""How often the gate passes a scan with a signal of known strength.

The signal is a fixed function of the EEG windows. Two kinds: what the shipped base
answers, which it knows wholly; what the subject's model answers that was
calibrated on this subject's own scan, of which the base knows what subjects share.
The noise is the BOLD that was measured of another subject, all of it (its brain,
vessels, body, drift, scanner). Every ROI becomes ``gain * signal + noise``. The gain is
that of the population: noise and signal have, low-passed and without cubic drift over
20 minutes, sizes that give the R asked for if they were not alike. How alike they are
by chance stays in, as it does in a lab's scan.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluate import scans
from evaluate.fit import SERIES, WHOLE, columns, fitted_folds, passes, session_of
from evaluate.gate import ROI_STEP, turn
from evaluate.scans import Read, cached_read, few_rois, first_minutes
from evaluate.stats import share
from rtbold.calibration.compare.effects import mean_with_interval
from rtbold.calibration.evaluate.nulls import DRIFT_DEGREE
from rtbold.calibration.fit.folds import fit_all
from rtbold.calibration.fit.split import final_part
from rtbold.sim.settings import NULL_SEEDS
from rtbold.truth import TARGET_CUTOFF_HZ, lowpassed

DEFAULT_N = 24  # subjects, the ones of the null scans: they are simulated once
TRUE_R = (0.2, 0.3)
MINUTES = (10.0, 20.0)


def items(n: int) -> list[tuple[int, int]]:
    """Return (EEG, noise) as seeds."""
    return [(NULL_SEEDS[i], NULL_SEEDS[(i + 1) % n]) for i in range(n)]


def work(item: Sequence[int], cache: Path) -> dict:
    """Calibrate one subject on every strength and length."""
    eeg, noise = (few_rois(cached_read(seed, cache), ROI_STEP) for seed in item)
    found = {}
    rows = noise.bold[eeg.volume]
    for kind, signal in oracles(eeg).items():
        for true_r in TRUE_R:
            bold = eeg.bold.copy()  # volumes without a window are never used
            bold[eeg.volume] = mixed(
                signal, rows, true_r, tr_s=scans.shipped().card.tr_s
            )
            for minutes in MINUTES:
                part = first_minutes(eeg, minutes)
                fitting = fitted_folds(part, bold[: len(part.bold)])
                found[condition(kind, true_r, minutes)] = columns(fitting)
    return {"conditions": found}


def condition(kind: str, true_r: float, minutes: float) -> str:
    """Return the name of one kind, strength and length."""
    return f"{kind}: R {true_r:g}, {minutes:g} min"


def oracles(eeg: Read) -> dict[str, np.ndarray]:
    """Return (windows, rois) of each kind: what who knows this subject well hears."""
    taught = fit_all(session_of(eeg), final_part(eeg.onsets_s, WHOLE))
    answers = {
        "base": eeg.fit_features.prior,
        "subject": taught.subject.own(eeg.table.features),
    }
    return {kind: series.astype(np.float64) for kind, series in answers.items()}


def mixed(
    signal: np.ndarray, noise: np.ndarray, true_r: float, *, tr_s: float
) -> np.ndarray:
    """Return BOLD whose R with the signal is `true_r` in the population.

    Parameters
    ----------
    signal, noise : (volumes, rois), consecutive volumes.
    """
    heard = _cleaned(signal, tr_s).std(axis=0)
    gain = true_r / np.sqrt(1 - true_r**2) * _cleaned(noise, tr_s).std(axis=0) / heard
    return gain * signal + noise


def summary(lines: Sequence[dict]) -> dict:
    """Return per condition the pass rate, and R of what is kept and of each model."""
    found = {}
    for name in lines[0]["conditions"]:
        each = [line["conditions"][name] for line in lines]
        passed = np.array([passes(line) for line in each])
        declared = passed[np.arange(len(lines)), turn(*passed.shape)]
        cell = found[name] = {
            "declared": share(int(declared.sum()), len(lines)),
            "every_roi": mean_with_interval(passed.mean(axis=1)),
        }
        for series in SERIES:
            r = np.array([line[f"{series}_r"] for line in each])
            cell[f"{series}_r"] = mean_with_interval(r.mean(axis=1))
    return {"conditions": found}


def _cleaned(series: np.ndarray, tr_s: float) -> np.ndarray:
    """Return the series as scores see them: low-passed, without cubic drift."""
    low = lowpassed(series, tr_s, TARGET_CUTOFF_HZ)
    u = np.linspace(-1, 1, len(low))
    basis = np.linalg.qr(np.polynomial.legendre.legvander(u, DRIFT_DEGREE))[0]
    return low - basis @ (basis.T @ low)
