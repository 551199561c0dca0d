"""Networks of equal sizes as one network: weights along a first axis, batched products.

For export of ensembles. Members go into the batch, member by member; a layer with
weights takes them apart again. m members, b batch: the batch is m * b long.

Why by hand: ``torch.func.vmap`` cannot be exported with a free batch size (torch 2.13),
and a graph that repeats the network per member takes that many times as long to export
and to compile, at the same speed on a CPU.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call


class Stacked(nn.Module):
    """Answer (b, m * outputs), as the members' answers side by side.

    Linear, LayerNorm, GroupNorm and Conv2d are replaced. What the members hold besides
    (position rows, layer scales) reaches the forward pass once per element of the
    batch: vectors as (m * b, 1, d), matrices as (m * b, rows, d), others with the batch
    in place of their first axis of one. The forward pass must broadcast these.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.n_members = len(networks)
        self.network = copy.deepcopy(networks[0])
        for name, layer in list(self.network.named_modules()):
            if type(layer) in _LAYERS and any(True for _ in layer.parameters()):
                same = [network.get_submodule(name) for network in networks]
                _replace(self.network, name, _LAYERS[type(layer)](same))
        self.own = _own_names(networks, self.network)
        states = [_tensors(network) for network in networks]
        for i, name in enumerate(self.own):
            values = _stack([state[name] for state in states])
            self.register_buffer(f"own_{i}", values)

    def forward(self, x: Tensor) -> Tensor:
        """Predict (b, m * outputs) from (b, ...)."""
        n, b = self.n_members, x.shape[0]
        own = {
            name: _per_element(self.get_buffer(f"own_{i}"), b)
            for i, name in enumerate(self.own)
        }
        members = x[None].expand(n, *x.shape).flatten(0, 1)  # (m * b, ...)
        answers = functional_call(self.network, own, (members,))  # (m * b, outputs)
        out: Tensor = torch.unflatten(answers, 0, (n, b)).transpose(0, 1).flatten(1)
        return out


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    return dict(network.named_parameters()) | dict(network.named_buffers())


def _own_names(networks: Sequence[nn.Module], replaced: nn.Module) -> list[str]:
    """Return what no replaced layer holds: parameters, and buffers that differ."""
    first = _tensors(networks[0])
    layers = [
        f"{name}."
        for name, layer in replaced.named_modules()
        if isinstance(layer, tuple(_LAYERS.values()))
    ]
    return [
        name
        for name, value in first.items()
        if not name.startswith(tuple(layers))
        and (
            isinstance(value, nn.Parameter)
            or any(not torch.equal(value, _tensors(n)[name]) for n in networks[1:])
        )
    ]


def _per_element(values: Tensor, b: int) -> Tensor:
    """Return (m * b, ...) for (m, ...); vectors as (m * b, 1, d)."""
    if values.ndim == 2:
        values = values[:, None]  # (m, 1, d)
    elif values.ndim > 3 and values.shape[1] == 1:
        values = values[:, 0]  # the first axis of one that the batch now takes
    return values[:, None].expand(-1, b, *values.shape[1:]).flatten(0, 1)


class _Linear(nn.Module):
    def __init__(self, same: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(_stack([layer.weight.T for layer in same]))
        biases = [layer.bias for layer in same if layer.bias is not None]
        self.bias = nn.Parameter(_stack(biases)) if biases else None

    def forward(self, x: Tensor) -> Tensor:
        members = torch.unflatten(x, 0, (self.weight.shape[0], -1))  # (m, b, ..., i)
        out = members.flatten(1, -2) @ self.weight  # (m, rows, o)
        if self.bias is not None:
            out = out + self.bias[:, None]
        answer: Tensor = out.reshape(*x.shape[:-1], -1)
        return answer


class _LayerNorm(nn.Module):
    def __init__(self, same: Sequence[nn.LayerNorm]) -> None:
        super().__init__()
        self.weight = nn.Parameter(_stack([layer.weight for layer in same]))
        self.bias = nn.Parameter(_stack([layer.bias for layer in same]))
        self.shape, self.eps = same[0].normalized_shape, same[0].eps

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.layer_norm(x, self.shape, eps=self.eps)
        members = torch.unflatten(x, 0, (self.weight.shape[0], -1))  # (m, b, ..., d)
        shape = (-1, *[1] * (members.ndim - 2), self.weight.shape[1])
        out = members * self.weight.reshape(shape) + self.bias.reshape(shape)
        answer: Tensor = out.flatten(0, 1)
        return answer


class _GroupNorm(nn.Module):
    def __init__(self, same: Sequence[nn.GroupNorm]) -> None:
        super().__init__()
        self.weight = nn.Parameter(_stack([layer.weight for layer in same]))
        self.bias = nn.Parameter(_stack([layer.bias for layer in same]))
        self.n_groups, self.eps = same[0].num_groups, same[0].eps

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.group_norm(x, self.n_groups, eps=self.eps)
        members = torch.unflatten(x, 0, (self.weight.shape[0], -1))  # (m, b, k, ...)
        shape = (-1, 1, self.weight.shape[1], *[1] * (members.ndim - 3))
        out = members * self.weight.reshape(shape) + self.bias.reshape(shape)
        answer: Tensor = out.flatten(0, 1)
        return answer


class _Conv2d(nn.Module):
    """The members' convolutions, which are cheap, one after the other.

    Not one convolution of groups: OpenVINO 2026.4 fails on the change of axes that this
    needs when the batch size is free.
    """

    def __init__(self, same: Sequence[nn.Conv2d]) -> None:
        super().__init__()
        self.members = nn.ModuleList(same)

    def forward(self, x: Tensor) -> Tensor:
        members = torch.unflatten(x, 0, (len(self.members), -1))  # (m, b, k, h, w)
        pairs = zip(self.members, members.unbind(0), strict=True)
        return torch.cat([member(part) for member, part in pairs])


_LAYERS: dict[type, type] = {
    nn.Linear: _Linear,
    nn.LayerNorm: _LayerNorm,
    nn.GroupNorm: _GroupNorm,
    nn.Conv2d: _Conv2d,
}


def _stack(values: Sequence[Tensor]) -> Tensor:
    return torch.stack([value.detach() for value in values])


def _replace(network: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(parent), leaf, layer)
