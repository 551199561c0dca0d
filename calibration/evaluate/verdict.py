"""The verdict on one calibration: how well, how surely, and of what. Pure.

Scored once, on predictions that are out of fold over the whole scan. Cubic drift is
taken off prediction and measurement before anything is scored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from rtbold.bundle import Gate, Label, RoiVerdict, Specificity, Verdict
from rtbold.calibration.evaluate.confounds import (
    ARTEFACT,
    EVERYTHING,
    GLOBAL,
    Confounds,
    control_scores,
    cross_r,
    own_rank,
    partial_scores,
)
from rtbold.calibration.evaluate.muscle import muscle_line
from rtbold.calibration.evaluate.nulls import MIN_SURROGATES, pairing, random_phases
from rtbold.calibration.evaluate.scores import (
    Declared,
    OutOfFold,
    Scores,
    combined,
    score,
)
from rtbold.messages import FloatArray

# Does a prediction read its region, or artefact and arousal? Pure.
#
# The rules are stated at `label_of`. They speak of one scan, and only of what was
# given: a confound that nobody measured cannot be excluded, and is listed as not known.

USEFUL_R: Final = 0.2  # below, feedback would be noise whatever the p
KEPT_SHARE: Final = 0.5  # of R that must be left when a confound is taken out


@dataclass(frozen=True, slots=True)
class Evidence:
    """The numbers that a label rests on."""

    r: float
    r_high: float
    passed: bool  # the gate, or for other ROIs the max statistic
    partial_r: Mapping[str, float]  # group -> R; empty: no confound was given
    partial_p: Mapping[str, float]
    rank: int | None
    n_rois: int
    alpha: float


def label_of(evidence: Evidence) -> tuple[Label, str]:
    """Return the label and its reason.

    In this order:

    1. R did not pass: `no signal` if the interval excludes a useful R (0.2), else
       `undecided`.
    2. Confounds were not all given: `undecided`.
    3. Less than half of R is left without artefacts: `explained by artefact`; without
       global signal, vigilance index and slow time: `global or vigilance`; without both
       at once: the one of the two that leaves less.
    4. At least half is left, but it does not pass by itself: `undecided`.
    5. The prediction fits most other ROIs better than its own: `global or vigilance`.
    6. `specific`.
    """
    if not evidence.passed:
        return _without_signal(evidence)
    left, p = evidence.partial_r, evidence.partial_p
    if not {ARTEFACT, GLOBAL, EVERYTHING} <= set(left):
        return "undecided", "artefacts, global signal and vigilance were not controlled"
    floor = KEPT_SHARE * evidence.r
    for group, label in _EXPLANATIONS.items():
        if left[group] < floor:
            return label, _falls(evidence, group)
    if left[EVERYTHING] < floor:
        worse = min(_EXPLANATIONS, key=lambda group: left[group])
        return _EXPLANATIONS[worse], _falls(evidence, EVERYTHING)
    loose = [group for group in left if p[group] > evidence.alpha]
    if loose:
        return "undecided", (
            f"R {left[loose[0]]:.2f} without {loose[0]} is not told from chance "
            f"(p {p[loose[0]]:.2g}); more minutes would decide"
        )
    if evidence.rank is not None and evidence.rank > (evidence.n_rois + 1) / 2:
        return "global or vigilance", (
            f"the prediction fits {evidence.rank - 1} of {evidence.n_rois - 1} other "
            "ROIs better than its own"
        )
    return "specific", (
        f"R {left[EVERYTHING]:.2f} of {evidence.r:.2f} is left without artefacts, "
        "global signal and vigilance"
    )


_EXPLANATIONS: Final[dict[str, Label]] = {
    ARTEFACT: "explained by artefact",
    GLOBAL: "global or vigilance",
}


def _without_signal(evidence: Evidence) -> tuple[Label, str]:
    if evidence.r_high < USEFUL_R:
        return "no signal", (
            f"the interval of R ends at {evidence.r_high:.2f}, below a useful "
            f"{USEFUL_R:g}"
        )
    return "undecided", (
        f"R {evidence.r:.2f} is not told from chance, but its interval reaches "
        f"{evidence.r_high:.2f}: too little data to say"
    )


def _falls(evidence: Evidence, group: str) -> str:
    left = evidence.partial_r[group]
    return f"R falls from {evidence.r:.2f} to {left:.2f} without {group}"


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
    confounds: Confounds | None
    ranks: tuple[int | None, ...]
    n_rois: int


def evaluate(
    scored: OutOfFold,
    declared: Declared,
    *,
    confounds: Confounds | None = None,
    settings: VerdictSettings | None = None,
) -> Verdict:
    """Return the verdict on out-of-fold predictions.

    The gate is passed when R of the declared target is positive and the larger p of the
    two nulls is at most alpha; another ROI passes by its p over all ROIs. Without
    `confounds` nothing can be called specific.

    Raises
    ------
    ConfigError : the target is no ROI of the model.
    DataFileError : too few scored volumes, or another subject's EEG is too short.
    """
    settings = settings or VerdictSettings()
    phases = random_phases(
        len(scored.predicted), n_surrogates=settings.n_surrogates, seed=settings.seed
    )
    rois = _rois_question(scored, confounds, phases, settings=settings)
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
    confounds: Confounds | None,
    phases: FloatArray,
    *,
    settings: VerdictSettings,
) -> _Question:
    scores = score(scored, phases, seed=settings.seed)
    return _Question(
        scored=scored,
        scores=scores,
        passed=_passed(scores.r, scores.p_max, settings.alpha),
        confounds=confounds,
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
        confounds=rois.confounds.combined(weights) if rois.confounds else None,
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
    if question.confounds is not None:
        partial = partial_scores(
            scored.predicted[:, column],
            scored.measured[:, column],
            groups=question.confounds.groups(column, scored.predicted[:, column]),
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
    confounds = target.confounds
    return Specificity(
        partial_r=dict(evidence.partial_r),
        partial_p=dict(evidence.partial_p),
        controls=control_scores(confounds, target.scored.measured) if confounds else {},
        rank=evidence.rank,
        n_rois=evidence.n_rois,
        not_known=confounds.not_known if confounds else ("every nuisance",),
        muscle=muscle_line(confounds, target.scored),
    )
