"""The form of a network that is exported: the same answers with fewer operations.

Done once, in float64, on a copy in evaluation mode. What an engine's own optimiser does
not find:

- Gain and offset of a layer norm go into the linear maps behind it.
- Queries and keys lose their mean in the weights that make them, so that their layer
  norm is a root mean square. The keys' gain moves to the queries. What the keys' offset
  adds is the same for all keys of a query, which softmax does not see: it is left out.
- Where a head reads nothing but the mean over tokens, the last perceptron's outer map
  is applied to the mean of its input: a linear map and a mean can change places.
- Spectra of long pieces are made from those of their halves (`HalvedSpectra`).

An ensemble becomes one network whose products are batched over its folded members.
NeuroBOLT base has 4 % fewer multiplications after that, the spectra not counted, whose
share is small there and large in the small preset.
"""

import copy
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from rtbold.models.biot import Biot
from rtbold.models.ensemble import NeuroBoltEnsemble
from rtbold.models.export.stacked import Stacked
from rtbold.models.labram import Attention, Block, Labram
from rtbold.models.linear_attention import (
    FeedForward,
    LinearAttention,
    LinearTransformer,
    Named,
    PreNorm,
)
from rtbold.models.neurobolt import NeuroBolt
from rtbold.models.spectral import run_by_products


def folded(model: nn.Module) -> nn.Module:
    """Return a copy for export, in evaluation mode; `model` is left as it is."""
    model = copy.deepcopy(model).eval()
    run_by_products(model)
    with torch.no_grad():
        if isinstance(model, NeuroBoltEnsemble):
            return Stacked([folded(member) for member in model.members]).eval()
        if isinstance(model, NeuroBolt | Labram | Biot):
            _fold_all(model)
    return model


def _fold_all(model: NeuroBolt | Labram | Biot) -> None:
    for module in list(model.modules()):
        _fold(module)
    if not isinstance(model, NeuroBolt) or model.config.head == "mean":
        for module in list(model.modules()):
            _shorten(module)


def _fold(module: nn.Module) -> None:
    if isinstance(module, Block):
        _norm_into(module.norm1, [module.attn.qkv])
        module.register_module("attn", FoldedAttention(module.attn))
        _norm_into(module.norm2, [module.mlp.fc1])
    elif isinstance(module, PreNorm):
        _norm_into(module.norm, _first_maps(module.fn))


def _first_maps(module: nn.Module) -> list[nn.Linear]:
    """Return the linear maps that read what the norm in front of `module` gives."""
    inner = getattr(module, "fn", module)
    if isinstance(inner, FeedForward):
        return [inner.w1]
    attention = cast("LinearAttention", inner)
    return [attention.to_q, attention.to_k, attention.to_v]


def _norm_into(norm: nn.LayerNorm, linears: Sequence[nn.Linear]) -> None:
    for linear in linears:
        weight = linear.weight.double()  # (out, in)
        bias = weight @ norm.bias.double()
        if linear.bias is not None:
            bias = bias + linear.bias.double()
        linear.weight = nn.Parameter((weight * norm.weight.double()).float())
        linear.bias = nn.Parameter(bias.float())
    norm.register_parameter("weight", None)
    norm.register_parameter("bias", None)


class FoldedAttention(nn.Module):
    """`labram.Attention` whose norms of queries and keys are mostly in the weights."""

    gain: Tensor
    offset: Tensor

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.heads, self.head_dim = attention.heads, attention.head_dim
        self.eps = attention.q_norm.eps
        self.qkv, self.proj = _centred(attention), attention.proj
        q_norm, k_norm = attention.q_norm, attention.k_norm
        shared = k_norm.weight.double() * self.head_dim**-0.5  # softmax's scale with it
        for name, values in (("gain", q_norm.weight), ("offset", q_norm.bias)):
            scaled = (values.double() * shared).float()
            self.register_buffer(name, scaled[None, None, None])  # (1, 1, 1, e)

    def forward(self, x: Tensor) -> Tensor:
        """Attend over the tokens of (b, n, d)."""
        heads, e = self.heads, self.head_dim
        parts = self.qkv(x).unflatten(2, (3 * heads, e))  # (b, n, 3 h, e)
        qk = nn.functional.rms_norm(parts[:, :, : 2 * heads], (e,), eps=self.eps)
        q = (qk[:, :, :heads] * self.gain + self.offset).transpose(1, 2)  # (b, h, n, e)
        k = qk[:, :, heads:].permute(0, 2, 3, 1)  # (b, h, e, n)
        v = parts[:, :, 2 * heads :].transpose(1, 2)  # (b, h, n, e)
        attended = torch.softmax(q @ k, dim=-1) @ v  # (b, h, n, e)
        out: Tensor = self.proj(attended.transpose(1, 2).flatten(2))  # (b, n, d)
        return out


def _centred(attention: Attention) -> nn.Linear:
    """Return q, k, v with the mean over each head taken out of q and k."""
    linear = copy.deepcopy(attention.qkv)
    shape = (3, attention.heads, attention.head_dim, -1)
    weight = linear.weight.double().reshape(shape)  # (3, h, e, in)
    bias = linear.bias.double().reshape(shape)  # (3, h, e, 1)
    for part in (weight, bias):
        part[:2] -= part[:2].mean(dim=2, keepdim=True)
    linear.weight.copy_(weight.flatten(0, 2))
    linear.bias.copy_(bias.flatten())
    return linear


def _shorten(module: nn.Module) -> None:
    if isinstance(module, Labram | NeuroBolt) and hasattr(module, "blocks"):
        last = cast("Block", module.blocks[-1])
        # The class token is no part of the mean.
        shorter = MeanPerceptron(last.mlp.fc1, last.mlp.fc2, first=1)
        last.register_module("mlp", shorter)
    elif isinstance(module, LinearTransformer):
        _, last_layer = module.pairs()[-1]
        named = cast("Named", last_layer.fn)
        feed_forward = cast("FeedForward", named.fn)
        named.fn = MeanPerceptron(feed_forward.w1, feed_forward.w2)


class MeanPerceptron(nn.Module):
    """The mean over tokens of what a perceptron would add to each; (b, 1, d)."""

    def __init__(self, inner: nn.Linear, outer: nn.Linear, first: int = 0) -> None:
        super().__init__()
        self.inner, self.outer, self.first = inner, outer, first

    def forward(self, x: Tensor) -> Tensor:
        """Map (b, n, d); adding the answer to all tokens gives their mean its due."""
        hidden = nn.functional.gelu(self.inner(x[:, self.first :]))  # (b, n, hidden)
        out: Tensor = self.outer(hidden.mean(1, keepdim=True))  # (b, 1, d)
        return out
