"""Two linear models: ridge on log band power, and the EEG finger-print (EFP) below.

The ridge is what everybody must beat. After Leite et al. 2013 and de Munck et al.: log
power in delta to gamma, per channel and 2 s lag over the 16 s window, one linear map to
all ROIs. The fit is closed-form (``rtbold.calibration.train.ridge``); this is its
inference, as a module, so that it exports and runs in every engine like any network.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from rtbold.errors import ConfigError
from rtbold.models.layers import LinearModel, PowerSpectrum, surface_laplacian
from rtbold.models.montage import PUBLISHED_CHANNELS
from rtbold.models.options import check_choices
from rtbold.models.spectral import WINDOW_SAMPLES

RATE_HZ = 200.0
LAG_SAMPLES = 400  # 2 s
N_LAGS = 8
POWER_FLOOR_UV2 = 1e-4  # a flat channel stays finite
FEATURE_BANDS_HZ = {
    "delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
    "gamma": (30.0, 80.0),
}
Unmixing = Literal["none", "laplacian", "both"]


@dataclass(frozen=True)
class BandPowerRidgeConfig:
    """Channels, ROIs, and what the power is taken of."""

    channels: tuple[str, ...]
    n_rois: int = 1
    unmixing: Unmixing = "none"  # potentials, their Laplacian, or one beside the other

    def __post_init__(self) -> None:
        """Refuse a word that is no option."""
        check_choices(self)


class LogBandPower(nn.Module):
    """(b, c, 3200) microvolt -> (b, c * lags * bands), log of microvolt squared.

    Hann window per lag, power of the discrete Fourier transform averaged over the bins
    of a band. Only the bins that are used are computed.

    Parameters
    ----------
    bands_hz : each begins where the one before ends.
    """

    def __init__(
        self, bands_hz: Sequence[tuple[float, float]] = tuple(FEATURE_BANDS_HZ.values())
    ) -> None:
        super().__init__()
        ends_hz = [low for low, _ in bands_hz] + [bands_hz[-1][1]]
        edges = [round(end_hz * LAG_SAMPLES / RATE_HZ) for end_hz in ends_hz]
        taper = torch.hann_window(LAG_SAMPLES, dtype=torch.float64)
        self.power = PowerSpectrum(
            LAG_SAMPLES, bins=(edges[0], edges[-1]), taper=taper / taper.norm()
        )
        self.slices = [(a - edges[0], b - edges[0]) for a, b in pairwise(edges)]

    def forward(self, eeg_uv: Tensor) -> Tensor:
        """Return the features, channel by channel, lag by lag."""
        x = torch.unflatten(eeg_uv, 2, (N_LAGS, LAG_SAMPLES))  # (b, c, lag, s)
        power = self.power(x)  # (b, c, lag, f)
        bands = [power[..., a:b].mean(-1) for a, b in self.slices]
        features = torch.log(torch.stack(bands, dim=-1) + POWER_FLOOR_UV2)
        return features.flatten(1)  # (b, c * lag * band)


class BandPowerRidge(LinearModel):
    """``model(eeg_uv) -> bold``: (b, channels, 3200) microvolt -> (b, rois)."""

    laplacian: Tensor

    def __init__(self, config: BandPowerRidgeConfig) -> None:
        n_series = len(config.channels) * (2 if config.unmixing == "both" else 1)
        super().__init__(n_series * N_LAGS * len(FEATURE_BANDS_HZ), config.n_rois)
        self.config = config
        self.bandpower = LogBandPower()
        if config.unmixing != "none":
            matrix = torch.from_numpy(surface_laplacian(config.channels)).float()
            self.register_buffer("laplacian", matrix)

    def features(self, eeg_uv: Tensor) -> Tensor:
        """Return what the linear map is fitted on, (b, c * lags * bands).

        Of "both", channel by channel: its Laplacian, then its potential.
        """
        if self.config.unmixing == "none":
            out: Tensor = self.bandpower(eeg_uv)
            return out
        unmixed: Tensor = self.bandpower(self.laplacian @ eeg_uv)
        if self.config.unmixing == "laplacian":
            return unmixed
        n_channels = len(self.config.channels)
        both = [torch.unflatten(x, 1, (n_channels, -1))
                for x in (unmixed, self.bandpower(eeg_uv))]  # fmt: skip
        return torch.cat(both, dim=2).flatten(1)  # (b, c * 2 * lag * band)


# EFP, the EEG finger-print: one electrode, frequency by delay, ridge regression.
#
# Meir-Hasson, Kinreich, Podlipsky, Hendler and Intrator, NeuroImage 102 (2014) 128-141,
# doi 10.1016/j.neuroimage.2013.11.004. Only the abstract and the highlights could be
# read when this was written: a ridge regression on the time/frequency representation of
# one electrode predicts one region, and each frequency has a delay of its own. The grid
# is therefore ours: log power at 1 to 40 Hz in steps of 1 Hz and at 16 delays of 1 s,
# each from one second under a Hann window; every pair has its weight.
#
# Deviations:
#
# - Later users name the Stockwell transform for the representation (Rudnev et al.,
#   NeuroRegulation, "fMRI-EEG Fingerprint Regression Model for Motor Cortex"); a
#   short-time spectrum has one resolution for all frequencies instead.
# - One electrode for all ROIs of a model; the publication picks one per region. The fit
#   (``rtbold.calibration.train.ridge``) tries them all by cross-validation.
# - Features are scaled by the training scans, not by the scan that is being predicted,
#   which a live loop does not have yet.

DELAY_SAMPLES = 200  # 1 s, which makes the bins 1 Hz wide
N_DELAYS = WINDOW_SAMPLES // DELAY_SAMPLES
FREQUENCIES_HZ = range(1, 41)


@dataclass(frozen=True)
class EfpConfig:
    """Which of the channels is looked at."""

    channels: tuple[str, ...] = PUBLISHED_CHANNELS
    n_rois: int = 1
    electrode: str = "PZ"

    def __post_init__(self) -> None:
        """Refuse an electrode that the model is not given."""
        if self.electrode not in self.channels:
            raise ConfigError(
                f"electrode is {self.electrode!r}, expected one of the model's "
                f"channels: {', '.join(self.channels)}"
            )


class Efp(LinearModel):
    """``model(eeg_uv) -> bold``: (b, channels, 3200) microvolt -> (b, rois)."""

    def __init__(self, config: EfpConfig) -> None:
        super().__init__(N_DELAYS * len(FREQUENCIES_HZ), config.n_rois)
        self.config = config
        self.row = config.channels.index(config.electrode)
        taper = torch.hann_window(DELAY_SAMPLES, dtype=torch.float64)
        self.power = PowerSpectrum(
            DELAY_SAMPLES,
            bins=(FREQUENCIES_HZ.start, FREQUENCIES_HZ.stop),
            taper=taper / taper.norm(),
        )

    def features(self, eeg_uv: Tensor) -> Tensor:
        """Return log of microvolt squared, (b, delays * frequencies), oldest first."""
        one = eeg_uv[:, self.row]  # (b, 3200)
        x = torch.unflatten(one, 1, (N_DELAYS, DELAY_SAMPLES))  # (b, delay, s)
        power = self.power(x)  # (b, delay, f)
        return torch.log(power + POWER_FLOOR_UV2).flatten(1)
