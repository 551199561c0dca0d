"""``rtbold models list | show | seal | predict | import``."""

import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtbold.bundle import Card
    from rtbold.messages import Float32Array
    from rtbold.models import ImportResult
# Clean EEG has an sd of some 5 to 50 uV; in volt 1e-5, in nanovolt 1e4.
PLAUSIBLE_SD_UV = (0.1, 3000.0)
Subjects = Annotated[
    Path | None,
    typer.Option(
        "--root",
        help="Folder of all subjects [the user's data folder].",
        exists=True,  # or a shipped bundle of the same name would be taken instead
        file_okay=False,
    ),
]


def list_models(
    root: Subjects = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON list, for programs.")
    ] = False,
) -> None:
    """List the bundles that a name leads to, and where each was found.

    Example: rtbold models list
    """
    import json

    from rtbold.bundle import available, default_root
    from rtbold.cli.bundle_facts import described

    rows = [
        described(entry.path, name=entry.name, place=entry.place)
        for entry in available(subject_root=root or default_root())
    ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        typer.echo(_row(row))


def _row(facts: dict[str, Any]) -> str:
    """Return one line; a bundle that cannot be read is named, and the others shown."""
    head = f"{facts['name']}\t{facts['place']}"
    if facts["error"]:
        return f"{head}\tcannot be read: {facts['error']}"
    return (
        f"{head}\t{facts['architecture']}\t{len(facts['channels'])} channels\t"
        f"{len(facts['rois'])} ROIs\t{facts['origin']}\t{facts['path']}"
    )


def show(
    bundle: Annotated[str, typer.Argument(help="Bundle folder or name.")],
    as_json: Annotated[bool, typer.Option("--json", help="The whole card.")] = False,
    root: Subjects = None,
) -> None:
    """Show what a bundle is, what stream it needs, and how it scored.

    Example: rtbold models show demo
    """
    import msgspec

    from rtbold.bundle import default_root, load

    found = load(bundle, subject_root=root or default_root())
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found.card), indent=2))
        return
    for line in card_lines(found.card):
        typer.echo(line)
    typer.echo(f"sha256        {found.sha256}")
    if not found.sealed:
        typer.echo("seal          none: nothing shows whether the card was changed")
    typer.echo(f"path          {found.path}")


def seal(
    bundle: Annotated[str, typer.Argument(help="Bundle folder or name.")],
    root: Subjects = None,
) -> None:
    """Seal a bundle of an earlier version: its card's hash in a file beside it.

    Only whoever knows that the card is right can say so: compare its SHA-256 with that
    of a session that went well (`model_sha256` in the recording's settings.json).

    Example: rtbold models seal S01/20261123-101500
    """
    from rtbold.bundle import default_root, seal_bundle

    sealed = seal_bundle(bundle, subject_root=root or default_root())
    typer.echo(f"{sealed.path}: sealed, sha256 {sealed.sha256}")


def predict(
    bundle: Annotated[str, typer.Argument(help="Bundle folder or name.")],
    windows: Annotated[
        Path,
        typer.Option("--windows", help="NPY, (n, channels, 3200) float32 microvolt."),
    ],
    out: Annotated[Path, typer.Option("--out", help="NPY to write, (n, ROIs).")],
    engine: Annotated[
        str, typer.Option("--engine", help="auto, openvino, tensorrt or torch.")
    ] = "auto",
    precision: Annotated[
        str,
        typer.Option("--precision", help="auto, f32, tf32, bf16, f16 or int8."),
    ] = "f32",
    threads: Annotated[int, typer.Option("--threads", help="CPU threads.")] = 1,
    root: Subjects = None,
) -> None:
    """Predict BOLD from windows in a file; each channel's window mean removed before.

    Example:

        rtbold models predict demo --windows W.npy --out O.npy --engine torch
    """
    import numpy as np

    from rtbold.bundle import check_trained, default_root, load
    from rtbold.engine import open_engine, read_windows, write_array
    from rtbold.files import check_folder

    check_folder(out)  # before the work, which may take a while
    found = load(bundle, subject_root=root or default_root())
    check_trained(found.card)
    eeg_uv = read_windows(windows, found.card)
    for misfit in misfits(eeg_uv, found.card.channels):
        typer.echo(f"note: {misfit}", err=True)
    runner = open_engine(
        found, engine=engine, precision=precision, n_threads=threads, batch_size=1
    )
    bold = np.concatenate([runner(window[None]) for window in eeg_uv])
    write_array(out, bold)
    typer.echo(
        f"{out}: {bold.shape[0]} windows, {bold.shape[1]} ROIs "
        f"({runner.name} {runner.precision})"
    )


def misfits(eeg_uv: "Float32Array", channels: tuple[str, ...]) -> "Iterator[str]":
    """Yield what makes windows unlike those that a session hands to a model.

    Parameters
    ----------
    eeg_uv : (n, channels, 3200), finite.
    """
    import numpy as np

    mean_uv = np.abs(eeg_uv.mean(axis=2, dtype=np.float64))  # (n, channels)
    sd_uv = eeg_uv.std(axis=2, dtype=np.float64)  # (n, channels)
    if (mean_uv > np.maximum(sd_uv, 1.0)).any():
        window, channel = np.unravel_index(mean_uv.argmax(), mean_uv.shape)
        yield (
            f"the mean of window {window}, channel {channels[channel]} is "
            f"{mean_uv.max():.3g} uV in size; a session removes each channel's mean "
            "from a window. Subtract windows.mean(axis=2, keepdims=True)."
        )
    lowest, highest = PLAUSIBLE_SD_UV
    typical_uv = float(np.median(sd_uv))
    if not lowest <= typical_uv <= highest:
        yield (
            f"half of the channels have an sd of {typical_uv:.2g} uV or "
            f"{'less' if typical_uv < lowest else 'more'}, expected some 5 to 50. Are "
            "the windows in microvolt?"
        )


def card_lines(card: "Card") -> list[str]:
    """Return what a person wants to know of a card, one fact a line."""
    scores, start = card.scores, card.origin.kind == "start"
    lines = [
        f"name          {card.name}",
        f"architecture  {card.architecture} {_options(card)}".rstrip(),
        f"origin        {card.origin.kind}"
        + (", simulated lineage" if card.origin.simulated_lineage else "")
        + (" (no trained head: for training only)" if start else ""),
        f"channels      {len(card.channels)}: {' '.join(card.channels)}",
        f"reference     {card.reference}",
        f"cleaning      {_cleaning(card)}; scanner: {card.scanner}",
        f"OOD reference {_ood_text(card)}",
        f"TR            {card.tr_s:g} s",
        f"ROIs          {len(card.rois)} ({card.atlas or 'no atlas named'}); "
        f"first: {card.rois[0]}",
    ]
    lines += _standing(card)
    if scores.mean_r is not None:
        lines.append(
            f"scores        {scores.data}: mean R {scores.mean_r:.3f}{_ci(card)}"
        )
    lines += [f"control       {name}: {r:.3f}" for name, r in scores.controls.items()]
    if card.check.n:
        lines.append(
            f"check         {card.check.n} {card.check.windows} windows; float32 to "
            f"{card.tolerance:g}, others to {card.reduced_tolerance:g} of a ROI's sd"
        )
    if card.note:
        lines.append(f"note          {card.note}")
    return lines


def _cleaning(card: "Card") -> str:
    if card.cleaning.mode in ("none", "unknown"):
        return card.cleaning.mode
    return f"{card.cleaning.mode}:{card.cleaning.software or '(not named)'}"


def _ood_text(card: "Card") -> str:
    known = card.likeness
    if not known.known:
        return "not known: sessions are not compared with the training EEG"
    return f"{known.n_windows} windows; {', '.join(known.spreads)}"


def _standing(card: "Card") -> "Iterator[str]":
    """Yield what stands between the bundle and a session."""
    if card.conditioning.source == "published" and card.origin.kind != "start":
        yield (
            "conditioning  published: trained on another chain than the live one; "
            "unvalidated until it is calibrated"
        )
    if card.verdict is not None:
        gate = card.verdict.gate
        yield (
            f"verdict       {gate.target}: {gate.label}, R {gate.r:.3f} "
            f"({gate.r_low:.3f} to {gate.r_high:.3f})"
        )


def _options(card: "Card") -> str:
    return " ".join(f"{k}={v}" for k, v in card.architecture_config.items())


def _ci(card: "Card") -> str:
    scores = card.scores
    if scores.mean_r_low is None or scores.mean_r_high is None or scores.p is None:
        return ""
    return (
        f" (95 % {scores.mean_r_low:.3f} to {scores.mean_r_high:.3f}, "
        f"p {scores.p:.2g}, {scores.n_subjects} subjects)"
    )


# ``rtbold models import``: published checkpoints become a bundle.

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

    Example:

        rtbold models import thalamus.pth --out thalamus.rtbold --roi Thalamus
    """
    from rtbold.distribution import need

    need(
        "torch", "onnx", "onnxscript", "safetensors",
        extra="calibration", purpose="rtbold models import",
    )  # fmt: skip
    from rtbold.models import ImportSettings, Montage, import_checkpoints

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


def _report(outcome: "ImportResult") -> dict[str, object]:
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


def _lines(outcome: "ImportResult") -> "Iterator[str]":
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
