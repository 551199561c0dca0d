"""Prediction intervals of a session: the card's half-widths, steered by live truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from rtbold.bundle.card import Card
from rtbold.conformal import AdaptiveMisses, Intervals
from rtbold.floats import shortest
from rtbold.messages import BoldPrediction, Float32Array, FloatArray, Reason

# Intervals are for blocks of EEG exchangeable with the calibration scan's.
VOID: frozenset[Reason] = frozenset({"unlike_calibration", "domain_shift"})
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
    return widths if VOID.isdisjoint(prediction.reasons) else Widths({})


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
