"""A small convolutional encoder of a slow multichannel signal (BEIRA, SIREN)."""

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn


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
