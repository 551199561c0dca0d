"""Which of the fitted models is kept, at which horizon, and the verdict on it. Pure.

Each candidate whose out-of-fold R is looked at before choosing is a chance to be lucky,
so the verdict shares its alpha among them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from rtbold.bundle import Bundle
from rtbold.calibration.evaluate.confounds import Beside, Confounds, scan_confounds
from rtbold.calibration.evaluate.intervals import conformal_intervals
from rtbold.calibration.evaluate.nulls import random_phases
from rtbold.calibration.evaluate.ood import (
    head_inputs,
    lines_of,
    ood_reference,
    statistics_of,
)
from rtbold.calibration.evaluate.scores import (
    Declared,
    OutOfFold,
    combined,
    score,
)
from rtbold.calibration.evaluate.verdict import ALPHA, VerdictSettings, evaluate
from rtbold.calibration.fit.folds import (
    FinalFit,
    FitOptions,
    FoldedScan,
    Kept,
    PreparedScan,
    fit_all,
    furthest_horizon,
    own_models,
)
from rtbold.calibration.fit.protocol import Hooks, Pace, Task
from rtbold.calibration.fit.split import final_part, published_split
from rtbold.calibration.fit.target import TargetSettings, fit_scaling, targets
from rtbold.calibration.gather import AlignedScan
from rtbold.calibration.inputs.windows import CalibrationScan
from rtbold.calibration.predictions import OutOfFoldPredictions
from rtbold.calibration.result import (
    CalibrationResult,
    Choice,
    Evaluated,
    PublishedScore,
    TargetScore,
)
from rtbold.calibration.settings import CalibrationSettings
from rtbold.errors import DataFileError
from rtbold.messages import FloatArray
from rtbold.truth import pearson_r

_SURROGATES_N: Final = 999
_NO_ENCODER: Final = (
    "from nothing there is no encoder to read, only band power: this is the subject's "
    "ridge"
)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Everything that was fitted out of fold."""

    settings: CalibrationSettings
    declared: Declared
    base: Bundle | None
    folded: Mapping[int, FoldedScan]
    scan: CalibrationScan


def select(candidates: Candidates) -> Choice:
    """Return what is kept, with the reasons."""
    settings = candidates.settings
    asked = settings.horizon
    first = asked if asked is not None else min(candidates.folded)
    kept, n_models, reasons = _model(candidates, first)
    scores = {h: _score(candidates, h, kept) for h in candidates.folded}
    if asked is not None:
        return Choice(kept, asked, scores, n_models, tuple(reasons))
    chosen = furthest_horizon({h: s.r for h, s in scores.items()})
    reasons.append(
        f"horizon {chosen}: the furthest within 0.02 of the best R of the target"
    )
    return Choice(kept, chosen, scores, n_models * len(scores), tuple(reasons))


def out_of_fold_of(folded: FoldedScan, name: str, scan: CalibrationScan) -> OutOfFold:
    """Return one series on the scan's grid of volumes, as it is scored."""
    n = len(scan.bold)
    return OutOfFold(
        folded.on_grid(name, scan.volume, n),
        folded.on_grid("scored", scan.volume, n),
        scan.rois,
    )


def _model(candidates: Candidates, horizon: int) -> tuple[Kept, int, list[str]]:
    """Return the series that is kept, the number of candidates, and why."""
    settings, base = candidates.settings, candidates.base
    if settings.strategy == "ridge":
        return "subject", 1, ["the subject's ridge, as asked"]
    if base is None and settings.strategy == "head":
        return "subject", 1, [_NO_ENCODER]
    stacked = settings.strategy == "head" and candidates.folded[horizon].stacked
    kept: Kept = "stack" if stacked else "network"
    if base is None or not base.card.origin.simulated_lineage:
        return kept, 1, []
    ours = _score(candidates, horizon, kept).r
    nothing = _score(candidates, horizon, "subject").r
    better = ours > nothing
    reason = (
        f"base '{base.card.name}', of simulated data, "
        + ("beats" if better else "was not kept: it does not beat")
        + " starting from nothing (the subject's ridge): R of the target out of fold "
        f"{ours:.3f} against {nothing:.3f}"
    )
    return kept if better else "subject", 2, [reason]


def _score(candidates: Candidates, horizon: int, name: Kept) -> TargetScore:
    scan = candidates.scan
    series = out_of_fold_of(candidates.folded[horizon], name, scan)
    target = combined(series, candidates.declared.column(scan.rois))
    phases = random_phases(len(scan.bold), n_surrogates=_SURROGATES_N, seed=0)
    found = score(target, phases, seed=candidates.settings.seed)
    return TargetScore(float(found.r[0]), float(found.low[0]), float(found.high[0]))


# Stage 4: the verdicts on both candidates, and the model that is kept.


def evaluate_predictions(
    predictions: OutOfFoldPredictions, hooks: Hooks
) -> CalibrationResult:
    """Choose between the candidates, pass the verdicts, and fit on the whole scan."""
    aligned, declared = predictions.aligned, predictions.declared
    session = predictions.session
    choice = select(
        Candidates(
            aligned.settings, declared, aligned.base, predictions.folded, aligned.scan
        )
    )
    hooks.say("judging the predictions")
    folded = predictions.folded[choice.horizon_tr]
    confounds = _nuisances(aligned, folded)
    kept = _evaluated(predictions, choice, confounds, name=choice.kept)
    other = _beside(aligned, choice, folded)
    beside = (
        kept
        if other is None
        else _evaluated(predictions, choice, confounds, name=other)
    )
    hooks.say("fitting the model that is kept, on the whole scan")
    options = replace(predictions.options, horizon_tr=choice.horizon_tr)
    part = final_part(session.measured.onsets_s, predictions.split)
    final = fit_all(session, part, options)
    features = _head_inputs(predictions, choice, final)
    statistics = statistics_of(aligned.scan.batches())
    lines = lines_of(aligned.scan.batches(), tr_s=aligned.scan.tr_s)
    return CalibrationResult(
        aligned=aligned,
        measured=session.measured,
        folded=folded,
        choice=choice,
        declared=declared,
        confounds=confounds,
        kept=kept,
        beside=beside,
        intervals=conformal_intervals(getattr(folded, choice.kept), folded.target),
        published=published_score(session, choice, predictions.options),
        final=final,
        likeness=ood_reference(statistics, features=features, lines=lines),
        head_inputs=features,
    )


def _beside(aligned: AlignedScan, choice: Choice, folded: FoldedScan) -> Kept | None:
    """Return what is told beside what is kept; None: nothing else was fitted."""
    if choice.kept != "subject":
        return "subject"
    if aligned.settings.strategy not in ("head", "ridge"):
        return "network"
    return "stack" if folded.stacked else None


def _nuisances(aligned: AlignedScan, folded: FoldedScan) -> Confounds:
    """Return what else could explain the predictions."""
    scan, parts = aligned.scan, [fold.part for fold in folded.folds]
    return scan_confounds(
        scan,
        aligned.card.channels,
        Beside(folded.scored, parts, scan.onsets_s[scan.volume]),
        slices_per_tr=aligned.settings.slices_per_tr,
    )


def _evaluated(
    predictions: OutOfFoldPredictions,
    choice: Choice,
    confounds: Confounds,
    *,
    name: Kept,
) -> Evaluated:
    scan, folded = predictions.aligned.scan, predictions.folded[choice.horizon_tr]
    others = folded.others_on_grid(name, scan.volume, len(scan.bold))
    scored = replace(out_of_fold_of(folded, name, scan), others=others)
    settings = VerdictSettings(
        alpha=ALPHA / choice.n_choices, seed=predictions.aligned.settings.seed
    )
    verdict = evaluate(
        scored, predictions.declared, confounds=confounds, settings=settings
    )
    return Evaluated(scored, verdict)


def _head_inputs(
    predictions: OutOfFoldPredictions, choice: Choice, final: FinalFit
) -> FloatArray:
    """Return what the kept model's head reads; read anew only if the encoder moved."""
    session = predictions.session
    read, power = session.prepared.fit_features.features, session.table.features
    if choice.kept == "subject":
        found = power
    elif choice.kept == "stack":
        found = np.concatenate([read, power], axis=1)
    elif session.strategy.name == "head":
        found = read
    else:
        batches = predictions.aligned.scan.batches()
        return head_inputs(final.fitted.module(), batches)
    return np.asarray(found, dtype=np.float64)


# The publication's way of scoring, for comparison only: one split, whole-scan scaling.
#
# 8:1:1 in time, low-pass and 95th percentile over the whole scan, windows of different
# parts overlapping. The last tenth of 20 minutes holds some 12 independent volumes, so
# the number decides nothing (Li et al., NeurIPS 2024).


def published_score(
    session: PreparedScan, choice: Choice, options: FitOptions
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
    if choice.kept != "network":
        subject, stack = own_models(session, task, options)
        made = subject if choice.kept == "subject" or stack is None else stack
        base = session.prepared.fit_features.prior
        predicted = made.predict(session.table.features[part.test], base[part.test])
    else:
        total = session.strategy.n_steps(len(part.train))
        pace = Pace("published split", total, now_s=options.now_s, tell=options.tell)
        fitted = session.strategy.fit(
            session.prepared, task, pace=pace, cancel=options.cancel
        )
        predicted = fitted.predict(part.test)
    r = pearson_r(predicted, units[part.test])
    return PublishedScore(
        roi_r=dict(zip(scan.rois, r.tolist(), strict=True)),
        n_train=len(part.train),
        n_test=len(part.test),
    )
