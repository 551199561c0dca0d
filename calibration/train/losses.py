"""What training minimises, and the figures of the validation part. Pure.

Most of what EEG tells of BOLD is one component that all ROIs share. A mean squared
error is paid for it 64 times over, so that a network becomes one number in 64 copies.
Two cures: the error once more after the mean over ROIs is taken out, or the error in
units in which all components of the targets weigh alike (whitened).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from rtbold.calibration.evaluate.scores import r_of_scans
from rtbold.calibration.train.recipe import Loss, Select, TrainingPart
from rtbold.errors import ConfigError
from rtbold.messages import Float32Array, FloatArray

LossOf = Callable[[Tensor, Tensor], Tensor]  # predicted, target (b, rois) -> scalar
# Of the mean variance of a component, added to each: the smallest ones are noise.
WHITENING_RIDGE: Final = 0.1


class TargetLoss(nn.Module):
    """The loss of a recipe; whitening is a part of it, so the model keeps its units.

    Parameters
    ----------
    whitening : (rois, rois), see `whitening_of`; None: plain targets.
    """

    def __init__(self, loss: Loss, whitening: FloatArray | None = None) -> None:
        super().__init__()
        self._centred = loss == "mse+centred"
        self.register_buffer(
            "whitening",
            None if whitening is None else torch.from_numpy(whitening).float(),
            persistent=False,
        )

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Return the mean over windows and ROIs."""
        error = predicted - target  # (b, rois)
        whitening = self.whitening
        if isinstance(whitening, Tensor):
            error = error @ whitening.mT
        loss = (error**2).mean()
        if self._centred:
            loss = loss + ((error - error.mean(1, keepdim=True)) ** 2).mean()
        return loss


def whitening_of(targets: FloatArray, ridge: float = WHITENING_RIDGE) -> FloatArray:
    """Return the symmetric matrix after which components of targets vary alike.

    Scaled so that a prediction of the mean has a loss of 1, as for targets of sd 1.

    Parameters
    ----------
    targets : (windows, rois), of the training part.
    ridge : share of the mean variance of a component that is added to each.
    """
    centred = targets.astype(np.float64) - targets.mean(axis=0)
    covariance = centred.T @ centred / len(centred)
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 0.0)
    if values.mean() <= 0:
        raise ConfigError(
            "the training targets do not vary, expected BOLD with a signal; whitening "
            "cannot weigh their components. Look at the cache: rtbold prepare --list"
        )
    weights = 1.0 / np.sqrt(values + ridge * values.mean())
    weights /= np.sqrt((values * weights**2).mean())
    whitening: FloatArray = (vectors * weights) @ vectors.T
    return whitening


def keep_of_common(head: nn.Linear, share: float) -> None:
    """Let the answers keep a share of their mean over ROIs, in place.

    The best guess shrinks what can hardly be told, which is what regions have alone,
    far more than what they share. Who feeds one region back wants less of the latter.
    """
    with torch.no_grad():
        for values in (head.weight, head.bias):
            values -= (1.0 - share) * values.mean(0, keepdim=True)


def loss_of(training: TrainingPart, targets: FloatArray) -> TargetLoss:
    """Return the loss of a recipe for these training targets (windows, rois)."""
    if training.loss == "mse+centred" and targets.shape[1] < 2:
        raise ConfigError(
            "training.loss is 'mse+centred' but there is one ROI, expected two or more "
            "whose mean can be taken out; use 'mse'"
        )
    whitened = training.targets == "whitened"
    return TargetLoss(training.loss, whitening_of(targets) if whitened else None)


@dataclass(frozen=True, slots=True)
class Figures:
    """What the validation part says of an epoch."""

    loss: float  # of the recipe
    mse: float
    r: float  # mean over ROIs and scans
    r_centred: float  # the same after the mean over ROIs is taken out of both

    def better_than(self, other: "Figures | None", select: Select) -> bool:
        """Whether the figure that selects is; one that is no number never is."""
        own = self.merit(select)
        return np.isfinite(own) and (other is None or own > other.merit(select))

    def merit(self, select: Select) -> float:
        """Return the figure that selects, higher being better."""
        merits = {
            "mse": -self.mse,
            "loss": -self.loss,
            "r": self.r,
            "r-centred": self.r_centred,
        }
        return merits[select]


def figures_of(
    predicted: Sequence[Float32Array], measured: Sequence[Float32Array], loss: LossOf
) -> Figures:
    """Return the figures of predictions beside what was measured, scan by scan."""
    flat = np.concatenate(predicted), np.concatenate(measured)
    with torch.inference_mode():
        own = loss(*(torch.from_numpy(part) for part in flat))
    return Figures(
        loss=float(own),
        mse=float(((flat[0] - flat[1]).astype(np.float64) ** 2).mean()),
        r=float(r_of_scans(predicted, measured).mean()),
        r_centred=_r_centred(predicted, measured),
    )


def _r_centred(
    predicted: Sequence[Float32Array], measured: Sequence[Float32Array]
) -> float:
    if measured[0].shape[1] < 2:
        return 0.0  # one ROI less its mean is nothing
    taken = [
        [rows - rows.mean(axis=1, keepdims=True) for rows in series]
        for series in (predicted, measured)
    ]
    return float(r_of_scans(*taken).mean())
