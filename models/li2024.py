"""BEIRA and SIREN, with one kind of encoder; what SIREN is stands above its class.

BEIRA: spatial filters, band-pass, rectifier, low-pass, then the encoder.

Kovalev, Mikheev and Ossadtchi 2022, arXiv 2211.02024. Of the paper only the abstract
could be read when this was written; the layers and figures are those of the authors'
code (kovalalvi/beira, ``utils/models_arch/autoencoder_new_Artur.py`` at commit a640ebe,
and the settings in ``notebook_clean/BEIRA_ALL_IN_ONE.ipynb`` at 7c153b3), read for its
facts and written anew:

- the front end, an envelope detector whose weights can be read: 16 spatial filters,
  each with a band-pass of its own (51 taps at 100 Hz, learned, no bias), ReLU, and a
  low-pass of its own (51 taps); batch normalisation without weights behind the spatial
  filters and behind the band-pass;
- a convolution to 128 channels, then three stages of convolution (kernels 5, 5, 3),
  LayerNorm, GELU, dropout 0.3 and max pooling.

Deviations:

- Sequence to one: the published decoder, which gives a value of BOLD per EEG sample 6 s
  later, is left out; the linear head reads all steps of the encoder. The delay is what
  the head learns over the 16 s (20.48 s there).
- One network for all ROIs (there one per ROI).
- 200 Hz instead of 100 Hz: filters have 101 taps, so that they last as long, and the
  envelopes are averaged in pairs before the encoder, which so runs at 100 Hz as there.
- Pooling is 8, 8, 5 instead of 8, 8, 4, so that it divides 16 s.
- Microvolt are divided by 100 (there by the recording's standard deviation).

Shapes: b batch, c channel, h spatial filter, s sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from rtbold.errors import ConfigError
from rtbold.models.labram import UV_PER_MODEL_UNIT
from rtbold.models.montage import PUBLISHED_CHANNELS
from rtbold.models.spectral import WINDOW_SAMPLES

# A small convolutional encoder of a slow multichannel signal (BEIRA, SIREN).


class ConvStage(nn.Module):
    """Convolution without bias, LayerNorm over channels, GELU, dropout, max pooling.

    (b, c_in, s) -> (b, c_out, s // pool).
    """

    def __init__(
        self, c_in: int, c_out: int, kernel: int, *, pool: int, dropout: float
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(c_in, c_out, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.LayerNorm(c_out)
        self.dropout = nn.Dropout(dropout)
        self.pool = nn.MaxPool1d(pool) if pool > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Encode one stage."""
        x = self.norm(self.conv(x).transpose(1, 2)).transpose(1, 2)  # (b, c_out, s)
        x = self.dropout(nn.functional.gelu(x))
        out: Tensor = self.pool(x)  # (b, c_out, s // pool)
        return out


class ConvEncoder(nn.Module):
    """Stages in a row, flattened: (b, c_in, s) -> (b, width * s // product of pools).

    The first stage has a kernel of 3 and does not pool; the others follow `kernels`
    and `pools`.
    """

    def __init__(
        self,
        c_in: int,
        width: int,
        *,
        kernels: Sequence[int],
        pools: Sequence[int],
        dropout: float,
    ) -> None:
        super().__init__()
        self.shrinks_by = prod(pools)
        stages = [ConvStage(c_in, width, 3, pool=1, dropout=dropout)]
        stages += [
            ConvStage(width, width, kernel, pool=pool, dropout=dropout)
            for kernel, pool in zip(kernels, pools, strict=True)
        ]
        self.stages = nn.Sequential(*stages)

    def forward(self, x: Tensor) -> Tensor:
        """Return all steps of all channels."""
        out: Tensor = self.stages(x).flatten(1)
        return out


DECIMATION = 2  # 200 Hz -> 100 Hz, once the envelope is slow
KERNELS = (5, 5, 3)
POOLS = (8, 8, 5)


@dataclass(frozen=True)
class BeiraConfig:
    """Size of BEIRA; the defaults follow the published notebook."""

    channels: tuple[str, ...] = PUBLISHED_CHANNELS
    n_rois: int = 1
    spatial_filters: int = 16
    filter_samples: int = 101
    width: int = 128
    dropout: float = 0.3

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be built."""
        if self.filter_samples < 1 or self.filter_samples % 2 == 0:
            raise ConfigError(
                f"filter_samples is {self.filter_samples}, expected an odd number, so "
                "that the filters have a middle"
            )
        if self.spatial_filters < 1 or self.width < 1:
            raise ConfigError(
                f"spatial_filters is {self.spatial_filters} and width {self.width}, "
                "expected at least 1 of each"
            )


class EnvelopeDetector(nn.Module):
    """(b, c, s) -> (b, h, s): what the amplitude of each spatial filter's band does."""

    def __init__(self, config: BeiraConfig) -> None:
        super().__init__()
        n_filters, n_taps = config.spatial_filters, config.filter_samples
        self.unmixing = nn.Conv1d(len(config.channels), n_filters, 1)
        self.unmixed_norm = nn.BatchNorm1d(n_filters, affine=False)
        self.band_pass = _own_filters(n_filters, n_taps, bias=False)
        self.band_norm = nn.BatchNorm1d(n_filters, affine=False)
        self.low_pass = _own_filters(n_filters, n_taps, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the envelopes at the rate of the input."""
        x = self.unmixed_norm(self.unmixing(x))  # (b, h, s)
        x = self.band_norm(self.band_pass(x))
        out: Tensor = self.low_pass(nn.functional.relu(x))
        return out


def _own_filters(n_filters: int, n_taps: int, *, bias: bool) -> nn.Conv1d:
    return nn.Conv1d(
        n_filters, n_filters, n_taps, groups=n_filters, padding=n_taps // 2, bias=bias
    )


class Beira(nn.Module):
    """``model(eeg_uv) -> bold``: (b, channels, 3200) microvolt -> (b, rois)."""

    def __init__(self, config: BeiraConfig) -> None:
        super().__init__()
        self.config = config
        self.envelopes = EnvelopeDetector(config)
        self.decimate = nn.AvgPool1d(DECIMATION)
        self.encoder = ConvEncoder(
            config.spatial_filters,
            config.width,
            kernels=KERNELS,
            pools=POOLS,
            dropout=config.dropout,
        )
        n_steps = WINDOW_SAMPLES // DECIMATION // self.encoder.shrinks_by
        self.head = nn.Linear(config.width * n_steps, config.n_rois)

    def features(self, eeg_uv: Tensor) -> Tensor:
        """Return what the linear head reads, (b, width * steps of 3.2 s)."""
        envelopes = self.envelopes(eeg_uv / UV_PER_MODEL_UNIT)  # (b, h, 3200)
        out: Tensor = self.encoder(self.decimate(envelopes))  # (b, width * 5)
        return out

    def forward(self, eeg_uv: Tensor) -> Tensor:
        """Predict (b, rois) in units of the target normalisation."""
        out: Tensor = self.head(self.features(eeg_uv))
        return out


# SIREN: sine layers over the channels, then a convolutional encoder.
#
# Li, Lou, Xu, Wang and Chang 2024, "Leveraging sinusoidal representation networks to
# predict fMRI signals from EEG", SPIE 12926, 129263A (arXiv 2311.04234). Only the
# abstract could be read when this was written: a sinusoidal representation network
# learns the frequency information of multichannel EEG and feeds an encoder-decoder that
# gives the BOLD of one region. Every figure of SIREN's is therefore ours, and the R
# that the paper reports must not be expected of it:
#
# - three sine layers of 64, each a linear map over the channels of one sample, with
#   frequency factor 30 and the initialisation of Sitzmann et al., NeurIPS 2020,
#   sections 3.2 and supplement 1.5 (uniform within 1/n in the first, sqrt(6/n)/30 in
#   the others);
# - an average over 2 samples, then BEIRA's convolutional encoder (the model that the
#   paper compares itself with);
# - a linear head over all steps instead of the decoder (sequence to one), one network
#   for all ROIs instead of one per region.
#
# Shapes: b batch, c channel, h sine unit, s sample.


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
