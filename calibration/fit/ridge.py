"""A linear head in closed form, drawn towards an earlier head. Pure numpy.

``bold = slope * prior + z @ weight``, z the features scaled by the rows that are
learned from. What is left of the targets beside the prior is weighed by its marginal
likelihood, component by component (`evidence`); where the scan knows nothing that the
earlier head does not, what is left is its own answer.

Where there is an earlier head, what it answers for all its ROIs is a second thing to
read: few numbers that many scans were needed to find. Either way the result is one
linear map of the features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rtbold.calibration.fit.evidence import TrainingPart, standardised, training_part
from rtbold.calibration.fit.split import IntArray
from rtbold.messages import Float32Array, FloatArray

STRONG: Final = 6.0  # log odds: what has to speak against the earlier head's answer


def ridge_weights(
    gram: FloatArray,
    product: FloatArray,
    penalties: Sequence[float],
    *,
    relative: bool = False,
) -> list[FloatArray]:
    """Return ``(gram + penalty I)^-1 product`` of every penalty; of an infinite one 0.

    The one ridge of all fits: `gram` is of the features, or of the rows in dual form.

    Parameters
    ----------
    gram : (n, n), symmetric, no eigenvalue below 0 but by rounding.
    relative : penalties are in units of the mean eigenvalue.
    """
    values, vectors = np.linalg.eigh(gram)
    values = np.maximum(values, 0.0)[:, None]
    unit = max(float(values.mean()), 1e-12) if relative else 1.0
    rotated = vectors.T @ product
    return [vectors @ (rotated / (values + a * unit)) for a in penalties]


@dataclass(frozen=True, slots=True, eq=False)
class LinearHead:
    """``features @ weight + slope * prior + bias``."""

    weight: FloatArray  # (features, rois), of the features as they are
    bias: FloatArray  # (rois,)
    slope: float  # of the prior; 0: there is none
    none: float  # mean over components: how probable it is that there is no more
    earlier: float = 0.0  # likewise, that the earlier head's answers say it

    def __call__(self, features: Float32Array, prior: Float32Array) -> Float32Array:
        """Predict (n, rois)."""
        out = features @ self.weight + self.slope * prior + self.bias
        return np.asarray(out, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class EarlierHead:
    """The head of the base, for all ROIs that it knows."""

    weight: FloatArray  # (features, earlier rois)
    bias: FloatArray  # (earlier rois,)


@dataclass(frozen=True, slots=True, eq=False)
class FitFeatures:
    """What a frozen network says of every window, before any head is learned."""

    features: Float32Array  # (windows, features)
    prior: Float32Array  # (windows, rois); zero for ROIs without an earlier head
    onsets_s: FloatArray  # (windows,)
    earlier: EarlierHead | None = None


def head_part(
    fit_features: FitFeatures, targets: FloatArray, rows: IntArray
) -> TrainingPart:
    """Return a training part that heads are solved on.

    Parameters
    ----------
    targets : (rows, rois), as measured; what the noise is estimated from.
    """
    readings = [standardised(fit_features.features, rows)]
    if fit_features.earlier is not None:
        readings.append(standardised(_answers(fit_features), rows))
    prior = np.asarray(fit_features.prior, dtype=np.float64)
    return training_part(
        readings,
        targets,
        rows,
        fit_features.onsets_s,
        prior=prior,
        odds_of_none=STRONG if prior.any() else 0.0,
    )


def solve_head(
    fit_features: FitFeatures, targets: Float32Array, rows: IntArray
) -> LinearHead:
    """Fit all ROIs at once on `rows`; nothing of the other rows is read.

    Parameters
    ----------
    targets : (windows, rois), model units; only `rows` need to be finite.

    Raises
    ------
    DataFileError : too few rows to weigh anything.
    """
    own = targets[rows].astype(np.float64)
    part = head_part(fit_features, own, rows)
    solved = part.solve(own)
    (weight, bias), *through = part.weights(solved)
    earlier = fit_features.earlier
    for own_weight, own_bias in through:
        assert earlier is not None
        weight = weight + earlier.weight @ own_weight
        bias = bias + own_bias + earlier.bias @ own_weight
    shares = solved.shares.mean(axis=-1)
    return LinearHead(
        weight=weight,
        bias=bias,
        slope=float(solved.slope),
        none=float(shares[0]),
        earlier=float(shares[2]) if through else 0.0,
    )


def _answers(fit_features: FitFeatures) -> FloatArray:
    """Return what the earlier head answers for all of its ROIs."""
    earlier = fit_features.earlier
    assert earlier is not None
    found: FloatArray = fit_features.features @ earlier.weight + earlier.bias
    return found
