"""What the verdict says of scans that share everything but the brain.

On level `confound` the EEG's rhythms follow a brain that BOLD knows nothing of, while
heart, breath, motion and falling vigilance are in both. The whole verdict is passed, by
the recipe's own choice and evaluation. Level `hard` stands beside it: what the caution
costs where there is a brain to read.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from evaluate.fit import fitted_folds
from evaluate.gate import turn
from evaluate.scans import Simulated, base, read, shipped, simulated
from evaluate.stats import share
from rtbold.bundle.card import FIT_FOR_FEEDBACK, Cleaning
from rtbold.calibration.datasets.sources import body_of
from rtbold.calibration.evaluate.confounds import Beside, scan_confounds
from rtbold.calibration.evaluate.scores import Declared
from rtbold.calibration.evaluate.select import Candidates, select
from rtbold.calibration.evaluate.verdict import Examined, judge
from rtbold.calibration.fit.folds import FoldedScan
from rtbold.calibration.inputs.confound_kinds import acting
from rtbold.calibration.inputs.windows import CalibrationScan
from rtbold.calibration.settings import CalibrationSettings, ScanFiles
from rtbold.messages import FloatArray
from rtbold.sim.settings import CONFOUND_SEEDS

DEFAULT_N = len(CONFOUND_SEEDS)
N_HARD = 40  # level `hard`, beside it
KNOWN = (
    "nothing given",
    "motion, heart and breath given",
    "given, and taken out of the targets",
)


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
    eeg = read(session)
    declared = Declared(base().rois[roi])
    body = body_of(session.twin)
    plain = fitted_folds(eeg).folded
    unfolded = acting(body, tr_s=session.twin.settings.tr_s)
    clean = fitted_folds(eeg, body=unfolded).folded
    found = {}
    for folded, removed, cases in (
        (plain, (), zip(KNOWN[:2], ({}, body), strict=True)),
        (clean, tuple(body), ((KNOWN[2], body),)),
    ):
        looked_at = Candidates(
            settings(), declared, shipped(), {0: folded},
            calibration_scan(session, body), removed,
        )  # fmt: skip
        choice, looked = select(looked_at)
        for name, given in cases:
            scan = calibration_scan(session, given)
            kept = looked, choice.kept
            found[name] = judged(scan, folded, kept, eeg.onsets_s)
    return found


def judged(
    scan: CalibrationScan,
    folded: FoldedScan,
    kept: tuple[Mapping[str, Examined], str],
    onsets_s: FloatArray,
) -> dict:
    """Return what the verdict says with some confounds given."""
    parts = [fold.part for fold in folded.folds]
    beside = Beside(folded.scored, parts, onsets_s)
    confounds = scan_confounds(scan, shipped().card.channels, beside)
    verdict = judge(*kept, confounds=confounds)
    muscle = verdict.specificity.muscle
    return {
        "kept": kept[1],
        "label": verdict.gate.label,
        "passed": verdict.gate.passed,
        "r": round(verdict.gate.r, 4),
        "partial_r": dict(verdict.specificity.partial_r),
        "roi_labels": [each.label for each in verdict.rois],
        "muscle": {"share": muscle.share, "r": muscle.r, "leans": muscle.leans},
    }


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
    return found
