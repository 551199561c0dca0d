"""The network as it is, its head solved in closed form."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from rtbold.calibration.fit.base import Base
from rtbold.calibration.fit.protocol import (
    CancellationToken,
    Fitted,
    Material,
    Pace,
    Prepared,
    StrategyName,
    Task,
)
from rtbold.calibration.fit.ridge import FitFeatures, LinearHead, solve_head
from rtbold.calibration.fit.split import IntArray
from rtbold.messages import Float32Array
from rtbold.models import LinearModel

# The frozen network's answers to all windows, batch by batch.

BATCH = 16  # windows; larger ones are no faster, and need more memory


def n_batches(n_windows: int) -> int:
    """Return the number of batches of a pass over all windows."""
    return -(-n_windows // BATCH)


def read_features(
    base: Base,
    material: Material,
    pace: Pace,
    *,
    after_batch: Callable[[slice], None] = lambda rows: None,
) -> FitFeatures:
    """Return features and the earlier head's answers for every window.

    Parameters
    ----------
    after_batch : called with the rows of a batch once the network has read them.
    """
    features = None
    n = len(material.windows_uv)
    with torch.no_grad():  # not inference mode: what is captured is trained on
        for start in range(0, n, BATCH):
            rows = slice(start, min(start + BATCH, n))
            batch = features_of(base.network, torch.tensor(material.windows_uv[rows]))
            if features is None:
                features = np.empty((n, batch.shape[1]), np.float32)
            features[rows] = batch.numpy()
            after_batch(rows)
            pace.step()
    assert features is not None
    prior = head_predictions(base.head, features)
    return FitFeatures(features, prior, material.onsets_s, base.earlier)


def features_of(network: nn.Module, eeg_uv: Tensor) -> Tensor:
    """Return what the head reads: a linear model's features are scaled first."""
    features: Tensor = network.features(eeg_uv)  # type: ignore[operator]
    if isinstance(network, LinearModel):
        return (features - network.mean) / network.scale
    return features


def head_predictions(head: nn.Linear, features: Float32Array) -> Float32Array:
    """Return (n, rois)."""
    with torch.inference_mode():
        out: Float32Array = head(torch.from_numpy(features)).numpy()
    return out


def in_batches(
    network: nn.Module, inputs: Sequence[Tensor], rows: IntArray
) -> Float32Array:
    """Return a network's answers to some rows of its inputs."""
    out = []
    at = torch.from_numpy(rows)
    with torch.inference_mode():
        for chosen in torch.split(at, BATCH):
            out.append(network(*[x[chosen].float() for x in inputs]).numpy())
    return np.concatenate(out)


def put_head(head: nn.Linear, solved: LinearHead) -> None:
    """Set the head to what was solved; it holds the earlier head before."""
    with torch.no_grad():
        head.weight.mul_(solved.slope).add_(torch.from_numpy(solved.weight.T).float())
        head.bias.mul_(solved.slope).add_(torch.from_numpy(solved.bias).float())


@dataclass(frozen=True, slots=True)
class ClosedFormHead:
    """Learns from the stopping part too: nothing is stopped here."""

    @property
    def name(self) -> StrategyName:
        """The option's word."""
        return "head"

    def n_batches(self, n_windows: int) -> int:
        """Return how many steps `prepare` counts."""
        return n_batches(n_windows)

    def n_steps(self, n_train: int) -> int:
        """Return how many steps a fit counts."""
        return 1

    def prepare(self, base: Base, material: Material, pace: Pace) -> Prepared:
        """Read all windows once."""
        return Prepared(base, read_features(base, material, pace), ())

    def fit(
        self, prepared: Prepared, task: Task, *, pace: Pace, cancel: CancellationToken
    ) -> Fitted:
        """Solve the head; it takes a moment, so `cancel` is not asked."""
        rows = np.sort(np.concatenate([task.train, task.stop]))
        solved = solve_head(prepared.fit_features, task.targets, rows)
        network = with_head(prepared.base, solved)
        features = prepared.fit_features.features

        def predictions(rows: IntArray) -> Float32Array:
            return head_predictions(cast("nn.Linear", network.head), features[rows])

        pace.step()
        return Fitted(
            network, predictions, notes_of(solved), interrupted=cancel.interrupted
        )


def with_head(base: Base, solved: LinearHead) -> nn.Module:
    """Return a copy of the base's network with the solved head."""
    network = copy.deepcopy(base.network)
    put_head(cast("nn.Linear", network.head), solved)
    return network.eval()


def notes_of(solved: LinearHead) -> dict[str, float]:
    """Return what was found, for the record of a fold."""
    return {"slope": solved.slope, "none": solved.none, "earlier": solved.earlier}
