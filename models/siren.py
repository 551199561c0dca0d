"""SIREN: sine layers over the channels, then a convolutional encoder.

Li, Lou, Xu, Wang and Chang 2024, "Leveraging sinusoidal representation networks to
predict fMRI signals from EEG", SPIE 12926, 129263A (arXiv 2311.04234). Only the
abstract could be read when this was written: a sinusoidal representation network learns
the frequency information of multichannel EEG and feeds an encoder-decoder that gives
the BOLD of one region. Every figure below is therefore ours, and the R that the paper
reports must not be expected of this module:

- three sine layers of 64, each a linear map over the channels of one sample, with
  frequency factor 30 and the initialisation of Sitzmann et al., NeurIPS 2020, sections
  3.2 and supplement 1.5 (uniform within 1/n in the first, sqrt(6/n)/30 in the others);
- an average over 2 samples, then the convolutional encoder of ``rtbold.models.beira``
  (the model that the paper compares itself with);
- a linear head over all steps instead of the decoder (sequence to one), one network for
  all ROIs instead of one per region.

Shapes: b batch, c channel, h sine unit, s sample.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rtbold.errors import ConfigError
from rtbold.models.conv_encoder import ConvEncoder
from rtbold.models.labram import UV_PER_MODEL_UNIT
from rtbold.models.li2024 import DECIMATION, KERNELS, POOLS
from rtbold.models.montage import PUBLISHED_CHANNELS
from rtbold.models.spectral import WINDOW_SAMPLES


@dataclass(frozen=True)
class SirenConfig:
    """Size of SIREN; all figures but `frequency` are ours."""

    channels: tuple[str, ...] = PUBLISHED_CHANNELS
    n_rois: int = 1
    sine_layers: int = 3
    sine_units: int = 64
    frequency: float = 30.0  # omega_0 of Sitzmann et al.
    width: int = 64
    dropout: float = 0.3

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be built."""
        if min(self.sine_layers, self.sine_units, self.width) < 1:
            raise ConfigError(
                f"sine_layers, sine_units and width are {self.sine_layers}, "
                f"{self.sine_units} and {self.width}, expected at least 1 of each"
            )
        if not self.frequency > 0:
            raise ConfigError(
                f"frequency is {self.frequency}, expected a positive factor such as 30"
            )


class SineLayer(nn.Module):
    """``sin(frequency * (W x + b))`` at every sample; (b, n_in, s) -> (b, n_out, s)."""

    def __init__(
        self, n_in: int, n_out: int, *, frequency: float, is_first: bool
    ) -> None:
        super().__init__()
        self.frequency = frequency
        self.linear = nn.Conv1d(n_in, n_out, 1)
        bound = 1 / n_in if is_first else (6 / n_in) ** 0.5 / frequency
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Map the channels of each sample."""
        return torch.sin(self.frequency * self.linear(x))


class Siren(nn.Module):
    """``model(eeg_uv) -> bold``: (b, channels, 3200) microvolt -> (b, rois)."""

    def __init__(self, config: SirenConfig) -> None:
        super().__init__()
        self.config = config
        self.sines = nn.Sequential(*_sine_layers(config))
        self.decimate = nn.AvgPool1d(DECIMATION)
        self.encoder = ConvEncoder(
            config.sine_units,
            config.width,
            kernels=KERNELS,
            pools=POOLS,
            dropout=config.dropout,
        )
        n_steps = WINDOW_SAMPLES // DECIMATION // self.encoder.shrinks_by
        self.head = nn.Linear(config.width * n_steps, config.n_rois)

    def features(self, eeg_uv: Tensor) -> Tensor:
        """Return what the linear head reads, (b, width * steps of 3.2 s)."""
        x = self.sines(eeg_uv / UV_PER_MODEL_UNIT)  # (b, h, 3200)
        out: Tensor = self.encoder(self.decimate(x))  # (b, width * 5)
        return out

    def forward(self, eeg_uv: Tensor) -> Tensor:
        """Predict (b, rois) in units of the target normalisation."""
        out: Tensor = self.head(self.features(eeg_uv))
        return out


def _sine_layers(config: SirenConfig) -> list[SineLayer]:
    widths = [len(config.channels), *[config.sine_units] * config.sine_layers]
    return [
        SineLayer(widths[i], widths[i + 1], frequency=config.frequency, is_first=i == 0)
        for i in range(config.sine_layers)
    ]
