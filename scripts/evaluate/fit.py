"""What a calibration does with a scan that has been read: fit, predict, decide."""

from dataclasses import dataclass

import numpy as np

from evaluate.scans import Read, base, shipped
from rtbold.calibration.evaluate.nulls import (
    MIN_SURROGATES,
    Redraw,
    p_above_rivals,
    random_phases,
)
from rtbold.calibration.evaluate.scores import OutOfFold, Scores, score
from rtbold.calibration.evaluate.select import redraw_of
from rtbold.calibration.evaluate.verdict import ALPHA
from rtbold.calibration.fit.folds import (
    FoldedScan,
    PreparedScan,
    out_of_fold,
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
from rtbold.calibration.inputs.confound_kinds import Acting

SERIES = ("stack", "subject", "base")  # what a calibration chooses between
N_SURROGATES = 199  # whole scans are fitted anew to each; p of 0.05 is exact
WHOLE = StrictSettings(stop_share=0.0)  # closed forms need no part to stop by


def session_of(
    eeg: Read, bold: np.ndarray | None = None, body: Acting | None = None
) -> PreparedScan:
    """Return a session with the shipped base and the default strategy.

    Parameters
    ----------
    bold : (volumes, rois), measured; None: what belongs to the EEG.
    body : confounds that are taken out of the targets, on the grid of volumes.
    """
    found = eeg.bold if bold is None else bold
    given = (body.values[eeg.volume], body.names) if body else (None, ())
    unread = np.empty((0, 0, 0), np.float32)  # the closed-form head needs no windows
    return PreparedScan(
        Material(unread, eeg.onsets_s, eeg.volume),
        MeasuredScan(
            found[eeg.volume], eeg.onsets_s, base(eeg.step).rois, *given, unfolded=True
        ),
        Prepared(base(eeg.step), eeg.fit_features, ()),
        eeg.table,
        ClosedFormHead(),
    )


@dataclass(frozen=True, eq=False)
class Fitting:
    """Out-of-fold predictions of one scan."""

    folded: FoldedScan
    eeg: Read
    bold: np.ndarray  # (volumes, rois), as measured


def fitted_folds(
    eeg: Read, bold: np.ndarray | None = None, body: Acting | None = None
) -> Fitting:
    """Fit five strict folds."""
    session = session_of(eeg, bold, body)
    folded = out_of_fold(session, strict_folds(eeg.onsets_s, WHOLE))
    return Fitting(folded, eeg, eeg.bold if bold is None else bold)


def columns(fitting: Fitting) -> dict[str, list]:
    """Return per ROI R and p of every candidate, and which is kept, as the gate does.

    p is over the candidates, as if the ROI had been declared.
    """
    found = {name: _scored(fitting, name) for name in SERIES}
    n_rois = fitting.bold.shape[1]
    p = np.array(
        [
            p_above_rivals(
                [found[name].r[roi] for name in SERIES],
                [found[name].null[:, roi] for name in SERIES],
            )
            for roi in range(n_rois)
        ]
    ).T  # (candidates, rois)
    line: dict[str, list] = {}
    for name, over in zip(SERIES, p, strict=True):
        line[f"{name}_r"] = _short(found[name].r)
        line[f"{name}_p_alone"] = _short(found[name].p)
        line[f"{name}_p"] = _short(over)
    return line


def redraws_of(fitting: Fitting) -> dict[str, Redraw]:
    """Return, of closed forms, what fits surrogates of the scan anew."""
    tr_s = shipped().card.tr_s
    return {
        name: redraw_of(smoother, fitting.bold, tr_s)
        for name, smoother in fitting.folded.smoothers.items()
    }


def _scored(fitting: Fitting, name: str) -> Scores:
    n = len(fitting.eeg.bold)
    phases = random_phases(n, n_surrogates=MIN_SURROGATES, seed=0)[:N_SURROGATES]
    scored = OutOfFold(
        predicted=fitting.folded.on_grid(name, fitting.eeg.volume, n),
        measured=fitting.folded.on_grid("scored", fitting.eeg.volume, n),
        rois=base(fitting.eeg.step).rois,
        cross_fitted=name != "base",
        redraw=redraws_of(fitting).get(name),
    )
    return score(scored, phases, seed=0)


def kept(line: dict, alpha: float = ALPHA) -> np.ndarray:
    """Return, per ROI, the place in `SERIES` of what would be kept."""
    r = np.array([line[f"{name}_r"] for name in SERIES])
    p = np.array([line[f"{name}_p"] for name in SERIES])
    passed = p <= alpha
    allowed = np.where(passed.any(axis=0), passed, True)
    return np.where(allowed, r, -2.0).argmax(axis=0)


def passes(line: dict, *, alpha: float = ALPHA) -> np.ndarray:
    """Return, per ROI, whether the gate would pass were it the declared target."""
    at = kept(line, alpha), np.arange(len(line["base_r"]))
    r = np.array([line[f"{name}_r"] for name in SERIES])[at]
    p = np.array([line[f"{name}_p"] for name in SERIES])[at]
    return (r > 0) & (p <= alpha)


def last_part(eeg: Read, learn_minutes: float) -> Part:
    """Return a division that learns from the first minutes and tests on the last."""
    n = int((eeg.onsets_s < 60 * learn_minutes).sum())
    learn = final_part(eeg.onsets_s[:n], WHOLE)
    after_s = eeg.onsets_s[n - 1] + STRICT_GAP_S
    return Part(learn.train, learn.stop, np.flatnonzero(eeg.onsets_s >= after_s))


def held_out(eeg: Read, learn_minutes: float) -> FoldedScan:
    """Return predictions of the last part by models that learned from the first."""
    return out_of_fold(session_of(eeg), (last_part(eeg, learn_minutes),))


def _short(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]
