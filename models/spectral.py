"""The multi-scale spectral branch of NeuroBOLT (Li et al., NeurIPS 2024, section 3.2).

Parameter names are those of the published checkpoints (``mss_module.*``), therefore
the nesting of thin modules. Shapes: b batch, c channel, w window, f bin, t step.
"""

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from rtbold.models.layers import HalvedSpectra, PowerSpectrum
from rtbold.models.linear_attention import LinearTransformer, LinearTransformerSettings

SCALES_SAMPLES = (100, 200, 400, 800)  # 100 * 2^l, no overlap
WINDOW_SAMPLES = 3200
POSITION_LENGTH = 1000
LOG_FLOOR = 1e-3  # of the magnitude in units of 100 uV; a flat channel stays finite
TINY_POWER = 1e-12  # the root's gradient is finite at zero; below float32's last digit


class Magnitude(nn.Module):
    """One-sided magnitude spectrum, rectangular window, not squared, not normalised."""

    def __init__(self, n: int, log: bool) -> None:
        super().__init__()
        self.power = PowerSpectrum(n)
        self.log = log

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., n // 2 + 1) for (..., n)."""
        return self.of(self.power(x))

    def of(self, power: Tensor) -> Tensor:
        """Return the magnitude, or its logarithm, for a power of any shape."""
        magnitude = torch.sqrt(power + TINY_POWER)
        return torch.log(magnitude + LOG_FLOOR) if self.log else magnitude


class Projection(nn.Module):
    """A linear map under the name that the checkpoints give it."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.projection = nn.Linear(n_in, n_out)

    def forward(self, x: Tensor) -> Tensor:
        """Map the last axis."""
        out: Tensor = self.projection(x)
        return out


class SinusoidalPosition(nn.Module):
    """Sine on even, cosine on odd dimensions; base 10000."""

    pe: Tensor

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        step = torch.arange(POSITION_LENGTH)[:, None].float()
        rate = torch.exp(torch.arange(0, dim, 2).float() * -(math.log(10000.0) / dim))
        pe = torch.zeros(POSITION_LENGTH, dim)
        pe[:, 0::2] = torch.sin(step * rate)
        pe[:, 1::2] = torch.cos(step * rate[: dim // 2])
        self.register_buffer("pe", pe[None])
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Add the position to (b, c, t, d) along t."""
        out: Tensor = self.dropout(x + self.pe[:, : x.shape[2]])
        return out


@dataclass(frozen=True)
class SpectrumSettings:
    """What the embedding of the spectra looks like."""

    n_channels: int
    steps: int
    log_magnitude: bool
    dropout: float


class MultiScaleSpectrum(nn.Module):
    """(b, c, 3200) in units of 100 uV -> (b, c * steps, dim)."""

    index: Tensor

    def __init__(
        self, spectrum: SpectrumSettings, transformer: LinearTransformerSettings
    ) -> None:
        super().__init__()
        dim, steps = transformer.dim, spectrum.steps
        n_windows = [WINDOW_SAMPLES // n for n in SCALES_SAMPLES]
        # Some checkpoints carry arange(C) under this name; it is not used.
        self.register_buffer("index", torch.arange(spectrum.n_channels))
        self.halved: HalvedSpectra | None = None  # in the form that is exported
        self.magnitude = nn.ModuleList(
            Magnitude(n, spectrum.log_magnitude) for n in SCALES_SAMPLES
        )
        self.patch_embedding = nn.ModuleList(
            Projection(n // 2 + 1, dim) for n in SCALES_SAMPLES
        )
        self.ts_embedding = nn.ModuleList(Projection(w, steps) for w in n_windows)
        self.transformer = LinearTransformer(transformer)
        self.positional_encoding = SinusoidalPosition(dim, spectrum.dropout)
        self.channel_tokens = nn.Embedding(spectrum.n_channels, dim)

    def halve(self) -> None:
        """Take longer spectra from shorter ones from now on: fewer products.

        For export; the weights over bins change their order with it.
        """
        self.halved = HalvedSpectra(SCALES_SAMPLES)
        for order, over_bins in zip(
            self.halved.order, self.patch_embedding, strict=True
        ):
            projection = cast("Projection", over_bins).projection
            weight = projection.weight.detach()
            projection.weight = nn.Parameter(weight[:, order].contiguous())

    def _magnitudes(self, x: Tensor) -> list[Tensor]:
        magnitudes = [cast("Magnitude", magnitude) for magnitude in self.magnitude]
        if self.halved is not None:
            powers = self.halved(x)
            pairs = zip(magnitudes, powers, strict=True)
            return [magnitude.of(power) for magnitude, power in pairs]
        scales = zip(magnitudes, SCALES_SAMPLES, strict=True)
        return [magnitude(torch.unflatten(x, 2, (-1, n))) for magnitude, n in scales]

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens, channel by channel, steps within."""
        levels = []
        maps = zip(self.patch_embedding, self.ts_embedding, strict=True)
        for spectra, (over_bins, over_time) in zip(
            self._magnitudes(x), maps, strict=True
        ):
            windows = over_bins(spectra).transpose(2, 3)  # (b, c, d, w)
            levels.append(over_time(windows).transpose(2, 3))  # (b, c, t, d)
        tokens = torch.stack(levels).sum(0) + self.channel_tokens.weight.unsqueeze(-2)
        tokens = self.positional_encoding(tokens)  # (b, c, t, d)
        out: Tensor = self.transformer(tokens.flatten(1, 2))  # (b, c * t, d)
        return out


def run_by_products(model: nn.Module) -> None:
    """Change a network to the form of its spectra that every engine can run."""
    for module in list(model.modules()):
        if isinstance(module, PowerSpectrum):
            module.by_product = True
        elif isinstance(module, MultiScaleSpectrum) and module.halved is None:
            module.halve()
