"""The linear-attention transformer of NeuroBOLT's spectral branch.

Module nesting follows the parameter names of the published checkpoints.
Shapes: b batch, n token, h head, d dim, e dim of one head.
"""

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

AttentionForm = Literal["efficient", "linformer"]


@dataclass(frozen=True)
class LinearTransformerSettings:
    """Size of the transformer; `rank` and `n_tokens` matter to Linformer only."""

    dim: int
    depth: int
    heads: int
    mlp_ratio: int
    form: AttentionForm
    n_tokens: int
    rank: int
    dropout: float


class LinearAttention(nn.Module):
    """Attention whose cost is linear in the number of tokens.

    ``efficient`` (Shen et al. 2021) is what the published checkpoints need; it is the
    default. ``linformer`` (Wang et al. 2020; learned E and F of a fixed rank) is what
    the paper's equation 7 writes.
    """

    def __init__(self, settings: LinearTransformerSettings) -> None:
        super().__init__()
        dim, rank, n_tokens = settings.dim, settings.rank, settings.n_tokens
        self.heads, self.head_dim = settings.heads, dim // settings.heads
        self.form = settings.form
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_k = nn.Linear(dim, dim, bias=False)
        self.to_v = nn.Linear(dim, dim, bias=False)
        self.to_out = nn.Linear(dim, dim)
        if settings.form == "linformer":
            self.shorten_k = nn.Parameter(torch.randn(n_tokens, rank) / rank**0.5)
            self.shorten_v = nn.Parameter(torch.randn(n_tokens, rank) / rank**0.5)

    def _split(self, x: Tensor) -> Tensor:
        heads = torch.unflatten(x, 2, (self.heads, self.head_dim))
        return heads.transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Attend over the tokens of (b, n, d)."""
        q, k, v = self._split(self.to_q(x)), self.to_k(x), self.to_v(x)  # (b, h, n, e)
        scale = self.head_dim**-0.5
        if self.form == "linformer":
            k = self._split(self.shorten_k.mT @ k)  # (b, h, rank, e)
            v = self._split(self.shorten_v.mT @ v)
            out = torch.softmax(q @ k.transpose(2, 3) * scale, dim=-1) @ v
        else:
            q = torch.softmax(q, dim=-1) * scale
            k = torch.softmax(self._split(k), dim=2)
            out = q @ (k.transpose(2, 3) @ self._split(v))  # (b, h, n, e)
        answer: Tensor = self.to_out(out.transpose(1, 2).flatten(2))
        return answer


class FeedForward(nn.Module):
    """Two linear maps with GELU between; no dropout, as published."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.w1 = nn.Linear(dim, hidden)
        self.w2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map (b, n, d) to the same shape."""
        out: Tensor = self.w2(nn.functional.gelu(self.w1(x)))
        return out


class Named(nn.Module):
    """Hold a module as ``fn``: a level of the published names, nothing else."""

    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, x: Tensor) -> Tensor:
        """Call ``fn``."""
        out: Tensor = self.fn(x)
        return out


class PreNorm(Named):
    """LayerNorm, then ``fn``."""

    def __init__(self, dim: int, fn: nn.Module) -> None:
        super().__init__(fn)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Call ``fn`` on the normalised input."""
        out: Tensor = self.fn(self.norm(x))
        return out


class LinearTransformer(nn.Module):
    """Pre-norm layers of linear attention and feed-forward, residual around both."""

    def __init__(self, settings: LinearTransformerSettings) -> None:
        super().__init__()
        dim = settings.dim
        layers = nn.ModuleList()
        for _ in range(settings.depth):
            attention = LinearAttention(settings)
            feed_forward = Named(FeedForward(dim, dim * settings.mlp_ratio))
            layer = [PreNorm(dim, attention), PreNorm(dim, feed_forward)]
            layers.append(nn.ModuleList(layer))
        # The checkpoints say transformer.layers.layers.<i>.<0|1>.
        self.layers = nn.ModuleDict({"layers": layers})
        self.dropout = nn.Dropout(settings.dropout)

    def pairs(self) -> list[tuple[PreNorm, PreNorm]]:
        """Return attention and feed-forward of every layer."""
        layers = cast("nn.ModuleList", self.layers["layers"])
        return [cast("tuple[PreNorm, PreNorm]", layer) for layer in layers]

    def forward(self, x: Tensor, first: int = 0) -> Tensor:
        """Map (b, n, d) to the same shape, by the layers from `first` on."""
        for attention, feed_forward in self.pairs()[first:]:
            x = x + self.dropout(attention(x))
            x = x + feed_forward(x)
        return x
