"""``rtbold preflight``: what a session would find, without one."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from rtbold.cli.checks import print_json, print_table, run_checks
from rtbold.cli.options import RequestedRun, takes_run_options

if TYPE_CHECKING:
    from rtbold.messages import Check


@takes_run_options
def preflight(
    asked: RequestedRun,
    listen: Annotated[
        float, typer.Option(help="Seconds to listen to the streams, 1 to 60.")
    ] = 6.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON object a line, as each is done.")
    ] = False,
) -> None:
    r"""Look at everything that `rtbold run` with the same options would open.

    Model, streams, channels, units, triggers, clock, disk, engine and ports; nothing
    is published and nothing is written. Exit code 1 if any check failed.

    Example:

        rtbold preflight --subject S01 --stream BrainVision \
            --trigger-stream BrainVision-Markers --trigger R128 --record recordings
    """
    import time

    from rtbold.acquire import LslClock
    from rtbold.bundle import default_root
    from rtbold.config import check_range
    from rtbold.messages import Check
    from rtbold.preflight import PreflightSettings, examine_session

    check_range("--listen", listen, 1, 60)
    settings = PreflightSettings(
        run=asked.settings,
        subject_root=asked.root or default_root(),
        listen_s=listen,
        now_unix_s=time.time(),
    )
    found = run_checks(
        examine_session(settings, LslClock()),
        print_json if as_json else None,
        status=f"looking and listening, about {listen + 8:g} s",
    )
    checks = [one for one in found if isinstance(one, Check)]
    states = [check.state for check in checks]
    n_fail, n_warn = states.count("fail"), states.count("warn")
    if as_json:
        ready = {"ready": n_fail == 0, "n_fail": n_fail, "n_warn": n_warn}
        typer.echo(json.dumps(ready))
    else:
        _show(checks, [one.extra for one in found if not isinstance(one, Check)])
    if n_fail:
        raise typer.Exit(1)


def _show(checks: "list[Check]", extra: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.markup import escape

    print_table(checks, overrides=True)
    console = Console()
    for labels in filter(None, extra):
        unwanted = escape(", ".join(labels))
        console.print(f"channels that the model does not want: {unwanted}")
    n_fail = sum(check.state == "fail" for check in checks)
    n_must = sum(check.blocks for check in checks)
    if n_fail:
        console.print(f"NOT READY: {n_fail} failed, of which {n_must} stop a session")
    else:
        console.print("READY")
