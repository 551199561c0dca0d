"""What a training starts from: a fresh network, or the weights of a bundle.

Weights are carried over by name where the shapes fit, so that an encoder that was
imported serves a network that has more than it (LaBraM's within NeuroBOLT). What
belongs to electrodes is picked by their names, rows of the head by those of the ROIs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import torch
from torch import nn

from rtbold.bundle import Bundle, Card
from rtbold.calibration.fit.base import columns_of, earlier_head, picked, put_rows
from rtbold.calibration.train.recipe import ModelPart
from rtbold.electrodes import canonical
from rtbold.engine import load_network
from rtbold.errors import ConfigError
from rtbold.models import LinearModel, build, options_of, preset
from rtbold.text import did_you_mean, first_few

_UNTRAINED: Final = "start"  # origin of a bundle whose head is zeros


@dataclass(frozen=True, slots=True, eq=False)
class Started:
    """A network before its first step."""

    network: nn.Module
    carried: tuple[str, ...] = ()  # entries that come from the base
    fresh: tuple[str, ...] = ()  # and those that it does not have


def start_network(
    model: ModelPart,
    card: Card,
    *,
    base: Bundle | None = None,
    seed: int = 0,
) -> Started:
    """Return the network of a recipe for a card's channels and ROIs.

    Raises
    ------
    ConfigError : it cannot be built, or nothing of the base fits into it.
    """
    options = {**preset(model.architecture, model.preset), **model.options}
    if model.architecture == "efp":  # the fit chooses among all of them
        options.setdefault("electrode", card.channels[0])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(
            model.architecture,
            options,
            channels=card.channels,
            n_rois=len(card.rois),
        )
    _require_head(network, model.architecture)
    started = Started(network) if base is None else _carry(network, card, base)
    _freeze(network, model.frozen)
    return started


def _require_head(network: nn.Module, architecture: str) -> None:
    if not isinstance(getattr(network, "head", None), nn.Linear):
        raise ConfigError(
            f"a {architecture} cannot be trained: its members share no head. Train one "
            "of the networks that it is made of"
        )


def _carry(network: nn.Module, card: Card, base: Bundle) -> Started:
    if isinstance(network, LinearModel):
        raise ConfigError(
            f"base '{base.card.name}' was given to a model that is solved in closed "
            "form, expected none: nothing of it would be left. Leave it out."
        )
    _require_channels(base.card, card)
    columns = columns_of(base.card, card.channels)
    old = load_network(base)
    found, wanted = old.state_dict(), network.state_dict()
    same = columns == list(range(len(base.card.channels)))
    state, carried = dict(wanted), []
    for name, value in wanted.items():
        candidate = found.get(name)
        if name.startswith("head.") or candidate is None:
            continue
        if not same:
            if name.endswith(".index"):
                continue  # arange, whatever the channels
            candidate = picked(name, candidate, columns, len(base.card.channels))
        if candidate is not None and candidate.shape == value.shape:
            state[name] = candidate
            carried.append(name)
    if not carried:
        raise ConfigError(
            f"nothing of base '{base.card.name}', a {base.card.architecture}, fits the "
            f"recipe's network ({first_few(list(wanted), 3)}); expected a bundle of "
            "the same architecture and size, or of its encoder"
        )
    network.load_state_dict(state)
    carried += _carry_head(network, old, card, base.card, columns)
    fresh = tuple(name for name in wanted if name not in carried)
    return Started(network, tuple(carried), fresh)


def _require_channels(base: Card, card: Card) -> None:
    known = {canonical(name) for name in base.channels}
    missing = [name for name in card.channels if canonical(name) not in known]
    if missing:
        shared = [name for name in card.channels if name not in missing]
        raise ConfigError(
            f"base '{base.name}' has no weights for {first_few(missing)}, expected all "
            "channels of the cache among its own. Prepare a cache on the "
            f"{len(shared)} that both have (rtbold prepare --channels "
            f"{','.join(shared)}), or start from nothing."
        )


def _carry_head(
    network: nn.Module, old: nn.Module, card: Card, base: Card, columns: list[int]
) -> list[str]:
    """Take the rows of known ROIs over where both heads read the same features."""
    head = cast("nn.Linear", network.head)
    alike = _reads(network) == _reads(old)
    if base.origin.kind == _UNTRAINED or not alike:
        return []
    earlier = earlier_head(old, head.in_features, columns)
    at = {i: base.rois.index(r) for i, r in enumerate(card.rois) if r in base.rois}
    if earlier is None or not at:
        return []
    put_rows(head, earlier, at)
    return ["head.weight", "head.bias"]


def _reads(network: nn.Module) -> tuple[object, ...]:
    """Return what decides which features a head reads."""
    options = options_of(network.config)
    return tuple(options.get(name) for name in ("head", "branches", "token_width"))


def _freeze(network: nn.Module, names: Sequence[str]) -> None:
    parts = [name for name, _ in network.named_modules() if name]
    for name in names:
        if name not in parts:
            top = [part for part in parts if "." not in part]
            raise ConfigError(
                f"model.frozen names {name!r}, which the network does not have, "
                f"expected some of {', '.join(top)} or a part of them."
                f"{did_you_mean([name], parts)}"
            )
        network.get_submodule(name).requires_grad_(False)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise ConfigError(
            "model.frozen leaves nothing to be learned, expected some of the network "
            "to stay free; shorten it"
        )
