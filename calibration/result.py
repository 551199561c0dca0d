"""What one calibration found and made, before it is written anywhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from torch import nn

from rtbold.bundle import (
    Bundle,
    Gate,
    Intervals,
    Label,
    LikenessReference,
    Lineage,
    MuscleReference,
    Verdict,
)
from rtbold.calibration.evaluate.confounds import Confounds
from rtbold.calibration.evaluate.scores import Declared, OutOfFold
from rtbold.calibration.fit.folds import FinalFit, FoldedScan, Kept
from rtbold.calibration.fit.target import MeasuredScan, TargetScaling
from rtbold.calibration.gather import AlignedScan
from rtbold.calibration.inputs.alignment import alignment_lines
from rtbold.calibration.inputs.windows import CalibrationScan
from rtbold.calibration.lineage import lineage_after, not_checked
from rtbold.calibration.settings import NOTHING, CalibrationSettings
from rtbold.messages import Float32Array, FloatArray

NAMES: Final[Mapping[Kept, str]] = {
    "base": "base as it is",
    "network": "network",
    "subject": "ridge regression",
    "stack": "base with ridge regression on top",
}


@dataclass(frozen=True, slots=True)
class TargetScore:
    """Out-of-fold R of the target, cubic drift removed, with its 95 % interval."""

    r: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """R on the last tenth of the scan, to compare with the publication only.

    Whole-scan filter and scaling, windows of the parts overlap.
    """

    roi_r: Mapping[str, float]
    n_train: int
    n_test: int


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """One series of out-of-fold predictions, and what was said of it."""

    scored: OutOfFold
    verdict: Verdict
    null_r: FloatArray  # (surrogates,), R of the target by chance


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What is kept, and what it was chosen from."""

    kept: Kept
    horizon_tr: int
    horizons: Mapping[int, TargetScore]  # of the network, by volumes ahead
    n_choices: int  # candidates that the p of the verdict is over
    reasons: tuple[str, ...]  # in words, for whoever reads the result


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationResult:
    """One calibration."""

    aligned: AlignedScan
    measured: MeasuredScan  # rows are the windows
    folded: FoldedScan  # at the horizon that is kept
    choice: Choice
    declared: Declared
    confounds: Confounds
    kept: Evaluated
    # The subject's ridge, or what came second to it; `kept` itself: nothing did
    beside: Evaluated
    intervals: Intervals
    published: PublishedScore | None  # None: too short a scan for that split
    final: FinalFit
    likeness: LikenessReference
    head_inputs: FloatArray  # (windows, features): what the kept model's head reads
    muscle: MuscleReference

    @property
    def settings(self) -> CalibrationSettings:
        """What the calibration was told."""
        return self.aligned.settings

    @property
    def kept_base(self) -> Bundle | None:
        """The bundle that the kept weights began as; None: nothing of one is left."""
        return None if self.choice.kept == "subject" else self.aligned.base

    @property
    def verdict(self) -> Verdict:
        """The verdict on what is kept."""
        return self.kept.verdict

    @property
    def ridge_verdict(self) -> Verdict:
        """The verdict on the subject's ridge, kept or not."""
        ridge = self.kept if self.choice.kept == "subject" else self.beside
        return ridge.verdict

    @property
    def simulated(self) -> bool:
        """Whether EEG or BOLD say that no scanner made them."""
        return self.aligned.scan.simulated

    @property
    def simulated_lineage(self) -> bool:
        """Whether anything that the kept weights were learned from was simulated."""
        base = self.kept_base
        inherited = base is not None and base.card.origin.simulated_lineage
        return self.simulated or inherited

    @property
    def lineage(self) -> Lineage:
        """The scans that the kept weights were learned from."""
        base = self.kept_base
        return lineage_after(base.card if base else None, self.aligned.marks.on_card())

    @property
    def not_checked(self) -> str:
        """Why it is not known whether what is kept saw this scan before; else empty."""
        base = self.kept_base
        return not_checked(base.card if base else None, simulated=self.simulated)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C cut a fit short; the best so far was kept."""
        return self.folded.interrupted or self.final.fitted.interrupted

    @property
    def scaling(self) -> TargetScaling:
        """What the kept model's units are."""
        return self.final.scaling

    @property
    def windows(self) -> Float32Array:
        """All windows of the scan, (windows, channels, 3200) microvolt."""
        return self.aligned.scan.windows

    def module(self) -> nn.Module:
        """Return the model that is kept, fitted on the whole scan."""
        if self.choice.kept == "subject":
            return self.final.subject.module()
        if self.choice.kept == "stack" and self.final.stack is not None:
            return self.final.stack.stacked(self.final.base)
        if self.choice.kept == "base":
            return self.final.base
        return self.final.fitted.module()

    @property
    def ridge_is_better(self) -> bool:
        """Whether the subject's ridge did better on the target than what is kept."""
        if self.choice.kept == "subject":
            return False
        return self.beside.verdict.gate.r > self.kept.verdict.gate.r


# What is said of a verdict, in the terminal and in the report. Pure.


def learnable_lines(verdict: Verdict) -> Iterator[str]:
    """Tell what a participant could learn from; R without cubic drift."""
    found, less = verdict.learnable, verdict.less_others
    if found is None:
        return
    blocks = ", ".join(f"{r:.2f} over {length}" for length, r in found.block_r.items())
    means = f"; R of block means {blocks}" if blocks else ""
    yield f"{found.right_side:.0%} of volumes on the right side of the mean{means}"
    if found.r_without_global is not None:
        yield (
            f"R {verdict.gate.r:.2f} with and {found.r_without_global:.2f} without the "
            "global signal"
        )
    if less is not None:
        yield f"{less.target}: R {less.r:.2f}, p {less.p:.2g} over ROIs: {less.label}"
    if found.best_lag_s is not None and found.best_lag_r is not None:
        where = "at no lag" if not found.best_lag_s else _lag_words(found.best_lag_s)
        yield f"R is highest {where}: {found.best_lag_r:.2f}"
    for kind, r in found.r_within.items():
        yield f"R {r:.2f} within {kind}"


def _lag_words(lag_s: float) -> str:
    return f"with BOLD {abs(lag_s):.1f} s {'later' if lag_s > 0 else 'earlier'}"


def level_lines(gate: Gate) -> Iterator[str]:
    """Tell what p is over, what it had to reach, and what other subjects' EEG gives."""
    declared = gate.declaration
    if declared is None:
        yield f"p has to reach {gate.alpha:.2g}; nothing was declared before the scan"
    elif not declared.look:
        yield (
            f"declared {declared.declared}: the scan ended before the first planned "
            f"look, at {declared.looks_min[0]:g} min, so nothing can pass yet"
        )
    else:
        look = f"look {declared.look} of {max(1, len(declared.looks_min))}"
        yield f"declared {declared.declared}, {look}: p has to reach {gate.alpha:.2g}"
    if gate.n_calibrations > 1:
        yield (
            f"p is over {gate.n_calibrations} calibrations of these data, with other "
            "targets, bases or strategies"
        )
    if gate.r_other is not None and gate.p_other is not None:
        warn = ": no more than theirs" if gate.p_other > gate.alpha else ""
        yield (
            f"control: other subjects' EEG gives R {gate.r_other:.2f} (p of the "
            f"excess {gate.p_other:.2g}){warn}"
        )


# A calibration in a few lines of plain words. Pure.

_ALLOWS: dict[Label, str] = {
    "specific": "fit for feedback",
    "global or vigilance": "not fit for feedback on a region",
    "explained by artefact": "not fit for feedback",
    "undecided": "not fit for feedback yet: this scan cannot decide",
    "no signal": "not fit for feedback",
}


def summary(result: CalibrationResult) -> list[str]:
    """Return what a researcher wants to know, before and after the verdict."""
    return [
        *(f"         {line}" for line in alignment_lines(result.aligned.alignment)),
        *_warnings(result),
        *(f"note     {reason}" for reason in result.choice.reasons),
        *_scores(result),
        *_verdict(result),
    ]


def _warnings(result: CalibrationResult) -> Iterator[str]:
    if result.simulated:
        yield "SIMULATED data: nothing here says anything about a real brain"
    if result.interrupted:
        yield "interrupted: the best so far was kept"
    if result.not_checked:
        yield f"warning  {result.not_checked}"
    if warning := result.aligned.lag.warning:
        yield f"warning  {warning}"
    yield from _volumes(result.aligned.scan)


def _volumes(scan: CalibrationScan) -> Iterator[str]:
    """Tell what was left out or is degraded; a volume may have several reasons."""
    n = len(scan.bold)
    if why := _listed(scan.why_left_out):
        yield f"         {n - len(scan)} of {n} volumes have no window: {why}"
    if why := _listed({str(reason): k for reason, k in scan.degraded.items()}):
        yield f"         of {len(scan)} windows that are used some are degraded: {why}"


def _listed(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {n}" for reason, n in reasons.items())


def _scores(result: CalibrationResult) -> Iterator[str]:
    gate = result.verdict.gate
    yield f"R        {gate.target}: {_r(gate)}, p {gate.p:.2g}, out of fold, no drift"
    ridge = result.ridge_verdict.gate
    if ridge is not gate:
        yield f"ridge    {gate.target}: {_r(ridge)} on the same folds"
    if result.ridge_is_better:
        yield (
            "         the subject's ridge is better; to keep it: the same command "
            "with --strategy ridge"
        )
    ahead = result.choice.horizons
    if len(ahead) > 1:
        told = ", ".join(f"{h}: {score.r:.3f}" for h, score in sorted(ahead.items()))
        yield f"ahead    R by volumes ahead: {told}; kept: {result.choice.horizon_tr}"
    yield f"paper    {_published(result.published)}"


def _published(score: PublishedScore | None) -> str:
    if score is None:
        return "the published split needs a longer scan (it is for comparison only)"
    mean = sum(score.roi_r.values()) / len(score.roi_r)
    return (
        f"mean R {mean:.3f} on the last {score.n_test} volumes (published split, for "
        "comparison only)"
    )


def _r(gate: Gate) -> str:
    return f"{gate.r:.3f} (95 % {gate.r_low:.3f} to {gate.r_high:.3f})"


def _verdict(result: CalibrationResult) -> Iterator[str]:
    gate = result.verdict.gate
    yield from (f"         {line}" for line in learnable_lines(result.verdict))
    yield from (f"level    {line}" for line in level_lines(gate))
    yield f"verdict  {gate.target}: {gate.label}: {_ALLOWS[gate.label]} ({gate.reason})"
    if not_known := result.verdict.specificity.not_known:
        yield f"         not controlled for: {', '.join(not_known)}"
    if names := result.aligned.tries.names:
        yield f"         earlier calibrations of these data: {', '.join(names)}"
    if result.choice.kept == "subject" and result.settings.base == NOTHING:
        yield (
            "         to start from a trained network: --base BUNDLE (rtbold models "
            "list)"
        )
