"""Numbers as text should show them. Pure."""

import math
from collections.abc import Iterable

import numpy as np

from rtbold.messages import Float32Array, FloatArray

FLOAT32_MAX = float(np.finfo(np.float32).max)


def shortest(value: float | None) -> float | None:
    """Return the shortest double that round-trips float32; None if not finite.

    JSON then shows 0.42 and not 0.41999998688697815.
    """
    if value is None or not math.isfinite(value) or abs(value) > FLOAT32_MAX:
        return None
    return float(str(np.float32(value)))


def shortest_all(
    values: Float32Array | FloatArray | Iterable[float],
) -> tuple[float | None, ...]:
    """Return `shortest` of each value."""
    return tuple(shortest(float(value)) for value in values)
