"""What a calibration does with a scan that has been read: fit, predict, decide."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluate.scans import Read, base
from rtbold.calibration.evaluate.nulls import random_phases
from rtbold.calibration.evaluate.scores import OutOfFold, score
from rtbold.calibration.evaluate.verdict import ALPHA
from rtbold.calibration.fit.folds import (
    FitOptions,
    FoldedScan,
    FoldModels,
    PreparedScan,
    fit_folds,
    out_of_fold,
    predictions_of,
)
from rtbold.calibration.fit.head import ClosedFormHead
from rtbold.calibration.fit.protocol import Material, Prepared
from rtbold.calibration.fit.split import (
    STRICT_GAP_S,
    Part,
    StrictSettings,
    final_part,
    strict_folds,
)
from rtbold.calibration.fit.target import MeasuredScan

SERIES = ("stack", "subject")  # what a calibration chooses between
N_CHOICES = len(SERIES)
N_SURROGATES = 999
WHOLE = StrictSettings(stop_share=0.0)  # closed forms need no part to stop by


def session_of(eeg: Read, bold: np.ndarray | None = None) -> PreparedScan:
    """Return a session with the shipped base and the default strategy.

    Parameters
    ----------
    bold : (volumes, rois), measured; None: what belongs to the EEG.
    """
    found = eeg.bold if bold is None else bold
    unread = np.empty((0, 0, 0), np.float32)  # the closed-form head needs no windows
    return PreparedScan(
        Material(unread, eeg.onsets_s, eeg.volume),
        MeasuredScan(found[eeg.volume], eeg.onsets_s, base().rois),
        Prepared(base(), eeg.fit_features, ()),
        eeg.table,
        ClosedFormHead(),
    )


class OtherEeg:
    """Notes what each fold's models answer to other subjects' EEG.

    Scans of the twin have the same volumes, so rows stand at equal scan time.
    """

    def __init__(self, eeg: Read, others: Sequence[Read]) -> None:
        n = len(eeg.volume)
        for other in others:
            if not np.array_equal(other.volume[:n], eeg.volume):
                raise ValueError("another subject's EEG has other volumes")
        self._others = others
        shape = (n, eeg.bold.shape[1])
        self.series = {
            name: [np.full(shape, np.nan) for _ in others] for name in SERIES
        }

    def take(self, fold: FoldModels) -> None:
        """Answer the test part's rows from the others' EEG."""
        rows = fold.part.test
        for at, other in enumerate(self._others):
            power, prior = other.table.features[rows], other.fit_features.prior[rows]
            for name in SERIES:
                answers = getattr(fold, name).predict(power, prior)
                self.series[name][at][rows] = answers


@dataclass(frozen=True, eq=False)
class Fitting:
    """Out-of-fold predictions of one scan, and of the same models on others' EEG."""

    folded: FoldedScan
    others: dict[str, list[np.ndarray]]
    eeg: Read


def fitted_folds(
    eeg: Read, bold: np.ndarray | None = None, others: Sequence[Read] = ()
) -> Fitting:
    """Fit five strict folds."""
    ear = OtherEeg(eeg, others)
    session, options = session_of(eeg, bold), FitOptions()
    parts = strict_folds(eeg.onsets_s, WHOLE)
    folds = list(fit_folds(session, parts, options))
    for fold in folds:
        ear.take(fold)
    folded = predictions_of(session, folds, options)
    return Fitting(folded, ear.series, eeg)


def columns(fitting: Fitting) -> dict[str, list[float]]:
    """Return R and p of every ROI for both candidates, as the gate would take them."""
    n = len(fitting.eeg.bold)
    phases = random_phases(n, n_surrogates=N_SURROGATES, seed=0)
    found = {}
    for name in SERIES:
        scored = OutOfFold(
            predicted=fitting.folded.on_grid(name, fitting.eeg.volume, n),
            measured=fitting.folded.on_grid("scored", fitting.eeg.volume, n),
            rois=base().rois,
            others=tuple(_grid(fitting.eeg, rows) for rows in fitting.others[name]),
        )
        scores = score(scored, phases, seed=0)
        found[f"{name}_r"] = _short(scores.r)
        found[f"{name}_p_phase"] = _short(scores.p_phase)
        if scores.p_other is not None:
            found[f"{name}_p_other"] = _short(scores.p_other)
    return found


def passes(line: dict, *, others: bool) -> np.ndarray:
    """Return, per ROI, whether the gate would pass were it the declared target.

    The better of stack and ridge is kept, so alpha is shared between them.

    Parameters
    ----------
    others : whether other subjects' EEG was given.
    """
    r = np.array([line[f"{name}_r"] for name in SERIES])
    p = np.array([line[f"{name}_p_phase"] for name in SERIES])
    if others:
        p = np.maximum(p, [line[f"{name}_p_other"] for name in SERIES])
    kept = np.where(r[0] > r[1], 0, 1)  # equal: the subject's, as `select.select` does
    at = np.arange(r.shape[1])
    return (r[kept, at] > 0) & (p[kept, at] <= ALPHA / N_CHOICES)


def last_part(eeg: Read, learn_minutes: float) -> Part:
    """Return a division that learns from the first minutes and tests on the last."""
    n = int((eeg.onsets_s < 60 * learn_minutes).sum())
    learn = final_part(eeg.onsets_s[:n], WHOLE)
    after_s = eeg.onsets_s[n - 1] + STRICT_GAP_S
    return Part(learn.train, learn.stop, np.flatnonzero(eeg.onsets_s >= after_s))


def held_out(eeg: Read, learn_minutes: float) -> FoldedScan:
    """Return predictions of the last part by models that learned from the first."""
    return out_of_fold(session_of(eeg), (last_part(eeg, learn_minutes),))


def _grid(eeg: Read, rows: np.ndarray) -> np.ndarray:
    grid = np.full((len(eeg.bold), rows.shape[1]), np.nan)
    grid[eeg.volume] = rows
    return grid


def _short(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]
