"""EFP, the EEG finger-print: one electrode, frequency by delay, ridge regression.

Meir-Hasson, Kinreich, Podlipsky, Hendler and Intrator, NeuroImage 102 (2014) 128-141,
doi 10.1016/j.neuroimage.2013.11.004. Only the abstract and the highlights could be read
when this was written: a ridge regression on the time/frequency representation of one
electrode predicts one region, and each frequency has a delay of its own. The grid is
therefore ours: log power at 1 to 40 Hz in steps of 1 Hz and at 16 delays of 1 s, each
from one second under a Hann window; every pair has its weight.

Deviations:

- Later users name the Stockwell transform for the representation (Rudnev et al.,
  NeuroRegulation, "fMRI-EEG Fingerprint Regression Model for Motor Cortex"); a
  short-time spectrum has one resolution for all frequencies instead.
- One electrode for all ROIs of a model; the publication picks one per region. The fit
  (``rtbold.calibration.linear_fit``) tries them all by cross-validation.
- Features are scaled by the training scans, not by the scan that is being predicted,
  which a live loop does not have yet.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rtbold.errors import ConfigError
from rtbold.models.linear_model import LinearModel
from rtbold.models.montage import PUBLISHED_CHANNELS
from rtbold.models.power import PowerSpectrum
from rtbold.models.spectral import WINDOW_SAMPLES

DELAY_SAMPLES = 200  # 1 s, which makes the bins 1 Hz wide
N_DELAYS = WINDOW_SAMPLES // DELAY_SAMPLES
FREQUENCIES_HZ = range(1, 41)
POWER_FLOOR_UV2 = 1e-4  # a flat electrode stays finite


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
