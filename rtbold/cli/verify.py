"""``rtbold verify``: a recorded session's published numbers, computed once more."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from rtbold.cli import options

if TYPE_CHECKING:
    from rtbold.bundle import Bundle
    from rtbold.engine import Engine
    from rtbold.session import Difference, Kind, RecordedSettings, Verification

EXIT_CODES: Final = {"identical": 0, "different": 1, "within_tolerance": 2}
NOT_VERIFIABLE: Final = 2


def verify(
    session: Annotated[Path, typer.Argument(help="Folder of the session, or its XDF.")],
    model: Annotated[
        str | None, typer.Option(help="Bundle, if it is not where the session had it.")
    ] = None,
    root: options.SubjectRoot = None,
    engine: options.EngineChoice = None,
    precision: options.PrecisionChoice = None,
    within_tolerance: Annotated[
        bool,
        typer.Option(
            "--within-tolerance",
            help="On another machine or engine: 0 also if values differ by rounding.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, for programs.")
    ] = False,
) -> None:
    """Say whether a recorded session's published numbers come out again, bit for bit.

    Predictions, intervals, status, reasons, feedback and truth are computed anew from
    the recording. Exit code 0: they are those published, to the last bit. 1: they are
    not; the first difference is shown. 2: it cannot be verified, and why.

    Example:

        rtbold verify recordings/sub-S01/ses-01/eeg/sub-S01_ses-01_task-nf_run-01
    """
    from rtbold.errors import RtboldError
    from rtbold.session import Verification

    try:
        found = _verified(
            session, model=model, root=root, engine=engine, precision=precision
        )
    except (RtboldError, OSError) as error:
        found = Verification(verdict="not_verifiable", why=str(error), n_compared={})
    typer.echo(json.dumps(_as_json(session, found)) if as_json else _as_text(found))
    if found.verdict == "within_tolerance" and within_tolerance:
        return
    code = EXIT_CODES.get(found.verdict, NOT_VERIFIABLE)
    if code:
        raise typer.Exit(code)


def _verified(
    path: Path,
    *,
    model: str | None,
    root: Path | None,
    engine: str | None,
    precision: str | None,
) -> "Verification":
    from contextlib import closing

    from rtbold.bundle import default_root
    from rtbold.session import (
        check_open,
        read_settings,
        recorded_bundle,
        session_folder,
        verify_session,
    )

    folder = session_folder(path)
    check_open(folder)
    settings = read_settings(folder)
    bundle = recorded_bundle(
        folder, settings, model=model, subject_root=root or default_root()
    )
    with closing(_open(bundle, settings, engine=engine, precision=precision)) as opened:
        kind = _kind(opened, settings)
        return verify_session(folder, bundle, opened, settings=settings, kind=kind)


def _open(
    bundle: "Bundle",
    settings: "RecordedSettings",
    *,
    engine: str | None,
    precision: str | None,
) -> "Engine":
    """Open what the session ran on, or what was asked for instead.

    Raises
    ------
    EngineError : it cannot run here.
    """
    from rtbold.engine import N_THREADS, open_engine

    ran = settings.engine
    return open_engine(
        bundle,
        engine=engine or (ran.name if ran else "auto"),
        precision=precision or (ran.precision if ran else "f32"),
        n_threads=ran.n_threads if ran else N_THREADS,
    )


def _kind(engine: "Engine", settings: "RecordedSettings") -> "Kind":
    """Say what engine and machine are beside the session's."""
    from rtbold.engine import N_THREADS, ran_on, used
    from rtbold.session import Kind, machine_difference

    ran = settings.engine
    now = used(engine, n_threads=ran.n_threads if ran else N_THREADS)
    parts = [machine_difference(settings.machine, ran_on(engine))]
    if ran is None:
        parts.append("it did not keep what engine it ran on")
    elif now != ran:
        other = f"another file of {now}" if str(now) == str(ran) else str(now)
        parts.append(f"it ran {ran}, this is {other}")
    words = "; ".join(filter(None, parts))
    return Kind(same=not words, precision=now.precision, difference=words)


def _as_json(path: Path, found: "Verification") -> dict[str, object]:
    from dataclasses import asdict

    return {"session": str(path), **asdict(found)}


def _as_text(found: "Verification") -> str:
    n = ", ".join(f"{n} {topic}" for topic, n in found.n_compared.items() if n)
    lines = [f"compared: {n or 'nothing'}"]
    lines += [f"note: {note}" for note in found.notes]
    if found.verdict == "identical":
        return "\n".join([*lines, "IDENTICAL: what was published comes out again"])
    if found.first is not None:
        lines += _difference(found.first)
    if found.largest:
        lines.append(f"largest difference of a value: {found.largest:.3g} model units")
    heads = {"different": "DIFFERENT", "within_tolerance": "WITHIN TOLERANCE"}
    head = heads.get(found.verdict, "NOT VERIFIED")
    return "\n".join([*lines, f"{head}: {found.why}"])


def _difference(first: "Difference") -> list[str]:
    """Return the first difference in words."""
    volume = "none" if first.volume_index is None else first.volume_index
    where = f"first difference: {first.topic}, volume {volume}"
    if first.t_end_s is not None:
        where += f" (window ends at {first.t_end_s:.3f} s)"
    where += f", {first.field}" + (f" of {first.roi}" if first.roi else "")
    lines = [
        where,
        f"  published  {first.published!r}",
        f"  recomputed {first.recomputed!r}",
    ]
    for name, status, reasons in zip(
        ("published ", "recomputed"), first.status, first.reasons, strict=True
    ):
        if status:
            lines.append(f"  {name} status {status}: {', '.join(reasons) or 'well'}")
    return lines
