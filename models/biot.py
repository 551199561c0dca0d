"""BIOT: spectra of every channel as one sentence of tokens.

Yang, Westover and Sun, NeurIPS 2023, arXiv 2305.10351. Facts are from the authors' code
(ycq091044/BIOT, commit 1e48e84, MIT). Parameter names are those of its
``BIOTClassifier``: the encoder's published weights are the names below ``biot.``
without that prefix.

A spectrum of 200 samples every 100 samples (rectangular window, no padding, magnitude),
one linear map to a token, a learned token per channel, sinusoidal position over time, a
transformer of efficient linear attention over all tokens, their mean, ELU, linear head.

Deviations:

- No loop over channels (same numbers).
- The published loaders divide each channel of a sample by the 95th percentile of its
  magnitude. That is done inside (``normalisation="p95"``, the default). It takes the
  amplitude away, which may be what BOLD follows; ``"fixed"`` divides by 100 uV instead.
- The published encoders know 16 or 18 channel tokens, most of them bipolar (FP1-F7 and
  so on). Tokens here are one per electrode in the model's order: after an import of
  such an encoder they are fresh.
- 1e-12 is added below the root of the magnitude, so that a flat channel has a gradient.
- The head is named ``head`` and answers all ROIs (``classifier.clshead.1`` there).

Shapes: b batch, c channel, t step of half a second, d dim, f frequency bin.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from rtbold.models.labram import UV_PER_MODEL_UNIT
from rtbold.models.linear_attention import LinearTransformer, LinearTransformerSettings
from rtbold.models.montage import PUBLISHED_CHANNELS
from rtbold.models.options import check_choices, check_heads
from rtbold.models.spectral import (
    WINDOW_SAMPLES,
    Magnitude,
    Projection,
    SinusoidalPosition,
)

PATCH_SAMPLES = 200
HOP_SAMPLES = 100
N_STEPS = (WINDOW_SAMPLES - PATCH_SAMPLES) // HOP_SAMPLES + 1
QUANTILE = 0.95
TINY = 1e-8  # as published: a flat channel stays zero


@dataclass(frozen=True)
class BiotConfig:
    """Size of BIOT; the defaults are the published ones."""

    channels: tuple[str, ...] = PUBLISHED_CHANNELS
    n_rois: int = 1
    dim: int = 256
    depth: int = 4
    heads: int = 8
    mlp_ratio: int = 4
    normalisation: Literal["p95", "fixed"] = "p95"
    dropout: float = 0.1  # behind the position
    attention_dropout: float = 0.2

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be built."""
        check_heads(self.dim, heads=self.heads)
        check_choices(self)


class BiotEncoder(nn.Module):
    """(b, c, 3200), normalised -> (b, d); names of the published checkpoints."""

    index: Tensor

    def __init__(self, config: BiotConfig) -> None:
        super().__init__()
        n_channels = len(config.channels)
        self.magnitude = Magnitude(PATCH_SAMPLES, log=False)
        self.patch_embedding = Projection(PATCH_SAMPLES // 2 + 1, config.dim)
        self.transformer = LinearTransformer(_transformer(config))
        self.positional_encoding = SinusoidalPosition(config.dim, config.dropout)
        self.channel_tokens = nn.Embedding(n_channels, config.dim)
        # The checkpoints carry arange(C) under this name; it is not used.
        self.register_buffer("index", torch.arange(n_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean over all tokens."""
        halves = torch.unflatten(x, 2, (-1, HOP_SAMPLES))  # (b, c, t + 1, 100)
        patches = torch.cat([halves[:, :, :-1], halves[:, :, 1:]], dim=3)
        tokens = self.patch_embedding(self.magnitude(patches))  # (b, c, t, d)
        tokens = tokens + self.channel_tokens.weight[:, None]
        tokens = self.positional_encoding(tokens)
        out: Tensor = self.transformer(tokens.flatten(1, 2)).mean(1)  # (b, d)
        return out


def _transformer(config: BiotConfig) -> LinearTransformerSettings:
    return LinearTransformerSettings(
        dim=config.dim,
        depth=config.depth,
        heads=config.heads,
        mlp_ratio=config.mlp_ratio,
        form="efficient",
        n_tokens=len(config.channels) * N_STEPS,
        rank=0,
        dropout=config.attention_dropout,
    )


def scale_by_quantile(x: Tensor) -> Tensor:
    """Divide each channel of (b, c, s) by the 95th percentile of its magnitude.

    Linear between the two nearest ranks, as ``numpy.quantile`` does by default.
    """
    n_samples = x.shape[2]
    rank = QUANTILE * (n_samples - 1)  # from below
    below = n_samples - 1 - int(rank)  # from above
    top = torch.topk(x.abs(), below + 1, dim=2).values  # (b, c, below + 1), falling
    low, high = top[..., below : below + 1], top[..., below - 1 : below]
    return x / (low + (rank - int(rank)) * (high - low) + TINY)


class Biot(nn.Module):
    """``model(eeg_uv) -> bold``: (b, channels, 3200) microvolt -> (b, rois)."""

    def __init__(self, config: BiotConfig) -> None:
        super().__init__()
        self.config = config
        self.biot = BiotEncoder(config)
        self.head = nn.Linear(config.dim, config.n_rois)

    def features(self, eeg_uv: Tensor) -> Tensor:
        """Return what the linear head reads, (b, d)."""
        if self.config.normalisation == "p95":
            x = scale_by_quantile(eeg_uv)  # (b, c, 3200)
        else:
            x = eeg_uv / UV_PER_MODEL_UNIT
        return nn.functional.elu(self.biot(x))

    def forward(self, eeg_uv: Tensor) -> Tensor:
        """Predict (b, rois) in units of the target normalisation."""
        out: Tensor = self.head(self.features(eeg_uv))
        return out
