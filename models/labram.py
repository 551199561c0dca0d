"""The spatiotemporal encoder of LaBraM-base (Jiang et al., ICLR 2024).

NeuroBOLT's first branch. Parameter names are those of the published checkpoints.
Shapes: b batch, c channel, p second (patch), n token, d dim, s sample in a patch.
"""

import torch
from torch import Tensor, nn

from rtbold.models.layers import DropPath

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
