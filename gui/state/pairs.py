"""Predicted and measured values of the target, volume by volume. Pure."""

from dataclasses import dataclass

import numpy as np

from rtbold.gui.state.history import VolumeHistory
from rtbold.gui.state.received_kinds import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class TargetPairs:
    """Volumes that have both."""

    target: str
    predicted: FloatArray  # (n,), model units
    measured: FloatArray  # (n,), after the causal low-pass, the scanner's unit


def target_pairs(history: VolumeHistory, target: str) -> TargetPairs | None:
    """Return the pairs of a target that is an ROI; None where there are none.

    A contrast of ROIs is not measured as such, so it has no pairs.
    """
    if target not in history.rois:
        return None
    view, column = history.view(), history.rois.index(target)
    predicted = np.asarray(view.values[:, column], dtype=float)
    measured = np.asarray(view.measured[:, column], dtype=float)
    both = np.isfinite(predicted) & np.isfinite(measured)
    if not both.any():
        return None
    return TargetPairs(target, predicted[both], measured[both])
