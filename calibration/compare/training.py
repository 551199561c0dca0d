"""What training left beside a bundle: which rows it learned from, and its curve."""

from collections.abc import Mapping
from typing import Final

import msgspec

from rtbold.bundle import Bundle
from rtbold.calibration.train.results import results_path
from rtbold.disk import read_file
from rtbold.errors import DataFileError

_LARGEST_BYTES: Final = 10_000_000


class PartFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a part of a training was made of."""

    scans: dict[str, int] = {}  # windows of each


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a training's ``results.json`` that a comparison needs."""

    sha256: str  # of the bundle
    split: str
    fold: int
    seed: int
    train: PartFacts = PartFacts()
    epochs: tuple[dict[str, float | None], ...] = ()  # figures after each, by name
    best_epoch: int = 0  # from 1; 0: the fit has a closed form


def read_trained(bundle: Bundle) -> Trained | None:
    """Return what training wrote of a bundle; None: it is not there.

    What was written of other weights does not count.

    Raises
    ------
    DataFileError : it is there and cannot be read.
    """
    path = results_path(bundle.path)
    if not path.is_file():
        return None
    try:
        text = read_file(path, at_most_bytes=_LARGEST_BYTES)
        found = msgspec.json.decode(text, type=Trained)
    except (OSError, msgspec.MsgspecError) as error:
        raise DataFileError(
            f"{path} cannot be read ({error}), expected what rtbold train wrote beside "
            f"{bundle.path.name}; remove it, or train again"
        ) from error
    return found if found.sha256 == bundle.sha256 else None


def learned_these_rows(
    trained: Trained | None,
    *,
    split: str,
    fold: int,
    seed: int,
    rows: Mapping[str, int],
) -> bool:
    """Return whether a bundle learned from the training rows of this split.

    Parameters
    ----------
    rows : scan -> how many training rows this split has of it.
    """
    if trained is None:
        return False
    same = (trained.split, trained.fold, trained.seed) == (split, fold, seed)
    learned = {scan: n for scan, n in trained.train.scans.items() if n}
    return same and learned == {scan: n for scan, n in rows.items() if n}
