"""What the verdict says of scans that share everything but the brain.

On level `confound` the EEG's rhythms follow a brain that BOLD knows nothing of, while
heart, breath, motion and falling vigilance are in both. The whole verdict is passed, by
the recipe's own choice and evaluation. Level `hard` stands beside it: what the caution
costs where there is a brain to read. What the body truly put into BOLD is known, so it
is also told how much of it is removed.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluate.fit import fitted_folds
from evaluate.gate import turn
from evaluate.scans import Read, Simulated, base, read, shipped, simulated
from evaluate.stats import share
from rtbold.bundle.card import FIT_FOR_FEEDBACK, Cleaning
from rtbold.calibration.datasets.sources import body_of
from rtbold.calibration.evaluate.confounds import (
    Beside,
    Confounds,
    scan_confounds,
)
from rtbold.calibration.evaluate.nulls import DRIFT_DEGREE
from rtbold.calibration.evaluate.scores import Declared
from rtbold.calibration.evaluate.select import Candidates, out_of_fold_of, select
from rtbold.calibration.evaluate.verdict import ALPHA, VerdictSettings, evaluate
from rtbold.calibration.fit.folds import FoldedScan
from rtbold.calibration.fit.target import filtered_rows
from rtbold.calibration.inputs.confound_kinds import acting
from rtbold.calibration.inputs.windows import CalibrationScan
from rtbold.calibration.settings import CalibrationSettings, ScanFiles
from rtbold.messages import FloatArray
from rtbold.sim.bold import simulate_bold
from rtbold.sim.settings import CONFOUND_SEEDS
from rtbold.truth import TARGET_CUTOFF_HZ

DEFAULT_N = len(CONFOUND_SEEDS)
N_HARD = 40  # level `hard`, beside it
NOTHING, GIVEN, REMOVED = KNOWN = (
    "nothing given",
    "motion, heart and breath given",
    "given, and taken out of the targets",
)
AS_GIVEN = "columns as given, at lag 0"  # what was done before


def items(n: int) -> list[tuple]:
    """Return (level, seed, number of the declared ROI)."""
    n_rois = len(base().rois)
    found = []
    for level, count in (("confound", n), ("hard", min(n, N_HARD))):
        rois = turn(count, n_rois)
        seeds = CONFOUND_SEEDS[:count]
        found += [(level, s, int(roi)) for s, roi in zip(seeds, rois, strict=True)]
    return found


def work(item: Sequence, cache: Path) -> dict:
    """Pass the verdict on one scan: without the body's tables, with, and removed."""
    level, seed, roi = item
    session = simulated(seed, level=level)
    eeg = read(session, live_only=True)
    declared = Declared(base().rois[roi])
    body = body_of(session.twin)
    plain = fitted_folds(eeg).folded
    unfolded = acting(body, tr_s=session.twin.settings.tr_s)
    clean = fitted_folds(eeg, body=unfolded).folded
    cases = zip(KNOWN, (plain, plain, clean), ({}, body, body), strict=True)
    found, given_control = {}, None
    for name, folded, given in cases:
        found[name], confounds = judged(session, folded, given, declared)
        if name == GIVEN:
            given_control = confounds.given_control
    true = filtered(true_part(session)[session.material.volume], plain, eeg)
    in_rows = given_control[session.material.volume]
    found["removed"] = {
        AS_GIVEN: removed_share(true, by_columns(session, body, plain)),
        GIVEN: removed_share(true, in_rows),
        REMOVED: removed_share(true, plain.scored - clean.scored),
    }
    return found


def judged(
    session: Simulated, folded: FoldedScan, given: dict, declared: Declared
) -> tuple[dict, Confounds]:
    """Return what the verdict says with some confounds given, and these."""
    scan = calibration_scan(session, given)
    choice = select(Candidates(settings(), declared, shipped(), {0: folded}, scan))
    parts = [fold.part for fold in folded.folds]
    beside = Beside(folded.scored, parts, scan.onsets_s[scan.volume])
    confounds = scan_confounds(scan, shipped().card.channels, beside)
    verdict = evaluate(
        out_of_fold_of(folded, choice.kept, scan),
        declared,
        confounds=confounds,
        settings=VerdictSettings(alpha=ALPHA / choice.n_choices),
    )
    muscle = verdict.specificity.muscle
    return {
        "kept": choice.kept,
        "label": verdict.gate.label,
        "passed": verdict.gate.passed,
        "r": round(verdict.gate.r, 4),
        "partial_r": dict(verdict.specificity.partial_r),
        "roi_labels": [each.label for each in verdict.rois],
        "muscle": {"share": muscle.share, "r": muscle.r, "leans": muscle.leans},
    }, confounds


# How much of what the body truly did is removed.


def true_part(session: Simulated) -> FloatArray:
    """Return (volumes, rois): what heart, breath and motion put into BOLD."""
    twin = session.twin
    return simulate_bold(twin.settings, twin.drive, twin.body).body


def filtered(rows: FloatArray, folded: FoldedScan, eeg: Read) -> FloatArray:
    """Return series as they are scored: each test part low-passed on its own."""
    out = np.full(rows.shape, np.nan)
    for fold in folded.folds:
        test = fold.part.test
        out[test] = filtered_rows(
            rows[test], test, eeg.onsets_s, lowpass_hz=TARGET_CUTOFF_HZ
        )
    return out


def by_columns(session: Simulated, body: dict, folded: FoldedScan) -> FloatArray:
    """Return what the columns as given explain, by least squares."""
    columns = np.stack(list(body.values()), axis=1)[session.material.volume]
    x, y = straight(columns), straight(folded.scored)
    return x @ np.linalg.lstsq(x, y, rcond=None)[0]


def removed_share(true: FloatArray, removed: FloatArray) -> float:
    """Return R2 of the true part, whatever else is removed counted against it."""
    true, removed = straight(true), straight(removed)
    return round(float(1 - ((removed - true) ** 2).sum() / (true**2).sum()), 4)


def straight(rows: FloatArray) -> FloatArray:
    """Return series without the drift that no score has."""
    u = np.linspace(-1, 1, len(rows))
    basis = np.polynomial.legendre.legvander(u, DRIFT_DEGREE)
    return rows - basis @ np.linalg.lstsq(basis, rows, rcond=None)[0]


def settings() -> CalibrationSettings:
    """Return what was asked: the defaults, with the shipped base."""
    return CalibrationSettings(
        subject="simulated",
        scan=ScanFiles(eeg=Path("-"), bold="-"),
        cleaning=Cleaning(software="none", mode="none"),
        root=Path("-"),
        base="demo",
        target=base().rois[0],
    )


def calibration_scan(
    session: Simulated, confounds: dict[str, FloatArray]
) -> CalibrationScan:
    """Return the scan as `calibration.inputs` gives it."""
    return CalibrationScan(
        name="simulated",
        rois=base().rois,
        tr_s=session.twin.settings.tr_s,
        windows=session.material.windows_uv,
        volume=session.material.volume,
        bold=session.twin.bold,
        onsets_s=session.twin.volume_onsets_s,
        confounds=confounds,
        left_out=(),
        degraded={},
        simulated=True,
    )


def summary(lines: Sequence[dict]) -> dict:
    """Return, by level, how often the target passed and was called specific."""
    by_level: dict[str, list[dict]] = {}
    for line in lines:
        by_level.setdefault(line["key"][0], []).append(line)
    return {level: _labels(found) for level, found in sorted(by_level.items())}


def _labels(lines: Sequence[dict]) -> dict:
    found: dict = {"scans": len(lines)}
    for name in KNOWN:
        each = [line[name] for line in lines]
        specific = [x["passed"] and x["label"] == FIT_FOR_FEEDBACK for x in each]
        rois = [label for x in each for label in x["roi_labels"]]
        leans = sum(x["muscle"]["leans"] for x in each)
        labels = sorted({x["label"] for x in each})
        found[name] = {
            "specific": share(sum(specific), len(each)),
            "passed": share(sum(x["passed"] for x in each), len(each)),
            "labels": {k: sum(x["label"] == k for x in each) for k in labels},
            "specific_of_all_rois": rois.count(FIT_FOR_FEEDBACK) / len(rois),
            "leans_on_muscle": share(leans, len(each)),
        }
    found["removed"] = {
        name: _spread([line["removed"][name] for line in lines])
        for name in (AS_GIVEN, GIVEN, REMOVED)
    }
    return found


def _spread(values: Sequence[float]) -> dict:
    """Return mean, smallest and largest R2 over scans."""
    return {"mean": float(np.mean(values)), "low": min(values), "high": max(values)}
