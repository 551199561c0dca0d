"""The publication's way of scoring, for comparison only: one split, whole-scan scaling.

8:1:1 in time, low-pass and 95th percentile over the whole scan, windows of different
parts overlapping. The last tenth of 20 minutes holds some 12 independent volumes, so
the number decides nothing (Li et al., NeurIPS 2024).
"""

import numpy as np

from rtbold.calibration.fit.folds import FitOptions, Session
from rtbold.calibration.fit.protocol import Task
from rtbold.calibration.fit.split import published_split
from rtbold.calibration.fit.subject_ridge import fit_subject_ridge
from rtbold.calibration.fit.target import TargetSettings, fit_scaling, targets
from rtbold.calibration.progress import Pace
from rtbold.calibration.result import Choice, PublishedScore
from rtbold.calibration.score import pearson_r
from rtbold.errors import DataFileError


def published_score(
    session: Session, choice: Choice, options: FitOptions
) -> PublishedScore | None:
    """Return R of each ROI on the last tenth, at horizon 0, drift left in.

    None for a scan that is too short for this split: it only serves comparison, so a
    scan that the verdict can judge is calibrated without it.
    """
    scan = session.measured
    rows = np.arange(len(scan.onsets_s))
    try:
        part = published_split(len(rows), float(np.median(np.diff(scan.onsets_s))))
    except DataFileError:
        return None
    scaling = fit_scaling(scan, rows, TargetSettings(drift_degree=0, method="p95"))
    units = targets(scan, rows, scaling)
    task = Task(units, part.train, part.stop, options.seed)
    if choice.kept == "ridge_live":
        both = np.sort(np.concatenate([part.train, part.stop]))
        ridge = fit_subject_ridge(session.tables, units, both, live=True)
        predicted = ridge.predict(part.test)
    else:
        total = session.strategy.n_steps(len(part.train))
        pace = Pace("published split", total, now_s=options.now_s, tell=options.tell)
        fitted = session.strategy.fit(
            session.prepared, task, pace=pace, wish=options.wish
        )
        predicted = fitted.predict(part.test)
    r = pearson_r(predicted, units[part.test])
    return PublishedScore(
        roi_r=dict(zip(scan.rois, r.tolist(), strict=True)),
        n_train=len(part.train),
        n_test=len(part.test),
    )
