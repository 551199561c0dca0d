"""Out-of-fold predictions beside measurements, and their scores per column. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from rtbold.calibration.evaluate.nuisances import r_with_drift
from rtbold.calibration.evaluate.nulls import (
    null_r,
    other_subjects_null,
    p_above,
    p_above_max,
    pairing,
)
from rtbold.calibration.resampling import block_length, bootstrap_interval
from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """Predictions by models that did not see the volume, beside what was measured.

    Rows are the scan's volumes on its regular grid, nan where not scored. Predictions
    are in the model units of their fold, without its training mean (adding it back ties
    a fold's level to what it is scored against).
    """

    predicted: FloatArray  # (volumes, rois), model units
    measured: FloatArray  # (volumes, rois), one unit throughout
    rois: tuple[str, ...]
    others: tuple[FloatArray, ...] = ()  # the same models fed other subjects' EEG
    cross_fitted: bool = True  # False: no volume of this scan was learned from

    def __post_init__(self) -> None:
        """Refuse series that do not belong together."""
        expected = (len(self.predicted), len(self.rois))
        for name, series in (
            ("predicted", self.predicted),
            ("measured", self.measured),
            *((f"others[{i}]", other) for i, other in enumerate(self.others)),
        ):
            if series.shape != expected:
                raise DataFileError(
                    f"{name} has shape {series.shape}, expected {expected}: one row a "
                    "volume, one column a ROI"
                )


@dataclass(frozen=True, slots=True)
class Declared:
    """What was declared, before the scan, to be fed back: a ROI or a contrast."""

    target: str
    weights: Mapping[str, float] = field(default_factory=dict)  # empty: the ROI itself

    def weight_of(self) -> dict[str, float]:
        """Return the ROIs that count, with their weights."""
        return dict(self.weights) or {self.target: 1.0}

    def column(self, rois: tuple[str, ...]) -> FloatArray:
        """Return the weight of every ROI, (rois, 1).

        Raises
        ------
        ConfigError : the model does not predict one of them.
        """
        weights = self.weight_of()
        unknown = [roi for roi in weights if roi not in rois]
        if unknown:
            raise ConfigError(
                f"the target needs {', '.join(unknown)}, the model predicts "
                f"{', '.join(rois[:8])}{', ...' if len(rois) > 8 else ''}"
            )
        return np.array([[weights.get(roi, 0.0)] for roi in rois])


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What is known of each column, before anybody asks why."""

    r: FloatArray
    drifting_r: FloatArray
    low: FloatArray
    high: FloatArray
    n_eff: FloatArray
    block_n: float
    p_phase: FloatArray
    p_other: FloatArray | None
    r_other: FloatArray | None
    p_max: FloatArray  # over all columns, the larger of the nulls

    @property
    def p(self) -> FloatArray:
        """The larger p of the nulls, each column alone."""
        return (
            self.p_phase
            if self.p_other is None
            else np.maximum(self.p_phase, self.p_other)
        )


def combined(scored: OutOfFold, weights: FloatArray) -> OutOfFold:
    """Return one column: the ROIs' weighted sum, each measured ROI in its own sd.

    Parameters
    ----------
    weights : (rois, 1).
    """
    sd = np.nanstd(scored.measured, axis=0)
    units = scored.measured / np.where(sd > 0, sd, 1.0)
    return OutOfFold(
        predicted=scored.predicted @ weights,
        measured=units @ weights,
        rois=("target",),
        others=tuple(other @ weights for other in scored.others),
        cross_fitted=scored.cross_fitted,
    )


def score(scored: OutOfFold, phases: FloatArray, *, seed: int) -> Scores:
    """Return R, interval, independent volumes and p of every column.

    Parameters
    ----------
    phases : as `nulls.random_phases` draws them; the same for all columns.
    """
    pair = pairing(scored.predicted, scored.measured)
    null = null_r(pair, phases, cross_fitted=scored.cross_fitted)
    p_max = p_above_max(pair.r, null)
    p_other, r_other = None, None
    if scored.others:
        excess, excess_null, r_other = other_subjects_null(
            (scored.predicted, scored.measured),
            scored.others,
            phases,
            cross_fitted=scored.cross_fitted,
        )
        p_other = p_above(excess, excess_null)
        p_max = np.maximum(p_max, p_above_max(excess, excess_null))
    block_n = block_length(pair)
    low, high = bootstrap_interval(
        pair, block_n, seed=seed, cross_fitted=scored.cross_fitted
    )
    return Scores(
        r=pair.r,
        drifting_r=r_with_drift(scored.predicted, scored.measured),
        low=low,
        high=high,
        n_eff=pair.n_eff,
        block_n=block_n,
        p_phase=p_above(pair.r, null),
        p_other=p_other,
        r_other=r_other,
        p_max=p_max,
    )
