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
    r: float  # at this alpha, mean over ROIs and scans that the weights did not see


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    gram: FloatArray  # (features, features)
    product: FloatArray  # (features, rois)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Per scan: features (volumes, features) and targets (volumes, rois)."""

    features: Sequence[FloatArray]
    targets: Sequence[FloatArray]


def fit_ridge(
    table: Table, *, validation: Table | None = None, n_folds: int = 5
) -> RidgeFit:
    """Fit all ROIs at once; one penalty for all.

    Features are scaled by the training scans as a whole, because a live loop cannot
    scale by a scan that is not over yet.

    Parameters
    ----------
    validation : scans to choose the penalty by; None: cross-validation over scans.
        Needed where the features themselves were learned from the training scans.
    """
    mean, scale = _moments(table.features)
    bias = np.concatenate(table.targets).mean(axis=0)

    def centred(of: Table) -> Table:
        x = [(scan - mean) / scale for scan in of.features]
        return Table(x, [scan - bias for scan in of.targets])

    inner = centred(table)
    pairs = zip(inner.features, inner.targets, strict=True)
    sums = [_Sums(a.T @ a, a.T @ b) for a, b in pairs]
    if validation is None:
        scores = _cross_validate(inner, sums, min(n_folds, len(sums)))
    else:
        scores = _validate(centred(validation), sums)
    best = int(np.argmax(scores))
    weights = _solve(sums, [ALPHAS[best]])[0]
    return RidgeFit(mean, scale, weights, bias, ALPHAS[best], float(scores[best]))


def _moments(scans: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Return mean and sd over all scans without joining them."""
    n = sum(len(scan) for scan in scans)
    mean: FloatArray = np.sum([scan.sum(axis=0) for scan in scans], axis=0) / n
    square = np.sum([((scan - mean) ** 2).sum(axis=0) for scan in scans], axis=0)
    scale: FloatArray = np.sqrt(square / n) + 1e-9
    return mean, scale


def _validate(table: Table, sums: Sequence[_Sums]) -> FloatArray:
    return np.array(
        [
            np.mean(
                [
                    pearson_r(x @ weights, y).mean()
                    for x, y in zip(table.features, table.targets, strict=True)
                ]
            )
            for weights in _solve(sums, ALPHAS)
        ]
    )


def _cross_validate(table: Table, sums: Sequence[_Sums], n_folds: int) -> FloatArray:
    x, y = table.features, table.targets
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
