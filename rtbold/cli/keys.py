"""`rtbold keys`: CURVE keys for a feed beyond this machine."""

import re
from pathlib import Path
from typing import Annotated

import typer


def keys(
    folder: Annotated[Path, typer.Argument(help="Key folder, new or with keys in it.")],
    client: Annotated[
        list[str], typer.Option(help="Name of a client that may connect; repeatable.")
    ],
) -> None:
    """Make the CURVE keys without which a feed does not leave this machine.

    Example: rtbold keys keys --client dashboard --client tablet
    """
    from rtbold.errors import ConfigError
    from rtbold.publish import CLIENTS_FOLDER, add_clients, create_keys

    for name in client:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name):
            raise ConfigError(
                f"--client is {name!r}, expected letters, digits, - and _: it names "
                "files."
            )
    names = tuple(dict.fromkeys(client))
    if any(folder.glob("*.key_secret")):
        add_clients(folder, names)
    else:
        create_keys(folder, names)
    typer.echo(f"rtbold run --bind ADDRESS --curve-keys {folder}")
    for name in names:
        secret = folder / CLIENTS_FOLDER / f"{name}.key_secret"
        typer.echo(f"for {name}: {secret} and {folder / 'server.key'}, nothing else")
