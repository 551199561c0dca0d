"""Partial least squares from sums over scans. Pure.

Dayal and MacGregor's modified kernel algorithm 2 (J Chemometrics 11, 1997, 73-85): the
components follow from ``X'X`` and ``X'Y`` alone, so the memory does not grow with the
number of scans, and one pass gives every number of components.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rtbold.calibration.train.ridge import Table
from rtbold.messages import FloatArray
from rtbold.truth import pearson_r

COMPONENTS: Final = (1, 2, 3, 5, 8, 12, 16, 24)


@dataclass(frozen=True, slots=True, eq=False)
class PlsFit:
    """``prediction = (features - mean) / scale @ weights + bias``."""

    mean: FloatArray  # (features,)
    scale: FloatArray
    weights: FloatArray  # (features, rois)
    bias: FloatArray  # (rois,)
    n_components: int
    r: float  # mean over ROIs and scans of validation, at this number


def fit_pls(
    train: Table, validation: Table, *, components: Sequence[int] = COMPONENTS
) -> PlsFit:
    """Fit all ROIs at once; the number of components by the validation part.

    Parameters
    ----------
    train, validation : per scan (volumes, features) and (volumes, rois).
    components : numbers to choose from, rising.
    """
    mean, scale = _scaling(train.features)
    bias = np.concatenate(list(train.targets)).mean(axis=0)
    n_features, n_rois = len(mean), len(bias)
    gram, product = np.zeros((n_features, n_features)), np.zeros((n_features, n_rois))
    for x, y in zip(train.features, train.targets, strict=True):
        z = (x - mean) / scale
        gram += z.T @ z
        product += z.T @ (y - bias)
    weights = pls_weights(gram, product, components)
    r = [_r_of(one, validation, mean=mean, scale=scale) for one in weights]
    best = int(np.argmax(r))
    return PlsFit(mean, scale, weights[best], bias, components[best], r[best])


def pls_weights(
    gram: FloatArray, product: FloatArray, components: Sequence[int]
) -> list[FloatArray]:
    """Return (features, targets) for each number of components.

    Where the data hold fewer components than asked for, all that there are.

    Parameters
    ----------
    gram, product : ``X'X`` and ``X'Y`` of centred columns.
    """
    left = product.copy()
    smallest = 1e-12 * max(float(np.abs(product).max()), 1e-300)
    rotations: list[FloatArray] = []
    loadings: list[FloatArray] = []
    answers: list[FloatArray] = []
    while len(rotations) < components[-1]:
        _, vectors = np.linalg.eigh(left.T @ left)
        weight = left @ vectors[:, -1]
        norm = float(np.linalg.norm(weight))
        if norm <= smallest:
            break
        rotation = weight / norm
        for before, loading in zip(rotations, loadings, strict=True):
            rotation = rotation - (loading @ (weight / norm)) * before
        size = float(rotation @ gram @ rotation)
        if size <= 0:
            break
        rotations.append(rotation)
        loadings.append(gram @ rotation / size)
        answers.append(left.T @ rotation / size)
        left = left - np.outer(loadings[-1], answers[-1]) * size
    if not rotations:
        return [np.zeros_like(product) for _ in components]
    r, q = np.stack(rotations, axis=1), np.stack(answers, axis=1)
    return [r[:, :n] @ q[:, :n].T for n in components]


def _scaling(scans: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    n = sum(len(scan) for scan in scans)
    mean = np.sum([scan.sum(axis=0, dtype=np.float64) for scan in scans], axis=0) / n
    square = np.sum([((scan - mean) ** 2).sum(axis=0) for scan in scans], axis=0)
    return mean, np.sqrt(square / n) + 1e-9


def _r_of(
    weights: FloatArray, table: Table, *, mean: FloatArray, scale: FloatArray
) -> float:
    r = [
        pearson_r((x - mean) / scale @ weights, y).mean()
        for x, y in zip(table.features, table.targets, strict=True)
    ]
    return float(np.mean(r))
