"""A linear head in closed form, drawn towards an earlier head. Pure numpy.

``bold = slope * prior + z @ weight + bias``, z the features scaled by the rows that are
learned from. The penalty acts on `weight` alone, so the heavier it is, the nearer the
answer stays to the prior; with an infinite one (always a candidate, where there is a
prior) only one number is learned, the slope of the prior for all ROIs. One penalty for
all ROIs, by the mean squared error over contiguous blocks that are 36 s apart: with a
scan's few independent volumes a penalty per ROI, or a choice by R, did worse on every
simulated subject of development.

Where there is an earlier head, what it answers for all its ROIs is a second thing to
read: few numbers that many scans were needed to find. Blocks choose between them and
all features. Either way the result is one linear map of the features.

Solved among the volumes (the dual form): features may be many more than volumes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from rtbold.calibration.fit.split import IntArray, inner_blocks
from rtbold.errors import DataFileError
from rtbold.messages import Float32Array, FloatArray

# Penalties relative to the mean squared length of a row of scaled features.
PENALTIES: Final = tuple(float(a) for a in np.logspace(-3, 4, 15))
N_BLOCKS: Final = 4
_SCALE_FLOOR: Final = 1e-6  # features that do not vary say nothing


def ridge_weights(
    gram: FloatArray,
    product: FloatArray,
    penalties: Sequence[float],
    *,
    relative: bool = False,
) -> list[FloatArray]:
    """Return ``(gram + penalty I)^-1 product`` of every penalty; of an infinite one 0.

    The one ridge of all fits: `gram` is of the features, or of the rows in dual form.

    Parameters
    ----------
    gram : (n, n), symmetric, no eigenvalue below 0 but by rounding.
    relative : penalties are in units of the mean eigenvalue.
    """
    values, vectors = np.linalg.eigh(gram)
    values = np.maximum(values, 0.0)[:, None]
    unit = max(float(values.mean()), 1e-12) if relative else 1.0
    rotated = vectors.T @ product
    return [vectors @ (rotated / (values + a * unit)) for a in penalties]


@dataclass(frozen=True, slots=True, eq=False)
class LinearHead:
    """``features @ weight + slope * prior + bias``."""

    weight: FloatArray  # (features, rois), of the features as they are
    bias: FloatArray  # (rois,)
    slope: float  # of the prior; 0: there is none
    penalty: float  # relative; inf: the prior alone
    error: float  # mean squared, over the inner blocks, in units of the target
    through_earlier: bool = False  # learned on what the earlier head answers

    def __call__(self, features: Float32Array, prior: Float32Array) -> Float32Array:
        """Predict (n, rois)."""
        out = features @ self.weight + self.slope * prior + self.bias
        return np.asarray(out, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class EarlierHead:
    """The head of the base, for all ROIs that it knows."""

    weight: FloatArray  # (features, earlier rois)
    bias: FloatArray  # (earlier rois,)


@dataclass(frozen=True, slots=True, eq=False)
class FitFeatures:
    """What a frozen network says of every window, before any head is learned."""

    features: Float32Array  # (windows, features)
    prior: Float32Array  # (windows, rois); zero for ROIs without an earlier head
    onsets_s: FloatArray  # (windows,)
    earlier: EarlierHead | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """One training part: kernel and what is left of the targets."""

    kernel: FloatArray  # (windows, windows), all windows, scaled by the part
    rest: FloatArray  # (windows, rois), targets less the prior's share
    rows: IntArray


def solve_head(
    fit_features: FitFeatures, targets: Float32Array, rows: IntArray
) -> LinearHead:
    """Fit all ROIs at once on `rows`; nothing of the other rows is read.

    Parameters
    ----------
    targets : (windows, rois), model units; only `rows` need to be finite.

    Raises
    ------
    DataFileError : too few rows to choose a penalty by.
    """
    direct = _solved(fit_features, targets, rows)
    earlier = fit_features.earlier
    if earlier is None:
        return direct
    predictions = (fit_features.features @ earlier.weight + earlier.bias).astype(
        np.float32
    )
    through = _solved(replace(fit_features, features=predictions), targets, rows)
    if through.error >= direct.error:
        return direct
    return replace(
        through,
        weight=earlier.weight @ through.weight,
        bias=through.bias + earlier.bias @ through.weight,
        through_earlier=True,
    )


def _solved(
    fit_features: FitFeatures, targets: Float32Array, rows: IntArray
) -> LinearHead:
    features = fit_features.features.astype(np.float32)
    mean = features[rows].mean(axis=0)
    scale = np.maximum(features[rows].std(axis=0), _SCALE_FLOOR)
    z = (features[rows] - mean) / scale  # (rows, features)
    slope = _slope(fit_features.prior[rows], targets[rows])
    part = _Rows(
        kernel=(z @ z.T).astype(np.float64),
        rest=(targets[rows] - slope * fit_features.prior[rows]).astype(np.float64),
        rows=rows,
    )
    candidates = (*PENALTIES, np.inf) if slope else PENALTIES
    errors = _blocked_errors(part, fit_features.onsets_s, candidates)
    best = len(errors) - 1 - int(np.argmin(errors[::-1]))  # of equals the heaviest
    level = part.rest.mean(axis=0)
    chosen = candidates[best : best + 1]
    (dual,) = ridge_weights(part.kernel, part.rest - level, chosen, relative=True)
    weight = (z.T @ dual) / scale[:, None]  # (features, rois)
    return LinearHead(
        weight=weight,
        bias=level - mean @ weight,
        slope=slope,
        penalty=float(candidates[best]),
        error=float(errors[best]),
    )


def _slope(prior: Float32Array, targets: Float32Array) -> float:
    """Return one slope for all ROIs; 0 without a prior, or if it only misleads."""
    x = (prior - prior.mean(axis=0)).astype(np.float64)
    y = (targets - targets.mean(axis=0)).astype(np.float64)
    power = float((x * x).sum())
    return max(float((x * y).sum()) / power, 0.0) if power > 0 else 0.0


def _blocked_errors(
    part: _Rows, onsets_s: FloatArray, candidates: Sequence[float]
) -> FloatArray:
    """Return the mean squared error of each penalty over the inner blocks."""
    total, n = np.zeros(len(candidates)), 0
    place = np.arange(len(part.rows))
    for learn, check in inner_blocks(place, onsets_s[part.rows], N_BLOCKS):
        level = part.rest[learn].mean(axis=0)
        inner, rest = part.kernel[np.ix_(learn, learn)], part.rest[learn] - level
        duals = ridge_weights(inner, rest, candidates, relative=True)
        across = part.kernel[np.ix_(check, learn)]
        for i, dual in enumerate(duals):
            total[i] += float(((across @ dual + level - part.rest[check]) ** 2).sum())
        n += len(check) * part.rest.shape[1]
    if not n:
        raise DataFileError(
            f"{len(part.rows)} training volumes cannot be divided into blocks that "
            "are 36 s apart, so no penalty can be chosen; scan longer"
        )
    return np.asarray(total / n)
