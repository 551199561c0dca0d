"""NeuroBOLT: EEG to BOLD by two branches over one window.

Li et al., NeurIPS 2024, arXiv 2410.05341. A spatiotemporal branch (LaBraM-base) and
a multi-scale spectral branch see the same 16 s; their summaries are summed, passed
through GELU and one linear head. The defaults are the published form with the names
of the published weights (294 entries). Deviations, each an option of the
configuration and off by default:

- ``attention="linformer"`` is the paper's equation 7; the published weights need the
  default ``"efficient"``.
- ``magnitude="log"`` takes the logarithm of the spectra.
- ``unmixing="laplacian"`` puts a learned linear map over the channels, which starts as
  the surface Laplacian, before the spectra.
- ``head="tokens"`` keeps each token in a few numbers instead of their mean.
- ``head="axes"`` reads the mean over channels of every step and the mean over steps of
  every channel. It has no weights of its own, so a head on any published or fresh
  encoder can be solved in closed form, and see more than one mean.
- ``branches="spectral"`` or ``"spatiotemporal"`` leaves one branch out.
- ``dim`` other than 200 adds a projection behind the temporal encoder.

Presets: ``base`` is the published form; ``small`` is the spectral branch alone with
the options that earned it, for training from nothing on a CPU
(docs/explanation/demo-models.md).

The root of the magnitude has 1e-12 added below it so that its gradient is finite;
in float32 that is below the last digit for any living channel.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from rtbold.models.labram import (
    N_PATCHES,
    UV_PER_MODEL_UNIT,
    LabramConfig,
    Spatiotemporal,
)
from rtbold.models.layers import TokenSummary, surface_laplacian
from rtbold.models.linear_attention import AttentionForm, LinearTransformerSettings
from rtbold.models.montage import PUBLISHED_CHANNELS
from rtbold.models.options import check_choices, check_heads
from rtbold.models.spectral import MultiScaleSpectrum, SpectrumSettings


@dataclass(frozen=True)
class NeuroBoltConfig:
    """Size and options; the defaults are the published form."""

    channels: tuple[str, ...] = PUBLISHED_CHANNELS
    n_rois: int = 1
    dim: int = 200
    branches: Literal["both", "spectral", "spatiotemporal"] = "both"
    # spatiotemporal branch
    depth: int = 12
    heads: int = 10
    # spectral branch
    spectral_depth: int = 4
    spectral_heads: int = 8
    spectral_steps: int = 32
    attention: AttentionForm = "efficient"
    linformer_rank: int = 64
    magnitude: Literal["plain", "log"] = "plain"
    unmixing: Literal["none", "laplacian"] = "none"
    # both
    mlp_ratio: int = 4
    head: Literal["mean", "tokens", "axes"] = "mean"
    token_width: int = 8  # numbers a token keeps, with head="tokens"
    dropout: float = 0.1
    spectral_attention_dropout: float = 0.2
    head_dropout: float = 0.0
    drop_path: float = 0.1

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be built."""
        check_heads(self.dim, heads=self.heads, spectral_heads=self.spectral_heads)
        check_choices(self)


PRESETS = {
    "base": NeuroBoltConfig(),
    "small": NeuroBoltConfig(
        dim=64,
        branches="spectral",
        heads=4,
        spectral_depth=2,
        spectral_heads=4,
        spectral_steps=8,
        magnitude="log",
        unmixing="laplacian",
        head="tokens",
        token_width=16,
        mlp_ratio=2,
        dropout=0.0,
        spectral_attention_dropout=0.1,
        head_dropout=0.1,
    ),
}


class NeuroBolt(Spatiotemporal):
    """``model(eeg_uv) -> bold``: (b, channels, 3200) microvolt -> (b, rois)."""

    def __init__(self, config: NeuroBoltConfig) -> None:
        super().__init__(_spatiotemporal(config))
        self.config = config
        if config.branches != "spatiotemporal":
            self.mss_module = _spectral_branch(config)
            if config.unmixing == "laplacian":
                self.unmixing = _unmixing(config.channels)
        if config.head == "tokens":
            self.summaries = nn.ModuleDict(
                {name: _summary(config) for name in self._branch_names()}
            )
        self.head = nn.Linear(_head_inputs(config), config.n_rois)

    def _branch_names(self) -> list[str]:
        both = self.config.branches == "both"
        return ["spatiotemporal", "spectral"] if both else [self.config.branches]

    def _branches(self, x: Tensor) -> dict[str, Tensor]:
        tokens: dict[str, Tensor] = {}
        if self.config.branches != "spectral":
            tokens["spatiotemporal"] = self.tokens(x)
        if self.config.branches != "spatiotemporal":
            tokens["spectral"] = self.mss_module(self._unmixed(x))
        return tokens

    def _unmixed(self, x: Tensor) -> Tensor:
        if self.config.unmixing == "none":
            return x
        out: Tensor = self.unmixing(x.transpose(1, 2)).transpose(1, 2)  # (b, c, s)
        return out

    def _axes(self, tokens: Tensor) -> Tensor:
        grid = torch.unflatten(
            tokens, 1, (len(self.config.channels), -1)
        )  # (b, c, t, d)
        return torch.cat([grid.mean(2), grid.mean(1)], dim=1).flatten(1)

    def _mean(self, name: str, tokens: Tensor) -> Tensor:
        return self.summary(tokens) if name == "spatiotemporal" else tokens.mean(1)

    def features(self, eeg_uv: Tensor) -> Tensor:
        """Return what the linear head reads, (b, features)."""
        return self.summarised(self._branches(eeg_uv / UV_PER_MODEL_UNIT))

    def summarised(self, tokens: Mapping[str, Tensor]) -> Tensor:
        """Return the features for the tokens (b, n, d) of each branch by its name."""
        if self.config.head == "tokens":
            parts = [self.summaries[name](t) for name, t in tokens.items()]
            return torch.cat(parts, dim=1)  # (b, all tokens * width)
        if self.config.head == "axes":
            parts = [self._axes(t) for t in tokens.values()]
            return torch.cat(parts, dim=1)  # (b, (c + steps) * d, both branches)
        means = [self._mean(name, t) for name, t in tokens.items()]
        return nn.functional.gelu(torch.stack(means).sum(0))  # (b, d)

    def forward(self, eeg_uv: Tensor) -> Tensor:
        """Predict (b, rois) in units of the target normalisation."""
        out: Tensor = self.head(self.features(eeg_uv))
        return out


def _spatiotemporal(config: NeuroBoltConfig) -> LabramConfig | None:
    if config.branches == "spectral":
        return None
    return LabramConfig(
        channels=config.channels,
        dim=config.dim,
        depth=config.depth,
        heads=config.heads,
        mlp_ratio=config.mlp_ratio,
        dropout=config.dropout,
        drop_path=config.drop_path,
    )


def _spectral_branch(config: NeuroBoltConfig) -> MultiScaleSpectrum:
    n_channels = len(config.channels)
    spectrum = SpectrumSettings(
        n_channels=n_channels,
        steps=config.spectral_steps,
        log_magnitude=config.magnitude == "log",
        dropout=config.dropout,
    )
    transformer = LinearTransformerSettings(
        dim=config.dim,
        depth=config.spectral_depth,
        heads=config.spectral_heads,
        mlp_ratio=config.mlp_ratio,
        form=config.attention,
        n_tokens=n_channels * config.spectral_steps,
        rank=config.linformer_rank,
        dropout=config.spectral_attention_dropout,
    )
    return MultiScaleSpectrum(spectrum, transformer)


def _unmixing(channels: tuple[str, ...]) -> nn.Linear:
    linear = nn.Linear(len(channels), len(channels), bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(surface_laplacian(channels)))
    return linear


def _summary(config: NeuroBoltConfig) -> TokenSummary:
    return TokenSummary(config.dim, config.token_width, config.head_dropout)


def _head_inputs(config: NeuroBoltConfig) -> int:
    if config.head == "mean":
        return config.dim
    steps = {"spatiotemporal": N_PATCHES, "spectral": config.spectral_steps}
    used = steps if config.branches == "both" else [config.branches]
    if config.head == "axes":
        return sum(len(config.channels) + steps[name] for name in used) * config.dim
    per_channel = sum(steps[name] for name in used)
    return per_channel * len(config.channels) * config.token_width
