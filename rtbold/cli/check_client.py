"""`rtbold check-client`: what an author's client does wrong."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rtbold.bridge import AckServer, Shown
    from rtbold.sim import FakeSettings

SCENARIOS = ("normal", "gap", "restart", "scanner-stop")


def check_client(
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="What to play; repeatable [all but sham]."),
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the feed.")] = 5580,
    control_port: Annotated[int, typer.Option(help="Port of the control socket.")] = (
        5581
    ),
    ack_port: Annotated[
        int, typer.Option(help="Port that your client acknowledges to.")
    ] = 5582,
    websocket: Annotated[
        int | None, typer.Option(help="Port of a WebSocket of the same feed.")
    ] = None,
    speed: Annotated[float, typer.Option(help="2 plays twice as fast.")] = 1.0,
    grace: Annotated[
        float, typer.Option(help="Seconds that your client may be late.")
    ] = 0.5,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for your client.")
    ] = 60.0,
) -> None:
    """Play sessions to a client, and say what it showed that it should not have.

    Example: rtbold check-client --scenario gap
    """
    import contextlib

    from rtbold.bridge import AckServer, Judge, report
    from rtbold.cli.process import child
    from rtbold.config import check_range
    from rtbold.sim import FakeSettings, as_scenario

    check_range("--speed", speed, 0.1, 20)
    check_range("--grace", grace, 0.05, 10)
    check_range("--wait", wait, 0, 3600)
    for option, given in (("--port", port), ("--control-port", control_port)):
        check_range(option, given, 1, 65535)
    named = [
        as_scenario(each) for each in scenario or SCENARIOS
    ]  # before anybody waits
    played = [
        FakeSettings(scenario=each, port=port, control_port=control_port, speed=speed)
        for each in named
    ]
    judge, begun_s = Judge(grace), time.monotonic()
    told: list[str] = []
    server = AckServer(
        ack_port,
        take=lambda ack: judge.acknowledge(ack, time.monotonic()),
        refuse=told.append,
    )
    with contextlib.ExitStack() as stack:
        stack.callback(server.close)
        address = f"tcp://127.0.0.1:{port}"
        if websocket is not None:
            words = ["--connect", address, "--websocket", str(websocket)]
            stack.enter_context(child("bridge", words))
        _wait_for_client(server, address, wait)
        _play(played, address, judge.expect)
    for line in dict.fromkeys(told):
        typer.echo(f"no acknowledgement: {line}", err=True)
    findings = judge.findings()
    for line in report(findings, n_acks=judge.n_acks, begun_s=begun_s):
        typer.echo(line)
    raise typer.Exit(1 if findings else 0)


def _wait_for_client(server: "AckServer", address: str, wait_s: float) -> None:
    typer.echo(
        f"start your client now: the feed is {address}, acknowledge to TCP port "
        f"{server.port}",
        err=True,
    )
    server.connected.wait(wait_s)


def _play(
    played: "list[FakeSettings]",
    address: str,
    expect: "Callable[[Shown, float], None]",
) -> None:
    """Play the scenarios, and let the reference read them meanwhile."""
    import threading

    from rtbold.bridge import Reader
    from rtbold.client import Subscriber
    from rtbold.clock import MonotonicClock
    from rtbold.sim import run_fake

    failed: list[Exception] = []

    def play() -> None:
        try:
            for settings in played:
                typer.echo(f"playing {settings.scenario}", err=True)
                run_fake(
                    settings,
                    MonotonicClock(),
                    now_unix_s=time.time,
                    say=lambda _: None,
                )
        except Exception as error:  # raised again in the thread that waits
            failed.append(error)

    thread = threading.Thread(target=play, daemon=True)
    with Subscriber(address, ("pred.fb", "hello", "bye")) as feed:
        reader = Reader(feed)
        thread.start()
        while thread.is_alive():
            now_s = time.monotonic()
            expect(reader.turn(0.02, now_s).shown, now_s)
    if failed:
        raise failed[0]
