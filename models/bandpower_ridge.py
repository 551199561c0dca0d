"""Ridge on log band power: the linear model that everybody must beat.

After Leite et al. 2013 and de Munck et al.: log power in delta to gamma, per channel
and 2 s lag over the 16 s window, one linear map to all ROIs. The fit is closed-form
(``rtbold.calibration.ridge``); this is its inference, as a module, so that it exports
and runs in every engine like any network.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

RATE_HZ = 200.0
LAG_SAMPLES = 400  # 2 s
N_LAGS = 8
POWER_FLOOR_UV2 = 1e-4  # a flat channel stays finite
BANDS_HZ = {
    "delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
    "gamma": (30.0, 80.0),
}


@dataclass(frozen=True)
class BandPowerRidgeConfig:
    """Channels and ROIs; nothing else to choose."""

    channels: tuple[str, ...]
    n_rois: int = 1


class LogBandPower(nn.Module):
    """(b, c, 3200) microvolt -> (b, c * lags * bands), log of microvolt squared.

    Hann window per lag, power of the discrete Fourier transform summed over the bins
    of a band. Only the bins that are used are computed.
    """

    cosine: Tensor
    sine: Tensor

    def __init__(self) -> None:
        super().__init__()
        edges = [round(f * LAG_SAMPLES / RATE_HZ) for f, _ in BANDS_HZ.values()]
        edges.append(round(80.0 * LAG_SAMPLES / RATE_HZ))
        k = torch.arange(edges[0], edges[-1], dtype=torch.float64)
        sample = torch.arange(LAG_SAMPLES, dtype=torch.float64)[:, None]
        phase = 2 * math.pi * torch.remainder(sample * k, LAG_SAMPLES) / LAG_SAMPLES
        taper = torch.hann_window(LAG_SAMPLES, dtype=torch.float64)[:, None]
        taper = taper / taper.norm()
        self.register_buffer("cosine", (taper * phase.cos()).float(), persistent=False)
        self.register_buffer("sine", (taper * phase.sin()).float(), persistent=False)
        self.slices = [(a - edges[0], b - edges[0]) for a, b in pairwise(edges)]

    def forward(self, eeg_uv: Tensor) -> Tensor:
        """Return the features, channel by channel, lag by lag."""
        x = torch.unflatten(eeg_uv, 2, (N_LAGS, LAG_SAMPLES))  # (b, c, lag, s)
        power = (x @ self.cosine) ** 2 + (x @ self.sine) ** 2  # (b, c, lag, f)
        bands = [power[..., a:b].mean(-1) for a, b in self.slices]
        features = torch.log(torch.stack(bands, dim=-1) + POWER_FLOOR_UV2)
        return features.flatten(1)  # (b, c * lag * band)


class BandPowerRidge(nn.Module):
    """``model(eeg_uv) -> bold``: features, frozen scaling, one linear map."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: BandPowerRidgeConfig) -> None:
        super().__init__()
        self.config = config
        n_features = len(config.channels) * N_LAGS * len(BANDS_HZ)
        self.features = LogBandPower()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))
        self.head = nn.Linear(n_features, config.n_rois)

    def forward(self, eeg_uv: Tensor) -> Tensor:
        """Predict (b, rois) in units of the target normalisation."""
        features = (self.features(eeg_uv) - self.mean) / self.scale
        out: Tensor = self.head(features)
        return out
