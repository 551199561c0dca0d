"""Scores of predictions on scans that a fit never saw, with intervals and controls."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from rtbold.bundle.card import RoiScore
from rtbold.messages import Float32Array, FloatArray

CONFIDENCE = 0.95
MIN_SD = 1e-6  # a prediction that does not vary explains nothing: R is 0, not NaN


@dataclass(frozen=True, slots=True)
class MeanR:
    """A mean Pearson R with its 95 % interval and p, scans being the sample."""

    r: float
    low: float
    high: float
    p: float  # two-sided, mean over scans against 0


def pearson_r(
    predicted: FloatArray | Float32Array, measured: FloatArray | Float32Array
) -> FloatArray:
    """Return R per column of (volumes, rois); 0 where either is constant."""
    a = predicted - predicted.mean(axis=0, dtype=np.float64)
    b = measured - measured.mean(axis=0, dtype=np.float64)
    sd_a = np.sqrt((a**2).mean(axis=0))
    sd_b = np.sqrt((b**2).mean(axis=0))
    flat = (sd_a < MIN_SD) | (sd_b < MIN_SD)
    covariance = (a * b).mean(axis=0)
    r: FloatArray = np.where(flat, 0.0, covariance / np.where(flat, 1, sd_a * sd_b))
    return r


def r_of_scans(
    predicted: Sequence[Float32Array], measured: Sequence[Float32Array]
) -> FloatArray:
    """Return (scans, rois)."""
    return np.stack([pearson_r(p, m) for p, m in zip(predicted, measured, strict=True)])


def mean_r(r_per_scan: FloatArray) -> MeanR:
    """Summarise one R per scan (t interval on Fisher's z; scans are independent).

    Fewer than two scans have no interval: it is (-1, 1) then, and p is 1.
    """
    mean = float(r_per_scan.mean())
    if len(r_per_scan) < 2 or r_per_scan.std() == 0:
        return MeanR(mean, -1.0, 1.0, 1.0)
    z = np.arctanh(np.clip(r_per_scan, -0.999999, 0.999999))
    error = float(stats.sem(z))
    centre = float(z.mean())
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(z) - 1)) * error
    p = float(2 * stats.t.sf(abs(centre) / error, len(z) - 1))
    return MeanR(mean, float(np.tanh(centre - half)), float(np.tanh(centre + half)), p)


def per_roi(r: FloatArray, rois: Sequence[str]) -> tuple[RoiScore, ...]:
    """Return the score of every ROI over the scans of `r` (scans, rois)."""
    summaries = [mean_r(r[:, column]) for column in range(r.shape[1])]
    return tuple(
        RoiScore(roi=roi, r=s.r, r_low=s.low, r_high=s.high, p=s.p)
        for roi, s in zip(rois, summaries, strict=True)
    )


def other_scan_r(
    predicted: Sequence[Float32Array], measured: Sequence[Float32Array]
) -> FloatArray:
    """Return R when each scan is paired with the next one's EEG at equal scan time.

    What is left is what all scans share (drift of vigilance), not the pairing.
    """
    n = min(len(p) for p in predicted)
    shifted = [*predicted[1:], predicted[0]]
    return r_of_scans([p[:n] for p in shifted], [m[:n] for m in measured])


def shuffled_r(
    predicted: Sequence[Float32Array], measured: Sequence[Float32Array], *, seed: int
) -> FloatArray:
    """Return R when the volumes of each scan are paired at random."""
    rng = np.random.default_rng(seed)
    mixed = [p[rng.permutation(len(p))] for p in predicted]
    return r_of_scans(mixed, measured)
