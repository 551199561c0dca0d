"""Scores of one model's predictions of one scan, on both kinds of target. Pure."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from rtbold.calibration.evaluate.confounds import own_rank
from rtbold.calibration.evaluate.nulls import (
    CROSS_FITTED_REUSE,
    MIN_VOLUMES,
    Pairing,
    null_r,
    pairing,
    random_phases,
)
from rtbold.errors import DataFileError
from rtbold.messages import FloatArray
from rtbold.truth import pearson_r

# "bundle": what is compared. "baseline": a model that is fitted here, and that a bundle
# must beat. "control": what must not predict BOLD. "reference": what no decoder of EEG
# can have, such as the true drive of a simulation.
Kind = Literal["bundle", "baseline", "control", "reference"]
N_SURROGATES: Final = 999
Rows = np.ndarray  # of int: numbers of windows


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Target:
    """What was measured in the scored volumes of one scan.

    Both series are in sd of the ROI over the whole scan.
    """

    scan: str
    subject: str
    session: str
    fold: int
    simulated: bool
    rois: tuple[str, ...]
    volume: Rows  # (volumes,), numbers in the scan
    onsets_s: FloatArray  # (volumes,)
    plain: FloatArray  # (volumes, rois), global signal left in
    gsr: FloatArray  # (volumes, rois), global signal regressed out

    def __post_init__(self) -> None:
        """Refuse series that do not belong together."""
        expected = (len(self.volume), len(self.rois))
        for name in ("plain", "gsr"):
            if (found := getattr(self, name).shape) != expected:
                raise DataFileError(
                    f"{self.scan}: target '{name}' has shape {found}, expected "
                    f"{expected}: one row a volume, one column a ROI"
                )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Predicted:
    """One model's predictions of one scan, in sd of the target."""

    model: str
    kind: Kind
    target: Target
    values: FloatArray  # (volumes, rois); nan: this model does not predict it

    @property
    def columns(self) -> np.ndarray:
        """Which ROIs the model predicts, (rois,) bool."""
        return np.asarray(np.isfinite(self.values).any(axis=0))

    @property
    def rows(self) -> np.ndarray:
        """Which volumes it predicts, (volumes,) bool."""
        known = np.isfinite(self.values[:, self.columns])
        return np.asarray(known.all(axis=1) & known.any(axis=1))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ScanScore:
    """Scores per ROI (nan where not predicted), and of all ROIs together."""

    predicted: Predicted
    n: int  # volumes
    r: FloatArray  # (rois,)
    r_gsr: FloatArray  # (rois,), on targets without the global signal
    mse: FloatArray  # (rois,), in the target's variance: 1 is what the mean gets
    r_without_drift: FloatArray | None  # (rois,); None: too few volumes
    r_of_mean: float  # of the mean over ROIs
    first_share: float  # of the predictions' variance in their first component
    own_rank: FloatArray  # (rois,), of the own ROI's R among all measured; 1: highest


def direction_agreement(r: FloatArray | float) -> FloatArray:
    """Return how often both move the same side of their mean, ``1 - arccos(R) / pi``.

    Exact for two series that are normal together. Chance is 0.5.
    """
    agreement: FloatArray = 1 - np.arccos(np.clip(r, -1.0, 1.0)) / np.pi
    return agreement


def score(predicted: Predicted) -> ScanScore:
    """Return the scores of one model on one scan.

    Raises
    ------
    DataFileError : fewer than three volumes are predicted.
    """
    target, columns, rows = predicted.target, predicted.columns, predicted.rows
    if rows.sum() < 3:
        raise DataFileError(
            f"{predicted.model} predicts {int(rows.sum())} of the "
            f"{len(target.volume)} scored volumes of {target.scan}, expected 3 or "
            "more; take a longer scan or another split"
        )
    guess = predicted.values[np.ix_(rows, columns)]
    plain, gsr = (
        series[np.ix_(rows, columns)] for series in (target.plain, target.gsr)
    )
    pair = drift_free(predicted)
    return ScanScore(
        predicted=predicted,
        n=int(rows.sum()),
        r=_spread(pearson_r(guess, plain), columns),
        r_gsr=_spread(pearson_r(guess, gsr), columns),
        mse=_spread(((guess - plain) ** 2).mean(axis=0), columns),
        r_without_drift=None if pair is None else _spread(pair.r, columns),
        r_of_mean=float(
            pearson_r(guess.mean(axis=1)[:, None], plain.mean(axis=1)[:, None])[0]
        ),
        first_share=first_component_share(guess),
        own_rank=_spread(_ranks(guess, plain), columns),
    )


def first_component_share(series: FloatArray) -> float:
    """Return the share of variance that lies in the first principal component.

    nan where nothing varies.
    """
    sizes = np.linalg.svd(series - series.mean(axis=0), compute_uv=False) ** 2
    if sizes.sum() <= 1e-12 * max(float((series**2).sum()), 1e-300):
        return float("nan")
    return float(sizes[0] / sizes.sum())


def _ranks(guess: FloatArray, measured: FloatArray) -> FloatArray:
    """Return per ROI how many measured ROIs its prediction fits at least as well."""
    unit_guess, unit_measured = _unit(guess), _unit(measured)
    r = unit_guess.T @ unit_measured
    ranks = np.array(own_rank(r), dtype=float)
    # A constant fits every ROI alike and none best.
    return np.where((unit_guess != 0).any(axis=0), ranks, np.nan)


def _unit(series: FloatArray) -> FloatArray:
    left = series - series.mean(axis=0)
    size = np.sqrt((left**2).sum(axis=0))
    floor = 1e-9 * np.maximum(np.abs(series).max(axis=0), 1e-300)
    unit: FloatArray = np.where(size > floor, left / np.where(size > 0, size, 1), 0.0)
    return unit


def _spread(values: FloatArray, columns: np.ndarray) -> FloatArray:
    """Return the values at their ROIs, nan at the others."""
    out = np.full(len(columns), np.nan)
    out[columns] = values
    return out


# The null: predictions whose phases were turned at random (`evaluate.nulls`).


def drift_free(predicted: Predicted) -> Pairing | None:
    """Return both series without cubic drift; None: too few volumes to say.

    The columns are those that the model predicts.
    """
    if predicted.rows.sum() < MIN_VOLUMES:
        return None
    target, columns = predicted.target, predicted.columns
    place = target.volume - target.volume.min()
    grid = np.full((2, int(place.max()) + 1, int(columns.sum())), np.nan)
    grid[0][place] = predicted.values[:, columns]
    grid[1][place] = target.plain[:, columns]
    return pairing(grid[0], grid[1])


def null_of(
    predicted: Predicted, *, seed: int, cross_fitted: bool
) -> FloatArray | None:
    """Return R of each surrogate, (surrogates, rois); None: too few volumes.

    ROIs that the model does not predict are nan.

    Parameters
    ----------
    seed : of the scan's phases; the same for all models, which then share chance.
    cross_fitted : the scan's volumes serve in training and in test, in turn.
    """
    pair = drift_free(predicted)
    if pair is None:
        return None
    phases = random_phases(len(pair.mask), n_surrogates=N_SURROGATES, seed=seed)
    out = np.full((N_SURROGATES, len(predicted.columns)), np.nan)
    reuse = CROSS_FITTED_REUSE if cross_fitted else 1.0
    out[:, predicted.columns] = null_r(pair, phases, reuse=reuse)
    return out
