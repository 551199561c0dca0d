"""What the verdict says of scans that share everything but the brain.

On level `confound` the EEG's rhythms follow a brain that BOLD knows nothing of, while
heart, breath, motion and falling vigilance are in both. The whole verdict is passed, by
the recipe's own choice and evaluation. Level `hard` stands beside it: what the caution
costs where there is a brain to read.
"""

from collections.abc import Sequence
from pathlib import Path

from evaluate.fit import fitted_folds
from evaluate.gate import turn
from evaluate.scans import Simulated, base, read, shipped, simulated
from evaluate.stats import share
from rtbold.bundle.card import FIT_FOR_FEEDBACK, Cleaning
from rtbold.calibration.datasets.sources import body_of
from rtbold.calibration.evaluate.confounds import Beside, scan_confounds
from rtbold.calibration.evaluate.scores import Declared
from rtbold.calibration.evaluate.select import Candidates, out_of_fold_of, select
from rtbold.calibration.evaluate.verdict import ALPHA, VerdictSettings, evaluate
from rtbold.calibration.inputs.windows import CalibrationScan
from rtbold.calibration.settings import CalibrationSettings, ScanFiles
from rtbold.messages import FloatArray
from rtbold.sim.settings import CONFOUND_SEEDS

DEFAULT_N = len(CONFOUND_SEEDS)
N_HARD = 40  # level `hard`, beside it
KNOWN = ("nothing given", "motion, heart and breath given")


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
    """Pass the verdict on one scan, with and without the body's tables."""
    level, seed, roi = item
    session = simulated(seed, level=level)
    eeg = read(session)
    folded = fitted_folds(eeg).folded
    declared = Declared(base().rois[roi])
    bare = calibration_scan(session, {})
    choice = select(Candidates(settings(), declared, shipped(), {0: folded}, bare))
    found = {"kept": choice.kept}
    parts = [fold.part for fold in folded.folds]
    for name, confounds in zip(KNOWN, ({}, body_of(session.twin)), strict=True):
        scan = calibration_scan(session, confounds)
        beside = Beside(folded.scored, parts, eeg.onsets_s)
        confounds = scan_confounds(scan, shipped().card.channels, beside)
        verdict = evaluate(
            out_of_fold_of(folded, choice.kept, scan),
            declared,
            confounds=confounds,
            settings=VerdictSettings(alpha=ALPHA / choice.n_choices),
        )
        found[name] = {
            "label": verdict.gate.label,
            "passed": verdict.gate.passed,
            "r": round(verdict.gate.r, 4),
            "partial_r": dict(verdict.specificity.partial_r),
            "roi_labels": [each.label for each in verdict.rois],
        }
    return found


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
        labels = sorted({x["label"] for x in each})
        found[name] = {
            "specific": share(sum(specific), len(each)),
            "passed": share(sum(x["passed"] for x in each), len(each)),
            "labels": {k: sum(x["label"] == k for x in each) for k in labels},
            "specific_of_all_rois": rois.count(FIT_FOR_FEEDBACK) / len(rois),
        }
    return found
