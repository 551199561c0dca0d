"""`rtbold fake`: a feed with scripted values."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rtbold.sim import FakeSettings

SCENES = "ok, degraded, invalid, warmup, waiting, paused, stalled, silent, drowsy"
SCENARIOS = "normal, gap, restart, scanner-stop, sham"


def fake(
    script: Annotated[
        Path | None,
        typer.Option(help="CSV with t_s,value,status; default: a slow wave."),
    ] = None,
    scene: Annotated[
        str | None, typer.Option(help=f"Hold one state instead: {SCENES}.")
    ] = None,
    scene_after: Annotated[
        float | None,
        typer.Option(help="Seconds of the script that are well before the scene."),
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(help=f"Play one short session: {SCENARIOS}.")
    ] = None,
    rois: Annotated[int, typer.Option(help="Number of ROIs, 1 to 64.")] = 64,
    channels: Annotated[int, typer.Option(help="Size of the cap: 19, 26, 64.")] = 19,
    target: Annotated[
        str | None, typer.Option(help="ROI that is fed back [the first].")
    ] = None,
    truth: Annotated[
        bool, typer.Option("--truth/--no-truth", help="Measured BOLD, one TR late.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Another seed: other waves, EEG.")] = 0,
    bind: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the feed; 0: any.")] = 5580,
    control_port: Annotated[
        int, typer.Option(help="Port of the control socket; 0: any.")
    ] = 5581,
    encoding: Annotated[str, typer.Option(help="json or msgpack.")] = "json",
    speed: Annotated[float, typer.Option(help="60 plays an hour in a minute.")] = 1.0,
    duration: Annotated[
        float | None, typer.Option(help="Seconds until the end; default: the script's.")
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Repeat the script.")] = False,
    lsl: Annotated[
        bool, typer.Option("--lsl", help="Send the LSL streams of a session too.")
    ] = False,
    websocket: Annotated[
        int | None,
        typer.Option(
            help="Port of a page for the browser (`rtbold bridge` beside it)."
        ),
    ] = None,
) -> None:
    """Publish scripted predictions, so that an app can be written without EEG.

    Example: rtbold fake --script session.csv --speed 2
    """
    import contextlib
    import time

    from rtbold.cli.process import child
    from rtbold.clock import Clock, MonotonicClock
    from rtbold.config import check_range
    from rtbold.sim import FakeSettings, run_fake

    check_range("--speed", speed, 0.01, 1000)
    check_range("--duration", duration, 0, 7 * 86400)
    check_range("--scene-after", scene_after, 0, 7 * 86400)
    check_range("--seed", seed, 0, 2**31)
    check_range("--port", port, 0, 65535)
    check_range("--control-port", control_port, 0, 65535)
    settings = FakeSettings(
        script=script,
        scene=scene,
        scene_after_s=scene_after,
        scenario=scenario,
        n_rois=rois,
        n_channels=channels,
        target=target,
        truth=truth,
        seed=seed,
        bind=bind,
        port=port,
        control_port=control_port,
        encoding=encoding,
        speed=speed,
        duration_s=duration,
        loop=loop,
        lsl=lsl,
    )
    clock: Clock = MonotonicClock()
    if lsl:
        from rtbold.acquire import LslClock

        clock = LslClock()  # its streams are stamped by it
    with contextlib.ExitStack() as beside:
        if websocket is not None:
            check_range("--websocket", websocket, 0, 65535)
            words = _bridge_words(settings, websocket)
            beside.enter_context(child("bridge", words))
        played = run_fake(
            settings,
            clock,
            now_unix_s=time.time,
            say=lambda text: typer.echo(text, err=True),
        )
    typer.echo(str(played), err=True)


def _bridge_words(settings: "FakeSettings", websocket: int) -> list[str]:
    from rtbold.distribution import need
    from rtbold.errors import ConfigError

    need("websockets", extra="feedback", purpose="--websocket")
    if not settings.port:
        raise ConfigError(
            "--websocket came with --port 0, expected a port of the feed: the bridge "
            "is told it before the feed opens."
        )
    address = f"tcp://{settings.bind}:{settings.port}"
    words = ["--connect", address, "--encoding", settings.encoding]
    return [*words, "--websocket", str(websocket)]
