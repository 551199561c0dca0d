"""CURVE keys: what a socket needs before it may leave this machine.

A key folder holds ``server.key_secret`` (the publisher's pair) and ``clients/*.key``
(public keys of those that may connect). `create_keys` makes such a folder.
"""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import zmq
import zmq.auth

from rtbold.errors import ConfigError

if TYPE_CHECKING:
    from zmq.auth.thread import ThreadAuthenticator

SERVER_FILE = "server.key_secret"
CLIENTS_FOLDER = "clients"
ZAP_DOMAIN = "rtbold"


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """The publisher's key pair and the folder of the clients that it admits."""

    public: bytes
    secret: bytes
    clients: Path

    @classmethod
    def load(cls, folder: Path) -> "ServerKeys":
        """Read a key folder.

        Raises
        ------
        ConfigError : no such folder, no secret key in it, or no client admitted.
        """
        file = folder / SERVER_FILE
        try:
            public, secret = zmq.auth.load_certificate(file)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"no CURVE keys in {folder}: {error}. Expected {SERVER_FILE} and "
                f"{CLIENTS_FOLDER}/*.key there; make them with "
                "rtbold.io.curve.create_keys."
            ) from error
        clients = folder / CLIENTS_FOLDER
        if secret is None or not any(clients.glob("*.key")):
            missing = "the secret key" if secret is None else f"{clients}/*.key"
            raise ConfigError(
                f"the key folder {folder} lacks {missing}, so nobody could connect."
            )
        return cls(public, secret, clients)


def create_keys(folder: Path, client_names: tuple[str, ...] = ("client",)) -> None:
    """Write a new server pair and one pair per client into `folder`.

    A client is given its own ``clients/NAME.key_secret`` and ``server.key``, and
    nothing else. Files that exist are not overwritten.

    Raises
    ------
    ConfigError : there are keys already.
    """
    if (folder / SERVER_FILE).exists():
        raise ConfigError(f"{folder} holds keys already; give an empty folder.")
    clients = folder / CLIENTS_FOLDER
    clients.mkdir(parents=True, exist_ok=True)
    zmq.auth.create_certificates(folder, "server")
    for name in client_names:
        zmq.auth.create_certificates(clients, name)
    for secret in folder.rglob("*.key_secret"):
        secret.chmod(0o600)


def check_bind(host: str, keys: ServerKeys | None) -> None:
    """Raise ConfigError if `host` is reachable from elsewhere and there are no keys."""
    if keys is not None or _is_loopback(host):
        return
    raise ConfigError(
        f"--bind {host} would show the feed to other machines without protection. "
        "Expected 127.0.0.1, or CURVE keys as well: --curve-keys FOLDER."
    )


def secure(socket: "zmq.Socket[bytes]", keys: ServerKeys) -> None:
    """Make `socket` a CURVE server; call it before bind."""
    socket.curve_server = True
    socket.curve_publickey = keys.public
    socket.curve_secretkey = keys.secret
    # without these two, a missing gatekeeper would admit everybody
    socket.set(zmq.ZAP_DOMAIN, ZAP_DOMAIN.encode())
    socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)


def start_gatekeeper(
    context: "zmq.Context[zmq.Socket[bytes]]", keys: ServerKeys
) -> "ThreadAuthenticator":
    """Start the thread that admits only the clients in the key folder."""
    from zmq.auth.thread import ThreadAuthenticator  # late: it pulls in asyncio

    gatekeeper = ThreadAuthenticator(context)
    gatekeeper.start()
    gatekeeper.configure_curve(domain=ZAP_DOMAIN, location=keys.clients)
    return gatekeeper


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"  # any other name, and "*", may be anywhere
