"""``rtbold streams``: what is on the network."""

import math
import sys
from collections.abc import Iterator, Sequence, Set
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from rtbold.acquire import FoundStream

HEADS = ("name", "type", "host", "channels", "rate (Hz)", "source id", "")


def streams(
    wait: Annotated[
        float,
        typer.Option(help="Seconds to listen.", min=0.1, max=60, metavar="S"),
    ] = 1.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON list, for programs.")
    ] = False,
) -> None:
    """List the LSL streams that answer on this network.

    In a pipe or a file each stream has one line, its parts separated by tabs.

    Example: rtbold streams --wait 3
    """
    import json

    from rich.console import Console

    from rtbold.acquire import SIMULATED, Resolver, discover
    from rtbold.clock import MonotonicClock

    simulated = Resolver(SIMULATED)  # the senders know; a listing has no description
    found = discover(wait, MonotonicClock())
    uids = set(simulated.infos())
    if as_json:
        rows = [_row(s) | {"simulated": s.uid in uids} for s in found]
        typer.echo(json.dumps(rows, indent=2))
    elif found and on_screen():
        Console().print(_table(found, uids))
    elif found:
        typer.echo("\n".join("\t".join(row) for row in (HEADS, *_cells(found, uids))))
    else:
        typer.echo(
            f"No LSL stream answered within {wait:g} s. Is a sender running, on this "
            "network, and not behind a firewall? rtbold doctor looks into it."
        )


def _row(stream: "FoundStream") -> dict[str, object]:
    """Return what programs get; a rate that is no number is null, as JSON has none."""
    from dataclasses import asdict

    row = {key: value for key, value in asdict(stream).items() if key != "created_s"}
    return row | {"rate_hz": stream.rate_hz if math.isfinite(stream.rate_hz) else None}


def on_screen() -> bool:
    """Return whether a person reads it, and no pipe or file takes it."""
    return sys.stdout.isatty()


def _cells(
    found: Sequence["FoundStream"], simulated: Set[str]
) -> Iterator[tuple[str, ...]]:
    for s in found:
        rate = f"{s.rate_hz:.10g}" if s.rate_hz else "irregular"
        said = "simulated" if s.uid in simulated else ""
        yield s.name, s.type, s.host, str(s.n_channels), rate, s.source_id, said


def _table(found: Sequence["FoundStream"], simulated: Set[str]) -> "Table":
    from rich.table import Column, Table
    from rich.text import Text

    # A narrow terminal breaks every word rather than to leave a part of it out
    table = Table(*(Column(head, overflow="fold") for head in HEADS))
    for cells in _cells(found, simulated):
        table.add_row(*map(Text, cells))  # a name is no markup
    return table
