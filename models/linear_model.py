"""What the linear models share: frozen scaling of features and one linear map."""

import torch
from torch import Tensor, nn


class LinearModel(nn.Module):
    """``bold = head((features - mean) / scale)``, fitted in closed form.

    `mean` and `scale` come from the training windows and stay as they are: a live loop
    cannot scale by a scan that is not over yet.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, n_features: int, n_rois: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))
        self.head = nn.Linear(n_features, n_rois)

    def features(self, eeg_uv: Tensor) -> Tensor:
        """Return what the map is fitted on, (b, features)."""
        raise NotImplementedError

    def forward(self, eeg_uv: Tensor) -> Tensor:
        """Predict (b, rois) in units of the target normalisation."""
        features = (self.features(eeg_uv) - self.mean) / self.scale  # (b, features)
        out: Tensor = self.head(features)
        return out
