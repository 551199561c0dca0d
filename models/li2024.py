"""BEIRA: spatial filters, band-pass, rectifier, low-pass, then a convolutional encoder.

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

from dataclasses import dataclass

from torch import Tensor, nn

from rtbold.errors import ConfigError
from rtbold.models.conv_encoder import ConvEncoder
from rtbold.models.labram import UV_PER_MODEL_UNIT
from rtbold.models.montage import PUBLISHED_CHANNELS
from rtbold.models.spectral import WINDOW_SAMPLES

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
