"""A small network on log band power, which can learn from band power alone.

Ours. Log power of the surface Laplacian in 15 bands and 8 lags of 2 s, as band-power
ridge has it but finer; one perceptron for every channel and lag, which also hears the
spectrum of the whole window at its channel and over the head, so that a subject's own
alpha peak and level decide what a band is worth; few mixtures of the lags; one linear
head. Because all that it learns lies behind the powers, it is trained on sessions of
which nothing but band power was made (``rtbold.sim``), thousands of windows a second.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from rtbold.models.layers import surface_laplacian
from rtbold.models.linear import N_LAGS, LogBandPower
from rtbold.models.montage import PUBLISHED_CHANNELS
from rtbold.models.options import check_choices

_EDGES_HZ = (
    1.0, 4.0, 7.0, 8.5, 9.5, 10.5, 11.5, 13.0, 15.0, 18.0, 21.0, 24.0, 27.0, 32.0,
    45.0, 80.0,
)  # fmt: skip
FINE_BANDS_HZ = tuple(pairwise(_EDGES_HZ))  # an alpha peak lies in one of four


@dataclass(frozen=True)
class BandPowerNetConfig:
    """Sizes and options."""

    channels: tuple[str, ...] = PUBLISHED_CHANNELS
    n_rois: int = 1
    unmixing: Literal["none", "laplacian"] = "laplacian"
    width: int = 64  # of the perceptron
    kept: int = 16  # numbers that a channel and lag keeps
    lags: int = 4  # mixtures of the 8 lags
    dropout: float = 0.1

    def __post_init__(self) -> None:
        """Refuse a word that is no option."""
        check_choices(self)


class BandPowerNet(nn.Module):
    """``model(eeg_uv) -> bold``: (b, channels, 3200) microvolt -> (b, rois).

    Log powers (b, channels, lags, bands) are taken in place of EEG, too.
    """

    unmix: Tensor
    power_mean: Tensor
    power_scale: Tensor

    def __init__(self, config: BandPowerNetConfig) -> None:
        super().__init__()
        self.config = config
        n, bands = len(config.channels), len(FINE_BANDS_HZ)
        self.register_buffer("unmix", unmixing_of(config))
        self.bandpower = LogBandPower(FINE_BANDS_HZ)
        self.register_buffer("power_mean", torch.zeros(n, 1, bands))
        self.register_buffer("power_scale", torch.ones(n, 1, bands))
        self.here = nn.Linear(bands, config.width)
        self.around = nn.Linear(2 * bands, config.width, bias=False)
        self.place = nn.Parameter(0.1 * torch.randn(n, 1, config.width))
        self.keep = nn.Linear(config.width, config.kept)
        self.over_lags = nn.Linear(N_LAGS, config.lags, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(n * config.kept * config.lags, config.n_rois)

    def powers(self, eeg_uv: Tensor) -> Tensor:
        """Return log of microvolt squared, (b, channels, lags, bands)."""
        unmixed = self.unmix @ eeg_uv  # (b, c, 3200)
        flat: Tensor = self.bandpower(unmixed)
        grid = (len(self.config.channels), N_LAGS, len(FINE_BANDS_HZ))
        return torch.unflatten(flat, 1, grid)

    def features(self, eeg_uv: Tensor) -> Tensor:
        """Return what the linear head reads, (b, features)."""
        powers = self.powers(eeg_uv) if eeg_uv.ndim == 3 else eeg_uv
        x = (powers - self.power_mean) / self.power_scale  # (b, c, lag, band)
        own = x.mean(2, keepdim=True)  # (b, c, 1, band)
        whole = own.mean(1, keepdim=True) + torch.zeros_like(own)
        around = self.around(torch.cat([own, whole], dim=-1)) + self.place
        tokens = self.keep(nn.functional.gelu(self.here(x) + around))  # (b, c, lag, k)
        mixed = self.over_lags(tokens.transpose(2, 3))  # (b, c, k, lags)
        out: Tensor = self.dropout(mixed.flatten(1))
        return out

    def forward(self, eeg_uv: Tensor) -> Tensor:
        """Predict (b, rois) in units of the target normalisation."""
        out: Tensor = self.head(self.features(eeg_uv))
        return out


def unmixing_of(config: BandPowerNetConfig) -> Tensor:
    """Return (rows, channels): what the power is taken of."""
    if config.unmixing == "none":
        return torch.eye(len(config.channels))
    return torch.from_numpy(surface_laplacian(config.channels)).float()
