"""The surface Laplacian by spherical splines (Perrin et al. 1989, corrected 1990).

A fixed, linear sharpening of the scalp's potential that undoes part of what the skull
blurs. It starts learned unmixing where an electrode mostly means what lies below it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.polynomial.legendre import legval

from rtbold.electrodes import positions
from rtbold.messages import FloatArray

STIFFNESS = 4
N_TERMS = 60
REGULARISATION = 1e-5


def surface_laplacian(channels: Sequence[str]) -> FloatArray:
    """Return (channels, channels); each row has unit norm and does not see a constant.

    Unit norm, because the scale of a current density is no use to a network.
    """
    xyz = positions(channels)
    cosine = np.clip(xyz @ xyz.T, -1.0, 1.0)
    n = np.arange(1.0, N_TERMS)
    series = np.zeros(N_TERMS)
    series[1:] = (2 * n + 1) / (n * (n + 1)) ** STIFFNESS / (4 * np.pi)
    potential = legval(cosine, series)
    series[1:] *= n * (n + 1)
    density = legval(cosine, series)
    inverse = np.linalg.inv(potential + REGULARISATION * np.eye(len(channels)))
    sums = inverse.sum(axis=1)
    coefficients = inverse - np.outer(sums, sums) / sums.sum()
    laplacian: FloatArray = density @ coefficients
    laplacian /= np.linalg.norm(laplacian, axis=1, keepdims=True)
    return laplacian
