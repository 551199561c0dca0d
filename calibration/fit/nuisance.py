"""How much of measured BOLD given confounds explain: by evidence, not by fit. Pure.

Least squares on the tens of columns that a few confounds unfold into would take a part
of everything out of ten minutes of volumes. Here each principal component of the ROIs
gets a ridge penalty of its own, the one under which what was measured is likeliest
(MacKay 1992), and an infinite one is always a candidate: a component that the confounds
do not act on is left alone. What acts on the whole brain, as heart and breath do, has
the first component to itself, so all ROIs together tell how it acts.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from rtbold.messages import FloatArray
from rtbold.truth import effective_n

PENALTIES: Final = (*(float(a) for a in np.logspace(-1, 4, 16)), np.inf)
MOST_COMPONENTS: Final = 16
_LEAST: Final = 1e-12  # of the largest singular value: below, only rounding


def explaining_weights(columns: FloatArray, series: FloatArray) -> FloatArray:
    """Return (columns, series): what of each column is in each series.

    Parameters
    ----------
    columns : (volumes, columns), without drift, each with the variance that its weights
        are expected to have.
    series : (volumes, series), without drift, filtered as the columns are.
    """
    weights = np.zeros((columns.shape[1], series.shape[1]))
    if not columns.any() or not series.any():
        return weights
    left, sizes, right = np.linalg.svd(series, full_matrices=False)
    n = min(MOST_COMPONENTS, int((sizes > _LEAST * sizes[0]).sum()))
    components = left[:, :n] * sizes[:n]
    values, vectors = np.linalg.eigh(columns.T @ columns)
    values = np.maximum(values, 0.0)
    products = vectors.T @ (columns.T @ components)  # (columns, components)
    for k, n_eff in enumerate(_independent_n(components)):
        power = float((components[:, k] ** 2).sum())
        evidence = _evidence(values, products[:, k], power, n_eff, PENALTIES)
        penalty = PENALTIES[int(np.argmax(evidence))]
        weight = vectors @ (products[:, k] / (values + penalty))
        weights += weight[:, None] * right[k]
    return weights


def _independent_n(components: FloatArray) -> FloatArray:
    """Return the independent volumes of each component (Bartlett).

    White noise would be far more certain of a response than smooth BOLD can be.
    """
    mask = np.ones(len(components), dtype=bool)
    return effective_n(components, components, mask)


def _evidence(
    values: FloatArray,
    product: FloatArray,
    power: float,
    n_eff: float,
    penalties: Sequence[float],
) -> list[float]:
    """Return the logarithm of the marginal likelihood of each penalty, but a constant.

    Parameters
    ----------
    values : eigenvalues of the columns' Gram matrix.
    product : columns times component, in its eigenvectors.
    power : sum of squares of the component.
    """
    found = []
    for penalty in penalties:
        left = max(power - float((product**2 / (values + penalty)).sum()), 0.0)
        spent = 0.0 if np.isinf(penalty) else float(np.log1p(values / penalty).sum())
        share = max(left / power, np.finfo(float).tiny)
        found.append(-0.5 * (n_eff * float(np.log(share)) + spent))
    return found
