"""Run the checks of doctor, preflight and rehearsal, and print them."""

import json
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import typer

if TYPE_CHECKING:
    from rtbold.messages import Check
    from rtbold.preflight import ChannelReport, Stage

T = TypeVar("T")
COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def run_checks(
    steps: Iterable[T], show: Callable[[T], None] | None = None, *, status: str = ""
) -> list[T]:
    """Do one step after the other, and show each as soon as it is done.

    Parameters
    ----------
    status : stands on standard error meanwhile.
    """
    from rich.console import Console

    done = []
    with Console(stderr=True).status(status) if status else nullcontext():
        for one in steps:
            done.append(one)
            if show is not None:
                show(one)
    return done


def print_json(one: "Check | ChannelReport | Stage") -> None:
    """Print what was done as a line of JSON; a dashboard reads it from its child."""
    from rtbold.messages import Check
    from rtbold.preflight import ChannelReport

    said: dict[str, Any] = asdict(one)
    if isinstance(one, Check):
        said = {"check": said}
    elif isinstance(one, ChannelReport):
        said = {"channels": said["lines"], "extra": said["extra"]}
    typer.echo(json.dumps(said))


def print_table(
    checks: Iterable["Check"], head: str = "check", *, overrides: bool = False
) -> None:
    """Print what was found and what to do.

    Parameters
    ----------
    head : of the first column.
    overrides : say which option starts a session in spite of a failed check.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(head, "state", "found, and what to do")
    for check in checks:
        to_do = [check.advice] if check.advice else []
        if overrides and check.override and check.state == "fail":
            to_do.append(f"{check.override} starts it all the same")
        lines = [escape(check.found)]
        lines += [f"[bold]-> {escape(each)}[/bold]" for each in to_do]
        state = f"[{COLOURS[check.state]}]{check.state}[/]"
        table.add_row(check.name, state, "\n".join(lines))
    Console().print(table)
