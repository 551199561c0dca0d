"""Linear maps by marginal likelihood, many sets of targets at a time. Pure numpy.

The model of a training part: ``targets = slope * prior + features @ weights + noise``.

- The weights are Gaussian with a covariance that is already in the features (they come
  whitened: see `Reading`).
- The noise is not white: targets are low-passed. Its autocorrelation is that of the
  training targets themselves, of which a model explains a tenth, tapered to zero over
  25 s. Directions that the low-pass has emptied say nothing of the EEG and are left
  out (without that, evidence refuses every model).
- The targets are rotated into their principal components. Each component has its own
  ratio of signal to noise; the answers of all candidate ratios, of all readings and of
  "none", are averaged by their marginal likelihood over the whole training part. No
  inner blocks, and no choice on the edge between two answers.
- The slope of the prior is one number for all ROIs. Up to half as much again, or as
  much less, it is 1: smaller differences between folds are noise, and cost R.

Everything but the noise's autocorrelation is found anew for every set of targets.
Surrogates that turn phases have the autocorrelation of the measurement, so for them
it would come out the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from scipy.linalg import eigh

from rtbold.calibration.fit.split import IntArray
from rtbold.errors import DataFileError
from rtbold.messages import Float32Array, FloatArray

RATIOS: Final = tuple(float(g) for g in np.logspace(-3.5, 1.5, 16))
SLOPE_IS_ONE: Final = float(np.log(1.5))  # up to here; exact from twice that on
NOISE_S: Final = 25.0  # beyond, noise is taken as independent
LEAST_POWER: Final = 0.2  # of a direction, in units of the mean; below, it is left out
MIN_DIRECTIONS: Final = 20  # with fewer, nothing can be weighed
_TINY: Final = 1e-12
_SCALE_FLOOR: Final = 1e-6  # features that do not vary say nothing


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Features whose weights are independent and of one size, a priori."""

    z: FloatArray  # (windows, features), mean 0 over the training part
    raw: Callable[[FloatArray], FloatArray]  # weights of z -> of the features as read
    mean: FloatArray  # of the features as read, over the training part

    def affine(self, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return weight (features, rois) and bias (rois,) for the features as read."""
        own = self.raw(weight)
        return own, -self.mean @ own


def standardised(features: FloatArray | Float32Array, rows: IntArray) -> Reading:
    """Return features scaled by the rows that are learned from."""
    own: FloatArray = np.asarray(features, dtype=np.float64)
    mean = own[rows].mean(axis=0)
    scale = np.maximum(own[rows].std(axis=0), _SCALE_FLOOR)
    return Reading((own - mean) / scale, lambda w: w / scale[:, None], mean)


@dataclass(frozen=True, slots=True, eq=False)
class _Kernel:
    """One reading in the directions in which its weights and the noise are apart."""

    reading: Reading
    rotation: FloatArray  # (directions, rows)
    back: FloatArray  # (rows, directions): what makes weights of coefficients
    gain: FloatArray  # (directions, ratios)
    shrunk: FloatArray  # (ratios, directions): noise's share of the variance
    log_size: FloatArray  # (ratios,)


_MATRICES: Final = ("rotation", "back", "gain", "shrunk", "log_size")


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """What was found for each set of targets."""

    slope: FloatArray  # (...), of the prior
    coefficients: tuple[FloatArray, ...]  # per reading, (..., directions, components)
    components: FloatArray  # (..., rois, components)
    shares: FloatArray  # (..., 1 + readings, components): of none, of each reading


@dataclass(frozen=True, slots=True, eq=False)
class TrainingPart:
    """One training part that can be solved for any targets."""

    rows: IntArray
    prior: FloatArray | None  # (windows, rois)
    kernels: tuple[_Kernel, ...]
    pull: FloatArray | None  # (rows, rois): its product with targets is the slope
    odds_of_none: float = 0.0  # a priori, log, against each single answer

    def solve(self, targets: FloatArray) -> Solved:
        """Fit every set of targets, (..., rows, rois), by itself."""
        slope = self._slope(targets)
        rest = targets
        if self.prior is not None:
            rest = targets - slope[..., None, None] * self.prior[self.rows]
        components = np.linalg.eigh(np.swapaxes(rest, -1, -2) @ rest)[1]
        series = rest @ components
        rotated = [k.rotation @ series for k in self.kernels]
        weights = _posterior(self.kernels, rotated, self.odds_of_none)
        coefficients = tuple(
            (kernel.gain @ own) * turned
            for kernel, own, turned in zip(
                self.kernels, weights[1:], rotated, strict=True
            )
        )
        shares = np.stack([own.sum(axis=-2) for own in weights], axis=-2)
        return Solved(slope, coefficients, components, shares)

    def predict(self, solved: Solved, rows: IntArray) -> FloatArray:
        """Return (..., rows, rois) for any rows of the scan."""
        shape = (*solved.slope.shape, len(rows), solved.components.shape[-2])
        out = np.zeros(shape, dtype=solved.components.dtype)
        for kernel, own in zip(self.kernels, solved.coefficients, strict=True):
            z = kernel.reading.z
            across = z[rows] @ (z[self.rows].T @ kernel.back)
            out += (across @ own) @ np.swapaxes(solved.components, -1, -2)
        if self.prior is not None:
            out += solved.slope[..., None, None] * self.prior[rows]
        return out

    def weights(self, solved: Solved) -> list[tuple[FloatArray, FloatArray]]:
        """Return weight and bias of each reading's features, of one set of targets."""
        found = []
        for kernel, own in zip(self.kernels, solved.coefficients, strict=True):
            dual = (kernel.back @ own) @ solved.components.T  # (rows, rois)
            weight = kernel.reading.z[self.rows].T @ dual
            found.append(kernel.reading.affine(weight))
        return found

    def in_type(self, kind: np.dtype[np.floating[Any]]) -> "TrainingPart":
        """Return the same part in another precision: float32 is twice as fast."""
        kernels = tuple(
            _Kernel(
                replace(k.reading, z=k.reading.z.astype(kind)),
                *(getattr(k, name).astype(kind) for name in _MATRICES),
            )
            for k in self.kernels
        )
        prior = None if self.prior is None else self.prior.astype(kind)
        pull = None if self.pull is None else self.pull.astype(kind)
        return TrainingPart(self.rows, prior, kernels, pull, self.odds_of_none)

    def _slope(self, targets: FloatArray) -> FloatArray:
        if self.pull is None:
            return np.zeros(targets.shape[:-2], dtype=targets.dtype)
        exact = np.einsum("nr,...nr->...", self.pull, targets)
        return steady_slope(exact).astype(targets.dtype)


def training_part(
    readings: Sequence[Reading],
    targets: FloatArray,
    rows: IntArray,
    onsets_s: FloatArray,
    *,
    prior: FloatArray | None = None,
    odds_of_none: float = 0.0,
) -> TrainingPart:
    """Return what can be solved: eigenvectors are found here, once.

    Parameters
    ----------
    targets : (rows, rois), as measured: what the noise's autocorrelation is taken from.
    onsets_s : (windows,) of all windows.
    prior : (windows, rois), what is drawn towards; None: nothing.
    odds_of_none : log odds, before the targets are seen, that a component is no more
        than the prior, against each of the answers.

    Raises
    ------
    DataFileError : too few rows.
    """
    white = whitening(targets, onsets_s[rows])
    pull = None
    if prior is not None:
        turned = white @ prior[rows]
        power = float((turned**2).sum())
        pull = white.T @ turned / power if power > _TINY else None
    kernels = tuple(_kernel(reading, white, rows) for reading in readings)
    known = prior if pull is not None else None
    return TrainingPart(rows, known, kernels, pull, odds_of_none)


def steady_slope(exact: FloatArray) -> FloatArray:
    """Return 1 for a slope near 1, and a slope far from it as it is.

    In between it goes over evenly, so that no fold stands on an edge. A slope below 0
    only misleads: it is 0.
    """
    size = np.log(np.maximum(exact, _TINY))
    over = 2 * np.sign(size) * np.maximum(np.abs(size) - SLOPE_IS_ONE, 0.0)
    far = np.abs(size) >= 2 * SLOPE_IS_ONE
    found: FloatArray = np.exp(np.where(far, size, over))
    return np.where(exact > 0, found, 0.0)


def whitening(targets: FloatArray, onsets_s: FloatArray) -> FloatArray:
    """Return (directions, rows): makes noise white, and takes the constant out.

    Raises
    ------
    DataFileError : too few rows.
    """
    tr_s = float(np.median(np.diff(onsets_s)))
    volume = np.round((onsets_s - onsets_s[0]) / tr_s).astype(int)
    n_lags = max(1, int(NOISE_S / tr_s))
    apart = np.abs(volume[:, None] - volume)
    kept = _autocorrelation(targets, volume, n_lags) * np.linspace(1, 0, n_lags + 1)
    covariance = np.where(apart <= n_lags, kept[np.minimum(apart, n_lags)], 0.0)
    power, directions = eigh(covariance)
    full = power > LEAST_POWER
    if full.sum() < MIN_DIRECTIONS:
        raise DataFileError(
            f"{len(targets)} training volumes hold {int(full.sum())} independent "
            f"values, expected at least {MIN_DIRECTIONS}; scan longer"
        )
    white: FloatArray = (directions[:, full] / np.sqrt(power[full])).T
    constant = white.sum(axis=1)
    constant /= np.linalg.norm(constant)
    left: FloatArray = white - constant[:, None] * (constant @ white)
    return left


def _autocorrelation(targets: FloatArray, volume: IntArray, n_lags: int) -> FloatArray:
    """Return it at 0 to `n_lags` volumes; holes count as nothing."""
    grid = np.zeros((volume[-1] + 1 + n_lags, targets.shape[1]))
    grid[volume] = targets - targets.mean(axis=0)
    n = volume[-1] + 1
    sums = np.array([(grid[:n] * grid[k : k + n]).sum() for k in range(n_lags + 1)])
    found: FloatArray = sums / max(sums[0], _TINY)
    return found


def _kernel(reading: Reading, white: FloatArray, rows: IntArray) -> _Kernel:
    turned = white @ reading.z[rows]
    gram = turned @ turned.T
    unit = max(float(np.trace(gram)) / len(gram), _TINY)
    sizes, vectors = eigh(gram / unit)
    sizes = np.maximum(sizes, 0.0)
    ratios = np.array(RATIOS)
    total = ratios[:, None] * sizes + 1.0
    rotation = vectors.T @ white
    return _Kernel(
        reading=reading,
        rotation=rotation,
        back=rotation.T / unit,
        gain=(ratios[:, None] / total).T,
        shrunk=1.0 / total,
        log_size=np.log(total).sum(axis=1),
    )


def _posterior(
    kernels: Sequence[_Kernel], rotated: Sequence[FloatArray], odds_of_none: float
) -> list[FloatArray]:
    """Return weights of "none" and of each reading's ratios, (..., ratios, columns)."""
    n = len(kernels[0].rotation) - 1  # the constant has used one
    power = rotated[0] ** 2
    none = -0.5 * n * np.log(power.sum(axis=-2, keepdims=True) / n + _TINY)
    logs = [none + odds_of_none]
    for kernel, turned in zip(kernels, rotated, strict=True):
        noise = kernel.shrunk @ turned**2 / n
        own = -0.5 * n * np.log(noise + _TINY) - 0.5 * kernel.log_size[:, None]
        logs.append(own)
    top = np.max([own.max(axis=-2) for own in logs], axis=0)[..., None, :]
    weights = [np.exp(own - top) for own in logs]
    total = sum(own.sum(axis=-2, keepdims=True) for own in weights)
    return [own / total for own in weights]
