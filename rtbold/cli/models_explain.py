"""``rtbold models explain``: what a bundle's predictions rest on."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from rtbold.cli import options, process as threads
from rtbold.cli.models import Subjects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtbold.bundle import Bundle
    from rtbold.calibration import (
        Attribution,
        ExplainSettings,
        WindowProgress,
        Windows,
    )
    from rtbold.config import RunSettings

MOST_WINDOWS = 256


class _Bar(Protocol):
    pos: int

    def update(self, n_steps: int) -> None: ...


def explain(
    bundle: Annotated[str, typer.Argument(help="Bundle folder or name.")],
    file: Annotated[Path, typer.Argument(metavar="EEGFILE", help="The recording.")],
    roi: Annotated[
        list[str] | None, typer.Option(help="ROI; several times for several.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="PNG, SVG or PDF [NAME-explain.png].")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers.")] = False,
    windows: Annotated[
        int, typer.Option(help="Windows at most, spread over the recording.")
    ] = 64,
    method: Annotated[
        str, typer.Option(help="integrated-gradients or occlusion.")
    ] = "integrated-gradients",
    trigger: options.Trigger = None,
    tr: options.Tr = None,
    dummy_volumes: options.DummyVolumes = None,
    unit: options.Unit = None,
    reference: options.Reference = None,
    interpolate: options.Interpolate = None,
    stream: Annotated[
        str | None, typer.Option(help="Which EEG stream of an XDF, by name.")
    ] = None,
    allow_unvalidated: options.AllowUnvalidated = None,
    allow_simulated_model: options.AllowSimulatedModel = None,
    cleaning: options.Cleaning = None,
    scanner: options.Scanner = None,
    allow_domain_shift: options.AllowDomainShift = None,
    root: Subjects = None,
) -> None:
    """Show which channels, times and bands the predictions in a recording rest on.

    Windows come from the live session's own pipeline. What this shows is what the
    model uses, not where brain activity is.

    Example: rtbold models explain S01/20261123-101500 rest.vhdr --roi Cuneus
    """
    threads.settle(os.environ, None)

    from rtbold.bundle import default_root, load
    from rtbold.config import RunSettings

    run = RunSettings.build(
        dict(
            trigger=trigger, tr_s=tr, dummy_volumes=dummy_volumes, unit=unit,
            reference=reference, interpolate=interpolate,
            allow_unvalidated=allow_unvalidated,
            allow_simulated_model=allow_simulated_model, cleaning=cleaning,
            scanner=scanner, allow_domain_shift=allow_domain_shift,
        )
    )  # fmt: skip
    found = load(bundle, subject_root=root or default_root())
    _check_installed()
    picture = out or Path(f"{found.card.name}-explain.png")
    settings, rois = _checked(found, roi, picture, windows=windows, method=method)
    seen = _windows(file, found, run, stream=stream, n_wanted=windows)
    told = _attributions(found, rois, seen, settings)
    _draw(told, picture, found, file)
    if as_json:
        typer.echo(_json(told, found, file, seen))
    else:
        from rtbold.calibration import shares_summary

        typer.echo("\n".join([_counted(seen), *(shares_summary(one) for one in told)]))
    typer.echo(f"figure in {picture}", err=True)


def _check_installed() -> None:
    from rtbold.distribution import need

    modules = ("torch", "safetensors", "captum", "matplotlib", "mne")
    need(*modules, extra="calibration", purpose="rtbold models explain")


def _checked(
    bundle: "Bundle",
    roi: list[str] | None,
    picture: Path,
    *,
    windows: int,
    method: str,
) -> "tuple[ExplainSettings, list[str]]":
    """Refuse what cannot work before the recording is read."""
    from rtbold.calibration import (
        MIN_WINDOWS,
        ExplainSettings,
        as_method,
        check_format,
        check_number,
        roi_index,
    )
    from rtbold.config import check_range
    from rtbold.electrodes import positions
    from rtbold.files import check_folder

    check_range("--windows", windows, MIN_WINDOWS, MOST_WINDOWS)
    settings = ExplainSettings(method=as_method(method))
    card = bundle.card
    named = [name.replace("\u2019", "'") for name in roi or card.rois[:1]]
    rois = list(dict.fromkeys(card.rois[roi_index(card, name)] for name in named))
    check_number(rois)
    check_format(picture)
    check_folder(picture)
    positions(card.channels)  # the figure needs a place for each
    return settings, rois


def _windows(
    file: Path,
    bundle: "Bundle",
    run: "RunSettings",
    *,
    stream: str | None,
    n_wanted: int,
) -> "Windows":
    from rtbold.calibration import WindowKeeper, windows_of
    from rtbold.cli.replay import XdfStreams, predictions

    keeper = WindowKeeper(n_wanted, len(bundle.card.rois))
    return windows_of(
        predictions(file, bundle, keeper, run, XdfStreams(stream)), keeper
    )


def _attributions(
    bundle: "Bundle",
    rois: list[str],
    seen: "Windows",
    settings: "ExplainSettings",
) -> "list[Attribution]":
    from dataclasses import replace

    from rtbold.calibration import attribute, overlapping
    from rtbold.engine import load_network

    network = load_network(bundle).requires_grad_(False)
    settings = replace(settings, block_n=overlapping(seen.t_end_s))
    told = []
    for roi in rois:
        with typer.progressbar(length=100, label=roi, file=sys.stderr) as bar:
            told.append(
                attribute(
                    network,
                    seen.eeg_uv,
                    card=bundle.card,
                    roi=roi,
                    settings=settings,
                    progress=_onto(bar),
                )
            )
    return told


def _onto(bar: "_Bar") -> "WindowProgress":
    return lambda share: bar.update(round(100 * share) - bar.pos)


def _draw(
    told: "Sequence[Attribution]", picture: Path, bundle: "Bundle", file: Path
) -> None:
    from rtbold.calibration import draw, save_figure

    simulated = bundle.card.origin.simulated_lineage
    title = f"What predictions of bundle '{bundle.card.name}' in {file.name} rest on"
    save_figure(
        draw(told, title=title + (" (SIMULATED model)" if simulated else "")), picture
    )


def _counted(seen: "Windows") -> str:
    return (
        f"{len(seen.t_end_s)} windows of {seen.n_usable} usable ones; "
        f"{seen.n_left_out} volumes have none"
    )


def _json(
    told: "Sequence[Attribution]", bundle: "Bundle", file: Path, seen: "Windows"
) -> str:
    import json

    from rtbold.calibration import as_dict

    return json.dumps(
        {
            "bundle": bundle.card.name,
            "sha256": bundle.sha256,
            "simulated_lineage": bundle.card.origin.simulated_lineage,
            "file": file.name,
            "windows_usable": seen.n_usable,
            "volumes_without_window": seen.n_left_out,
            "rois": [as_dict(one) for one in told],
        },
        indent=1,
    )
