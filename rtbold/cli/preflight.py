"""``rtbold preflight``: what a session would find, without one."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rtbold.cli.options import AskedRun, takes_run_options

if TYPE_CHECKING:
    from rtbold.preflight import ChannelReport, Finding

COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@takes_run_options
def preflight(
    asked: AskedRun,
    listen: Annotated[
        float, typer.Option(help="Seconds to listen to the streams, 1 to 60.")
    ] = 6.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON object a line, as each is done.")
    ] = False,
) -> None:
    """Look at everything that `rtbold run` with the same options would open.

    Model, streams, channels, units, triggers, clock, disk, engine and ports; nothing
    is published and nothing is written. Exit code 1 if any check failed.

    Example: rtbold preflight --subject S01 --stream BrainVision --trigger-stream
    BrainVision-Markers --trigger R128 --record recordings
    """
    from rich.console import Console

    from rtbold.acquire import LslClock
    from rtbold.bundle import default_root
    from rtbold.config import check_range
    from rtbold.preflight import Finding, PreflightSettings, examine_session

    check_range("--listen", listen, 1, 60)
    settings = PreflightSettings(
        run=asked.settings,
        subject_root=asked.root or default_root(),
        listen_s=listen,
    )
    found: list[Finding | ChannelReport] = []
    with Console(stderr=True).status(f"looking and listening, about {listen + 8:g} s"):
        for one in examine_session(settings, LslClock()):
            found.append(one)
            if as_json:
                typer.echo(json.dumps(_line(one)))
    findings = [one for one in found if isinstance(one, Finding)]
    ready = _ready(findings)
    if as_json:
        typer.echo(json.dumps(ready))
    else:
        _show(found)
    if not ready["ready"]:
        raise typer.Exit(1)


def _line(one: "Finding | ChannelReport") -> dict[str, object]:
    from rtbold.preflight import Finding

    if isinstance(one, Finding):
        return {"check": asdict(one)}
    return {
        "channels": [asdict(line) for line in one.lines],
        "extra": list(one.extra),
    }


def _ready(findings: Iterable["Finding"]) -> dict[str, object]:
    states = [finding.state for finding in findings]
    n_fail = states.count("fail")
    return {"ready": n_fail == 0, "n_fail": n_fail, "n_warn": states.count("warn")}


def _show(found: Iterable["Finding | ChannelReport"]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from rtbold.preflight import Finding

    table = Table("check", "state", "found, and what to do")
    extra: tuple[str, ...] = ()
    findings = []
    for one in found:
        if not isinstance(one, Finding):
            extra = one.extra
            continue
        findings.append(one)
        lines = escape(one.found)
        if one.advice:
            lines += f"\n[bold]-> {escape(one.advice)}[/bold]"
        if one.state == "fail" and one.override:
            lines += f"\n[bold]-> {escape(one.override)} starts it all the same[/bold]"
        table.add_row(one.name, f"[{COLOURS[one.state]}]{one.state}[/]", lines)
    console = Console()
    console.print(table)
    if extra:
        unwanted = escape(", ".join(extra))
        console.print(f"channels that the model does not want: {unwanted}")
    n_fail = sum(finding.state == "fail" for finding in findings)
    n_must = sum(finding.state == "fail" and finding.must for finding in findings)
    if n_fail:
        console.print(f"NOT READY: {n_fail} failed, of which {n_must} stop a session")
    else:
        console.print("READY")
