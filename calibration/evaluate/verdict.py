"""The verdict on one calibration: how well, how surely, and of what. Pure.

Scored once, on predictions that are out of fold over the whole scan. Cubic drift is
taken off prediction and measurement before anything is scored.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from rtbold.calibration.evaluate.nuisances import (
    Nuisances,
    control_scores,
    cross_r,
    own_rank,
    partial_scores,
)
from rtbold.calibration.evaluate.nulls import MIN_SURROGATES, pairing, random_phases
from rtbold.calibration.evaluate.scores import (
    Declared,
    OutOfFold,
    Scores,
    combined,
    score,
)
from rtbold.calibration.specificity import Evidence, label_of
from rtbold.messages import FloatArray
from rtbold.verdict import Gate, RoiVerdict, Specificity, Verdict

ALPHA: Final = 0.05


@dataclass(frozen=True, slots=True)
class VerdictSettings:
    """How strictly, and with which random numbers."""

    alpha: float = ALPHA
    n_surrogates: int = MIN_SURROGATES
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """Columns to be labelled, and what is known about them."""

    scored: OutOfFold
    scores: Scores
    passed: tuple[bool, ...]
    nuisances: Nuisances | None
    ranks: tuple[int | None, ...]
    n_rois: int


def judge(
    scored: OutOfFold,
    declared: Declared,
    *,
    nuisances: Nuisances | None = None,
    settings: VerdictSettings | None = None,
) -> Verdict:
    """Return the verdict on out-of-fold predictions.

    The gate is passed when R of the declared target is positive and the larger p of the
    two nulls is at most alpha; another ROI passes by its p over all ROIs. Without
    `nuisances` nothing can be called specific.

    Raises
    ------
    ConfigError : the target is no ROI of the model.
    DataFileError : too few scored volumes, or another subject's EEG is too short.
    """
    settings = settings or VerdictSettings()
    phases = random_phases(
        len(scored.predicted), n_surrogates=settings.n_surrogates, seed=settings.seed
    )
    rois = _rois_question(scored, nuisances, phases, settings=settings)
    target = _target_question(rois, declared, phases, settings=settings)
    evidence = _evidence(target, 0, phases, alpha=settings.alpha)
    gate = _gate(target, declared, evidence)
    pair = pairing(scored.predicted, scored.measured)
    return Verdict(
        gate=gate,
        rois=_roi_verdicts(rois, phases, gate=gate),
        specificity=_specificity(target, evidence),
        n_volumes=int(pair.mask.sum()),
        n_surrogates=settings.n_surrogates,
        block_n=target.scores.block_n,
        n_other_subjects=len(scored.others),
        cross_fitted=scored.cross_fitted,
    )


def _rois_question(
    scored: OutOfFold,
    nuisances: Nuisances | None,
    phases: FloatArray,
    *,
    settings: VerdictSettings,
) -> _Question:
    scores = score(scored, phases, seed=settings.seed)
    return _Question(
        scored=scored,
        scores=scores,
        passed=_passed(scores.r, scores.p_max, settings.alpha),
        nuisances=nuisances,
        ranks=tuple(own_rank(cross_r(scored.predicted, scored.measured))),
        n_rois=len(scored.rois),
    )


def _target_question(
    rois: _Question,
    declared: Declared,
    phases: FloatArray,
    *,
    settings: VerdictSettings,
) -> _Question:
    weights = declared.column(rois.scored.rois)
    scored = combined(rois.scored, weights)
    scores = score(scored, phases, seed=settings.seed)
    alone = len(declared.weight_of()) == 1
    return _Question(
        scored=scored,
        scores=scores,
        passed=_passed(scores.r, scores.p, settings.alpha),
        nuisances=rois.nuisances.combined(weights) if rois.nuisances else None,
        # A contrast has no ROI of its own to be ranked by.
        ranks=(rois.ranks[int(np.argmax(weights != 0))] if alone else None,),
        n_rois=rois.n_rois,
    )


def _passed(r: FloatArray, p: FloatArray, alpha: float) -> tuple[bool, ...]:
    return tuple(bool(yes) for yes in (r > 0) & (p <= alpha))


def _evidence(
    question: _Question, column: int, phases: FloatArray, *, alpha: float
) -> Evidence:
    """Return what the label of one column rests on."""
    partial: tuple[dict[str, float], dict[str, float]] = ({}, {})
    scored = question.scored
    if question.nuisances is not None:
        partial = partial_scores(
            scored.predicted[:, column],
            scored.measured[:, column],
            groups=question.nuisances.groups(column, len(scored.predicted)),
            phases=phases,
            cross_fitted=scored.cross_fitted,
        )
    return Evidence(
        r=float(question.scores.r[column]),
        r_high=float(question.scores.high[column]),
        passed=question.passed[column],
        partial_r=partial[0],
        partial_p=partial[1],
        rank=question.ranks[column],
        n_rois=question.n_rois,
        alpha=alpha,
    )


def _gate(target: _Question, declared: Declared, evidence: Evidence) -> Gate:
    scores = target.scores
    label, reason = label_of(evidence)
    return Gate(
        target=declared.target,
        weights=declared.weight_of(),
        r=float(scores.r[0]),
        r_with_drift=float(scores.drifting_r[0]),
        r_low=float(scores.low[0]),
        r_high=float(scores.high[0]),
        p=float(scores.p[0]),
        p_phase=float(scores.p_phase[0]),
        p_other=None if scores.p_other is None else float(scores.p_other[0]),
        r_other=None if scores.r_other is None else float(scores.r_other[0]),
        n_eff=float(scores.n_eff[0]),
        alpha=evidence.alpha,
        passed=evidence.passed,
        label=label,
        reason=reason,
    )


def _roi_verdicts(
    rois: _Question, phases: FloatArray, *, gate: Gate
) -> tuple[RoiVerdict, ...]:
    scores = rois.scores
    return tuple(
        RoiVerdict(
            roi=roi,
            r=float(scores.r[i]),
            r_with_drift=float(scores.drifting_r[i]),
            r_low=float(scores.low[i]),
            r_high=float(scores.high[i]),
            p=float(scores.p[i]),
            p_max=float(scores.p_max[i]),
            n_eff=float(scores.n_eff[i]),
            # Declared before the scan, the target need not pass over all ROIs.
            label=gate.label
            if set(gate.weights) == {roi}
            else label_of(_evidence(rois, i, phases, alpha=gate.alpha))[0],
        )
        for i, roi in enumerate(rois.scored.rois)
    )


def _specificity(target: _Question, evidence: Evidence) -> Specificity:
    nuisances = target.nuisances
    return Specificity(
        partial_r=dict(evidence.partial_r),
        partial_p=dict(evidence.partial_p),
        controls=control_scores(nuisances, target.scored.measured) if nuisances else {},
        rank=evidence.rank,
        n_rois=evidence.n_rois,
        not_known=nuisances.not_known if nuisances else ("every nuisance",),
    )
