"""What a participant could learn from a prediction that is fed back. Pure.

R says how well two series go together. A participant sees one number at a time, or the
mean of a block, and follows whether it is above or below what it mostly is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from rtbold.bundle import Learnable
from rtbold.calibration.evaluate.nulls import MIN_VOLUMES, pairing
from rtbold.errors import DataFileError
from rtbold.messages import FloatArray
from rtbold.truth import BoolArray, centred_r

BLOCKS_S: Final = (20.0, 40.0)
LAGS_S: Final = (-8.0, 12.0)  # BOLD before the prediction, and after it
_LEAST_BLOCKS: Final = 5  # that fit into the scan side by side


@dataclass(frozen=True, slots=True, eq=False)
class ScanFacts:
    """What is known of the scan beside its series."""

    tr_s: float
    conditions: Mapping[str, BoolArray] = field(default_factory=dict)  # (volumes,)


def right_side(r: float) -> float:
    """Return the share of volumes on the right side of the mean, of a normal pair."""
    return float(0.5 + np.arcsin(np.clip(r, -1, 1)) / np.pi)


def learnable(
    predicted: FloatArray,
    measured: FloatArray,
    facts: ScanFacts,
    *,
    global_signal: FloatArray | None = None,
) -> Learnable:
    """Return what the target's series say, (volumes,) each, nan where not scored."""
    a, b = predicted[:, None], measured[:, None]
    pair = pairing(a, b)
    lag_s, lag_r = best_lag(predicted, measured, facts.tr_s)
    without = None
    if global_signal is not None:
        without = float(pairing(a, b, global_signal[:, None]).r[0])
    return Learnable(
        right_side=right_side(float(pair.r[0])),
        block_r=block_r(predicted, measured, facts.tr_s),
        best_lag_s=lag_s,
        best_lag_r=lag_r,
        r_without_global=without,
        r_within=r_within(predicted, measured, facts.conditions),
    )


def block_r(
    predicted: FloatArray, measured: FloatArray, tr_s: float
) -> dict[str, float]:
    """Return R of the means of blocks, by their length: how reliable one is.

    Blocks begin at every volume, so that R does not hang on where the first one lies. A
    length of which fewer than five fit into the scan is left out.
    """
    pair = pairing(predicted[:, None], measured[:, None])
    found = {}
    for seconds in BLOCKS_S:
        n = max(1, round(seconds / tr_s))
        whole = np.convolve(pair.mask, np.ones(n), "valid") > n - 0.5
        if whole.sum() < _LEAST_BLOCKS * n:
            continue
        a, b = (
            np.convolve(series[:, 0], np.full(n, 1 / n), "valid")[whole]
            for series in (pair.predicted, pair.measured)
        )
        found[f"{seconds:g} s"] = _r(a, b)
    return found


def best_lag(
    predicted: FloatArray, measured: FloatArray, tr_s: float
) -> tuple[float, float]:
    """Return by how much BOLD is later where R is highest, seconds, and that R."""
    first, last = (round(lag_s / tr_s) for lag_s in LAGS_S)
    found = {}
    for lag in range(first, last + 1):
        later = np.full_like(measured, np.nan)
        if lag > 0:
            later[:-lag] = measured[lag:]
        else:
            later[-lag:] = measured[: len(measured) + lag]
        try:
            found[lag] = float(pairing(predicted[:, None], later[:, None]).r[0])
        except DataFileError:  # too few volumes are left
            continue
    best = max(found, key=lambda lag: (found[lag], -abs(lag)))
    return best * tr_s, found[best]


def r_within(
    predicted: FloatArray, measured: FloatArray, conditions: Mapping[str, BoolArray]
) -> dict[str, float]:
    """Return R inside the blocks of each kind; what sets the kinds apart is not in it.

    Each run of volumes of a kind has its own mean taken off.
    """
    pair = pairing(predicted[:, None], measured[:, None])
    found = {}
    for name, chosen in conditions.items():
        rows = chosen & pair.mask
        if rows.sum() < MIN_VOLUMES:
            continue
        run = np.cumsum(np.diff(rows.astype(int), prepend=0) == 1)
        a, b = (
            _without_means(series[rows, 0], run[rows])
            for series in (pair.predicted, pair.measured)
        )
        found[name] = _r(a, b)
    return found


def _without_means(series: FloatArray, run: np.ndarray) -> FloatArray:
    _, place = np.unique(run, return_inverse=True)
    means = np.bincount(place, series) / np.bincount(place)
    left: FloatArray = series - means[place]
    return left


def _r(a: FloatArray, b: FloatArray) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(centred_r(a[:, None], b[:, None])[0])
