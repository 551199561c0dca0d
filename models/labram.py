"""LaBraM: patches of one second of every channel through a transformer.

Jiang et al., ICLR 2024, arXiv 2405.18765: LaBraM-base. `Spatiotemporal` is the encoder,
which is NeuroBOLT's first branch too; `Labram` puts a linear head on it. Parameter
names are those of the published checkpoints (LaBraM's without their ``student.``).

Deviations of `Labram` from the fine-tuning of the publication: microvolt are divided
by 100 inside; one head answers all ROIs; the temporal encoder's projection appears
where `dim` is not 200. The checkpoint of the pre-training holds no ``fc_norm`` and no
``head``: these are fresh after an import.

Shapes: b batch, c channel, p second (patch), n token, d dim, s sample in a patch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rtbold.models.layers import DropPath
from rtbold.models.montage import N_POSITION_ROWS, PUBLISHED_CHANNELS, position_rows
from rtbold.models.options import check_heads

UV_PER_MODEL_UNIT = 100.0
PATCH_SAMPLES = 200
N_PATCHES = 16
NORM_EPS = 1e-6
_KERNELS = 8
_STRIDE = 8  # 200 samples -> 25 steps of 8 kernels


class TemporalEncoder(nn.Module):
    """Three convolutions along each patch of one second; (b, n, 200) -> (b, n, d).

    The group norms run over all tokens of a window: one railed electrode changes
    every token. Their 25 x 8 outputs are flattened time-major; only where `dim` is
    not 200 (never in the published form) a projection follows.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, _KERNELS, (1, 15), (1, _STRIDE), (0, 7))
        self.norm1 = nn.GroupNorm(4, _KERNELS)
        self.conv2 = nn.Conv2d(_KERNELS, _KERNELS, (1, 3), padding=(0, 1))
        self.norm2 = nn.GroupNorm(4, _KERNELS)
        self.conv3 = nn.Conv2d(_KERNELS, _KERNELS, (1, 3), padding=(0, 1))
        self.norm3 = nn.GroupNorm(4, _KERNELS)
        n_out = PATCH_SAMPLES // _STRIDE * _KERNELS
        self.projection = nn.Identity() if dim == n_out else nn.Linear(n_out, dim)

    def forward(self, patches: Tensor) -> Tensor:
        """Encode every patch."""
        gelu = nn.functional.gelu
        x = gelu(self.norm1(self.conv1(patches[:, None])))  # (b, 8, n, 25)
        x = gelu(self.norm2(self.conv2(x)))
        x = gelu(self.norm3(self.conv3(x)))
        x = x.permute(0, 2, 3, 1).flatten(2)  # (b, n, 25 * 8)
        out: Tensor = self.projection(x)
        return out


class Attention(nn.Module):
    """Softmax attention with LayerNorm on queries and keys; no bias on q, k, v."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.head_dim = heads, dim // heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.q_norm = nn.LayerNorm(self.head_dim, eps=NORM_EPS)
        self.k_norm = nn.LayerNorm(self.head_dim, eps=NORM_EPS)
        self.proj = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Attend over the tokens of (b, n, d)."""
        qkv = self.qkv(x).unflatten(2, (3, self.heads, self.head_dim))
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (b, h, n, e) each
        q, k = self.q_norm(q), self.k_norm(k)
        attended = nn.functional.scaled_dot_product_attention(q, k, v)
        x = attended.transpose(1, 2).flatten(2)  # (b, n, d)
        out: Tensor = self.dropout(self.proj(x))
        return out


class Mlp(nn.Module):
    """Two linear maps with exact GELU between."""

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (b, n, d) to the same shape."""
        out: Tensor = self.dropout(self.fc2(nn.functional.gelu(self.fc1(x))))
        return out


class Block(nn.Module):
    """Pre-norm transformer block with layer scale (gamma starts at 0.1)."""

    def __init__(
        self, dim: int, heads: int, *, mlp_ratio: int, dropout: float, drop_path: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.attn = Attention(dim, heads, dropout)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.mlp = Mlp(dim, dim * mlp_ratio, dropout)
        self.gamma_1 = nn.Parameter(torch.full((dim,), 0.1))
        self.gamma_2 = nn.Parameter(torch.full((dim,), 0.1))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map (b, n, d) to the same shape."""
        x = x + self.drop_path(self.gamma_1 * self.attn(self.norm1(x)))
        out: Tensor = x + self.drop_path(self.gamma_2 * self.mlp(self.norm2(x)))
        return out


@dataclass(frozen=True)
class LabramConfig:
    """Size of LaBraM; the defaults are LaBraM-base."""

    channels: tuple[str, ...] = PUBLISHED_CHANNELS
    n_rois: int = 1
    dim: int = 200
    depth: int = 12
    heads: int = 10
    mlp_ratio: int = 4
    dropout: float = 0.1
    drop_path: float = 0.1

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be built."""
        check_heads(self.dim, heads=self.heads)


class Spatiotemporal(nn.Module):
    """LaBraM's encoder; (b, c, 3200) in units of 100 uV -> (b, c * 16, d).

    A base class, because the published names have no prefix that a submodule could
    give them.

    Parameters
    ----------
    config : None leaves the encoder out (NeuroBOLT's spectral branch alone).
    """

    position_index: Tensor

    def __init__(self, config: LabramConfig | None) -> None:
        super().__init__()
        if config is not None:
            self._build_embeddings(config)
            self.blocks = nn.ModuleList(_blocks(config))
            self.fc_norm = nn.LayerNorm(config.dim, eps=NORM_EPS)

    def _build_embeddings(self, config: LabramConfig) -> None:
        dim = config.dim
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, N_POSITION_ROWS, dim))
        self.time_embed = nn.Parameter(torch.zeros(1, N_PATCHES, dim))
        for parameter in (self.cls_token, self.pos_embed, self.time_embed):
            nn.init.trunc_normal_(parameter, std=0.02)
        self.patch_embed = TemporalEncoder(dim)
        self.embed_dropout = nn.Dropout(config.dropout)
        rows = torch.tensor(position_rows(config.channels))
        self.register_buffer("position_index", rows, persistent=False)

    def tokens(self, x: Tensor) -> Tensor:
        """Return the tokens without the class token, channel by channel."""
        seconds = torch.unflatten(x, 2, (N_PATCHES, PATCH_SAMPLES))  # (b, c, p, s)
        tokens = self.patch_embed(seconds.flatten(1, 2))  # (b, c * p, d)
        tokens = tokens.unflatten(1, (-1, N_PATCHES))  # (b, c, p, d)
        position = self.pos_embed[:, self.position_index, None]  # (1, c, 1, d)
        tokens = (tokens + position + self.time_embed[:, None]).flatten(1, 2)
        first = (self.cls_token + self.pos_embed[:, :1]).expand(x.shape[0], -1, -1)
        tokens = self.embed_dropout(torch.cat([first, tokens], dim=1))
        for block in self.blocks:
            tokens = block(tokens)  # (b, 1 + c * p, d)
        without_class: Tensor = tokens[:, 1:]
        return without_class

    def summary(self, tokens: Tensor) -> Tensor:
        """Return the mean over (b, n, d), normalised: (b, d)."""
        out: Tensor = self.fc_norm(tokens.mean(1))
        return out


def _blocks(config: LabramConfig) -> list[Block]:
    drop_path = torch.linspace(0, config.drop_path, config.depth).tolist()
    return [
        Block(
            config.dim,
            config.heads,
            mlp_ratio=config.mlp_ratio,
            dropout=config.dropout,
            drop_path=p,
        )
        for p in drop_path
    ]


class Labram(Spatiotemporal):
    """``model(eeg_uv) -> bold``: (b, channels, 3200) microvolt -> (b, rois)."""

    def __init__(self, config: LabramConfig) -> None:
        super().__init__(config)
        self.config = config
        self.head = nn.Linear(config.dim, config.n_rois)

    def features(self, eeg_uv: Tensor) -> Tensor:
        """Return what the linear head reads, (b, d)."""
        return self.summary(self.tokens(eeg_uv / UV_PER_MODEL_UNIT))

    def forward(self, eeg_uv: Tensor) -> Tensor:
        """Predict (b, rois) in units of the target normalisation."""
        out: Tensor = self.head(self.features(eeg_uv))
        return out
