"""``rtbold report`` and ``rtbold methods``: what came of sessions, in words."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtbold.cli import options

if TYPE_CHECKING:
    from rtbold.report import Report

Answers = Annotated[
    Path | None,
    typer.Option(help="TOML with your own answers, such as 1a = 'osf.io/x'."),
]
SiteFile = Annotated[
    Path | None, typer.Option(help="Hardware of your site [the user's site.toml].")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def report(
    session: Annotated[
        Path,
        typer.Argument(help="Folder of a recording, a session, a subject, or a study."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the report [SESSION/report]."),
    ] = None,
    answers: Answers = None,
    site: SiteFile = None,
    as_json: AsJson = False,
) -> None:
    """Report recorded sessions: regulation, learning, quality, methods, CRED-nf.

    Values are those that were published; nothing is computed anew. Recordings of one
    session are taken together, and sessions one after the other. The effect is that of
    regulation blocks against the rest beside them; blocks come from the protocol.

    Example:

        rtbold report recordings/sub-S01/ses-01/eeg/sub-S01_ses-01_task-nf_run-01
    """
    from rtbold.errors import ConfigError
    from rtbold.report import (
        build_report,
        read_answers,
        read_site,
        report_json,
        write_report,
    )

    found = build_report(session, read_answers(answers), read_site(site).facts())
    folder = out or _default(session)
    try:
        files = write_report(found, folder)
    except OSError as error:
        raise ConfigError(
            f"cannot write the report into {folder}: {error.strerror or error}. Name a "
            "folder of yours: --out DIR."
        ) from error
    if as_json:
        typer.echo(json.dumps(report_json(found)))
        return
    for line in _lines(found):
        typer.echo(line)
    typer.echo(f"report    {files[0]}")


def methods(
    subject_or_session: Annotated[
        str | None,
        typer.Argument(help="Code of a calibrated subject, a bundle, or a recording."),
    ] = None,
    root: options.SubjectRoot = None,
    answers: Answers = None,
    site: SiteFile = None,
    new_site: Annotated[
        Path | None,
        typer.Option(help="Write a site.toml to fill in, and do nothing else."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a methods text and the checklists CRED-nf, COBIDAS-MEEG and COBIDAS-MRI.

    Each item is filled, yours to fill, or not applicable. A subject tells the model and
    its verdict; a recording tells the session too. Hardware is told once, in a
    site.toml.

    Example:

        rtbold methods S01
    """
    if new_site is not None:
        _write_site(new_site)
        return
    from rtbold.errors import ConfigError

    if subject_or_session is None:
        raise ConfigError(
            "nothing was named, expected a subject, a bundle or a recording: "
            "rtbold methods S01. A site.toml to fill in: --new-site site.toml"
        )
    from rtbold.report import (
        LISTS,
        as_json as items_json,
        filled,
        methods_text,
        read_answers,
        read_site,
    )

    own = read_answers(answers)
    facts = {**_facts(subject_or_session, root), **read_site(site).facts()}
    lists = {name: filled(name, facts, own) for name in LISTS}
    if as_json:
        told: dict[str, Any] = {name: items_json(of) for name, of in lists.items()}
        typer.echo(json.dumps({"methods": methods_text(facts), "checklists": told}))
        return
    typer.echo(methods_text(facts))
    for name, items in lists.items():
        for line in _checklist_lines(name, items):
            typer.echo(line)


def _default(session: Path) -> Path:
    return (session if session.is_dir() else session.parent) / "report"


def _facts(named: str, root: Path | None) -> dict[str, str]:
    """Return the facts of a recording where the name is a folder of one, else a model.

    Raises
    ------
    RtboldError : it is neither.
    """
    import msgspec

    from rtbold.bundle import default_root, list_subjects, load, newest
    from rtbold.record import CARD_NAME, EVENTS_NAME
    from rtbold.report import build_report, model_facts

    path = Path(named)
    recorded = (path / EVENTS_NAME).is_file() or not (path / CARD_NAME).is_file()
    if path.exists() and recorded:
        return dict(build_report(path).facts)
    subjects = root or default_root()
    wanted: str | Path = named
    if named in list_subjects(subjects):
        wanted = newest(subjects, named)
    return model_facts(msgspec.to_builtins(load(wanted, subject_root=subjects).card))


def _write_site(path: Path) -> None:
    from rtbold.errors import ConfigError
    from rtbold.report import EXAMPLE

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(EXAMPLE)
    except OSError as error:
        raise ConfigError(
            f"cannot write {path}: {error.strerror or error}. Name a new file in a "
            "folder of yours; nothing is overwritten."
        ) from error
    typer.echo(f"wrote {path}")


def _lines(found: "Report") -> list[str]:
    """Return the report in short, a line a session."""
    from rtbold.report import effect_words

    lines = []
    if found.simulated:
        lines.append("SIMULATED: the model learned from simulated data.")
    for session in found.sessions:
        summary = session.summary
        usable = 100 * summary.quality.usable_share
        lines.append(
            f"{summary.title}: regulation "
            f"{effect_words(summary.effect, summary.unit, sealed=summary.sealed)}; "
            f"{usable:.0f} % of {summary.quality.n} volumes usable, "
            f"{summary.quality.missed_n} missed"
        )
    return lines + [f"left out  {name}: {why}" for name, why in found.left_out]


def _checklist_lines(name: str, items: Any) -> list[str]:  # noqa: ANN401 -- of a face
    from rtbold.report import checklist

    asked = checklist(name)
    n_filled = sum(item.state == "filled" for item in items)
    lines = ["", f"{asked.title}: {n_filled} of {len(items)} filled ({asked.source})"]
    words = {"yours": "yours to fill", "not_applicable": "not applicable: "}
    for item in items:
        said = words.get(item.state, "") + item.answer
        lines.append(f"  {item.number:<4} {item.asks}: {said}")
    return lines
