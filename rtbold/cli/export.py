"""``rtbold export``: a recorded session into a folder that can be shared."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    session: Annotated[
        Path, typer.Argument(help="Folder of a recorded session, or of several.")
    ],
    bids: Annotated[Path, typer.Option(help="BIDS folder to add it to, or a new one.")],
    subject: Annotated[
        str | None, typer.Option(help="Code of the subject [as recorded].")
    ] = None,
    session_code: Annotated[
        str | None, typer.Option("--session", help="Code of the session [as recorded].")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="Code of the task [as recorded].")
    ] = None,
    run: Annotated[
        int | None, typer.Option(help="Number of the run [as recorded].")
    ] = None,
    line_frequency: Annotated[
        float | None, typer.Option(help="Of the mains, 50 or 60 Hz [n/a].")
    ] = None,
    without_words: Annotated[
        bool, typer.Option("--without-words", help="Leave out what operators wrote.")
    ] = False,
) -> None:
    """Write a recorded session as BIDS: EEG, events, and what was published.

    Dates, hosts, users and serial numbers stay behind. Nothing is overwritten.

    Example:

        rtbold export recordings/sub-S01/ses-01 --bids shared --line-frequency 50
    """
    from rtbold.session import ExportOptions, export_session

    options = ExportOptions(
        subject=subject, session=session_code, task=task, run=run,
        line_hz=line_frequency, words=not without_words,
    )  # fmt: skip
    exported = export_session(session, bids, options)
    for note in exported.notes:
        typer.echo(f"note: {note}", err=True)
    if exported.n_words:
        typer.echo(
            f"note: {exported.n_words} events hold what operators wrote. Names of "
            "persons cannot be found in it: read the column text of *_events.tsv "
            "before you share it, or export with --without-words",
            err=True,
        )
    for name in exported.names:
        typer.echo(name)
    typer.echo(f"{len(exported.files)} files in {bids}")
