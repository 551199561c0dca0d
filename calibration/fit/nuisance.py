"""How much of measured BOLD given confounds explain: by evidence, not by fit. Pure.

Least squares on the tens of columns that a few confounds unfold into would take a part
of everything out of ten minutes of volumes. Here each principal component of the ROIs
gets a ridge penalty of its own, the one under which what was measured is likeliest
(MacKay 1992), and an infinite one is always a candidate: a component that the confounds
do not act on is left alone. What acts on the whole brain, as heart and breath do, has
the first component to itself, so all ROIs together tell how it acts.
"""

from typing import Final

import numpy as np

from rtbold.messages import FloatArray
from rtbold.truth import effective_n

PENALTIES: Final = (*(float(a) for a in np.logspace(-1, 4, 16)), np.inf)
MOST_COMPONENTS: Final = 16
_LEAST: Final = 1e-12  # of the largest component's power: below, only rounding


def explaining_weights(columns: FloatArray, series: FloatArray) -> FloatArray:
    """Return (..., columns, series): what of each column is in each series.

    Parameters
    ----------
    columns : (volumes, columns), without drift, each with the variance that its weights
        are expected to have.
    series : (..., volumes, series), without drift, filtered as the columns are. All
        leading axes are sets of series of their own.
    """
    sets = series.reshape(-1, *series.shape[-2:]).astype(np.float64)
    shape = (*series.shape[:-2], columns.shape[1], series.shape[-1])
    if not columns.any() or not series.any():
        return np.zeros(shape)
    components, turns = _principal(sets)
    values, vectors = np.linalg.eigh((columns.T @ columns).astype(np.float64))
    values = np.maximum(values, 0.0)
    products = (columns @ vectors).T @ components  # (sets, columns, components)
    power = (components**2).sum(axis=1)
    evidence = _evidence(values, products, power, _independent_n(components))
    penalties = np.array(PENALTIES)[evidence.argmax(axis=-1)]
    weights = vectors @ (products / (values[:, None] + penalties[:, None, :]))
    explaining: FloatArray = weights @ turns.swapaxes(1, 2)
    return explaining.reshape(shape)


def _principal(sets: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the largest components and how series are made of them.

    Returns
    -------
    (sets, volumes, components), and (sets, series, components). What only rounding
    tells from nothing is 0 in both.
    """
    power, turns = np.linalg.eigh(sets.swapaxes(1, 2) @ sets)  # ascending
    largest = slice(None, -MOST_COMPONENTS - 1, -1)
    real = power[:, largest] > _LEAST * power[:, -1:]
    turns = np.where(real[:, None, :], turns[:, :, largest], 0.0)
    return sets @ turns, turns


def _independent_n(components: FloatArray) -> FloatArray:
    """Return the independent volumes of each component (Bartlett), (sets, components).

    White noise would be far more certain of a response than smooth BOLD can be.
    """
    n_sets, n_volumes, n = components.shape
    flat = components.swapaxes(0, 1).reshape(n_volumes, -1)
    return effective_n(flat, flat, np.ones(n_volumes, dtype=bool)).reshape(n_sets, n)


def _evidence(
    values: FloatArray, products: FloatArray, power: FloatArray, n_eff: FloatArray
) -> FloatArray:
    """Return the logarithm of the marginal likelihood of each penalty, but a constant.

    Parameters
    ----------
    values : eigenvalues of the columns' Gram matrix.
    products : columns times components, in its eigenvectors.
    power : sum of squares of each component.

    Returns
    -------
    (sets, components, penalties).
    """
    penalties = np.array(PENALTIES)
    explained = (products**2).swapaxes(1, 2) @ (1 / (values[:, None] + penalties))
    whole = np.maximum(power, np.finfo(float).tiny)[..., None]
    share = np.clip((whole - explained) / whole, np.finfo(float).tiny, None)
    spent = np.log1p(values[:, None] / penalties).sum(axis=0)
    found: FloatArray = -0.5 * (n_eff[..., None] * np.log(share) + spent)
    return found
