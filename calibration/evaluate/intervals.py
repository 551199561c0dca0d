"""Conformal half-widths from the residuals of all outer folds. Pure."""

from collections.abc import Sequence

import numpy as np

from rtbold.bundle import LEVELS, N_QUANTILES, Intervals
from rtbold.errors import DataFileError
from rtbold.messages import FloatArray
from rtbold.truth import effective_n_of_mean

MIN_RESIDUALS = 30


def conformal_intervals(
    predicted: FloatArray,
    measured: FloatArray,
    levels: Sequence[float] = LEVELS,
) -> Intervals:
    """Return half-widths per ROI and level.

    Split conformal (Vovk; Lei et al. 2018) on ``|measured - predicted|`` of each ROI by
    itself. Neighbouring residuals are alike, so the rank asked for is that of the
    effective number of them: quantile ``(1 + 1/n_eff) * level`` instead of
    ``(1 + 1/n) * level``, and no half-width where that exceeds 1.

    Parameters
    ----------
    predicted, measured : (volumes, rois), both in model units of their fold, outer
        test folds only (never the early-stopping part); nan where not scored.

    Raises
    ------
    DataFileError : fewer than 30 residuals.
    """
    residual = np.abs(measured - predicted)
    mask = np.asarray(np.isfinite(residual).all(axis=1))
    if mask.sum() < MIN_RESIDUALS:
        raise DataFileError(
            f"{mask.sum()} volumes with a residual, expected at least {MIN_RESIDUALS}; "
            "scan longer, or check the alignment"
        )
    found = residual[mask]
    centred = np.zeros_like(residual)
    centred[mask] = found - found.mean(axis=0)
    n_eff = effective_n_of_mean(centred, mask)
    grid = np.quantile(found, np.linspace(0, 1, N_QUANTILES), axis=0)
    return Intervals(
        levels=tuple(levels),
        half_width=tuple(
            tuple(_half_width(column, level, n) for level in levels)
            for column, n in zip(found.T, n_eff, strict=True)
        ),
        n_eff=tuple(n_eff.tolist()),
        quantiles=tuple(tuple(column) for column in grid.T.tolist()),
    )


def _half_width(residual: FloatArray, level: float, n_eff: float) -> float | None:
    asked = (1 + 1 / n_eff) * level
    if asked > 1:
        return None
    return float(np.quantile(residual, asked, method="higher"))
