"""Conformal intervals around a prediction: from the card, and adapted to live truth.

Coverage is marginal (over scans and volumes alike), for blocks of volumes that are
exchangeable with the calibration scan's. It is void when the EEG is unlike that scan's.
Pure; the half-widths themselves are made in calibration.
"""

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from rtbold.messages import Float32Array, FloatArray

LEVELS: Final = (0.8, 0.95)
N_QUANTILES: Final = 201  # of the residuals' magnitude: steps of 0.5 %
STEP: Final = 0.01  # of the adaptive miss rate, per volume with truth


class Intervals(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Half-widths per ROI, in model units, from out-of-fold residuals.

    A half-width is None where the scan holds too few independent residuals to bound
    that level (95 % needs 19, 80 % needs 4).
    """

    levels: tuple[float, ...] = LEVELS
    half_width: tuple[tuple[float | None, ...], ...] = ()  # per ROI, per level
    n_eff: tuple[float, ...] = ()  # independent residuals per ROI
    # Per ROI: quantiles of the residual's magnitude at N_QUANTILES even levels, 0 to 1.
    quantiles: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class AdaptiveMisses:
    """The miss rate that is asked of each interval, steered by live truth.

    Each volume with truth moves the rate by ``STEP * (target - missed)``: the share of
    misses over a session tends to the target whatever the data do (Gibbs and Candes,
    NeurIPS 2021, equation 2). Where it falls to 0 there is no finite interval.
    """

    rate: FloatArray  # (rois, levels)

    @classmethod
    def start(cls, intervals: Intervals) -> "AdaptiveMisses":
        """Return the state that reproduces the card's half-widths."""
        rows = [
            [_miss_of(width, quantiles) for width in widths]
            for widths, quantiles in zip(
                intervals.half_width, intervals.quantiles, strict=True
            )
        ]
        return cls(np.array(rows).reshape(len(rows), len(intervals.levels)))

    def half_width(self, intervals: Intervals) -> FloatArray:
        """Return (rois, levels), model units; inf where no interval is finite."""
        grid = np.linspace(0, 1, N_QUANTILES)
        rows = [
            np.interp(1 - rate, grid, quantiles)
            for rate, quantiles in zip(self.rate, intervals.quantiles, strict=True)
        ]
        width: FloatArray = np.where(self.rate <= 0, np.inf, np.array(rows))
        return np.where(self.rate >= 1, 0.0, width)

    def updated(
        self,
        intervals: Intervals,
        predicted: FloatArray | Float32Array,
        measured: FloatArray | Float32Array,
    ) -> "AdaptiveMisses":
        """Return the state after one volume whose truth is known.

        Parameters
        ----------
        predicted, measured : (rois,), model units; nan: that ROI learns nothing.
        """
        error = np.abs(measured - predicted)
        missed = error[:, None] > self.half_width(intervals)
        target = 1 - np.array(intervals.levels)
        moved = self.rate + STEP * (target - missed)
        return AdaptiveMisses(np.where(np.isfinite(error)[:, None], moved, self.rate))


def _miss_of(width: float | None, quantiles: tuple[float, ...]) -> float:
    """Return the share of calibration residuals beyond a half-width; None: 0."""
    if width is None:
        return 0.0
    grid = np.linspace(0, 1, N_QUANTILES)
    return float(1 - np.interp(width, quantiles, grid))
