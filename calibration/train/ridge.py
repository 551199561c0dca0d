"""Ridge regression with the penalty chosen by scans that the weights did not see.

Closed form from sums over the scans of a fold, so that leaving a fold out costs a
subtraction, and memory does not grow with the number of scans.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from rtbold.calibration.fit.ridge import ridge_weights
from rtbold.calibration.train.batches import Part, in_order
from rtbold.messages import FloatArray
from rtbold.models import Efp, EfpConfig, LinearModel
from rtbold.truth import pearson_r

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
class Table:
    """Per scan: features (volumes, features) and targets (volumes, rois)."""

    features: Sequence[FloatArray]
    targets: Sequence[FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class _Scaling:
    mean: FloatArray
    scale: FloatArray
    bias: FloatArray

    def rows(self, table: Table) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Yield scan by scan, so that only one scaled copy lives at a time."""
        for x, y in zip(table.features, table.targets, strict=True):
            yield (x - self.mean) / self.scale, y - self.bias


@dataclass(slots=True, eq=False)
class _Sums:
    gram: FloatArray  # (features, features)
    product: FloatArray  # (features, rois)

    def add(self, x: FloatArray, y: FloatArray) -> None:
        self.gram += x.T @ x
        self.product += x.T @ y


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
    scaling = _scaling(table)
    n_folds = min(n_folds, len(table.features)) if validation is None else 1
    folds = _fold_sums(table, scaling, n_folds)
    if validation is None:
        scores = _cross_validate(table, scaling, folds)
    else:
        scores = _scores(_solve(folds, ALPHAS), validation, scaling)
    best = int(np.argmax(scores))
    weights = _solve(folds, [ALPHAS[best]])[0]
    return RidgeFit(
        mean=scaling.mean,
        scale=scaling.scale,
        weights=weights,
        bias=scaling.bias,
        alpha=ALPHAS[best],
        r=float(scores[best]),
    )


def _scaling(table: Table) -> _Scaling:
    scans = table.features
    n = sum(len(scan) for scan in scans)
    mean: FloatArray = np.sum([scan.sum(axis=0) for scan in scans], axis=0) / n
    square = np.sum([((scan - mean) ** 2).sum(axis=0) for scan in scans], axis=0)
    bias = np.concatenate(table.targets).mean(axis=0)
    return _Scaling(mean, np.sqrt(square / n) + 1e-9, bias)


def _fold_sums(table: Table, scaling: _Scaling, n_folds: int) -> list[_Sums]:
    n_features, n_rois = table.features[0].shape[1], table.targets[0].shape[1]
    folds = [
        _Sums(np.zeros((n_features, n_features)), np.zeros((n_features, n_rois)))
        for _ in range(n_folds)
    ]
    for i, (x, y) in enumerate(scaling.rows(table)):
        folds[i % n_folds].add(x, y)
    return folds


def _cross_validate(
    table: Table, scaling: _Scaling, folds: Sequence[_Sums]
) -> FloatArray:
    total = np.zeros(len(ALPHAS))
    n_folds, n_scans = len(folds), len(table.features)
    for fold in range(n_folds):
        left_out = Table(table.features[fold::n_folds], table.targets[fold::n_folds])
        kept = [sums for i, sums in enumerate(folds) if i != fold]
        share = len(left_out.features) / n_scans
        total += share * _scores(_solve(kept, ALPHAS), left_out, scaling)
    return total


def _scores(
    weights: Sequence[FloatArray], table: Table, scaling: _Scaling
) -> FloatArray:
    """Return the mean R over scans and ROIs for each matrix of weights."""
    r = [
        [float(pearson_r(x @ matrix, y).mean()) for matrix in weights]
        for x, y in scaling.rows(table)
    ]
    mean: FloatArray = np.mean(r, axis=0)
    return mean


def _solve(folds: Sequence[_Sums], alphas: Sequence[float]) -> list[FloatArray]:
    gram = np.sum([sums.gram for sums in folds], axis=0)
    product = np.sum([sums.product for sums in folds], axis=0)
    return ridge_weights(gram, product, alphas)


# Closed-form fit of the linear models: band-power ridge and EEG finger-print.


def features_table(features: Callable[[Tensor], Tensor], part: Part) -> Table:
    """Return features (windows, features) and targets of every scan, in float64.

    Parameters
    ----------
    features : of a model in eval mode; (b, channels, 3200) microvolt -> (b, features).
    """
    with torch.inference_mode():
        rows = torch.cat([features(windows) for windows in in_order(part)])
    return Table(
        [own.astype(np.float64) for own in part.by_scan(rows.numpy())],
        [target.astype(np.float64) for target in part.measured],
    )


def fit_linear(
    model: LinearModel, train: Part, validation: Part | None = None
) -> RidgeFit:
    """Fit scaling and map in place.

    Parameters
    ----------
    validation : chooses the penalty; None: cross-validation over the training scans.
    """
    model.eval()
    beside = None if validation is None else features_table(model.features, validation)
    fitted = fit_ridge(features_table(model.features, train), validation=beside)
    with torch.no_grad():
        model.mean.copy_(torch.from_numpy(fitted.mean))
        model.scale.copy_(torch.from_numpy(fitted.scale))
        model.head.weight.copy_(torch.from_numpy(fitted.weights.T))
        model.head.bias.copy_(torch.from_numpy(fitted.bias))
    return fitted


def refit_head(network: nn.Module, parts: tuple[Part, Part]) -> RidgeFit:
    """Solve a trained network's linear head in closed form, in place.

    Gradient steps leave the head short of its optimum; the penalty is chosen by the
    validation scans, because the features were learned from the training scans.
    """
    network.eval()
    features = cast("Callable[[Tensor], Tensor]", network.features)
    train, validation = (features_table(features, part) for part in parts)
    fitted = fit_ridge(train, validation=validation)
    weight = fitted.weights / fitted.scale[:, None]  # (features, rois)
    head = cast("nn.Linear", network.head)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight.T))
        head.bias.copy_(torch.from_numpy(fitted.bias - fitted.mean @ weight))
    return fitted


def fit_efp(
    config: EfpConfig,
    train: Part,
    electrodes: Sequence[str] | None = None,
    *,
    validation: Part | None = None,
) -> tuple[Efp, RidgeFit]:
    """Return the finger-print of the electrode with the best R.

    The choice is part of the fit: the R of the winner is optimistic by it, so scores
    come from scans outside of both parts.

    Parameters
    ----------
    electrodes : to choose from; None: all of the model's channels.
    validation : as of `fit_linear`; R is then of this part.
    """
    fits = []
    for electrode in electrodes or config.channels:
        model = Efp(dataclasses.replace(config, electrode=electrode))
        fits.append((model, fit_linear(model, train, validation)))
    return max(fits, key=lambda pair: pair[1].r)
