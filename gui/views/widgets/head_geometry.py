"""The head from above as a flat disc: x right, y nose, the outline at radius 1.

An electrode stands at a distance from the middle that is proportional to its angle from
the vertex (azimuthal equidistant). Those below the outline (mastoids, ear lobes) stand
outside of it, as far as 1.22.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

OUTLINE_DEG: Final = 105.0  # angle from the vertex that the drawn outline stands for
OUTERMOST: Final = 1.22  # of all electrodes of the 10-05 system, and the ears' edge

FloatArray = NDArray[np.float64]


def on_disc(xyz: FloatArray) -> FloatArray:
    """Return (n, 2) places on the disc of (n, 3) unit vectors (right, nose, up)."""
    angle = np.arccos(np.clip(xyz[:, 2], -1, 1))
    sideways = np.hypot(xyz[:, 0], xyz[:, 1])
    reach = np.degrees(angle) / OUTLINE_DEG
    scale = np.divide(reach, sideways, out=np.zeros_like(reach), where=sideways > 0)
    return np.asarray(xyz[:, :2] * scale[:, None])


def on_sphere(xy: FloatArray) -> FloatArray:
    """Return (n, 3) unit vectors of (n, 2) places on the disc; undoes `on_disc`."""
    reach = np.hypot(xy[:, 0], xy[:, 1])
    angle = np.radians(reach * OUTLINE_DEG)
    scale = np.divide(np.sin(angle), reach, out=np.zeros_like(reach), where=reach > 0)
    return np.column_stack([xy * scale[:, None], np.cos(angle)])
