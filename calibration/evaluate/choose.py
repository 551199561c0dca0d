"""Which of the fitted models is kept, and at which horizon. Pure.

Each candidate whose out-of-fold R is looked at before choosing is a chance to be lucky,
so the verdict shares its alpha among them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import nn

from rtbold.bundle import Bundle
from rtbold.calibration.evaluate.nuisances import Beside, Nuisances, suspects
from rtbold.calibration.evaluate.nulls import random_phases
from rtbold.calibration.evaluate.scores import (
    Declared,
    OutOfFold,
    combined,
    pearson_r,
    score,
)
from rtbold.calibration.evaluate.verdict import ALPHA, VerdictSettings, judge
from rtbold.calibration.fit.folds import (
    FitOptions,
    FoldedScan,
    Session,
    furthest_horizon,
)
from rtbold.calibration.fit.head import in_batches
from rtbold.calibration.fit.protocol import Fitted, Pace, Task
from rtbold.calibration.fit.split import IntArray, Part, published_split
from rtbold.calibration.fit.subject_ridge import SubjectRidge, fit_subject_ridge
from rtbold.calibration.fit.target import TargetSettings, fit_scaling, targets
from rtbold.calibration.gather import Gathered
from rtbold.calibration.inputs.windows import CalibrationScan
from rtbold.calibration.result import Choice, Judged, Kept, PublishedScore, TargetScore
from rtbold.calibration.settings import CalibrationSettings
from rtbold.errors import DataFileError
from rtbold.messages import FloatArray

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


def choose(candidates: Candidates) -> Choice:
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
        return "ridge_live", 1, ["the subject's ridge, as asked"]
    if base is None and settings.strategy == "head":
        return "ridge_live", 1, [_NO_ENCODER]
    if base is None or not base.card.origin.simulated_lineage:
        return "network", 1, []
    ours = _score(candidates, horizon, "network").r
    nothing = _score(candidates, horizon, "ridge_live").r
    better = ours > nothing
    reason = (
        f"base '{base.card.name}', of simulated data, "
        + ("beats" if better else "was not kept: it does not beat")
        + " starting from nothing (the subject's ridge): R of the target out of fold "
        f"{ours:.3f} against {nothing:.3f}"
    )
    return "network" if better else "ridge_live", 2, [reason]


def _score(candidates: Candidates, horizon: int, name: Kept) -> TargetScore:
    scan = candidates.scan
    series = out_of_fold_of(candidates.folded[horizon], name, scan)
    target = combined(series, candidates.declared.column(scan.rois))
    phases = random_phases(len(scan.bold), n_surrogates=_SURROGATES_N, seed=0)
    found = score(target, phases, seed=candidates.settings.seed)
    return TargetScore(float(found.r[0]), float(found.low[0]), float(found.high[0]))


# Predictions and everything that stands beside them, brought before the verdict.

Each = Callable[[Part, Fitted, SubjectRidge], None]
_SERIES: Final[tuple[Kept, Kept]] = ("network", "ridge_live")


class OtherAnswers:
    """What each fold's models answer to other subjects' EEG at equal scan time."""

    def __init__(self, gathered: Gathered) -> None:
        self._gathered = gathered
        self._grids: dict[tuple[int, Kept], list[FloatArray]] = {}

    def listener(self, horizon_tr: int) -> Each:
        """Return what is to be called with the fits of each fold."""
        shape = self._gathered.scan.bold.shape
        for name in _SERIES:
            self._grids[horizon_tr, name] = [
                np.full(shape, np.nan) for _ in self._gathered.others
            ]

        def each(part: Part, fitted: Fitted, ridge: SubjectRidge) -> None:
            if self._gathered.others:
                modules = (fitted.module(), ridge.module())
                for name, module in zip(_SERIES, modules, strict=True):
                    self._answer(module, part.test, self._grids[horizon_tr, name],
                                 horizon_tr=horizon_tr)  # fmt: skip

        return each

    def of(self, name: Kept, horizon_tr: int) -> tuple[FloatArray, ...]:
        """Return (volumes, rois) for each other subject; nan where not predicted."""
        return tuple(self._grids[horizon_tr, name])

    def _answer(
        self,
        module: nn.Module,
        test: IntArray,
        grids: list[FloatArray],
        *,
        horizon_tr: int,
    ) -> None:
        volume = self._gathered.scan.volume
        tested = volume[test]
        for other, grid in zip(self._gathered.others, grids, strict=True):
            made = volume[other.rows]
            both = np.isin(made, tested) & np.isin(made + horizon_tr, tested)
            chosen = np.flatnonzero(both)
            if len(chosen):
                windows = torch.from_numpy(other.windows)
                at = made[chosen] + horizon_tr
                grid[at] = in_batches(module, (windows,), chosen)


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Everything that a verdict is passed on."""

    settings: CalibrationSettings
    gathered: Gathered
    declared: Declared
    others: OtherAnswers

    def nuisances(self, folded: FoldedScan) -> Nuisances:
        """Return what else could explain the predictions."""
        scan = self.gathered.scan
        return suspects(
            scan,
            self.gathered.card.channels,
            Beside(
                folded.scored,
                [fold.part for fold in folded.folds],
                scan.onsets_s[scan.volume],
            ),
            slices_per_tr=self.settings.slices_per_tr,
        )

    def both(
        self, folded: FoldedScan, choice: Choice, nuisances: Nuisances
    ) -> tuple[Judged, Judged]:
        """Return the verdict on what is kept, and on what stands beside it."""
        beside = _SERIES[1 - _SERIES.index(choice.kept)]
        alpha = ALPHA / choice.n_choices
        return (
            self._judged(folded, choice.kept, nuisances, alpha=alpha),
            self._judged(folded, beside, nuisances, alpha=alpha),
        )

    def _judged(
        self, folded: FoldedScan, name: Kept, nuisances: Nuisances, *, alpha: float
    ) -> Judged:
        scored = replace(
            out_of_fold_of(folded, name, self.gathered.scan),
            others=self.others.of(name, folded.horizon_tr),
        )
        settings = VerdictSettings(alpha=alpha, seed=self.settings.seed)
        verdict = judge(scored, self.declared, nuisances=nuisances, settings=settings)
        return Judged(scored, verdict)


# The publication's way of scoring, for comparison only: one split, whole-scan scaling.
#
# 8:1:1 in time, low-pass and 95th percentile over the whole scan, windows of different
# parts overlapping. The last tenth of 20 minutes holds some 12 independent volumes, so
# the number decides nothing (Li et al., NeurIPS 2024).


def published_score(
    session: Session, choice: Choice, options: FitOptions
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
    if choice.kept == "ridge_live":
        both = np.sort(np.concatenate([part.train, part.stop]))
        ridge = fit_subject_ridge(session.tables, units, both, live=True)
        predicted = ridge.predict(part.test)
    else:
        total = session.strategy.n_steps(len(part.train))
        pace = Pace("published split", total, now_s=options.now_s, tell=options.tell)
        fitted = session.strategy.fit(
            session.prepared, task, pace=pace, wish=options.wish
        )
        predicted = fitted.predict(part.test)
    r = pearson_r(predicted, units[part.test])
    return PublishedScore(
        roi_r=dict(zip(scan.rois, r.tolist(), strict=True)),
        n_train=len(part.train),
        n_test=len(part.test),
    )
