"""How often the gate passes a scan with a signal of known strength.

The signal is a fixed function of the EEG windows, taught by another session of the same
simulated subject (40 minutes), and the oracle is that function. Two kinds: what the
calibrated network answers, which the shipped base knows most of, and what the subject's
ridge answers, of which it knows what subjects have in common.
The noise is the BOLD that was measured of another subject, all of it (its brain,
vessels, body, drift, scanner). Every ROI becomes ``gain * signal + noise``, with the
gain that makes the R of the two, low-passed and without cubic drift as a score's
measurement is, exactly the one asked for on the minutes that are used.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluate import scans
from evaluate.fit import SERIES, WHOLE, columns, fitted_folds, passes, session_of
from evaluate.gate import N_OTHERS, turn
from evaluate.scans import Read, cached_read, first_minutes
from evaluate.stats import share
from rtbold.calibration.compare.effects import mean_with_interval
from rtbold.calibration.evaluate.nulls import DRIFT_DEGREE
from rtbold.calibration.fit.folds import fit_all
from rtbold.calibration.fit.head import head_predictions
from rtbold.calibration.fit.split import final_part
from rtbold.sim.settings import POWER_SEEDS
from rtbold.truth import TARGET_CUTOFF_HZ, lowpassed

DEFAULT_N = len(POWER_SEEDS)
TRUE_R = (0.2, 0.3, 0.5)
MINUTES = (10.0, 16.0, 20.0)
LESSON_MINUTES = 40.0


def items(n: int) -> list[tuple[int, ...]]:
    """Return (EEG, noise, others ...) as seeds."""
    found = []
    for eeg in range(n):
        rest = [(eeg + step) % n for step in range(1, n)][: N_OTHERS + 1]
        found.append(tuple(POWER_SEEDS[i] for i in (eeg, *rest)))
    return found


def work(item: Sequence[int], cache: Path) -> dict:
    """Calibrate one subject on every strength and length."""
    eeg, noise, *others = (cached_read(seed, cache) for seed in item)
    found = {}
    for kind, signal in oracles(item[0], eeg).items():
        for minutes in MINUTES:
            part = first_minutes(eeg, minutes)
            beside = [first_minutes(other, minutes) for other in others]
            n = len(part.volume)
            for true_r in TRUE_R:
                bold = part.bold.copy()  # volumes without a window are never used
                rows = noise.bold[part.volume]
                bold[part.volume] = mixed(
                    signal[:n], rows, true_r, tr_s=scans.shipped().card.tr_s
                )
                fitting = fitted_folds(part, bold, beside)
                found[condition(kind, true_r, minutes)] = columns(fitting)
    return {"conditions": found}


def condition(kind: str, true_r: float, minutes: float) -> str:
    """Return the name of one kind, strength and length."""
    return f"{kind}: R {true_r:g}, {minutes:g} min"


def oracles(seed: int, eeg: Read) -> dict[str, np.ndarray]:
    """Return (windows, rois) of each kind: what who knows this subject well hears."""
    lesson = scans.read(scans.simulated(seed, minutes=LESSON_MINUTES))
    taught = fit_all(session_of(lesson), final_part(lesson.onsets_s, WHOLE))
    head = taught.fitted.network.head
    return {
        "network": head_predictions(head, eeg.fit_features.features).astype(np.float64),
        "ridge": taught.subject.own(eeg.table.features).astype(np.float64),
    }


def mixed(
    signal: np.ndarray, noise: np.ndarray, true_r: float, *, tr_s: float
) -> np.ndarray:
    """Return BOLD whose R with the signal is `true_r` in every column.

    Parameters
    ----------
    signal, noise : (volumes, rois), consecutive volumes.
    """
    heard = _cleaned(signal, tr_s)
    size = heard.std(axis=0)
    x, y = heard / size, _cleaned(noise, tr_s)
    chance = (x * y).mean(axis=0)  # what noise and signal share by chance
    left = np.sqrt(((y - chance * x) ** 2).mean(axis=0))
    gain = true_r * left / np.sqrt(1 - true_r**2) - chance
    return gain * signal / size + noise


def summary(lines: Sequence[dict]) -> dict:
    """Return per condition the pass rate without and with other subjects' EEG."""
    found = {}
    for name in lines[0]["conditions"]:
        cell = found[name] = {}
        for kind, others in (("phases alone", False), ("other subjects too", True)):
            each = [line["conditions"][name] for line in lines]
            passed = np.array([passes(line, others=others) for line in each])
            declared = passed[np.arange(len(lines)), turn(*passed.shape)]
            cell[kind] = {
                "declared": share(int(declared.sum()), len(lines)),
                "every_roi": mean_with_interval(passed.mean(axis=1)),
            }
        for series in SERIES:
            r = np.array([line["conditions"][name][f"{series}_r"] for line in lines])
            cell[f"{series}_r"] = mean_with_interval(r.mean(axis=1))
    return {"conditions": found}


def _cleaned(series: np.ndarray, tr_s: float) -> np.ndarray:
    """Return the series as scores see them: low-passed, without cubic drift."""
    low = lowpassed(series, tr_s, TARGET_CUTOFF_HZ)
    u = np.linspace(-1, 1, len(low))
    basis = np.linalg.qr(np.polynomial.legendre.legvander(u, DRIFT_DEGREE))[0]
    return low - basis @ (basis.T @ low)
