"""The verdict on one calibration: how well, how surely, and of what. Pure.

Scored once, on predictions that are out of fold over the whole scan. Cubic drift is
taken off prediction and measurement before anything is scored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from rtbold.bundle import (
    Declaration,
    Gate,
    Label,
    Learnable,
    OtherTarget,
    RoiVerdict,
    Specificity,
    Verdict,
)
from rtbold.calibration.declaration import Tries
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
from rtbold.calibration.evaluate.learnable import ScanFacts, learnable
from rtbold.calibration.evaluate.muscle import muscle_line
from rtbold.calibration.evaluate.nulls import (
    MIN_SURROGATES,
    p_above_max,
    p_above_rivals,
    pairing,
    random_phases,
)
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
LESS_OTHERS: Final = "less all others"  # behind the name of a ROI


@dataclass(frozen=True, slots=True)
class VerdictSettings:
    """How strictly, and with which random numbers."""

    alpha: float = ALPHA
    n_surrogates: int = MIN_SURROGATES
    seed: int = 0
    tries: Tries = field(default_factory=Tries)
    declaration: Declaration | None = None
    facts: ScanFacts | None = None  # None: nothing is said of what can be learned


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """One candidate's predictions, with R and null of each ROI, then of the target."""

    scored: OutOfFold  # the ROIs alone
    declared: Declared
    weights: FloatArray  # (rois, columns), what each column is a sum of
    columns: OutOfFold  # the ROIs, the target, and maybe the target less all others
    scores: Scores  # of the columns
    phases: FloatArray

    @property
    def n_rois(self) -> int:
        """Number of ROIs, which is the target's place among the columns."""
        return len(self.scored.rois)

    @property
    def r(self) -> float:
        """R of the target."""
        return float(self.scores.r[self.n_rois])

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of that."""
        at = self.n_rois
        return float(self.scores.low[at]), float(self.scores.high[at])

    @property
    def null(self) -> FloatArray:
        """R of the target by chance, (surrogates,)."""
        return self.scores.null[:, self.n_rois]


def examine(
    scored: OutOfFold, declared: Declared, settings: VerdictSettings | None = None
) -> Examined:
    """Return R of ROIs and target, and what they would be by chance.

    Raises
    ------
    ConfigError : the target is no ROI of the model.
    DataFileError : too few scored volumes, or another subject's EEG is too short.
    """
    settings = settings or VerdictSettings()
    phases = random_phases(
        len(scored.predicted), n_surrogates=settings.n_surrogates, seed=settings.seed
    )
    weights, names = _columns(scored.rois, declared)
    columns = combined(scored, weights, names)
    scores = score(columns, phases, seed=settings.seed)
    return Examined(scored, declared, weights, columns, scores, phases)


def target_p(candidates: Sequence[Examined]) -> list[float]:
    """Return p of the target for each candidate, against the best of all by chance."""
    return p_above_rivals([c.r for c in candidates], [c.null for c in candidates])


def evaluate(
    scored: OutOfFold,
    declared: Declared,
    *,
    confounds: Confounds | None = None,
    settings: VerdictSettings | None = None,
) -> Verdict:
    """Return the verdict on out-of-fold predictions that nothing was compared with.

    The gate is passed when R of the declared target is positive and p at most alpha;
    another ROI passes by its p over all ROIs. Without `confounds` nothing can be called
    specific.

    Raises
    ------
    ConfigError, DataFileError : as `examine`.
    """
    examined = examine(scored, declared, settings)
    return judge({"": examined}, "", confounds=confounds, settings=settings)


def judge(
    candidates: Mapping[str, Examined],
    kept: str,
    *,
    confounds: Confounds | None = None,
    settings: VerdictSettings | None = None,
) -> Verdict:
    """Return the verdict on one of several candidates, of the same phases.

    The p of the target is over all candidates and all earlier calibrations of the scan,
    so it holds whichever is kept.
    """
    settings = settings or VerdictSettings()
    p = dict(zip(candidates, target_p(list(candidates.values())), strict=True))[kept]
    question = _Question(
        candidates[kept],
        min(1.0, settings.tries.n * p),
        settings=settings,
        confounds=confounds,
    )
    gate = question.gate({name: c.r for name, c in candidates.items() if name})
    scored = question.examined.scored
    pair = pairing(scored.predicted, scored.measured)
    return Verdict(
        gate=gate,
        rois=question.rois(gate),
        specificity=question.specificity(),
        n_volumes=int(pair.mask.sum()),
        n_surrogates=settings.n_surrogates,
        block_n=question.examined.scores.block_n,
        n_other_subjects=len(scored.others),
        cross_fitted=scored.cross_fitted,
        learnable=question.learnable(),
        less_others=question.less_others(),
    )


class _Question:
    """Columns to be labelled, and what is known about them."""

    def __init__(
        self,
        examined: Examined,
        p: float,
        *,
        settings: VerdictSettings,
        confounds: Confounds | None,
    ) -> None:
        self.examined, self._p, self._settings = examined, p, settings
        self._confounds = confounds and confounds.combined(examined.weights)
        scored = examined.scored
        self._ranks = own_rank(cross_r(scored.predicted, scored.measured))
        self._p_max = self._over_columns()
        self._evidence = self._of(examined.n_rois, p=p, rank=self._rank())

    def gate(self, compared: Mapping[str, float]) -> Gate:
        """Return what is said of the target; `compared` are the candidates' R."""
        scores, at = self.examined.scores, self.examined.n_rois
        evidence, declared = self._evidence, self.examined.declared
        label, reason = label_of(evidence)
        other = scores.p_other is not None and scores.r_other is not None
        return Gate(
            target=declared.target,
            weights=declared.weight_of(),
            r=evidence.r,
            r_with_drift=float(scores.drifting_r[at]),
            r_low=float(scores.low[at]),
            r_high=evidence.r_high,
            p=self._p,
            p_phase=float(scores.p[at]),
            p_other=float(scores.p_other[at]) if other else None,  # type: ignore[index]
            r_other=float(scores.r_other[at]) if other else None,  # type: ignore[index]
            n_eff=float(scores.n_eff[at]),
            alpha=evidence.alpha,
            passed=evidence.passed,
            label=label,
            reason=reason,
            candidates=dict(compared),
            n_calibrations=self._settings.tries.n,
            reuse=float(scores.reuse[at]),
            declaration=self._settings.declaration,
        )

    def rois(self, gate: Gate) -> tuple[RoiVerdict, ...]:
        """Return what is said of each ROI."""
        scores = self.examined.scores
        return tuple(
            RoiVerdict(
                roi=roi,
                r=float(scores.r[i]),
                r_with_drift=float(scores.drifting_r[i]),
                r_low=float(scores.low[i]),
                r_high=float(scores.high[i]),
                p=float(scores.p[i]),
                p_max=float(self._p_max[i]),
                n_eff=float(scores.n_eff[i]),
                # Declared before the scan, the target need not pass over all ROIs.
                label=gate.label
                if set(gate.weights) == {roi}
                else label_of(self._of(i, p=self._p_max[i], rank=self._ranks[i]))[0],
            )
            for i, roi in enumerate(self.examined.scored.rois)
        )

    def specificity(self) -> Specificity:
        """Return what the target's prediction may read."""
        confounds, at = self._confounds, self.examined.n_rois
        measured = self.examined.columns.measured[:, at : at + 1]
        own = confounds and confounds.combined(_unit(at, self.examined.weights.shape))
        return Specificity(
            partial_r=dict(self._evidence.partial_r),
            partial_p=dict(self._evidence.partial_p),
            controls=control_scores(own, measured) if own else {},
            rank=self._evidence.rank,
            n_rois=self.examined.n_rois,
            not_known=confounds.not_known if confounds else ("every nuisance",),
            muscle=muscle_line(confounds, self.examined.columns, at),
        )

    def learnable(self) -> Learnable | None:
        """Return what a participant could learn from the target."""
        facts, at = self._settings.facts, self.examined.n_rois
        if facts is None:
            return None
        columns = self.examined.columns
        return learnable(
            columns.predicted[:, at],
            columns.measured[:, at],
            facts,
            global_signal=self._confounds.global_signal if self._confounds else None,
        )

    def less_others(self) -> OtherTarget | None:
        """Return what is said of the target less all others, if it was looked at."""
        at = self.examined.n_rois + 1
        if at == len(self.examined.columns.rois):
            return None
        evidence = self._of(at, p=self._p_max[at], rank=None)
        return OtherTarget(
            target=self.examined.columns.rois[at],
            r=evidence.r,
            p=float(self._p_max[at]),
            label=label_of(evidence)[0],
        )

    def _over_columns(self) -> FloatArray:
        """Return p of every column over all that was not declared."""
        scores, at = self.examined.scores, self.examined.n_rois
        others = np.arange(len(scores.r)) != at
        p = np.ones(len(scores.r))
        p[others] = p_above_max(scores.r[others], scores.null[:, others])
        over_all: FloatArray = np.minimum(1.0, self._settings.tries.n_models * p)
        return over_all

    def _rank(self) -> int | None:
        """Return the rank of the target's ROI; a contrast has none of its own."""
        declared, rois = self.examined.declared, self.examined.scored.rois
        alone = list(declared.weight_of())
        return self._ranks[rois.index(alone[0])] if len(alone) == 1 else None

    def _of(self, column: int, *, p: float, rank: int | None) -> Evidence:
        """Return what the label of one column rests on."""
        scores, columns = self.examined.scores, self.examined.columns
        r, alpha = float(scores.r[column]), self._settings.alpha
        partial: tuple[dict[str, float], dict[str, float]] = ({}, {})
        if self._confounds is not None:
            partial = partial_scores(
                columns.predicted[:, column],
                columns.measured[:, column],
                groups=self._confounds.groups(column, columns.predicted[:, column]),
                phases=self.examined.phases,
                reuse=float(scores.reuse[column]),
            )
        return Evidence(
            r=r,
            r_high=float(scores.high[column]),
            passed=r > 0 and p <= alpha,
            partial_r=partial[0],
            partial_p=partial[1],
            rank=rank,
            n_rois=self.examined.n_rois,
            alpha=alpha,
        )


def _columns(
    rois: tuple[str, ...], declared: Declared
) -> tuple[FloatArray, tuple[str, ...]]:
    """Return what is scored: every ROI, the target, and a ROI less all others."""
    target = declared.column(rois)
    found, names = [np.eye(len(rois)), target], [*rois, declared.target]
    if len(declared.weight_of()) == 1 and len(rois) > 1:
        own = target != 0
        found.append(np.where(own, 1.0, -1.0 / (len(rois) - 1)))
        names.append(f"{declared.target} {LESS_OTHERS}")
    return np.concatenate(found, axis=1), tuple(names)


def _unit(column: int, shape: tuple[int, ...]) -> FloatArray:
    """Return the weights that pick one column."""
    return np.eye(shape[1])[:, column : column + 1]
