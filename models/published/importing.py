"""From published checkpoints to a bundle that runs in every engine."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import msgspec
import torch

from rtbold import bundle
from rtbold.bundle import (
    CHECK_NAME,
    Card,
    Check,
    Cleaning,
    Conditioning,
    Normalisation,
    Origin,
)
from rtbold.electrodes import canonical, has_position
from rtbold.errors import BundleError, CheckpointError, ConfigError
from rtbold.models.export.checks import check_file, parameter_count, synthetic_windows
from rtbold.models.export.onnx import to_onnx, to_safetensors
from rtbold.models.montage import Montage
from rtbold.models.published.checkpoints import Checkpoint, read_checkpoint
from rtbold.models.published.provenance import Provenance, provenance
from rtbold.models.published.recognise import Imported, Kind, neurobolt, recognise
from rtbold.models.published.starts import biot, labram
from rtbold.models.registry import options_of

OriginKind = Literal["published", "simulated", "start"]
ScannerState = Literal["inside_running", "simulated", "unknown"]
REFERENCE = "FCZ"  # of the publication's recordings
TR_S = 2.1  # of the publication's scans
UNTRAINED = "untrained"
MAX_GRAPH_BYTES = 1_900_000_000  # a file of ONNX holds 2 GiB


@dataclass(frozen=True)
class ImportSettings:
    """What the files do not say."""

    montage: Montage
    rois: tuple[str, ...] = ()  # empty: roi-1, roi-2, ...
    reference: str = REFERENCE
    tr_s: float = TR_S
    heads: int | None = None  # of the linear attention, where the width is another
    created: str = ""  # ISO date

    def __post_init__(self) -> None:
        """Refuse what no bundle can have."""
        if not 0 < self.tr_s < 10:
            raise ConfigError(
                f"--tr is {self.tr_s:g}, expected seconds between 0 and 10"
            )
        if self.heads is not None and self.heads < 1:
            raise ConfigError(f"--heads is {self.heads}, expected 1 or more")
        if canonical(self.reference) != "AVERAGE" and not has_position(self.reference):
            raise ConfigError(
                f"--reference is {self.reference!r}, expected 'average' or the "
                "electrode that the training data were referenced to, e.g. FCz"
            )
        blank = [roi for roi in self.rois if not roi.strip()]
        if blank or len(set(self.rois)) < len(self.rois):
            raise ConfigError(
                f"--roi gives {', '.join(map(repr, self.rois))}, expected a name of "
                "its own for each output"
            )


@dataclass(frozen=True, eq=False)
class ImportResult:
    """The bundle that was written, and what became of every entry of the files."""

    bundle: bundle.Bundle
    imported: Imported
    checkpoints: tuple[Checkpoint, ...]


def import_checkpoints(
    paths: Sequence[Path], out: Path, settings: ImportSettings
) -> ImportResult:
    """Read checkpoints and write one bundle, whole or not at all.

    Raises
    ------
    CheckpointError : a file cannot be opened safely or is none that can be built.
    ConfigError : channels, names or options that do not fit the files.
    BundleError : `out` exists.
    """
    _check_out(out)
    checkpoints = _read_all(paths)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # what is drawn anew is the same every time
        imported = _network(checkpoints, settings)
    _check_size(imported)
    network, n_channels = imported.network, len(imported.channels)
    windows = synthetic_windows(n_channels)
    card = msgspec.structs.replace(
        _card(imported, checkpoints, settings=settings),
        name=out.stem,
        check=Check(windows="synthetic", n=len(windows)),
    )
    contents = {
        "weights.safetensors": to_safetensors(
            network, card.lineage, simulated=card.origin.simulated_lineage
        ),
        "model.onnx": to_onnx(network, n_channels),
        CHECK_NAME: check_file(
            network, windows, channels=card.channels, rois=card.rois
        ),
    }
    return ImportResult(bundle.write(out, card, contents), imported, checkpoints)


def _check_out(out: Path) -> None:
    if out.suffix != bundle.SUFFIX or out.name == bundle.SUFFIX:
        raise ConfigError(
            f"--out is {out}, expected a folder to be made: NAME{bundle.SUFFIX}"
        )
    if out.exists():
        raise BundleError(f"{out} exists already; choose another name or remove it")
    nearest = next(folder for folder in out.absolute().parents if folder.exists())
    if not nearest.is_dir():
        raise ConfigError(f"--out is {out}, but {nearest} is a file; choose another")


def _read_all(paths: Sequence[Path]) -> tuple[Checkpoint, ...]:
    checkpoints: dict[str, Checkpoint] = {}
    for path in paths:
        checkpoint = read_checkpoint(path)
        twin = checkpoints.setdefault(checkpoint.sha256, checkpoint)
        if twin is not checkpoint:
            raise CheckpointError(
                f"{path} is the same file as {twin.path}, expected each ROI's once"
            )
    return tuple(checkpoints.values())


def _network(checkpoints: Sequence[Checkpoint], settings: ImportSettings) -> Imported:
    kinds = [recognise(checkpoint) for checkpoint in checkpoints]
    kind: Kind = kinds[0]
    if kind == "neurobolt" and len(set(kinds)) == 1:
        found = neurobolt(checkpoints, settings.montage, heads=settings.heads)
        if settings.rois and len(settings.rois) != found.n_rois:
            raise ConfigError(
                f"--roi was given {len(settings.rois)} times, the weights answer "
                f"{found.n_rois} ROIs; give one name per output, in their order"
            )
        return found
    if len(kinds) > 1:
        raise CheckpointError(
            f"the files are of {', '.join(kinds)}; several files can only be one-ROI "
            "checkpoints of NeuroBOLT. Import the others one by one."
        )
    n_rois = max(len(settings.rois), 1)
    if kind == "labram":
        return labram(checkpoints[0], settings.montage, n_rois=n_rois)
    return biot(checkpoints[0], settings.montage, n_rois=n_rois, heads=settings.heads)


def _check_size(imported: Imported) -> None:
    n_bytes = 4 * parameter_count(imported.network)
    if n_bytes > MAX_GRAPH_BYTES:
        most = len(imported.accounts) * MAX_GRAPH_BYTES // n_bytes
        raise ConfigError(
            f"{len(imported.accounts)} files make {n_bytes} bytes of weights, more "
            f"than one ONNX file holds; make bundles of at most {most} files"
        )


def _card(
    imported: Imported,
    checkpoints: Sequence[Checkpoint],
    *,
    settings: ImportSettings,
) -> Card:
    known = provenance(checkpoints)
    return Card(
        name="",
        architecture=imported.architecture,
        architecture_config=options_of(imported.config),
        channels=imported.channels,
        reference=_reference(settings.reference),
        tr_s=settings.tr_s,
        rois=_rois(imported, settings),
        normalisation=Normalisation(method="p95"),
        conditioning=Conditioning(source="published"),
        cleaning=_cleaning(imported, known),
        scanner=_scanner(imported, known),
        origin=Origin(kind=_kind(imported, known), simulated_lineage=known.simulated),
        lineage=known.lineage,
        software=_software(),
        created=settings.created,
        note=_note(imported, checkpoints, known),
    )


def _kind(imported: Imported, known: Provenance) -> OriginKind:
    if not imported.trained_head:
        return "start"
    return "simulated" if known.simulated else "published"


def _cleaning(imported: Imported, known: Provenance) -> Cleaning:
    published = imported.trained_head and not known.simulated
    return Cleaning(mode="offline" if published else "unknown")


def _scanner(imported: Imported, known: Provenance) -> ScannerState:
    if not imported.trained_head:
        return "unknown"
    return "simulated" if known.simulated else "inside_running"


def _reference(name: str) -> str:
    electrode = canonical(name)
    return "average" if electrode == "AVERAGE" else electrode


def _rois(imported: Imported, settings: ImportSettings) -> tuple[str, ...]:
    if settings.rois:
        return settings.rois
    if not imported.trained_head:
        return (UNTRAINED,)
    return tuple(f"roi-{i + 1}" for i in range(imported.n_rois))


def _note(
    imported: Imported, checkpoints: Sequence[Checkpoint], known: Provenance
) -> str:
    files = ", ".join(f"{c.path.name} (sha256 {c.sha256})" for c in checkpoints)
    head = "" if imported.trained_head else "No trained head: a start for training. "
    if known.simulated:
        return (
            f"{head}Imported from {files}. Made from SIMULATED data, or from a bundle "
            "that does not say that it was not; says nothing about real brains."
        )
    return (
        f"{head}Imported from {files}. Trained on offline-cleaned EEG under another "
        "conditioning chain; mean and scale of the target are not known."
    )


def _software() -> dict[str, str]:
    names = ("torch", "onnx")
    return {"python": platform.python_version(), **{n: version(n) for n in names}}
