"""``rtbold models import``: published checkpoints become a bundle."""

import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtbold.models.published.importing import Outcome

SHOWN = 4  # names of a kind, without --json


def import_(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Checkpoints: .pth or .safetensors."),
    ],
    out: Annotated[Path, typer.Option(help="Bundle to write, NAME.rtbold.")],
    channels: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Electrodes wanted, in this order [all of the training].",
        ),
    ] = None,
    trained_channels: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Electrodes of the training, in its order [the published 26].",
        ),
    ] = None,
    roi: Annotated[
        list[str] | None,
        typer.Option(help="Name of an output; once for each, in order [roi-1 ...]."),
    ] = None,
    reference: Annotated[
        str, typer.Option(help="Reference of the training data: electrode or average.")
    ] = "FCz",
    tr: Annotated[float, typer.Option(help="TR of the training data, seconds.")] = 2.1,
    heads: Annotated[
        int | None,
        typer.Option(help="Heads of the linear attention, for an unpublished width."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Report as JSON.")] = False,
) -> None:
    """Make a bundle of published weights: NeuroBOLT, LaBraM-base or BIOT.

    Several NeuroBOLT files of one ROI each become one bundle. LaBraM and BIOT have no
    head for BOLD: their bundle is a start for training and predicts nothing.
    Nothing that a file carries is run.

    Example: rtbold models import thalamus.pth --out thalamus.rtbold --roi Thalamus
    """
    from rtbold.errors import EngineError

    try:
        from rtbold.models.montage_pick import Montage
        from rtbold.models.published.importing import ImportSettings, import_checkpoints
    except ImportError as error:
        raise EngineError(
            f"importing checkpoints needs {error.name}, which is not installed; "
            "pip install 'rtbold[calibration]'"
        ) from error

    settings = ImportSettings(
        montage=Montage(
            wanted=_names("--channels", channels),
            trained=_names("--trained-channels", trained_channels),
        ),
        rois=tuple(roi or ()),
        reference=reference,
        tr_s=tr,
        heads=heads,
        created=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )
    outcome = import_checkpoints(files, out, settings)
    if as_json:
        typer.echo(json.dumps(_report(outcome), indent=2))
        return
    for line in _lines(outcome):
        typer.echo(line)


def _names(option: str, given: str | None) -> tuple[str, ...]:
    """Return the names of a list with commas; None is an empty list."""
    from rtbold.errors import ConfigError

    if given is None:
        return ()
    names = tuple(name.strip() for name in given.split(","))
    if not all(names):
        raise ConfigError(
            f"{option} is {given!r}, expected electrodes with commas between: FZ,CZ,PZ"
        )
    return names


def _report(outcome: "Outcome") -> dict[str, object]:
    card = outcome.bundle.card
    pairs = zip(outcome.checkpoints, outcome.imported.accounts, strict=True)
    return {
        "bundle": str(outcome.bundle.path),
        "sha256": outcome.bundle.sha256,
        "architecture": card.architecture,
        "origin": card.origin.kind,
        "channels": card.channels,
        "rois": card.rois,
        "reference": card.reference,
        "tr_s": card.tr_s,
        "files": [
            {
                "path": str(checkpoint.path),
                "sha256": checkpoint.sha256,
                "matched": account.matched,
                "missing": account.missing,
                "left": account.left,
            }
            for checkpoint, account in pairs
        ],
    }


def _lines(outcome: "Outcome") -> "Iterator[str]":
    card = outcome.bundle.card
    pairs = zip(outcome.checkpoints, outcome.imported.accounts, strict=True)
    for checkpoint, account in pairs:
        yield str(checkpoint.path)
        yield f"  matched  {_counted(account.matched)}"
        missing = [f"{name} ({how})" for name, how in account.missing.items()]
        yield f"  missing  {_counted(missing)}"
        yield f"  left     {_counted(account.left)}"
    yield f"{outcome.bundle.path}: {card.architecture}, {card.origin.kind}"
    yield f"  channels   {len(card.channels)}: {' '.join(card.channels)}"
    yield f"  reference  {card.reference}; TR {card.tr_s:g} s"
    yield f"  ROIs       {len(card.rois)}: {', '.join(card.rois)}"
    if card.origin.kind == "start":
        yield "  A start for training: no trained head, it predicts nothing."
    else:
        yield (
            "  Unvalidated on the live conditioning chain until it is calibrated; its "
            "baseline is not known, so there is no z."
        )


def _counted(names: "tuple[str, ...] | list[str]") -> str:
    shown = ", ".join(names[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)}: {shown}{more}" if names else "0"
