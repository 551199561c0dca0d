"""The frozen network's answers to all windows, batch by batch."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from rtbold.calibration.fit.base import Base
from rtbold.calibration.fit.protocol import Material
from rtbold.calibration.fit.ridge import LinearHead, Readings
from rtbold.calibration.fit.split import IntArray
from rtbold.calibration.progress import Pace
from rtbold.messages import Float32Array
from rtbold.models.linear_model import LinearModel

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
) -> Readings:
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
    prior = answers_of(base.head, features)
    return Readings(features, prior, material.onsets_s, base.earlier)


def features_of(network: nn.Module, eeg_uv: Tensor) -> Tensor:
    """Return what the head reads: a linear model's features are scaled first."""
    features: Tensor = network.features(eeg_uv)  # type: ignore[operator]
    if isinstance(network, LinearModel):
        return (features - network.mean) / network.scale
    return features


def answers_of(head: nn.Linear, features: Float32Array) -> Float32Array:
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
