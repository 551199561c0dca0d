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
- ``branches="spectral"`` or ``"spatiotemporal"`` leaves one branch out.
- ``dim`` other than 200 adds a projection behind the temporal encoder.

The root of the magnitude has 1e-12 added below it so that its gradient is finite;
in float32 that is below the last digit for any living channel.
"""

from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor, nn

from rtbold.errors import ConfigError
from rtbold.models.labram import N_PATCHES, NORM_EPS, Block, TemporalEncoder
from rtbold.models.laplacian import surface_laplacian
from rtbold.models.layers import TokenSummary
from rtbold.models.linear_attention import AttentionForm, LinearTransformerSettings
from rtbold.models.montage import N_POSITION_ROWS, PUBLISHED_CHANNELS, position_rows
from rtbold.models.spectral import MultiScaleSpectrum, SpectrumSettings

UV_PER_MODEL_UNIT = 100.0
WINDOW_SAMPLES = 3200


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
    head: Literal["mean", "tokens"] = "mean"
    token_width: int = 8  # numbers a token keeps, with head="tokens"
    dropout: float = 0.1
    spectral_attention_dropout: float = 0.2
    head_dropout: float = 0.0
    drop_path: float = 0.1

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be built."""
        for heads in (self.heads, self.spectral_heads):
            if self.dim % heads:
                raise ConfigError(
                    f"dim is {self.dim}, expected a multiple of its {heads} heads; "
                    "change dim, heads or spectral_heads"
                )
        for field in fields(self):
            choices = getattr(field.type, "__args__", None)
            value = getattr(self, field.name)
            if isinstance(value, str) and choices and value not in choices:
                raise ConfigError(
                    f"{field.name} is {value!r}, expected one of {', '.join(choices)}"
                )


class NeuroBolt(nn.Module):
    """``model(eeg_uv) -> bold``: (b, channels, 3200) microvolt -> (b, rois)."""

    position_index: Tensor

    def __init__(self, config: NeuroBoltConfig) -> None:
        super().__init__()
        self.config = config
        if config.branches != "spectral":
            self._build_spatiotemporal(config)
        if config.branches != "spatiotemporal":
            self.mss_module = _spectral_branch(config)
            if config.unmixing == "laplacian":
                self.unmixing = _unmixing(config.channels)
        if config.head == "tokens":
            self.summaries = nn.ModuleDict(
                {name: _summary(config) for name in self._branch_names()}
            )
        self.head = nn.Linear(_head_inputs(config), config.n_rois)

    def _build_spatiotemporal(self, config: NeuroBoltConfig) -> None:
        dim = config.dim
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, N_POSITION_ROWS, dim))
        self.time_embed = nn.Parameter(torch.zeros(1, N_PATCHES, dim))
        for parameter in (self.cls_token, self.pos_embed, self.time_embed):
            nn.init.trunc_normal_(parameter, std=0.02)
        self.patch_embed = TemporalEncoder(dim)
        self.embed_dropout = nn.Dropout(config.dropout)
        drop_path = torch.linspace(0, config.drop_path, config.depth).tolist()
        self.blocks = nn.ModuleList(
            Block(
                dim,
                config.heads,
                mlp_ratio=config.mlp_ratio,
                dropout=config.dropout,
                drop_path=p,
            )
            for p in drop_path
        )
        self.fc_norm = nn.LayerNorm(dim, eps=NORM_EPS)
        rows = torch.tensor(position_rows(config.channels))
        self.register_buffer("position_index", rows, persistent=False)

    def _branch_names(self) -> list[str]:
        both = self.config.branches == "both"
        return ["spatiotemporal", "spectral"] if both else [self.config.branches]

    def _tokens(self, x: Tensor) -> Tensor:
        """Return LaBraM's tokens without the class token, (b, c * 16, d)."""
        patches = torch.unflatten(x, 2, (N_PATCHES, -1)).flatten(
            1, 2
        )  # (b, c * 16, 200)
        tokens = self.patch_embed(patches).unflatten(1, (-1, N_PATCHES))
        position = self.pos_embed[0, self.position_index]  # (c, d)
        tokens = (tokens + position[:, None] + self.time_embed).flatten(1, 2)
        first = (self.cls_token + self.pos_embed[:, :1]).expand(x.shape[0], -1, -1)
        tokens = self.embed_dropout(torch.cat([first, tokens], dim=1))
        for block in self.blocks:
            tokens = block(tokens)  # (b, 1 + c * 16, d)
        without_class: Tensor = tokens[:, 1:]
        return without_class

    def _branches(self, x: Tensor) -> dict[str, Tensor]:
        tokens: dict[str, Tensor] = {}
        if self.config.branches != "spectral":
            tokens["spatiotemporal"] = self._tokens(x)
        if self.config.branches != "spatiotemporal":
            tokens["spectral"] = self.mss_module(self._unmixed(x))
        return tokens

    def _unmixed(self, x: Tensor) -> Tensor:
        if self.config.unmixing == "none":
            return x
        out: Tensor = self.unmixing(x.transpose(1, 2)).transpose(1, 2)  # (b, c, s)
        return out

    def _mean(self, name: str, tokens: Tensor) -> Tensor:
        mean = tokens.mean(1)  # (b, d)
        out: Tensor = self.fc_norm(mean) if name == "spatiotemporal" else mean
        return out

    def features(self, eeg_uv: Tensor) -> Tensor:
        """Return what the linear head reads, (b, features)."""
        tokens = self._branches(eeg_uv / UV_PER_MODEL_UNIT)
        if self.config.head == "tokens":
            parts = [self.summaries[name](t) for name, t in tokens.items()]
            return torch.cat(parts, dim=1)  # (b, all tokens * width)
        means = [self._mean(name, t) for name, t in tokens.items()]
        return nn.functional.gelu(torch.stack(means).sum(0))  # (b, d)

    def forward(self, eeg_uv: Tensor) -> Tensor:
        """Predict (b, rois) in units of the target normalisation."""
        out: Tensor = self.head(self.features(eeg_uv))
        return out


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
    per_channel = sum(steps[name] for name in used)
    return per_channel * len(config.channels) * config.token_width
