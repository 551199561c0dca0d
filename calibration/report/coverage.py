"""How often intervals held the measurement on folds that they were not made from."""

from collections.abc import Sequence

import numpy as np

from rtbold.calibration.conformal import MIN_RESIDUALS, conformal_intervals
from rtbold.calibration.report.content import Traces
from rtbold.conformal import LEVELS
from rtbold.messages import FloatArray


def held_out_coverage(
    traces: Traces, levels: Sequence[float] = LEVELS
) -> tuple[float | None, ...]:
    """Return, per level, the share of measurements inside; None: not known.

    Each fold's volumes are asked with half-widths from the other folds' residuals.
    ROIs and folds whose half-width is not finite are left out.
    """
    inside: list[list[FloatArray]] = [[] for _ in levels]
    residual = np.abs(traces.measured - traces.predicted)  # (volumes, rois)
    scored = np.isfinite(residual).all(axis=1)
    for fold in np.unique(traces.fold[traces.fold >= 0]):
        asked = scored & (traces.fold == fold)
        others = scored & (traces.fold != fold)
        if not asked.any() or others.sum() < MIN_RESIDUALS:
            continue
        for held, widths in zip(inside, _widths(traces, others, levels), strict=True):
            finite = np.isfinite(widths)
            held.append((residual[asked][:, finite] <= widths[finite]).ravel())
    return tuple(_mean(held) for held in inside)


def _widths(
    traces: Traces, rows: np.ndarray, levels: Sequence[float]
) -> list[FloatArray]:
    """Return for each level the ROIs' half-widths, nan where there is none."""
    chosen = rows[:, None]
    made = conformal_intervals(
        np.where(chosen, traces.predicted, np.nan),
        np.where(chosen, traces.measured, np.nan),
        levels,
    )
    table = [
        [np.nan if width is None else width for width in widths]
        for widths in made.half_width
    ]
    return list(np.array(table).T)


def _mean(held: Sequence[FloatArray]) -> float | None:
    values = np.concatenate(held) if held else np.zeros(0)
    return float(values.mean()) if len(values) else None
