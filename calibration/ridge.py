"""Ridge regression with the penalty chosen by cross-validation over scans.

Closed form from the sums of each scan, so that leaving a scan out costs a subtraction
and no second look at the data.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtbold.calibration.score import pearson_r
from rtbold.messages import FloatArray

ALPHAS = tuple(float(a) for a in np.logspace(0, 6, 13))


@dataclass(frozen=True, slots=True, eq=False)
class RidgeFit:
    """``prediction = (features - mean) / scale @ weights + bias``."""

    mean: FloatArray  # (features,)
    scale: FloatArray
    weights: FloatArray  # (features, rois)
    bias: FloatArray  # (rois,)
    alpha: float
    cross_validated_r: float  # mean over ROIs and left-out scans, at this alpha


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    gram: FloatArray  # (features, features)
    product: FloatArray  # (features, rois)


def fit_ridge(
    features: Sequence[FloatArray], targets: Sequence[FloatArray], *, n_folds: int = 5
) -> RidgeFit:
    """Fit all ROIs at once; one penalty for all.

    Parameters
    ----------
    features : per scan (volumes, features). Scaled by the training scans as a whole,
        because a live loop cannot scale by a scan that is not over yet.
    targets : per scan (volumes, rois), model units.
    """
    everything = np.concatenate(features)
    mean, scale = everything.mean(axis=0), everything.std(axis=0) + 1e-9
    bias = np.concatenate(targets).mean(axis=0)
    x = [(scan - mean) / scale for scan in features]
    y = [scan - bias for scan in targets]
    sums = [_Sums(a.T @ a, a.T @ b) for a, b in zip(x, y, strict=True)]
    scores = _cross_validate(x, y, sums=sums, n_folds=min(n_folds, len(x)))
    best = int(np.argmax(scores))
    weights = _solve(sums, [ALPHAS[best]])[0]
    return RidgeFit(mean, scale, weights, bias, ALPHAS[best], float(scores[best]))


def _cross_validate(
    x: Sequence[FloatArray],
    y: Sequence[FloatArray],
    *,
    sums: Sequence[_Sums],
    n_folds: int,
) -> FloatArray:
    scores = np.zeros(len(ALPHAS))
    for fold in range(n_folds):
        kept = [s for i, s in enumerate(sums) if i % n_folds != fold]
        for at, weights in enumerate(_solve(kept, ALPHAS)):
            for i in range(fold, len(x), n_folds):
                scores[at] += pearson_r(x[i] @ weights, y[i]).mean() / len(x)
    return scores


def _solve(sums: Sequence[_Sums], alphas: Sequence[float]) -> list[FloatArray]:
    gram = np.sum([s.gram for s in sums], axis=0)
    product = np.sum([s.product for s in sums], axis=0)
    values, vectors = np.linalg.eigh(gram)
    rotated = vectors.T @ product
    positive = np.maximum(values, 0.0)[:, None]
    return [vectors @ (rotated / (positive + alpha)) for alpha in alphas]
