"""What a fit starts from: a bundle's network on this subject's montage, or a fresh one.

Weights are carried over by name where the shapes fit. What belongs to electrodes
(channel tokens, the head's columns) is picked by their names; the head's rows by the
names of the ROIs. ROIs that the bundle does not know start at zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import torch
from torch import Tensor, nn

from rtbold.bundle import Bundle, Card
from rtbold.calibration.fit.ridge import EarlierHead
from rtbold.electrodes import canonical
from rtbold.engine import load_network
from rtbold.errors import ConfigError
from rtbold.models import (
    BandPowerRidge,
    LinearModel,
    NeuroBolt,
    Option,
    build,
    name_of,
    options_of,
    preset,
)

# One row an electrode, or a block of rows an electrode, in the order of the channels.
_BY_ELECTRODE: Final = ("channel_tokens.weight", "shorten_k", "shorten_v", "index")
# Made of the electrodes' positions: another montage has its own.
_BY_POSITION: Final = ("unmixing.weight", "laplacian")


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """A network with the subject's channels and ROIs, in evaluation mode."""

    network: nn.Module  # never trained in place: strategies copy it
    card: Card | None  # of the bundle; None: from nothing
    sha256: str | None  # of the bundle
    rois: tuple[str, ...]
    known: tuple[bool, ...]  # ROIs whose head is the bundle's
    fresh: tuple[str, ...] = ()  # entries that do not come from the bundle
    earlier: EarlierHead | None = None  # of the bundle, for all of its ROIs

    @property
    def head(self) -> nn.Linear:
        """The linear map that every strategy replaces."""
        return cast("nn.Linear", self.network.head)

    @property
    def simulated_lineage(self) -> bool:
        """Whether simulated data are among what the weights were learned from."""
        return self.card is not None and self.card.origin.simulated_lineage

    @property
    def learned(self) -> bool:
        """Whether the encoder was trained on anything; linear models need no such."""
        return self.card is not None or isinstance(self.network, LinearModel)


@dataclass(frozen=True, slots=True)
class Start:
    """A fresh network by its preset, where there is no bundle."""

    architecture: str = "neurobolt"
    preset: str = "small"
    seed: int = 0


def fresh_base(
    channels: Sequence[str], rois: Sequence[str], start: Start | None = None
) -> Base:
    """Return an untrained network; its head answers zero.

    A NeuroBOLT whose preset reads the mean over all tokens reads the means along both
    axes (`head="axes"`), as in `adapt_base`.
    """
    start = start or Start()
    options = dict(preset(start.architecture, start.preset))
    if start.architecture == "neurobolt" and options.get("head", "mean") == "mean":
        options["head"] = "axes"
    torch.manual_seed(start.seed)
    network = build(
        start.architecture, options, channels=channels, n_rois=len(rois)
    ).eval()
    _require_linear_head(network, start.architecture)
    _clear(cast("nn.Linear", network.head))
    known = (False,) * len(rois)
    return Base(network, None, None, tuple(rois), known, tuple(network.state_dict()))


def adapt_base(bundle: Bundle, channels: Sequence[str], rois: Sequence[str]) -> Base:
    """Return a bundle's network on these channels and ROIs.

    Where the bundle has no trained head, a NeuroBOLT that reads the mean over all
    tokens reads the means along both axes instead (`head="axes"`): the head is learned
    from nothing anyway, and has more to read.

    Raises
    ------
    ConfigError : the bundle has no weights for a channel; says what can be done.
    """
    card = bundle.card
    columns = columns_of(card, channels)
    old = load_network(bundle)
    _require_linear_head(old, card.architecture)
    trained = card.origin.kind != "start"
    options = _options(old, trained)
    torch.manual_seed(0)  # what is fresh must not depend on what ran before
    network = build(card.architecture, options, channels=channels, n_rois=len(rois))
    state, fresh = _carried(old, network.state_dict(), columns)
    network.load_state_dict(state)
    head = cast("nn.Linear", network.head)
    _clear(head)
    earlier = earlier_head(old, head.in_features, columns) if trained else None
    known = tuple(earlier is not None and roi in card.rois for roi in rois)
    if earlier is not None:
        at = {row: card.rois.index(roi) for row, roi in enumerate(rois) if known[row]}
        put_rows(head, earlier, at)
    return Base(network.eval(), card, bundle.sha256, tuple(rois), known, fresh, earlier)


def columns_of(card: Card, channels: Sequence[str]) -> list[int]:
    """Return which of the bundle's channels are wanted, in the order wanted."""
    place = {canonical(name): i for i, name in enumerate(card.channels)}
    missing = [name for name in channels if canonical(name) not in place]
    if not missing:
        return [place[canonical(name)] for name in channels]
    shared = [name for name in channels if canonical(name) in place]
    raise ConfigError(
        f"base '{card.name}' has no weights for {', '.join(missing)}; it knows "
        f"{', '.join(card.channels)}. Either calibrate on the {len(shared)} channels "
        f"that both have (--channels {','.join(shared)}), or keep the base's own "
        "montage and have what the cap lacks interpolated (--interpolate), or "
        "start from nothing (--base nothing)."
    )


def _require_linear_head(network: nn.Module, architecture: str) -> None:
    if isinstance(getattr(network, "head", None), nn.Linear):
        return
    raise ConfigError(
        f"a {architecture} cannot be a base: its members share no head that could be "
        "learned for this subject. Take one of the networks it was made of, or start "
        "from nothing (--base nothing)."
    )


def _options(old: nn.Module, trained: bool) -> dict[str, Option]:
    options = options_of(old.config)
    mean = isinstance(old, NeuroBolt) and old.config.head == "mean"
    return {**options, "head": "axes"} if mean and not trained else options


def _carried(
    old: nn.Module, wanted: Mapping[str, Tensor], columns: list[int]
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the new state and the names of what is fresh in it; no heads."""
    found = old.state_dict()
    n_old = len(cast("Sequence[str]", old.config.channels))  # type: ignore[union-attr]
    same = columns == list(range(n_old))
    state, fresh = dict(wanted), []
    for name, value in wanted.items():
        if name.startswith("head."):
            continue
        candidate = found.get(name)
        if candidate is not None and not same:
            candidate = picked(name, candidate, columns, n_old)
        if candidate is None or candidate.shape != value.shape:
            fresh.append(name)
        elif name.endswith(".index") and not same:
            continue  # arange, whatever the channels
        else:
            state[name] = candidate
    # BEIRA's unmixing is learned, not made of positions.
    remade = _BY_POSITION if isinstance(old, NeuroBolt | BandPowerRidge) else ()
    _require_carried(old, [name for name in fresh if name not in remade])
    return state, tuple(fresh)


def picked(name: str, value: Tensor, columns: list[int], n_old: int) -> Tensor | None:
    """Return a weight for the chosen channels; None: it is made of their positions."""
    if name in _BY_POSITION:
        return None
    if name.endswith(_BY_ELECTRODE):
        blocks = torch.unflatten(
            value, 0, (n_old, -1)
        )  # (c, rows of one electrode, ...)
        return blocks[columns].flatten(0, 1)
    if name in ("mean", "scale"):  # of a linear model's features
        return torch.unflatten(value, 0, (n_old, -1))[columns].flatten()
    return value


def _require_carried(old: nn.Module, lost: list[str]) -> None:
    if lost:
        raise ConfigError(
            f"a {name_of(old)} is tied to the montage that it was trained on: "
            f"{', '.join(lost[:3])} cannot be carried to other channels. Keep the "
            "base's own montage (--interpolate), or start from nothing "
            "(--base nothing)."
        )


def earlier_head(
    old: nn.Module, n_features: int, columns: list[int]
) -> EarlierHead | None:
    """Return the bundle's head on the channels; None: its columns cannot be found."""
    source = cast("nn.Linear", old.head)
    weight = source.weight.detach()  # (old rois, old features)
    if _by_channel(old):
        n_old = len(cast("Sequence[str]", old.config.channels))  # type: ignore[union-attr]
        blocks = torch.unflatten(weight, 1, (n_old, -1))  # (rois, c, of a channel)
        weight = blocks[:, columns].flatten(1)
    if weight.shape[1] != n_features:
        return None
    bias = source.bias.detach().double().numpy()
    return EarlierHead(weight.T.double().numpy(), bias)


def put_rows(head: nn.Linear, earlier: EarlierHead, at: Mapping[int, int]) -> None:
    """Take rows of the earlier head over; `at` says row -> earlier row."""
    with torch.no_grad():
        for row, old_row in at.items():
            head.weight[row] = torch.from_numpy(earlier.weight[:, old_row])
            head.bias[row] = float(earlier.bias[old_row])


def _by_channel(old: nn.Module) -> bool:
    """Return whether the head's columns go channel by channel."""
    if isinstance(old, BandPowerRidge):
        return True
    tokens = isinstance(old, NeuroBolt) and old.config.head == "tokens"
    return tokens and cast("NeuroBolt", old).config.branches != "both"


def _clear(head: nn.Linear) -> None:
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
