"""Prediction intervals of a session: the card's half-widths, steered by live truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypedDict

import numpy as np

from rtbold.bundle import N_QUANTILES, Card, Intervals
from rtbold.messages import (
    VOIDS_INTERVALS,
    BoldPrediction,
    Float32Array,
    FloatArray,
)
from rtbold.publish.wire import shortest

# Conformal intervals around a prediction: from the card, and adapted to live truth.
#
# Coverage is marginal (over scans and volumes alike), for blocks of volumes that are
# exchangeable with the calibration scan's. It is void when the EEG is unlike that
# scan's. Pure; the half-widths themselves are made in calibration.

STEP: Final = 0.01  # of the adaptive miss rate, per volume with truth


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


INNER, OUTER = 0.8, 0.95
Bounds = tuple[float | None, float | None]
Row = tuple[float | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Widths:
    """Half-widths by level, model units; nan or inf where there is no interval."""

    by_level: Mapping[float, FloatArray]  # level -> (rois,)

    def bounds(self, value: float | None, roi: int, level: float) -> Bounds:
        """Return low and high around a value; None where there is no interval."""
        if value is None or level not in self.by_level:
            return None, None
        width = float(self.by_level[level][roi])
        if not np.isfinite(width):
            return None, None
        return shortest(value - width), shortest(value + width)


def card_widths(intervals: Intervals) -> Widths:
    """Return the card's half-widths; none at all where it has no intervals."""
    if not intervals.half_width:
        return Widths({})
    table = np.array(intervals.half_width, dtype=np.float64)  # None becomes nan
    return Widths(dict(zip(intervals.levels, table.T, strict=True)))


def contrast_widths(card: Card) -> Widths:
    """Return the half-widths of the card's contrast, as if it were the only ROI."""
    if card.contrast is None:
        return Widths({})
    pairs = zip(card.intervals.levels, card.contrast.half_width, strict=False)
    return Widths({level: np.array([w], dtype=np.float64) for level, w in pairs})


def valid_widths(prediction: BoldPrediction, widths: Widths) -> Widths:
    """Return the widths that hold for a prediction: none where intervals are void."""
    return widths if VOIDS_INTERVALS.isdisjoint(prediction.reasons) else Widths({})


class FbBounds(TypedDict):
    """What ``pred.fb`` says of its interval."""

    low: float | None
    high: float | None
    low_80: float | None
    high_80: float | None


class RoiBounds(TypedDict):
    """What ``pred.roi`` says of its intervals; None: there are none at all."""

    low: Row | None
    high: Row | None
    low_80: Row | None
    high_80: Row | None


def fb_bounds(value: float | None, widths: Widths, roi: int) -> FbBounds:
    """Return the interval around the feedback value."""
    low, high = widths.bounds(value, roi, OUTER)
    low_80, high_80 = widths.bounds(value, roi, INNER)
    return FbBounds(low=low, high=high, low_80=low_80, high_80=high_80)


def roi_bounds(values: Float32Array | None, widths: Widths) -> RoiBounds:
    """Return the intervals around all values (rois,)."""
    if values is None or not widths.by_level:
        return RoiBounds(low=None, high=None, low_80=None, high_80=None)
    each = [fb_bounds(float(v), widths, roi) for roi, v in enumerate(values)]
    return RoiBounds(
        low=tuple(b["low"] for b in each),
        high=tuple(b["high"] for b in each),
        low_80=tuple(b["low_80"] for b in each),
        high_80=tuple(b["high_80"] for b in each),
    )


class LiveIntervals:
    """Half-widths of one session; measured volumes widen or narrow them.

    Parameters
    ----------
    intervals : of the card.
    """

    def __init__(self, intervals: Intervals) -> None:
        self._intervals = intervals
        self._misses: AdaptiveMisses | None = None
        self.widths = card_widths(intervals)
        self.n_truth = 0  # volumes that were learned from

    def take(
        self,
        predicted: FloatArray | Float32Array,
        measured: FloatArray | Float32Array,
    ) -> None:
        """Learn from one volume, both (rois,) in model units; nan: not measured.

        Only from volumes that had an interval: not where it was void.
        """
        if not self._intervals.quantiles:
            return
        misses = self._misses or AdaptiveMisses.start(self._intervals)
        self._misses = misses.updated(self._intervals, predicted, measured)
        self.n_truth += 1
        table = self._misses.half_width(self._intervals)  # (rois, levels)
        self.widths = Widths(dict(zip(self._intervals.levels, table.T, strict=True)))
