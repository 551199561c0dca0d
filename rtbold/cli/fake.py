"""`rtbold fake`: a feed with scripted values."""

from pathlib import Path
from typing import Annotated

import typer


def fake(
    script: Annotated[
        Path | None,
        typer.Option(help="CSV with t_s,value,status; default: a slow sine."),
    ] = None,
    bind: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the feed; 0: any.")] = 5580,
    control_port: Annotated[
        int, typer.Option(help="Port of the control socket; 0: any.")
    ] = 5581,
    speed: Annotated[float, typer.Option(help="60 plays an hour in a minute.")] = 1.0,
    duration: Annotated[
        float | None, typer.Option(help="Seconds until the end; default: the script's.")
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Repeat the script.")] = False,
) -> None:
    """Publish scripted predictions, so that an app can be written without EEG.

    Example: rtbold fake --script session.csv --speed 2
    """
    from rtbold.config import check_range
    from rtbold.sim.fake_run import FakeSettings, run_fake

    check_range("--speed", speed, 0.01, 1000)
    check_range("--duration", duration, 0, 7 * 86400)
    check_range("--port", port, 0, 65535)
    check_range("--control-port", control_port, 0, 65535)
    settings = FakeSettings(
        script=script,
        bind=bind,
        port=port,
        control_port=control_port,
        speed=speed,
        duration_s=duration,
        loop=loop,
    )
    n_played = run_fake(settings, say=lambda text: typer.echo(text, err=True))
    typer.echo(f"published {n_played} predictions", err=True)
