"""``rtbold subjects list | show | compare``: the models that calibrations made."""

from typing import TYPE_CHECKING, Annotated

import typer

from rtbold.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rtbold.bundle import Bundle, Calibrated

Subject = Annotated[str, typer.Argument(help="Code of the subject.")]
Calibration = Annotated[str, typer.Option("--calibration", help="Its name, or latest.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON on stdout.")]


def list_subjects(
    subject: Annotated[
        str | None, typer.Argument(help="Only this subject's calibrations.")
    ] = None,
    root: options.SubjectRoot = None,
    as_json: AsJson = False,
) -> None:
    """List the calibrations of all subjects, or of one, oldest first.

    Example: rtbold subjects list
    """
    from rtbold.bundle import calibrations, default_root, list_subjects

    folder = root or default_root()
    codes = (subject,) if subject is not None else list_subjects(folder)
    entries = [entry for code in codes for entry in calibrations(folder, code)]
    if as_json:
        typer.echo(_as_json(entries))
        return
    if not codes:
        typer.echo(f"no subjects in {folder}", err=True)
    for entry in entries:
        typer.echo(_row(entry.subject, entry.path))


def show(
    subject: Subject,
    calibration: Calibration = "latest",
    root: options.SubjectRoot = None,
    as_json: AsJson = False,
) -> None:
    """Show what a calibration found: verdict, scores per ROI, alignment.

    Example: rtbold subjects show S01
    """
    import msgspec

    from rtbold.bundle import default_root, load, one_of

    found = load(one_of(root or default_root(), subject, calibration))
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found.card), indent=2))
        return
    for line in _lines(found):
        typer.echo(line)


def compare(
    subject: Subject,
    root: options.SubjectRoot = None,
    as_json: AsJson = False,
) -> None:
    """Put all calibrations of a subject side by side, oldest first.

    Each was scored on its own scan, so a difference is one of scan and model together.

    Example: rtbold subjects compare S01
    """
    import msgspec

    from rtbold.bundle import calibrations, default_root, load

    entries = calibrations(root or default_root(), subject)
    bundles = [load(entry.path) for entry in entries]
    rows = [_facts(bundle) for bundle in bundles]
    if as_json:
        typer.echo(msgspec.json.encode(rows).decode())
        return
    for name in rows[0]:
        typer.echo("\t".join([f"{name:<12}", *(str(row[name]) for row in rows)]))
    rois = dict.fromkeys(roi for bundle in bundles for roi in bundle.card.rois)
    for roi in rois:
        typer.echo("\t".join([f"R {roi}", *(_r_of(b, roi) for b in bundles)]))


def _as_json(entries: "Sequence[Calibrated]") -> str:
    import json

    from rtbold.cli.bundle_facts import described

    rows = [
        described(entry.path, code=entry.subject, name=entry.name) for entry in entries
    ]
    return json.dumps(rows)


def _row(code: str, path: "Path") -> str:
    """Return one line; a bundle that cannot be read is named, and the others shown."""
    from rtbold.bundle import load
    from rtbold.errors import BundleError

    try:
        bundle = load(path)
    except BundleError as error:
        return f"{code}\t{path.name}\tcannot be read: {error}"
    return "\t".join([code, *(str(value) for value in _facts(bundle).values())])


def _facts(bundle: "Bundle") -> dict[str, object]:
    card = bundle.card
    gate = card.verdict.gate if card.verdict else None
    return {
        "calibration": bundle.path.name.removesuffix(".rtbold"),
        "target": card.target or card.rois[0],
        "R": f"{gate.r:.3f}" if gate else "-",
        "interval": f"{gate.r_low:.3f} to {gate.r_high:.3f}" if gate else "-",
        "p": f"{gate.p:.2g}" if gate else "-",
        "verdict": gate.label if gate else "none",
        "volumes": card.fitting.n_volumes if card.fitting else "-",
        "strategy": card.fitting.strategy if card.fitting else "-",
        "base": card.fitting.base if card.fitting else "-",
        "horizon": card.horizon_tr,
        "data": "SIMULATED" if "simulated" in card.scores.data else "recorded",
    }


def _r_of(bundle: "Bundle", roi: str) -> str:
    verdict = bundle.card.verdict
    found = [v for v in verdict.rois if v.roi == roi] if verdict else []
    return f"{found[0].r:.3f}" if found else "-"


def _lines(bundle: "Bundle") -> "Iterator[str]":
    card = bundle.card
    for name, value in _facts(bundle).items():
        yield f"{name:<12}  {value}"
    yield f"{'path':<12}  {bundle.path}"
    yield f"{'cleaning':<12}  {card.cleaning.mode}:{card.cleaning.software or '-'}"
    if (found := card.alignment) is not None:
        yield (
            f"{'alignment':<12}  {found.marker}: {found.n_found} of {found.n_volumes} "
            f"triggers found, {found.n_missed} missed, jitter {found.jitter_sd_ms:.2f} "
            f"ms; lag {found.lag_peak_s:g} s ({found.lag_low_s:g} to "
            f"{found.lag_high_s:g} s, p {found.lag_p:.2g})"
        )
    if (verdict := card.verdict) is None:
        return
    yield f"{'because':<12}  {verdict.gate.reason}"
    yield "roi\tR\tlow\thigh\tp over all\tverdict"
    for v in verdict.rois:
        yield (
            f"{v.roi}\t{v.r:.3f}\t{v.r_low:.3f}\t{v.r_high:.3f}\t{v.p_max:.2g}\t{v.label}"
        )
