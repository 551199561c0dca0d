"""Predictions and everything that stands beside them, brought before the verdict."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import nn

from rtbold.calibration.evaluate.choose import out_of_fold_of
from rtbold.calibration.evaluate.nuisances import Nuisances
from rtbold.calibration.evaluate.scores import Declared
from rtbold.calibration.evaluate.verdict import ALPHA, VerdictSettings, judge
from rtbold.calibration.fit.folds import FoldedScan
from rtbold.calibration.fit.protocol import Fitted
from rtbold.calibration.fit.split import IntArray, Part
from rtbold.calibration.fit.subject_ridge import SubjectRidge
from rtbold.calibration.gather import Gathered
from rtbold.calibration.result import Choice, Judged, Kept
from rtbold.calibration.settings import CalibrationSettings
from rtbold.calibration.strategies.reading import in_batches
from rtbold.calibration.suspects import Beside, suspects
from rtbold.messages import FloatArray

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
