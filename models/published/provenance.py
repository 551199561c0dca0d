"""What weights from a file were learned from, as far as anything says so.

Weights that were learned from simulated data mean nothing on a person. An import must
not wash that off: so the file's own notes are read, the card of the bundle that it lies
in, and weights of the bundles that rtbold ships are known by their numbers.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from torch import Tensor

from rtbold import bundle
from rtbold.bundle import Card, Lineage
from rtbold.errors import BundleError, CheckpointError
from rtbold.models.published.checkpoints import Checkpoint, read_checkpoint

_WEIGHTS: Final = "weights.safetensors"
_ENOUGH_NUMBERS: Final = 200  # of a matrix that two trainings cannot share by chance
_LEARNED: Final = ".weight"  # sines, positions and counts are the same in all networks


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is known of the data behind weights."""

    simulated: bool  # something behind them was simulated, or may have been
    lineage: Lineage


def provenance(checkpoints: Sequence[Checkpoint]) -> Provenance:
    """Return what is known of the data behind several files together.

    Raises
    ------
    CheckpointError : a file lies in a bundle that is damaged.
    """
    cards = [_card_beside(checkpoint) for checkpoint in checkpoints]
    pairs = list(zip(checkpoints, cards, strict=True))
    known = [c.lineage or (card.lineage if card else None) for c, card in pairs]
    told = [lineage for lineage in known if lineage is not None]
    scans = dict.fromkeys(scan for lineage in told for scan in lineage.scans)
    complete = len(told) == len(known) and all(each.complete for each in told)
    return Provenance(
        simulated=any(_simulated(*pair) for pair in pairs)
        or _shares_weights(checkpoints, _shipped_simulated()),
        lineage=Lineage(scans=tuple(scans), complete=complete),
    )


def _simulated(checkpoint: Checkpoint, card: Card | None) -> bool:
    if card is not None and card.origin.simulated_lineage:
        return True
    if checkpoint.simulated is not None:
        return checkpoint.simulated
    # rtbold wrote it, before it wrote what of: better too careful than a wrong number
    return card is None and checkpoint.lineage is not None


def _card_beside(checkpoint: Checkpoint) -> Card | None:
    """Return the card of the bundle that a file is a part of; None: it is of none."""
    try:
        return bundle.card_beside(checkpoint.path, checkpoint.sha256)
    except BundleError as error:
        raise CheckpointError(
            f"{checkpoint.path} lies beside a card.json that does not fit it, so what "
            f"it was trained on is not known: {error}. If that card is of something "
            "else, move the file into a folder of its own."
        ) from error


def _shipped_simulated() -> list[Checkpoint]:
    """Return the weights of the shipped bundles that simulated data made."""
    shipped = (entry for entry in bundle.available() if entry.place == "shipped")
    bundles = (bundle.load(entry.path) for entry in shipped)
    return [
        read_checkpoint(each.file(_WEIGHTS))
        for each in bundles
        if each.card.origin.simulated_lineage
        and _WEIGHTS in {entry.path for entry in each.card.files}
    ]


def _shares_weights(some: Iterable[Checkpoint], others: Iterable[Checkpoint]) -> bool:
    """Whether a learned matrix of one file is, number by number, in another."""
    theirs = {mark for other in others for mark in _marks(other.state)}
    return any(mark in theirs for each in some for mark in _marks(each.state))


def _marks(state: Mapping[str, Tensor]) -> set[str]:
    return {
        hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest()
        for name, value in state.items()
        if name.endswith(_LEARNED)
        and value.is_floating_point()
        and value.numel() >= _ENOUGH_NUMBERS
        and bool(value.min() != value.max())
    }
