"""A base and a subject's band power in one network, read by one linear head.

``bold = slope * base(eeg) + band power @ weight + bias``. Both parts are linear in what
they read, so their heads are one head over both parts' features, and the whole exports
as one graph.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from rtbold.models.layers import LinearModel
from rtbold.models.linear import BandPowerRidge, BandPowerRidgeConfig, Unmixing
from rtbold.models.options import check_choices


@dataclass(frozen=True)
class StackedConfig:
    """Which architecture the base is of, with its options as a JSON object."""

    channels: tuple[str, ...]
    n_rois: int = 1
    base: str = "neurobolt"
    base_options: str = "{}"
    unmixing: Unmixing = "both"  # what the band power is of

    def __post_init__(self) -> None:
        """Refuse a word that is no option."""
        check_choices(self)


class Stacked(nn.Module):
    """``model(eeg_uv) -> bold``: (b, channels, 3200) microvolt -> (b, rois).

    Parameters
    ----------
    base : of the architecture that the configuration names; its head is taken off.
    """

    def __init__(self, config: StackedConfig, base: nn.Module) -> None:
        super().__init__()
        self.config = config
        power = BandPowerRidgeConfig(config.channels, config.n_rois, config.unmixing)
        power_model = BandPowerRidge(power)
        n_base = cast("nn.Linear", base.head).in_features
        n_power = power_model.head.in_features
        base.head = nn.Identity()
        power_model.head = nn.Identity()  # type: ignore[assignment]
        self.base, self.power = base, power_model
        self.head = nn.Linear(n_base + n_power, config.n_rois)

    def features(self, eeg_uv: Tensor) -> Tensor:
        """Return what the head reads: of the base, then the band power."""
        read: Tensor = self.base.features(eeg_uv)  # type: ignore[operator]
        if isinstance(self.base, LinearModel):
            read = (read - self.base.mean) / self.base.scale
        return torch.cat([read, self.power.features(eeg_uv)], dim=1)

    def forward(self, eeg_uv: Tensor) -> Tensor:
        """Predict (b, rois) in units of the target normalisation."""
        out: Tensor = self.head(self.features(eeg_uv))
        return out
