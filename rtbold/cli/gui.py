"""``rtbold gui``: the dashboard of an operator."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rtbold.gui import Address

THEMES = ("dark", "light")
FORMS = ("thermometer", "circle", "trace")


def gui(
    connect: Annotated[
        str | None,
        typer.Option(help="Join the session that publishes at tcp://HOST:5580."),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(help="Its control socket [as the session says]."),
    ] = None,
    keys_secret: Annotated[
        Path | None,
        typer.Option(help="This machine's NAME.key_secret, for a session elsewhere."),
    ] = None,
    server_key: Annotated[
        Path | None, typer.Option(help="The server.key of that session.")
    ] = None,
    theme: Annotated[
        str | None, typer.Option(help="dark or light [as last time].")
    ] = None,
    text_scale: Annotated[
        float | None, typer.Option(help="Size of text, 0.7 to 2 [as last time].")
    ] = None,
    participant: Annotated[
        str | None,
        typer.Option(
            help="Open the participant's window: thermometer, circle or trace."
        ),
    ] = None,
    close_quietly: Annotated[
        bool,  # whoever started this window ends the session itself
        typer.Option("--close-quietly", hidden=True),
    ] = False,
) -> None:
    """Open the dashboard: set up a session, start it, watch it; or join a running one.

    It reads the public feed as any subscriber does; closing it leaves the session
    running unless you say otherwise.

    Example: rtbold gui --connect tcp://192.168.0.5:5580 --theme light
    """
    from rtbold.cli.process import why_no_window
    from rtbold.config import check_range
    from rtbold.errors import RtboldError

    _check_choice("--theme", theme, THEMES)
    _check_choice("--participant", participant, FORMS)
    if text_scale is not None:
        check_range("--text-scale", text_scale, 0.7, 2.0)
    address = _address(connect, control, secret=keys_secret, server=server_key)
    if (trouble := why_no_window()) is not None:
        raise RtboldError(trouble)
    from rtbold.gui import AppOptions, run

    options = AppOptions(
        address=address,
        theme=theme,
        text_scale=text_scale,
        participant=participant,
        close_quietly=close_quietly,
    )
    raise typer.Exit(run(options))


def _address(
    connect: str | None,
    control: str | None,
    *,
    secret: Path | None,
    server: Path | None,
) -> "Address | None":
    from rtbold.errors import ConfigError
    from rtbold.gui import parse_address

    if connect is None:
        if control or secret or server:
            raise ConfigError(
                "--control, --keys-secret and --server-key came without --connect. Say "
                "which session they are for: --connect tcp://HOST:5580"
            )
        return None
    files = {"secret_file": str(secret or ""), "server_file": str(server or "")}
    try:
        return parse_address(connect, control or "", **files)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _check_choice(option: str, value: str | None, choices: tuple[str, ...]) -> None:
    from rtbold.errors import ConfigError

    if value is not None and value not in choices:
        raise ConfigError(
            f"{option} is {value!r}, expected one of {', '.join(choices)}"
        )
