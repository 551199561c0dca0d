"""Low-rank adapters on attention's linear maps (Hu et al., ICLR 2022, LoRA).

``W x + (alpha / rank) B A x`` with W frozen; B starts at zero, so that the start is the
network itself. Merged afterwards: what is exported has the layers it had.
"""

import math
from typing import Final

import torch
from torch import Tensor, nn

from rtbold.errors import ConfigError
from rtbold.models.labram import Attention
from rtbold.models.linear_attention import LinearAttention

_MAPS: Final[dict[type, tuple[str, ...]]] = {
    Attention: ("qkv", "proj"),
    LinearAttention: ("to_q", "to_k", "to_v", "to_out"),
}


class LowRank(nn.Module):
    """A frozen linear map with a trained one of few dimensions beside it."""

    def __init__(self, linear: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.linear = linear.requires_grad_(False)
        self.down = nn.Parameter(torch.empty(rank, linear.in_features))
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))
        self.scale = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        """Map the last axis."""
        out: Tensor = self.linear(x) + self.scale * (x @ self.down.mT @ self.up.mT)
        return out

    def merged(self) -> nn.Linear:
        """Return one linear map that gives the same answers."""
        with torch.no_grad():
            self.linear.weight += self.scale * (self.up @ self.down)
        return self.linear.requires_grad_(True)


def attach(network: nn.Module, *, rank: int, alpha: float) -> None:
    """Put adapters on all attention maps, in place; all other weights are frozen.

    The head stays trainable.

    Raises
    ------
    ConfigError : the network has no attention.
    """
    network.requires_grad_(False)
    places = [
        (module, name)
        for module in list(network.modules())
        for name in _MAPS.get(type(module), ())
    ]
    if not places:
        raise ConfigError(
            f"a {type(network).__name__} has no attention, so there is nothing to "
            "adapt; use --strategy head or all"
        )
    for module, name in places:
        setattr(module, name, LowRank(getattr(module, name), rank, alpha))
    network.get_submodule("head").requires_grad_(True)


def merge(network: nn.Module) -> None:
    """Replace all adapters by plain linear maps, in place."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, LowRank):
                setattr(module, name, child.merged())
    network.requires_grad_(True)
