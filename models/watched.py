"""A network that also says how far its last layer is from what calibration saw.

Put around the network for export only: weights and the torch engine know nothing of it.
"""

import copy
from typing import cast

import torch
from torch import Tensor, nn


class Watched(nn.Module):
    """``(bold, feature_distance)`` instead of ``bold``; costs two vectors of features.

    Parameters
    ----------
    network : its `head` is a linear map, and what that answers is the network's answer.
    mean, sd : (features,), of what the head read in calibration; no sd is 0.
    """

    def __init__(self, network: nn.Module, mean: Tensor, sd: Tensor) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        head = cast("nn.Linear", self.network.head)
        if mean.shape != (head.in_features,) or mean.shape != sd.shape:
            raise ValueError(
                f"mean and sd have shapes {tuple(mean.shape)} and {tuple(sd.shape)}, "
                f"expected ({head.in_features},) each: what the head reads"
            )
        self.network.head = _WatchedHead(head, mean, sd)

    def forward(self, eeg_uv: Tensor) -> tuple[Tensor, Tensor]:
        """Return (b, rois) in model units and (b, 1), rms in sd of each feature."""
        out: Tensor = self.network(eeg_uv)  # (b, rois + 1)
        return out[:, :-1], out[:, -1:]


class _WatchedHead(nn.Module):
    mean: Tensor
    scale: Tensor

    def __init__(self, head: nn.Linear, mean: Tensor, sd: Tensor) -> None:
        super().__init__()
        self.head = head
        self.register_buffer("mean", mean.float())
        self.register_buffer("scale", (1 / (sd * len(sd) ** 0.5)).float())

    def forward(self, features: Tensor) -> Tensor:
        """Return the answers with the distance behind them, (b, rois + 1)."""
        off = (features - self.mean) * self.scale  # (b, features)
        distance = torch.linalg.vector_norm(off, dim=1, keepdim=True)  # (b, 1)
        return torch.cat([self.head(features), distance], dim=1)


def can_be_watched(network: nn.Module) -> bool:
    """Return whether a network has one linear head that gives its answer."""
    return isinstance(getattr(network, "head", None), nn.Linear)
