"""``rtbold doctor``: what would stop a session here."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbold.cli.checks import print_table, run_checks
from rtbold.errors import ConfigError

if TYPE_CHECKING:
    from rtbold.preflight import DelayEstimate, DelayRequest

KEYS = ("name", "state", "found", "advice")  # a machine's check has no more in JSON


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="Also time the engine on this bundle.")
    ] = None,
    record: Annotated[
        Path, typer.Option(help="Folder where recordings would go.")
    ] = Path(),
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of the feed.")
    ] = 5580,
    control_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port for requests.")
    ] = 5581,
    measure_delay: Annotated[
        bool,
        typer.Option("--measure-delay", help="Measure the cleaning software's delay."),
    ] = False,
    raw: Annotated[
        str | None, typer.Option(help="With --measure-delay: the raw EEG stream.")
    ] = None,
    cleaned: Annotated[
        str | None, typer.Option(help="With --measure-delay: the cleaned stream.")
    ] = None,
    trigger_stream: Annotated[
        str | None,
        typer.Option(help="With --measure-delay and one EEG stream: its triggers."),
    ] = None,
    trigger: Annotated[
        str | None, typer.Option(help="The label that marks a volume, such as R128.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="With --measure-delay: how long to record.")
    ] = 60.0,
    max_lag: Annotated[
        float, typer.Option(help="With --measure-delay: largest delay tried, in s.")
    ] = 2.0,
) -> None:
    """Check this machine: packages, ports, LSL, network, disk, clocks, engine.

    Exit code 1 if anything would stop a session.

    Example: `rtbold doctor --model demo`

    Example: `rtbold doctor --measure-delay --raw BrainVision --cleaned Cleaned`
    """
    if measure_delay:
        from rtbold.preflight import DelayRequest

        if not (seconds > 0 and 0 < max_lag <= 10):
            raise ConfigError(
                f"--seconds {seconds:g} and --max-lag {max_lag:g}, expected both above "
                "0 and a lag of at most 10 s"
            )
        request = DelayRequest(
            raw=raw,
            cleaned=cleaned,
            trigger_stream=trigger_stream,
            trigger=trigger,
            seconds=seconds,
            max_lag_s=max_lag,
        )
        _measure_delay(request, as_json=as_json)
        return
    from rtbold.preflight import examine_machine, worst_state

    steps = examine_machine(
        port=port, control_port=control_port, record=record, model=model
    )
    checks = run_checks(steps, status="checking, about five seconds")
    failed = worst_state(checks) == "fail"
    if as_json:
        rows = [{key: getattr(check, key) for key in KEYS} for check in checks]
        typer.echo(json.dumps({"ok": not failed, "checks": rows}, indent=2))
    else:
        print_table(checks)
    if failed:
        raise typer.Exit(1)


def _measure_delay(request: "DelayRequest", *, as_json: bool) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from rtbold.clock import MonotonicClock
    from rtbold.preflight import measure_delay

    # On standard error, so that --json leaves one object on standard output.
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("recording", total=request.seconds)
        estimate = measure_delay(
            request,
            MonotonicClock(),
            lambda done_s: progress.update(task, completed=done_s),
        )
    if as_json:
        typer.echo(json.dumps({"ok": True, "delay": asdict(estimate)}, indent=2))
    else:
        typer.echo(_delay_text(estimate))


def _delay_text(estimate: "DelayEstimate") -> str:
    if estimate.iqr_s is None or estimate.sd_s is None:
        spread = "spread unknown (one onset: start the scanner again to get another)"
    else:
        spread = (
            f"interquartile range {estimate.iqr_s * 1e3:.1f} ms, "
            f"sd {estimate.sd_s * 1e3:.1f} ms"
        )
    alike = (
        "onsets"
        if estimate.correlation is None
        else f"blocks (correlation {estimate.correlation:.2f})"
    )
    return (
        f"upstream delay {estimate.delay_s * 1e3:.1f} ms, {spread}, from "
        f"{estimate.n_used} of {estimate.n_seen} {alike}\n"
        f"Pass it on: rtbold run --upstream-delay-ms {estimate.delay_s * 1e3:.0f}"
    )
