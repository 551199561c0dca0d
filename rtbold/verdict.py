"""What a calibration found out: the verdict on the card and of ``--json``."""

from typing import Final, Literal

import msgspec

Label = Literal[
    "specific", "global or vigilance", "explained by artefact", "undecided", "no signal"
]
FIT_FOR_FEEDBACK: Final[Label] = "specific"


class _Strict(msgspec.Struct, frozen=True):
    """Base: frozen, keyword-only, unknown keys refused."""


class RoiVerdict(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Out-of-fold score of one ROI, cubic drift removed unless named otherwise."""

    roi: str
    r: float
    r_with_drift: float
    r_low: float  # 95 % interval, block bootstrap
    r_high: float
    p: float  # one-sided, larger of the nulls; this ROI alone
    p_max: float  # the same over all ROIs (max statistic)
    n_eff: float  # independent volumes (Bartlett)
    label: Label = "undecided"


class Gate(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether the declared target carries a signal at all."""

    target: str  # ROI or name of the contrast
    weights: dict[str, float]  # ROI -> weight; one entry for a ROI
    r: float
    r_with_drift: float
    r_low: float
    r_high: float
    p: float  # the larger of the two below
    p_phase: float  # against phase-randomised predictions
    p_other: float | None  # against other subjects' EEG; None: none was given
    r_other: float | None  # mean R of the same model fed other subjects' EEG
    n_eff: float
    alpha: float
    passed: bool
    label: Label = "undecided"
    reason: str = ""  # why this label, in words


class Specificity(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the target's prediction may read beside brain activity of its region."""

    partial_r: dict[str, float] = {}  # given what -> R
    partial_p: dict[str, float] = {}
    controls: dict[str, float] = {}  # out-of-fold R of what must not explain it
    rank: int | None = None  # of the own ROI's R among all measured ROIs; 1: highest
    n_rois: int = 0
    not_known: tuple[str, ...] = ()  # nuisances that were not given


class Verdict(_Strict, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that is said about one calibration's out-of-fold predictions."""

    gate: Gate
    rois: tuple[RoiVerdict, ...]
    specificity: Specificity = Specificity()
    n_volumes: int  # scored
    n_surrogates: int
    block_n: float  # mean block of the bootstrap, volumes
    n_other_subjects: int = 0
    cross_fitted: bool = True  # volumes serve in training and in test, in turn

    @property
    def fit_for_feedback(self) -> bool:
        """Whether the target passed the gate and is specific."""
        return self.gate.passed and self.gate.label == FIT_FOR_FEEDBACK
