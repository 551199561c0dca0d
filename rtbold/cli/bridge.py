"""`rtbold bridge`: the feed for what speaks no ZMQ."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rtbold.client import CurveKeys


def bridge(
    connect: Annotated[
        str, typer.Option(help="Address of the feed.")
    ] = "tcp://127.0.0.1:5580",
    websocket: Annotated[
        int | None,
        typer.Option(help="Port of a page for the browser, and of its WebSocket."),
    ] = None,
    murfi: Annotated[
        int | None, typer.Option(help="Port that answers queries as MURFI does.")
    ] = None,
    lines: Annotated[
        int | None, typer.Option(help="TCP port that writes JSON, one object a line.")
    ] = None,
    osc: Annotated[
        str | None, typer.Option(help="HOST:PORT that OSC messages are sent to.")
    ] = None,
    udp: Annotated[
        str | None, typer.Option(help="HOST:PORT that a float32 per value is sent to.")
    ] = None,
    bind: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    allow: Annotated[
        list[str] | None,
        typer.Option(help="Machine or network that may connect; needed beyond this."),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(help="Origin whose pages may use the WebSocket; repeatable."),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="HTML file to serve instead of ours.")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="What MURFI tasks call a ROI: THEIRS=OURS; repeatable."),
    ] = None,
    quantity: Annotated[
        str, typer.Option(help="murfi, udp: z (against the baseline), value or shown.")
    ] = "z",
    neutral: Annotated[
        str,
        typer.Option(
            help="murfi, udp: number sent when nothing may be shown, or nothing."
        ),
    ] = "0",
    encoding: Annotated[
        str, typer.Option(help="What the feed speaks: json or msgpack.")
    ] = "json",
    keys_secret: Annotated[
        Path | None, typer.Option(help="This client's NAME.key_secret.")
    ] = None,
    server_key: Annotated[
        Path | None, typer.Option(help="The publisher's server.key.")
    ] = None,
) -> None:
    """Pass a feed on to browsers, MURFI tasks, TCP, OSC and UDP.

    Example: rtbold bridge --websocket 5590 --murfi 15001
    """
    import signal

    from rtbold.bridge import BridgeSettings, Destination, NumberChoice, run_bridge
    from rtbold.clock import MonotonicClock
    from rtbold.config import check_range
    from rtbold.distribution import need

    for option, port in (
        ("--websocket", websocket), ("--murfi", murfi), ("--lines", lines),
    ):  # fmt: skip
        check_range(option, port, 0, 65535)
    if websocket is not None:
        need("websockets", extra="feedback", purpose="--websocket")
    if osc is not None:
        need("pythonosc", extra="feedback", purpose="--osc")
    settings = BridgeSettings(
        connect=connect,
        websocket=websocket,
        murfi=murfi,
        lines=lines,
        osc=Destination.parse(osc, "--osc") if osc is not None else None,
        udp=Destination.parse(udp, "--udp") if udp is not None else None,
        bind=bind,
        allow=tuple(allow or ()),
        origins=tuple(origin or ()),
        page=page,
        names=dict(_pair(each) for each in name or ()),
        numbers=NumberChoice.parse(quantity, neutral),
        encoding=encoding,
        keys=_keys(keys_secret, server_key),
    )
    for number in (signal.SIGINT, signal.SIGTERM):  # one way to end, in any shell
        signal.signal(number, signal.default_int_handler)
    ended = run_bridge(
        settings, MonotonicClock(), say=lambda text: typer.echo(text, err=True)
    )
    typer.echo(ended, err=True)


def _pair(text: str) -> tuple[str, str]:
    from rtbold.errors import ConfigError

    theirs, equals, ours = (part.strip() for part in text.partition("="))
    if not (theirs and equals and ours):
        raise ConfigError(f"--name is {text!r}, expected THEIRS=OURS such as cen=V1.")
    return theirs, ours


def _keys(secret: Path | None, server: Path | None) -> "CurveKeys | None":
    from rtbold.client import CurveKeys
    from rtbold.errors import ConfigError

    if secret is None and server is None:
        return None
    if secret is None or server is None:
        raise ConfigError(
            "--keys-secret and --server-key belong together, and one was given. "
            "Expected both, or neither."
        )
    try:
        return CurveKeys.load(str(secret), str(server))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the keys cannot be used: {error}. Expected NAME.key_secret and "
            "server.key."
        ) from error
