"""Closed forms: models whose out-of-fold predictions follow from the targets at once.

A model that is solved, and not trained by steps, can be refitted to a surrogate of the
measurement as wholly as to the measurement itself, thousands of times. So its null
distribution need not be guessed at from that of a model that never saw the scan.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol

import numpy as np

from rtbold.calibration.fit.evidence import TrainingPart
from rtbold.calibration.fit.split import IntArray
from rtbold.calibration.fit.target import Weighing, scale_of
from rtbold.messages import FloatArray

_SETS_AT_ONCE: Final = 50  # bounds memory: some 100 MB at 570 volumes of 64 ROIs


class Smoother(Protocol):
    """How out-of-fold predictions come from the measured targets.

    The whole recipe runs again for every set of targets: scaling, drift, confounds and
    low-pass of each fold, components, penalties, weights.
    """

    def refit(self, measured: FloatArray) -> FloatArray:
        """Return out-of-fold predictions in model units, nan where no fold predicts.

        Parameters
        ----------
        measured : (..., volumes, rois), as the scanner gave it, on the scan's regular
            grid of volumes. All leading axes are sets of targets of their own. In
            float32 it takes half as long, which is enough for surrogates.
        """

    def anew(self, measured: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return what `refit` does, and what it is scored against but for the low-pass.

        That is the measurement without what the confounds of a recipe explain of it:
        each test part by the weights of its own fold.
        """


@dataclass(frozen=True, slots=True, eq=False)
class FoldForm:
    """One fold of a closed form."""

    part: TrainingPart
    learn_map: FloatArray  # (rows, windows): as `target.target_map`; sets the scale
    stop_map: FloatArray  # (rows, windows)
    taught: IntArray  # places of the part's rows in both maps, one behind the other
    made: IntArray  # windows that predict
    at: IntArray  # windows of the volumes that they predict
    method: Literal["zscore", "p95"]
    weighing: Weighing | None = None  # of confounds, anew for every measurement

    def in_type(self, kind: np.dtype[np.floating[Any]]) -> "FoldForm":
        """Return the same fold in another precision."""
        return replace(
            self,
            part=self.part.in_type(kind),
            learn_map=self.learn_map.astype(kind),
            stop_map=self.stop_map.astype(kind),
            weighing=self.weighing and self.weighing.in_type(kind),
        )

    def without_confounds(self, measured: FloatArray) -> FloatArray:
        """Return (sets, windows, rois) without what this fold takes confounds for."""
        return measured if self.weighing is None else self.weighing.without(measured)

    def refit(self, measured: FloatArray) -> FloatArray:
        """Return (sets, predicted, rois) from (sets, windows, rois), without confounds.

        Parameters
        ----------
        measured : of `without_confounds`.
        """
        learn = self.learn_map @ measured
        scale = scale_of(learn, self.method)[..., None, :]
        both = np.concatenate([learn, self.stop_map @ measured], axis=-2)
        units = both[..., self.taught, :] / np.where(scale > 0, scale, 1.0)
        return self.part.predict(self.part.solve(units), self.made)


@dataclass(frozen=True, slots=True, eq=False)
class ClosedForm:
    """A `Smoother` of a whole scan.

    Parameters
    ----------
    folds : makes the folds one by one, with the eigenvectors of each: some 0.2 s.
    volume : (windows,), number of each window's volume on the scan's grid.
    """

    folds: Callable[[], Iterable[FoldForm]]
    volume: IntArray

    def refit(self, measured: FloatArray) -> FloatArray:
        """Return out-of-fold predictions; see `Smoother`."""
        return self.anew(measured)[0]

    def anew(self, measured: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return out-of-fold predictions, and what is scored; see `Smoother`."""
        sets = measured.reshape(-1, *measured.shape[-2:])
        out, left = np.full_like(sets, np.nan), sets.copy()
        for exact in self.folds():
            fold = exact if sets.dtype == np.float64 else exact.in_type(sets.dtype)
            rows = self.volume[fold.at]
            for start in range(0, len(sets), _SETS_AT_ONCE):
                some = slice(start, start + _SETS_AT_ONCE)
                clean = fold.without_confounds(sets[some][:, self.volume])
                out[some, rows] = fold.refit(clean)
                left[some, rows] = clean[:, fold.at]
        return out.reshape(measured.shape), left.reshape(measured.shape)
