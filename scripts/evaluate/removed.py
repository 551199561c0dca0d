"""How much of what a body truly put into BOLD is removed, once its tables are given.

No EEG is needed for it, so it is known for many scans and lengths. Three ways: columns
as given by least squares (what was done before), what the verdict controls for, and
what `--confounds` takes out of the targets, weighed on training volumes alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtbold.calibration.datasets.sources import body_of
from rtbold.calibration.evaluate.confounds import explained
from rtbold.calibration.evaluate.nulls import DRIFT_DEGREE
from rtbold.calibration.fit.split import Part, strict_folds
from rtbold.calibration.fit.target import (
    MeasuredScan,
    TargetSettings,
    filtered_rows,
    fit_scaling,
    scored_target,
)
from rtbold.calibration.inputs.confound_kinds import Acting, acting
from rtbold.messages import FloatArray
from rtbold.sim.bold import simulate_bold
from rtbold.sim.brain import draw_body, draw_brain, slow_times_s
from rtbold.sim.recording import Body, volume_onsets_s
from rtbold.sim.settings import CONFOUND_SEEDS, TwinSettings
from rtbold.sim.twin import read_rois
from rtbold.truth import TARGET_CUTOFF_HZ

DEFAULT_N = len(CONFOUND_SEEDS)
LEVELS = ("confound", "hard")
MINUTES = (10, 20)
TR_S = 2.1
WAYS = AS_GIVEN, VERDICT, TARGETS = (
    "columns as given, at lag 0",
    "in the verdict",
    "out of the targets",
)


def items(n: int) -> list[tuple]:
    """Return (level, minutes, seed)."""
    return [(level, m, s) for level in LEVELS for m in MINUTES
            for s in CONFOUND_SEEDS[:n]]  # fmt: skip


@dataclass(frozen=True)
class Scan:
    """BOLD of one simulated scan, and what of it is the body's."""

    body: Body
    volume_onsets_s: FloatArray
    drive_t_s: FloatArray
    bold: FloatArray
    true: FloatArray


def simulated(level: str, minutes: float, seed: int) -> Scan:
    """Return a scan without its EEG; the brain that the body goes with is the EEG's."""
    settings = TwinSettings(seed=seed, level=level, duration_s=60 * minutes, tr_s=TR_S)
    heard = "brain" if settings.parameters.neural_eeg else "decoy"
    brains = [draw_brain(settings, read_rois(), whose) for whose in ("brain", heard)]
    body = draw_body(settings, brains[1].arousal)
    made = simulate_bold(settings, brains[0].drive, body)
    onsets_s, slow_s = volume_onsets_s(settings), slow_times_s(settings.duration_s)
    return Scan(body, onsets_s, slow_s, made.measured, made.body)


def work(item: Sequence, cache: Path) -> dict:
    """Return R2 of the true part that each way removes."""
    scan = simulated(*item)
    body = body_of(scan)
    folds = strict_folds(scan.volume_onsets_s)
    unfolded = acting(body, tr_s=TR_S)
    scored, true = (filtered(rows, folds, scan) for rows in (scan.bold, scan.true))
    columns = straight(np.stack(list(body.values()), axis=1))
    as_given = columns @ np.linalg.lstsq(columns, straight(scored), rcond=None)[0]
    verdict = explained(filtered(unfolded.values, folds, scan), scored)
    return {
        "part": round(float(straight(true).var() / straight(scored).var()), 4),
        AS_GIVEN: share(true, as_given),
        VERDICT: share(true, verdict),
        TARGETS: share(true, scored - without(scan, unfolded, folds)),
    }


def filtered(rows: FloatArray, folds: Sequence[Part], scan: Scan) -> FloatArray:
    """Return series as they are scored: each test part low-passed on its own."""
    return np.concatenate([
        filtered_rows(rows[fold.test], fold.test, scan.volume_onsets_s,
                      lowpass_hz=TARGET_CUTOFF_HZ)
        for fold in folds
    ])  # fmt: skip


def without(scan: Scan, unfolded: Acting, folds: Sequence[Part]) -> FloatArray:
    """Return what each test part is scored against once confounds are taken out."""
    rois = tuple(roi.name for roi in read_rois())
    measured = MeasuredScan(
        scan.bold, scan.volume_onsets_s, rois, unfolded.values, unfolded.names,
        unfolded=True,
    )  # fmt: skip
    scalings = [fit_scaling(measured, fold.train, TargetSettings()) for fold in folds]
    return np.concatenate([
        scored_target(measured, fold.test, scaling)
        for fold, scaling in zip(folds, scalings, strict=True)
    ])  # fmt: skip


def share(true: FloatArray, removed: FloatArray) -> float:
    """Return R2 of the true part, whatever else is removed counted against it."""
    true, removed = straight(true), straight(removed)
    return round(float(1 - ((removed - true) ** 2).sum() / (true**2).sum()), 4)


def straight(rows: FloatArray) -> FloatArray:
    """Return series without the drift that no score has."""
    u = np.linspace(-1, 1, len(rows))
    basis = np.polynomial.legendre.legvander(u, DRIFT_DEGREE)
    return rows - basis @ np.linalg.lstsq(basis, rows, rcond=None)[0]


def summary(lines: Sequence[dict]) -> dict:
    """Return by level and length the R2 of each way: mean, 5 % quantile, smallest."""
    found: dict = {}
    for level in LEVELS:
        for minutes in MINUTES:
            here = [x for x in lines if x["key"][:2] == [level, minutes]]
            cell = {way: _spread([x[way] for x in here]) for way in WAYS}
            part = float(np.mean([x["part"] for x in here]))
            found.setdefault(level, {})[str(minutes)] = {"part": part, "ways": cell}
    return found


def _spread(values: Sequence[float]) -> dict:
    return {
        "mean": float(np.mean(values)),
        "low": float(np.quantile(values, 0.05)),
        "least": min(values),
    }
