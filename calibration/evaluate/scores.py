"""Out-of-fold predictions beside measurements, and their scores per column. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy import stats

from rtbold.bundle import RoiScore
from rtbold.calibration.evaluate.nulls import (
    CROSS_FITTED_REUSE,
    Pairing,
    Redraw,
    null_r,
    other_subjects_null,
    p_above,
    pairing,
    redrawn_r,
)
from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import Float32Array, FloatArray
from rtbold.truth import autocorrelation, pearson_r

# Block-bootstrap interval of R for autocorrelated series. Pure.

CONFIDENCE: Final = 0.95
N_RESAMPLES: Final = 1000
_LARGEST_R: Final = 1 - 1e-9


def block_length(pair: Pairing) -> float:
    """Return the mean block in volumes, from the autocorrelation of what R averages.

    R is asymptotically the mean of ``a b - r (a^2 + b^2) / 2`` (its influence function,
    `a` and `b` standardised); the block is the one that suits the stationary bootstrap
    of that mean (Politis and White 2004, corrected 2009). One block for all columns:
    the mean of theirs, because single estimates scatter.
    """
    a, b = (_standard(series[pair.mask]) for series in (pair.predicted, pair.measured))
    influence = a * b - pair.r * (a**2 + b**2) / 2
    return float(np.mean([_politis_white(column) for column in influence.T]))


def bootstrap_interval(
    pair: Pairing, block_n: float, *, seed: int, reuse: float | FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the 95 % interval of R per column.

    Stationary bootstrap (Politis and Romano 1994) of the pairs of volumes; the interval
    is normal on Fisher's z with the bootstrap's standard error, widened by the root of
    the reuse as the null is (see `nulls`): percentiles as they stand covered 79 to 91 %
    of simulated scans. A column that does not vary has (-1, 1).
    """
    n = int(pair.mask.sum())
    a, b = (_standard(series[pair.mask]) for series in (pair.predicted, pair.measured))
    weights = _resampled(n, block_n, seed) / n  # (resamples, volumes)
    mean_a, mean_b = weights @ a, weights @ b
    covariance = weights @ (a * b) - mean_a * mean_b
    power = (weights @ a**2 - mean_a**2) * (weights @ b**2 - mean_b**2)
    varies = (power > 0).all(axis=0)
    r = covariance / np.sqrt(np.where(power > 0, power, 1.0))
    error = np.arctanh(np.clip(r, -_LARGEST_R, _LARGEST_R)).std(axis=0)
    error = error * np.sqrt(reuse)
    half = stats.norm.ppf(0.5 + CONFIDENCE / 2) * error
    z = np.arctanh(np.clip(pair.r, -_LARGEST_R, _LARGEST_R))
    low: FloatArray = np.where(varies, np.tanh(z - half), -1.0)
    high: FloatArray = np.where(varies, np.tanh(z + half), 1.0)
    return low, high


def _standard(series: FloatArray) -> FloatArray:
    sd = series.std(axis=0)
    standard: FloatArray = (series - series.mean(axis=0)) / np.where(sd > 0, sd, 1.0)
    return standard


def _resampled(n: int, block_n: float, seed: int) -> FloatArray:
    """Return how often each resample holds each volume, (resamples, volumes).

    Blocks begin anywhere, have geometric lengths and wrap around the end.
    """
    rng = np.random.default_rng(seed)
    begins = rng.random((N_RESAMPLES, n)) < 1 / block_n
    begins[:, 0] = True
    position = np.arange(n)
    last = np.maximum.accumulate(np.where(begins, position, 0), axis=1)
    start = np.take_along_axis(rng.integers(0, n, (N_RESAMPLES, n)), last, axis=1)
    volume = (start + position - last) % n
    flat = volume + n * np.arange(N_RESAMPLES)[:, None]
    counts = np.bincount(flat.ravel(), minlength=N_RESAMPLES * n)
    return counts.reshape(N_RESAMPLES, n).astype(np.float64)


def _politis_white(series: FloatArray) -> float:
    """Return the mean block for the stationary bootstrap of a series' mean, >= 1."""
    n = len(series)
    quiet_n = max(5, int(np.sqrt(np.log10(n))))
    largest = int(np.ceil(np.sqrt(n))) + quiet_n
    rho = autocorrelation((series - series.mean())[:, None], largest + quiet_n)[:, 0]
    small = np.abs(rho) < 2 * np.sqrt(np.log10(n) / n)
    # The lag after which `quiet_n` lags in a row are nothing.
    last = next(
        (lag for lag in range(largest) if small[lag + 1 : lag + 1 + quiet_n].all()),
        largest,
    )
    width = min(2 * max(last, 1), largest)
    lags = np.arange(-width, width + 1)
    taper = np.clip(2 * (1 - np.abs(lags) / width), 0, 1)  # flat top
    tapered = taper * rho[np.abs(lags)]
    slope, density = (np.abs(lags) * tapered).sum(), tapered.sum()
    if density == 0:
        return 1.0
    block = (slope**2 / density**2 * n) ** (1 / 3)
    return float(np.clip(block, 1.0, np.ceil(min(3 * np.sqrt(n), n / 3))))


# Scores of predictions on scans that a fit never saw, with intervals and controls.


@dataclass(frozen=True, slots=True)
class MeanR:
    """A mean Pearson R with its 95 % interval and p, scans being the sample."""

    r: float
    low: float
    high: float
    p: float  # two-sided, mean over scans against 0


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


def r_with_drift(predicted: FloatArray, measured: FloatArray) -> FloatArray:
    """Return the plain R per column over the scored volumes."""
    both = np.isfinite(predicted).all(axis=1) & np.isfinite(measured).all(axis=1)
    return pearson_r(predicted[both], measured[both])


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """Predictions by models that did not see the volume, beside what was measured.

    Rows are the scan's volumes on its regular grid, nan where not scored. Predictions
    are in the model units of their fold, without its training mean (adding it back ties
    a fold's level to what it is scored against).
    """

    predicted: FloatArray  # (volumes, rois), model units
    measured: FloatArray  # (volumes, rois), one unit throughout
    rois: tuple[str, ...]
    others: tuple[FloatArray, ...] = ()  # the same models fed other subjects' EEG
    cross_fitted: bool = True  # False: no volume of this scan was learned from
    redraw: Redraw | None = None  # of a closed form: fits surrogate scans anew

    def __post_init__(self) -> None:
        """Refuse series that do not belong together."""
        expected = (len(self.predicted), len(self.rois))
        for name, series in (
            ("predicted", self.predicted),
            ("measured", self.measured),
            *((f"others[{i}]", other) for i, other in enumerate(self.others)),
        ):
            if series.shape != expected:
                raise DataFileError(
                    f"{name} has shape {series.shape}, expected {expected}: one row a "
                    "volume, one column a ROI"
                )


@dataclass(frozen=True, slots=True)
class Declared:
    """What was declared, before the scan, to be fed back: a ROI or a contrast."""

    target: str
    weights: Mapping[str, float] = field(default_factory=dict)  # empty: the ROI itself

    def weight_of(self) -> dict[str, float]:
        """Return the ROIs that count, with their weights."""
        return dict(self.weights) or {self.target: 1.0}

    def column(self, rois: tuple[str, ...]) -> FloatArray:
        """Return the weight of every ROI, (rois, 1).

        Raises
        ------
        ConfigError : the model does not predict one of them.
        """
        weights = self.weight_of()
        unknown = [roi for roi in weights if roi not in rois]
        if unknown:
            raise ConfigError(
                f"the target needs {', '.join(unknown)}, the model predicts "
                f"{', '.join(rois[:8])}{', ...' if len(rois) > 8 else ''}"
            )
        return np.array([[weights.get(roi, 0.0)] for roi in rois])


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What is known of each column, before anybody asks why."""

    r: FloatArray
    drifting_r: FloatArray
    low: FloatArray
    high: FloatArray
    n_eff: FloatArray
    block_n: float
    null: FloatArray  # (surrogates, columns), R by chance
    reuse: FloatArray  # how much wider that is than of a prediction made without BOLD
    p: FloatArray  # each column alone
    p_other: FloatArray | None  # of the excess over other subjects' EEG: a control
    r_other: FloatArray | None


def combined(
    scored: OutOfFold, weights: FloatArray, names: Sequence[str] = ("target",)
) -> OutOfFold:
    """Return weighted sums of the ROIs, each measured ROI in its own sd.

    Parameters
    ----------
    weights : (rois, columns).
    """
    sd = np.nanstd(scored.measured, axis=0)
    units = weights / np.where(sd > 0, sd, 1.0)[:, None]
    draw = scored.redraw

    def redraw(phases: FloatArray) -> tuple[FloatArray, FloatArray]:
        assert draw is not None
        predicted, measured = draw(phases)
        return predicted @ weights, measured @ units

    return OutOfFold(
        predicted=scored.predicted @ weights,
        measured=scored.measured @ units,
        rois=tuple(names),
        others=tuple(other @ weights for other in scored.others),
        cross_fitted=scored.cross_fitted,
        redraw=None if draw is None else redraw,
    )


def score(scored: OutOfFold, phases: FloatArray, *, seed: int) -> Scores:
    """Return R, interval, independent volumes and p of every column.

    Parameters
    ----------
    phases : as `nulls.random_phases` draws them; the same for all columns.
    """
    pair = pairing(scored.predicted, scored.measured)
    null, reuse = _null(scored, pair, phases)
    p_other, r_other = None, None
    if scored.others:
        excess, excess_null, r_other = other_subjects_null(
            (scored.predicted, scored.measured), scored.others, phases, reuse=reuse
        )
        p_other = p_above(excess, excess_null)
    block_n = block_length(pair)
    low, high = bootstrap_interval(pair, block_n, seed=seed, reuse=reuse)
    return Scores(
        r=pair.r,
        drifting_r=r_with_drift(scored.predicted, scored.measured),
        low=low,
        high=high,
        n_eff=pair.n_eff,
        block_n=block_n,
        null=null,
        reuse=reuse,
        p=p_above(pair.r, null),
        p_other=p_other,
        r_other=r_other,
    )


def _null(
    scored: OutOfFold, pair: Pairing, phases: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the null of every column's R, and its reuse."""
    n = scored.predicted.shape[1]
    if scored.redraw is None:
        reuse = np.full(n, CROSS_FITTED_REUSE if scored.cross_fitted else 1.0)
        return null_r(pair, phases, reuse=reuse), reuse
    drawn = redrawn_r(scored.redraw, pair.mask, phases)
    plain = pair.surrogate_r(phases).var(axis=0)
    found = drawn.var(axis=0) / np.where(plain > 0, plain, np.inf)
    # Worst case of decision 0009 above; a closed form that mostly answers nothing below
    return drawn, np.clip(found, 1.0, CROSS_FITTED_REUSE)
