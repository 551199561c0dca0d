"""What one calibration found and made, before it is written anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import nn

from rtbold.bundle.card import Lineage
from rtbold.bundle.store import Bundle
from rtbold.calibration.evaluate.nuisances import Nuisances
from rtbold.calibration.evaluate.scores import Declared, OutOfFold
from rtbold.calibration.fit.folds import FinalFit, FoldedScan
from rtbold.calibration.fit.target import MeasuredScan, TargetScaling
from rtbold.calibration.gather import Gathered
from rtbold.calibration.lineage import lineage_after, not_checked
from rtbold.calibration.settings import CalibrationSettings
from rtbold.conformal import Intervals
from rtbold.likeness_reference import LikenessReference
from rtbold.messages import Float32Array, FloatArray
from rtbold.verdict import Verdict

Kept = Literal["network", "ridge_live"]  # a series of `FoldedScan`


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
class Judged:
    """One series of out-of-fold predictions, and what was said of it."""

    scored: OutOfFold
    verdict: Verdict


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What is kept, and what it was chosen from."""

    kept: Kept
    horizon_tr: int
    horizons: Mapping[int, TargetScore]  # of the network, by volumes ahead
    n_choices: int  # candidates whose out-of-fold R was looked at; alpha is shared
    reasons: tuple[str, ...]  # in words, for whoever reads the result


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationResult:
    """One calibration."""

    settings: CalibrationSettings
    gathered: Gathered  # alignment, lag scan, windows
    base: Bundle | None  # None: from nothing
    measured: MeasuredScan  # rows are the windows
    folded: FoldedScan  # at the horizon that is kept
    choice: Choice
    declared: Declared
    nuisances: Nuisances
    kept: Judged
    beside: Judged  # ridge beside the network; the network where ridge was kept
    intervals: Intervals
    published: PublishedScore | None  # None: too short a scan for that split
    final: FinalFit
    likeness: LikenessReference
    head_inputs: FloatArray  # (windows, features): what the kept model's head reads

    @property
    def verdict(self) -> Verdict:
        """The verdict on what is kept."""
        return self.kept.verdict

    @property
    def ridge_verdict(self) -> Verdict:
        """The verdict on the subject's ridge, kept or not."""
        ridge = self.kept if self.choice.kept == "ridge_live" else self.beside
        return ridge.verdict

    @property
    def simulated(self) -> bool:
        """Whether EEG or BOLD say that no scanner made them."""
        return self.gathered.simulated

    @property
    def simulated_lineage(self) -> bool:
        """Whether anything that the kept weights were learned from was simulated."""
        base = self.base if self.choice.kept == "network" else None
        inherited = base is not None and base.card.origin.simulated_lineage
        return self.simulated or inherited

    @property
    def lineage(self) -> Lineage:
        """The scans that the kept weights were learned from."""
        base = self.base if self.choice.kept == "network" else None
        return lineage_after(base.card if base else None, self.gathered.marks.on_card())

    @property
    def not_checked(self) -> str:
        """Why it is not known whether what is kept saw this scan before; else empty."""
        base = self.base if self.choice.kept == "network" else None
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
        return self.gathered.scan.windows

    def module(self) -> nn.Module:
        """Return the model that is kept, fitted on the whole scan."""
        if self.choice.kept == "ridge_live":
            return self.final.ridge.module()
        return self.final.fitted.module()

    @property
    def ridge_is_better(self) -> bool:
        """Whether the subject's ridge did better on the target than what is kept."""
        if self.choice.kept == "ridge_live":
            return False
        return self.beside.verdict.gate.r > self.kept.verdict.gate.r
