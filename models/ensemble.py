"""Several one-ROI NeuroBOLT networks that answer in one call.

The publication trains one network per ROI, so its weights come in one file per ROI:
same sizes, same channels, nothing shared. `NeuroBoltEnsemble` keeps them apart, one
after the other; that is the reference. For export they become one network whose
products are batched over the members (``rtbold.models.export.stacked``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import cast

import torch
from torch import Tensor, nn

from rtbold.models.neurobolt import NeuroBolt, NeuroBoltConfig


@dataclass(frozen=True)
class NeuroBoltEnsembleConfig(NeuroBoltConfig):
    """The configuration of every member; `n_rois` is their number."""


def ensemble_config(member: NeuroBoltConfig, *, n_rois: int) -> NeuroBoltEnsembleConfig:
    """Return the configuration of `n_rois` members like `member`."""
    options = {f.name: getattr(member, f.name) for f in fields(NeuroBoltConfig)}
    return NeuroBoltEnsembleConfig(**{**options, "n_rois": n_rois})


class NeuroBoltEnsemble(nn.Module):
    """``model(eeg_uv) -> bold``: (b, channels, 3200) microvolt -> (b, members)."""

    def __init__(self, config: NeuroBoltEnsembleConfig) -> None:
        super().__init__()
        self.config = config
        options = {f.name: getattr(config, f.name) for f in fields(NeuroBoltConfig)}
        member = NeuroBoltConfig(**{**options, "n_rois": 1})
        self.members = nn.ModuleList(NeuroBolt(member) for _ in range(config.n_rois))

    @classmethod
    def of(cls, members: Sequence[NeuroBolt]) -> "NeuroBoltEnsemble":
        """Return the ensemble of existing networks of one ROI and equal sizes."""
        network = cls(ensemble_config(members[0].config, n_rois=len(members)))
        network.members = nn.ModuleList(members)
        return network

    @property
    def head(self) -> "MemberHeads":
        """Return what reads the features: each member's head its own share."""
        return MemberHeads([member.head for member in self._each()])

    def features(self, eeg_uv: Tensor) -> Tensor:
        """Return what the heads read, (b, members * features)."""
        return torch.cat([m.features(eeg_uv) for m in self._each()], dim=1)

    def forward(self, eeg_uv: Tensor) -> Tensor:
        """Predict (b, rois) in units of the target normalisation."""
        return self.head(self.features(eeg_uv))

    def _each(self) -> Sequence[NeuroBolt]:
        return cast("Sequence[NeuroBolt]", self.members)


class MemberHeads:
    """Linear heads side by side; (b, members * features) -> (b, members)."""

    def __init__(self, heads: Sequence[nn.Linear]) -> None:
        self.heads = heads
        self.in_features = sum(head.in_features for head in heads)
        self.out_features = len(heads)

    def __call__(self, features: Tensor) -> Tensor:
        """Give each head the share of its member."""
        shares = features.chunk(len(self.heads), dim=1)  # (b, features) each
        pairs = zip(self.heads, shares, strict=True)
        return torch.cat([head(share) for head, share in pairs], dim=1)
