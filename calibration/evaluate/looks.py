"""Bounds for looking at a scan before it is whole, at one level over all looks. Pure.

Who tests at five per cent after ten minutes, scans on, and tests again, has two chances
to be lucky. With bounds of O'Brien and Fleming (1979) an early look has to find far
more, and the last one hardly more than a single look would.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from rtbold.errors import ConfigError
from rtbold.messages import FloatArray

NEARLY: Final = 0.95  # of the planned minutes make a look: volumes are lost
MOST_LOOKS: Final = 10
_GRID_N: Final = 301  # points of a score's distribution, odd for Simpson's rule
_HALVINGS: Final = 30  # of where the bound is looked for
_LOWEST: Final = -8.0  # of the score: what lies below is nothing


def look_bounds(minutes: Sequence[float], alpha: float) -> tuple[float, ...]:
    """Return the z that each look has to reach, one-sided, alpha over all looks.

    The score grows with the minutes: at a share t of the last look its variance is t.
    O'Brien and Fleming hold the score against one bound, so z has to reach
    ``bound / sqrt(t)``.

    Raises
    ------
    ConfigError : minutes do not rise, or alpha is no level.
    """
    from scipy.special import ndtri

    check_looks(minutes, alpha)
    shares = np.asarray(minutes, dtype=np.float64) / minutes[-1]
    low = float(-ndtri(alpha))
    if len(shares) == 1:
        return (low,)
    high = low + 3.0
    for _ in range(_HALVINGS):
        bound = (low + high) / 2
        low, high = (bound, high) if _crossed(bound, shares) > alpha else (low, bound)
    return tuple(float(bound / np.sqrt(share)) for share in shares)


def look_levels(minutes: Sequence[float], alpha: float) -> tuple[float, ...]:
    """Return what p has to reach at each look."""
    from scipy.special import ndtr

    return tuple(float(ndtr(-z)) for z in look_bounds(minutes, alpha))


def look_of(minutes: Sequence[float], scan_min: float) -> int:
    """Return which look a scan is long enough for, from 1; 0: not for the first."""
    return sum(scan_min >= NEARLY * planned for planned in minutes)


def check_looks(minutes: Sequence[float], alpha: float) -> None:
    """Refuse looks that are none.

    Raises
    ------
    ConfigError : says what came and what was expected.
    """
    if not 0.0001 <= alpha <= 0.2:
        raise ConfigError(
            f"alpha is {alpha:g}, expected a level from 0.0001 to 0.2, such as 0.05."
        )
    rising = all(a < b for a, b in pairwise(minutes))
    if not (0 < len(minutes) <= MOST_LOOKS and rising and 0 < minutes[0]):
        told = ",".join(f"{each:g}" for each in minutes)
        raise ConfigError(
            f"looks are {told or 'none'}, expected 1 to {MOST_LOOKS} rising numbers "
            "of minutes such as 10,20,30."
        )


def _crossed(bound: float, shares: FloatArray) -> float:
    """Return how often chance brings the score to the bound at any look.

    The distribution of a score that has not crossed yet, look after look (Armitage,
    McPherson and Rowe 1969).
    """
    from scipy.special import ndtr

    score = np.linspace(_LOWEST, bound, _GRID_N)
    weight = _simpson(score)
    sd = float(np.sqrt(shares[0]))
    crossed = float(ndtr(-bound / sd))
    density = _density(score / sd) / sd
    for step in np.diff(shares):
        sd = float(np.sqrt(step))
        crossed += float((weight * density) @ ndtr((score - bound) / sd))
        moved = _density((score[:, None] - score[None, :]) / sd) / sd
        density = moved @ (weight * density)
    return crossed


def _density(z: FloatArray) -> FloatArray:
    density: FloatArray = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return density


def _simpson(points: FloatArray) -> FloatArray:
    weight = np.ones(len(points))
    weight[1:-1:2], weight[2:-1:2] = 4.0, 2.0
    spaced: FloatArray = weight * (points[1] - points[0]) / 3
    return spaced
