"""``rtbold report``: what came of recorded sessions, as a page and as tables."""

import json
from pathlib import Path
from typing import Annotated

import typer


def report(
    session: Annotated[
        Path,
        typer.Argument(help="Folder of a recording, a session, a subject, or a study."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the report [SESSION/report]."),
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            help="TOML with your own answers to the checklist, such as 1a = 'osf.io/x'."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as one JSON object.")
    ] = False,
) -> None:
    """Report recorded sessions: regulation, learning, quality, methods, CRED-nf.

    Values are those that were published; nothing is computed anew. Recordings of one
    session are taken together, and sessions one after the other. The effect is that of
    regulation blocks against the rest beside them; blocks come from the protocol.

    Example:

        rtbold report recordings/sub-S01/ses-01/eeg/sub-S01_ses-01_task-nf_run-01
    """
    from rtbold.report import build_report, report_json, write_report

    found = build_report(session, _answers(answers))
    files = write_report(found, out or _default(session))
    if as_json:
        typer.echo(json.dumps(report_json(found)))
        return
    for line in _lines(found):
        typer.echo(line)
    typer.echo(f"report    {files[0]}")


def _default(session: Path) -> Path:
    return (session if session.is_dir() else session.parent) / "report"


def _answers(path: Path | None) -> dict[str, str]:
    """Return the author's answers by item.

    Raises
    ------
    ConfigError : the file cannot be read, or holds something else.
    """
    import tomllib

    from rtbold.config import MAX_SETTINGS_BYTES
    from rtbold.disk import read_file
    from rtbold.errors import ConfigError
    from rtbold.report import item_numbers

    if path is None:
        return {}
    try:
        text = read_file(path, at_most_bytes=MAX_SETTINGS_BYTES).decode("utf-8")
        given = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror or error}. Expected a TOML file of "
            "answers, such as 1a = 'osf.io/x'."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    known = item_numbers()
    odd = [key for key, said in given.items() if key not in known or not _text(said)]
    if odd:
        raise ConfigError(
            f"{path} answers {', '.join(odd)}, expected a text for each of these "
            f"items: {', '.join(known)}."
        )
    return given


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _lines(found: object) -> list[str]:
    """Return the report in short, a line a session."""
    from rtbold.report import Report, effect_words

    assert isinstance(found, Report)
    lines = []
    if found.simulated:
        lines.append("SIMULATED: the model learned from simulated data.")
    for session in found.sessions:
        summary = session.summary
        usable = 100 * summary.quality.usable_share
        lines.append(
            f"{summary.title}: regulation "
            f"{effect_words(summary.effect, summary.unit)}; "
            f"{usable:.0f} % of {summary.quality.n} volumes usable, "
            f"{summary.quality.missed_n} missed"
        )
    lines += [f"left out  {name}: {why}" for name, why in found.left_out]
    return lines
