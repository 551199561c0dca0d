"""Values between electrodes: spherical splines as one matrix. Pure.

Perrin et al. (1989), Electroencephalography and Clinical Neurophysiology 72:184,
equations 1 to 3, with m = 4.
"""

from functools import cache
from typing import Final

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

STIFFNESS: Final = 4
TERMS: Final = 30
SMOOTHING: Final = 1e-7  # lets two electrodes at one place differ


def spline_matrix(electrodes: FloatArray, wanted: FloatArray) -> FloatArray:
    """Return (wanted, electrodes): times the electrodes' values, the wanted ones.

    Parameters
    ----------
    electrodes : (electrodes, 3) unit vectors, at least one.
    wanted : (wanted, 3) unit vectors.

    Rows add up to 1: where all electrodes agree, so does what is between them.
    """
    n = len(electrodes)
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = _kernel(electrodes @ electrodes.T) + SMOOTHING * np.eye(n)
    system[n, n] = 0
    beside = np.ones((len(wanted), n + 1))
    beside[:, :n] = _kernel(wanted @ electrodes.T)
    # The system is symmetric, so its inverse may stand on either side.
    return np.asarray(np.linalg.solve(system, beside.T).T[:, :n])


def _kernel(cosine: FloatArray) -> FloatArray:
    """Return Perrin's g of cosines of angles, from a table: it is smooth."""
    at, values = _table()
    return np.interp(cosine, at, values)


@cache
def _table() -> tuple[FloatArray, FloatArray]:
    n = np.arange(1, TERMS + 1)
    weights = (2 * n + 1) / (n * (n + 1.0)) ** STIFFNESS / (4 * np.pi)
    at = np.linspace(-1, 1, 4001)
    return at, legendre.legval(at, np.concatenate([[0.0], weights]))
