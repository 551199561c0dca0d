"""Controls that must not explain a prediction: ridge on what is not the brain. Pure."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from rtbold.calibration.fit.split import IntArray, Part, inner_blocks
from rtbold.messages import FloatArray

ALPHAS: Final = tuple(float(alpha) for alpha in np.logspace(-1, 4, 11))
N_INNER: Final = 4
TIME_DEGREE: Final = 3


def control_predictions(
    features: FloatArray,
    measured: FloatArray,
    *,
    folds: Sequence[Part],
    onsets_s: FloatArray,
) -> FloatArray:
    """Return out-of-fold predictions from `features` alone, (volumes, rois).

    Closed-form ridge on the same folds as the model's. Features are scaled by the
    training volumes, and each ROI's penalty is chosen by blocks inside them. A
    training part's mean is not added back (see `target.scored_target`).

    Parameters
    ----------
    features : (volumes, features), finite.
    measured : (volumes, rois), each test fold filtered on its own.
    """
    out = np.full(measured.shape, np.nan)
    for fold in folds:
        learn = np.sort(np.concatenate([fold.train, fold.stop]))
        best = _best_alphas(features, measured, learn=learn, onsets_s=onsets_s)
        guesses = _predictions(
            features, measured, learn=learn, ask=fold.test, alphas=ALPHAS
        )
        out[fold.test] = np.stack(
            [guesses[alpha][:, roi] for roi, alpha in enumerate(best)], axis=1
        )
    return out


def time_features(onsets_s: FloatArray) -> FloatArray:
    """Return (volumes, 3): what a clock alone knows."""
    u = 2 * (onsets_s - onsets_s[0]) / (onsets_s[-1] - onsets_s[0]) - 1
    basis = np.polynomial.legendre.legvander(u, TIME_DEGREE)[:, 1:]
    return np.asarray(basis, dtype=np.float64)


def _best_alphas(
    features: FloatArray, measured: FloatArray, *, learn: IntArray, onsets_s: FloatArray
) -> list[int]:
    """Return per ROI the place in `ALPHAS` of the smallest squared error."""
    error = np.zeros((len(ALPHAS), measured.shape[1]))
    for inner, check in inner_blocks(learn, onsets_s, N_INNER):
        truth = measured[check] - measured[inner].mean(axis=0)
        for row, guess in enumerate(
            _predictions(features, measured, learn=inner, ask=check, alphas=ALPHAS)
        ):
            error[row] += ((guess - truth) ** 2).sum(axis=0)
    return [int(place) for place in error.argmin(axis=0)]


def _predictions(
    features: FloatArray,
    measured: FloatArray,
    *,
    learn: IntArray,
    ask: IntArray,
    alphas: Sequence[float],
) -> list[FloatArray]:
    """Return (asked, rois) for each penalty."""
    mean, sd = features[learn].mean(axis=0), features[learn].std(axis=0)
    sd = np.where(sd > 0, sd, np.inf)  # what does not vary here weighs nothing
    x = (features[learn] - mean) / sd
    y = measured[learn] - measured[learn].mean(axis=0)
    left, sizes, right = np.linalg.svd(x, full_matrices=False)
    asked = (features[ask] - mean) / sd @ right.T
    projected = sizes[:, None] * (left.T @ y)
    return [asked @ (projected / (sizes[:, None] ** 2 + alpha)) for alpha in alphas]
