"""Put the weights of a checkpoint into a network, name by name, and keep account."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from rtbold.errors import CheckpointError


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
