"""``results.json``: what one training found out, for tables and for whoever reads."""

from pathlib import Path
from typing import Final

import msgspec

from rtbold.calibration.train.recipe import Recipe
from rtbold.errors import DataFileError

RESULTS_NAME: Final = "results.json"
WORK_SUFFIX: Final = ".training"  # of the folder beside the bundle
RESULTS_FORMAT: Final = 1


class PartFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a part was made of: windows of each scan."""

    windows: int
    scans: dict[str, int]


class EpochFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One epoch: the training loss, and the figures of the validation part."""

    training_loss: float | None  # None: solved in closed form
    loss: float
    mse: float
    r: float
    r_centred: float


class SpeedFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How fast the gradient steps were, and what held them up."""

    windows_per_s: float  # of all processes, validation left out
    waiting_share: float  # of the training time, for batches
    training_s: float  # in steps, over all resumptions
    seconds: float  # from start to end, of the last resumption
    processes: int
    device: str
    threads: int  # of the CPU


class TrainResults(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """Everything; there is no figure of the test part, which training never opens."""

    format: int = RESULTS_FORMAT
    bundle: str
    sha256: str  # of the bundle
    recipe: Recipe
    recipe_sha256: str
    split: str
    fold: int
    tests: str  # what the fold leaves for the test part, which was not opened
    seed: int
    simulated: bool
    base: str
    not_checked: str = ""  # why it cannot be known that the base has seen no scan
    data_sha256: str
    train: PartFacts
    validation: PartFacts
    figures: EpochFacts  # of the weights that were kept
    epochs: tuple[EpochFacts, ...] = ()
    best_epoch: int = 0  # from 1; 0: solved in closed form, there were none
    stopped_early: bool = False
    head: str  # gradient or closed-form: the one that was kept
    penalty: float | None = None  # of the closed form
    speed: SpeedFacts | None = None  # None: there were no steps
    software: dict[str, str] = {}


def work_folder(bundle: Path) -> Path:
    """Return the folder of a training's state, curves and results."""
    return bundle.with_suffix(WORK_SUFFIX)


def results_path(bundle: Path) -> Path:
    """Return where training writes what it found out."""
    return work_folder(bundle) / RESULTS_NAME


def write_results(folder: Path, results: TrainResults) -> Path:
    """Write ``results.json``, whole or not at all."""
    path = folder / RESULTS_NAME
    draft = path.with_suffix(".part")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1))
    draft.replace(path)
    return path


def read_results(path: Path) -> TrainResults:
    """Return what `write_results` wrote.

    Raises
    ------
    DataFileError : the file is missing, damaged, or of another version.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=TrainResults)
    except (OSError, msgspec.MsgspecError) as error:
        raise DataFileError(
            f"{path} cannot be read ({error}), expected what rtbold train wrote. Train "
            "again."
        ) from error
