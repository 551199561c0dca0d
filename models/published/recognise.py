"""NeuroBOLT's published checkpoints: which network they are.

Names and shapes follow the published weights (docs/how-to/import-weights.md). One file
holds one ROI as published; several such files become one network of separate members.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from rtbold.errors import CheckpointError, ConfigError
from rtbold.models.ensemble import NeuroBoltEnsemble, ensemble_config
from rtbold.models.montage import Montage
from rtbold.models.neurobolt import NeuroBolt, NeuroBoltConfig
from rtbold.models.published.checkpoints import Checkpoint

# Put the weights of a checkpoint into a network, name by name, and keep account.


@dataclass(frozen=True)
class Account:
    """What became of every entry, of the checkpoint's and of the network's."""

    matched: tuple[str, ...]  # entries of the network that the checkpoint filled
    missing: dict[str, str] = field(default_factory=dict)  # entry -> how it was set
    left: tuple[str, ...] = ()  # of the checkpoint, not needed


def fill(
    network: nn.Module,
    state: Mapping[str, Tensor],
    *,
    may_miss: Mapping[str, str],
    where: Path,
) -> Account:
    """Copy `state` into `network`; what does not fit by name and shape is refused.

    An entry of the checkpoint that the network does not have is left out where it
    belongs to a part that the network has not (a decoder). Inside a part that it has,
    it would mean that the checkpoint computes something else.

    Parameters
    ----------
    may_miss : prefix of entries that a checkpoint need not have -> how they are set;
        an empty text for what is not used.

    Raises
    ------
    CheckpointError : entries are missing, of another shape, or of another network.
    """
    wanted = network.state_dict()
    matched = [name for name in wanted if name in state]
    set_how = {name: _reason(name, may_miss) for name in wanted if name not in state}
    lacking = [name for name, how in set_how.items() if how is None]
    left = [name for name in state if name not in wanted]
    parts = {name.split(".")[0] for name in wanted}
    foreign = [name for name in left if name.split(".")[0] in parts]
    _check_shapes(wanted, state, where)
    if lacking or foreign:
        raise CheckpointError(
            f"{where} is of another network than {type(network).__name__} as "
            f"published: it lacks {some(lacking)} and has {some(foreign)} besides. "
            "Expected the published names; was it trained with changed code?"
        )
    with torch.no_grad():
        network.load_state_dict({name: state[name] for name in matched}, strict=False)
    missing = {name: how for name, how in set_how.items() if how}
    return Account(matched=tuple(matched), missing=missing, left=tuple(left))


def _reason(name: str, may_miss: Mapping[str, str]) -> str | None:
    reasons = (how for prefix, how in may_miss.items() if name.startswith(prefix))
    return next(reasons, None)


def _check_shapes(
    wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], where: Path
) -> None:
    for name, value in wanted.items():
        if name in state and state[name].shape != value.shape:
            raise CheckpointError(
                f"{where}: {name} is {tuple(state[name].shape)}, expected "
                f"{tuple(value.shape)} for windows of 16 s at 200 Hz and the sizes "
                "that its other weights have. Such a network cannot be imported."
            )


def some(names: Iterable[str], *, at_most: int = 4) -> str:
    """Return the first of `names` for a message, and how many more there are."""
    listed = list(names)
    if not listed:
        return "nothing"
    more = len(listed) - at_most
    return ", ".join(listed[:at_most]) + (f" and {more} more" if more > 0 else "")


Kind = Literal["neurobolt", "labram", "biot"]
CHANNEL_TOKENS = "mss_module.channel_tokens.weight"
_OVER_TIME = "mss_module.ts_embedding.0.projection.weight"  # (steps, 32)
_LAYERS = "mss_module.transformer.layers.layers."
_UNUSED = "mss_module.index"  # arange(channels) as saved; a subset has another
_POSITION = "mss_module.positional_encoding.pe"
_FIXED = {
    _UNUSED: "",
    _POSITION: "fixed sines and cosines",
}
PUBLISHED_DIM = 200
POSITION_TOLERANCE = 1e-3  # of sines in float32, at up to 1000 radians
PUBLISHED_SPECTRAL_HEADS = 8


@dataclass(frozen=True, eq=False)
class Imported:
    """A network with the weights of checkpoints, and the account of each file."""

    architecture: str
    network: nn.Module
    config: object  # of the architecture
    channels: tuple[str, ...]
    n_rois: int
    accounts: tuple[Account, ...]
    trained_head: bool


@dataclass(frozen=True, eq=False)
class _Member:
    network: NeuroBolt
    config: NeuroBoltConfig
    account: Account


def recognise(checkpoint: Checkpoint) -> Kind:
    """Return which publication the names of a checkpoint belong to.

    Raises
    ------
    CheckpointError : none that is known.
    """
    state = checkpoint.state
    if CHANNEL_TOKENS in state and "head.weight" in state:
        return "neurobolt"
    if "patch_embed.conv1.weight" in state and "pos_embed" in state:
        if not any(name.startswith("mss_module.") for name in state):
            return "labram"
    elif any(name.endswith("patch_embedding.projection.weight") for name in state):
        return "biot"
    raise CheckpointError(
        f"{checkpoint.path} holds {some(state)}, which is none of: NeuroBOLT "
        "(patch_embed.*, blocks.*, mss_module.*, head.*), LaBraM (patch_embed.*, "
        "blocks.*), BIOT's encoder (patch_embedding.*, transformer.*). "
        "Is it the right file?"
    )


def neurobolt(
    checkpoints: Sequence[Checkpoint], montage: Montage, *, heads: int | None
) -> Imported:
    """Return the network of one file, or of several files of one ROI each.

    Parameters
    ----------
    heads : of the spectral branch, which shapes do not tell; None: published.

    Raises
    ------
    CheckpointError : a file is no NeuroBOLT that can be built, or files differ.
    ConfigError : channels that the weights do not know.
    """
    members = [_member(each, montage, heads) for each in checkpoints]
    config = members[0].config
    if len(members) > 1:
        _check_alike(members, checkpoints)
        config = ensemble_config(config, n_rois=len(members))
    return Imported(
        architecture="neurobolt" if len(members) == 1 else "neurobolt_ensemble",
        network=_network(members),
        config=config,
        channels=config.channels,
        n_rois=config.n_rois,
        accounts=tuple(member.account for member in members),
        trained_head=True,
    )


def _network(members: Sequence[_Member]) -> nn.Module:
    if len(members) == 1:
        return members[0].network
    return NeuroBoltEnsemble.of([member.network for member in members]).eval()


def _check_alike(members: Sequence[_Member], checkpoints: Sequence[Checkpoint]) -> None:
    first = members[0].config
    for member, checkpoint in zip(members, checkpoints, strict=True):
        if member.config != first or first.n_rois != 1:
            raise CheckpointError(
                f"{checkpoint.path} is {_sizes(member.config)}, {checkpoints[0].path} "
                f"is {_sizes(first)}; several files must hold one ROI each and have "
                "the same sizes. Import them one by one."
            )


def _sizes(config: NeuroBoltConfig) -> str:
    return (
        f"{config.dim} wide, {config.depth} and {config.spectral_depth} blocks deep, "
        f"of {len(config.channels)} channels and {config.n_rois} ROIs"
    )


def _member(checkpoint: Checkpoint, montage: Montage, heads: int | None) -> _Member:
    state = {k: v for k, v in checkpoint.state.items() if k != _UNUSED}
    n_tokens = shape_of(checkpoint, CHANNEL_TOKENS)[0]
    rows, trained = montage.rows(n_tokens), montage.trained_names(n_tokens)
    state[CHANNEL_TOKENS] = state[CHANNEL_TOKENS][rows]
    sizes = _config(checkpoint, heads)
    config = replace(sizes, channels=tuple(trained[row] for row in rows))
    network = NeuroBolt(config).eval()
    _check_position(checkpoint, network)
    account = fill(network, state, may_miss=_FIXED, where=checkpoint.path)
    unused = tuple(name for name in (_UNUSED,) if name in checkpoint.state)
    left = (*checkpoint.left, *unused, *account.left)
    return _Member(network, config, replace(account, left=left))


def _check_position(checkpoint: Checkpoint, network: NeuroBolt) -> None:
    """Refuse a position over time that is not the fixed one of the publication."""
    found, fixed = checkpoint.state.get(_POSITION), network.state_dict()[_POSITION]
    if found is None or found.shape != fixed.shape:
        return
    if (found - fixed).abs().max() > POSITION_TOLERANCE:
        raise CheckpointError(
            f"{checkpoint.path}: {_POSITION} is not the sines and cosines of the "
            "publication. Was it trained with changed code?"
        )


def _config(checkpoint: Checkpoint, heads: int | None) -> NeuroBoltConfig:
    """Return the sizes that the shapes tell."""
    state = checkpoint.state
    dim = shape_of(checkpoint, "cls_token")[-1]
    if heads is None and dim != PUBLISHED_DIM:
        raise ConfigError(
            f"{checkpoint.path} is {dim} wide, not {PUBLISHED_DIM} as published: how "
            "many heads its spectral attention has cannot be seen in the weights. "
            "Give them: --heads N"
        )
    head_dim = shape_of(checkpoint, "blocks.0.attn.q_norm.weight")[0]
    mlp_ratio = max(shape_of(checkpoint, "blocks.0.mlp.fc1.weight")[0] // dim, 1)
    depth, spectral_depth = (count_of(state, stem) for stem in ("blocks.", _LAYERS))
    check_weights_exist(
        checkpoint, dim=dim, depth=depth + spectral_depth, mlp_ratio=mlp_ratio
    )
    return NeuroBoltConfig(
        n_rois=shape_of(checkpoint, "head.weight")[0],
        dim=dim,
        depth=depth,
        heads=max(dim // head_dim, 1),
        spectral_depth=spectral_depth,
        spectral_heads=heads or PUBLISHED_SPECTRAL_HEADS,
        spectral_steps=shape_of(checkpoint, _OVER_TIME)[0],
        mlp_ratio=mlp_ratio,
    )


def shape_of(checkpoint: Checkpoint, name: str) -> tuple[int, ...]:
    """Return the shape of an entry that the network cannot be without.

    Raises
    ------
    CheckpointError : there is none, or it has no size.
    """
    value = checkpoint.state.get(name)
    if value is None or value.numel() == 0 or value.ndim == 0:
        raise CheckpointError(
            f"{checkpoint.path} has no weights {name}, expected those of a whole "
            "network as published; is the file complete?"
        )
    return tuple(value.shape)


def check_weights_exist(
    checkpoint: Checkpoint, *, dim: int, depth: int, mlp_ratio: int
) -> None:
    """Refuse sizes that the file does not have the numbers for, before building.

    Raises
    ------
    CheckpointError : fewer numbers than the attention and perceptrons alone need.
    """
    needed = depth * dim**2 * (4 + 2 * mlp_ratio)
    stored = sum(value.numel() for value in checkpoint.state.values())
    if needed > stored:
        raise CheckpointError(
            f"{checkpoint.path} names {depth} blocks of width {dim}, which need "
            f"{needed} weights, and holds {stored}. Is the file complete?"
        )


def count_of(state: Mapping[str, Tensor], prefix: str) -> int:
    """Return how many numbered modules there are under `prefix`."""
    tails = [name.removeprefix(prefix) for name in state if name.startswith(prefix)]
    return len({tail.split(".")[0] for tail in tails})
