"""``rtbold recorders``: LabRecorders of sessions that have died."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rtbold.record import LeftOver


def recorders(
    end: Annotated[
        bool, typer.Option("--end", help="Close them: each file is written whole.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON list, for programs.")
    ] = False,
) -> None:
    """List the recordings that sessions which died have left running; close them.

    A recording outlives its session on purpose: it keeps what the amplifier sends on.
    It is closed by the next session, by this command, or some minutes after its
    streams are gone. Recorders of sessions that run are left alone.

    Example: rtbold recorders --end
    """
    import json

    from rtbold.record import find_left_over, wait_for_end

    found = find_left_over()
    if end:
        for one in found:
            one.end()
        wait_for_end(found)
    rows = [_row(one, asked=end) for one in found]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for one, row in zip(found, rows, strict=True):
        done = "closed" if row["closed"] else "it could not be closed"
        typer.echo(f"{one}: {done}" if end else str(one))
    if not found:
        typer.echo("No recording is left over from a session that died.")


def _row(one: "LeftOver", *, asked: bool) -> dict[str, object]:
    """Return what programs get of one recorder."""
    return {
        "pid": one.process.pid,
        "file": str(one.file),
        "closed": asked and not one.runs,
    }
