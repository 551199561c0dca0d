"""The last blocks of a network, fed with what reaches them.

What lies in front is frozen, so every window passes it once, before any training.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from rtbold.errors import ConfigError
from rtbold.models import Biot, Labram, LinearTransformer, NeuroBolt

SHARE = 4  # of the blocks of a branch, one in so many is trained; at least one


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Where one branch is cut: `at` is given what is cached."""

    at: nn.Module
    trained: tuple[nn.Module, ...]
    onward: Callable[[Tensor], Tensor]  # cached (b, n, d) -> the branch's tokens


class Tail(nn.Module):
    """The trained part; answers like the whole network.

    Parameters
    ----------
    network : its blocks and head are shared with it, not copied.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.cuts = cuts_of(network)
        self.trained = nn.ModuleList(
            m for cut in self.cuts.values() for m in cut.trained
        )
        self.norms = nn.ModuleList(_behind(network))
        self.head = cast("nn.Linear", network.head)
        self._summarised = _summary_of(network)

    def forward(self, *cached: Tensor) -> Tensor:
        """Predict (b, rois) from what was captured at each cut."""
        pairs = zip(self.cuts.items(), cached, strict=True)
        tokens = {name: cut.onward(x) for (name, cut), x in pairs}
        out: Tensor = self.head(self._summarised(tokens))
        return out


def cuts_of(network: nn.Module) -> dict[str, Cut]:
    """Return the cut of each branch.

    Raises
    ------
    ConfigError : the architecture has no blocks to cut between.
    """
    if isinstance(network, Biot):
        return {"spectral": _spectral_cut(network.biot.transformer)}
    cuts: dict[str, Cut] = {}
    if isinstance(network, Labram | NeuroBolt) and hasattr(network, "blocks"):
        cuts["spatiotemporal"] = _block_cut(network.blocks)
    if isinstance(network, NeuroBolt) and hasattr(network, "mss_module"):
        cuts["spectral"] = _spectral_cut(network.mss_module.transformer)
    if not cuts:
        raise ConfigError(
            f"a {type(network).__name__} has no blocks, so there are no last ones to "
            "train; use --strategy head or all"
        )
    return cuts


def _block_cut(blocks: nn.ModuleList) -> Cut:
    last = list(blocks)[-max(1, len(blocks) // SHARE) :]

    def onward(x: Tensor) -> Tensor:
        for block in last:
            x = block(x)  # (b, 1 + c * p, d)
        return x[:, 1:]  # without the class token

    return Cut(at=last[0], trained=tuple(last), onward=onward)


def _spectral_cut(transformer: LinearTransformer) -> Cut:
    pairs = transformer.pairs()
    first = len(pairs) - max(1, len(pairs) // SHARE)
    trained = tuple(module for pair in pairs[first:] for module in pair)

    def onward(x: Tensor) -> Tensor:
        out: Tensor = transformer(x, first)
        return out

    return Cut(at=pairs[first][0], trained=trained, onward=onward)


def _behind(network: nn.Module) -> list[nn.Module]:
    """Return what has weights between the blocks and the head."""
    names = ("fc_norm", "summaries")
    return [getattr(network, name) for name in names if hasattr(network, name)]


def _summary_of(network: nn.Module) -> Callable[[dict[str, Tensor]], Tensor]:
    if isinstance(network, NeuroBolt):
        return network.summarised
    if isinstance(network, Labram):
        return lambda tokens: network.summary(tokens["spatiotemporal"])
    return lambda tokens: nn.functional.elu(tokens["spectral"].mean(1))


class Capture:
    """Keeps what reaches each cut while the whole network runs.

    Parameters
    ----------
    n_windows : rows of the arrays that are filled.
    max_bytes : float32 where all of it fits, else float16.
    """

    def __init__(self, network: nn.Module, n_windows: int, *, max_bytes: int) -> None:
        self._n, self._max_bytes = n_windows, max_bytes
        self._cuts = cuts_of(network)
        self._latest: dict[str, Tensor] = {}
        self._kept: dict[str, Tensor] = {}
        self._hooks = [
            cut.at.register_forward_pre_hook(self._keeper(name))
            for name, cut in self._cuts.items()
        ]

    def _keeper(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def keep(module: nn.Module, given: tuple[Tensor, ...]) -> None:
            self._latest[name] = given[0]

        return keep

    def after_batch(self, rows: slice) -> None:
        """Store what the last batch brought to the cuts."""
        if not self._kept:
            self._kept = self._room()
        for name, kept in self._kept.items():
            kept[rows] = self._latest[name].to(kept.dtype)

    def _room(self) -> dict[str, Tensor]:
        shapes = {name: x.shape[1:] for name, x in self._latest.items()}
        n_bytes = 4 * self._n * sum(shape.numel() for shape in shapes.values())
        dtype = torch.float32 if n_bytes <= self._max_bytes else torch.float16
        return {
            name: torch.empty((self._n, *shapes[name]), dtype=dtype)
            for name in self._cuts
        }

    def close(self) -> tuple[Tensor, ...]:
        """Take the hooks off and return (windows, n, d) per cut."""
        for hook in self._hooks:
            hook.remove()
        return tuple(self._kept[name] for name in self._cuts)
