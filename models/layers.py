"""Layers that more than one architecture is made of."""

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Drop a whole residual branch per sample (stochastic depth, Huang et al. 2016)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Return x, or zeros for a random share `p` of the batch while training."""
        if not self.training or self.p == 0.0:
            return x
        keep = torch.rand(x.shape[0], *([1] * (x.ndim - 1)), device=x.device) >= self.p
        return x * keep / (1.0 - self.p)


class TokenSummary(nn.Module):
    """Keep every token in few numbers, instead of the mean over tokens.

    (batch, tokens, dim) -> (batch, tokens * width): which channel and second said it
    stays readable for the linear head.
    """

    def __init__(self, dim: int, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.squeeze = nn.Linear(dim, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the flattened summary of all tokens."""
        x = self.squeeze(self.norm(tokens))  # (b, token, width)
        out: Tensor = self.dropout(x.flatten(1))  # (b, token * width)
        return out
