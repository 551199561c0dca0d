"""Listening sockets: address, port, keep-alive, keys; clear words when it fails."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import zmq
import zmq.auth

from rtbold.errors import ConfigError, PortInUse
from rtbold.owner_only import FILE_MODE, make_folder
from rtbold.publish.wire import Encoding

if TYPE_CHECKING:
    from zmq.auth.thread import ThreadAuthenticator


# CURVE keys: what a socket needs before it may leave this machine.
#
# A key folder holds ``server.key_secret`` (the publisher's pair) and ``clients/*.key``
# (public keys of those that may connect). `create_keys` makes such a folder.

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
                "rtbold.publish.create_keys."
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
    make_folder(clients)
    zmq.auth.create_certificates(folder, "server")
    for name in client_names:
        zmq.auth.create_certificates(clients, name)
    for key in folder.rglob("*.key*"):
        key.chmod(FILE_MODE)


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


HEARTBEAT_S = 0.5
SEND_HIGH_WATER = 100
LINGER_MS = 200
MOST_INCOMING_BYTES = 65536  # subscriptions and requests are small


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """Where and how the feed goes out; port 0 takes any free port."""

    bind: str = "127.0.0.1"
    port: int = 5580
    encoding: Encoding = "json"
    heartbeat_s: float = HEARTBEAT_S
    keys: ServerKeys | None = None  # needed beyond loopback
    port_option: str = "--port"  # what to name when the port is taken


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A listening socket and what it lives in."""

    context: "zmq.Context[zmq.Socket[bytes]]"
    socket: "zmq.Socket[bytes]"
    gatekeeper: "ThreadAuthenticator | None"

    @property
    def port(self) -> int:
        """The port that was bound, also when any free one was asked for."""
        return int(self.socket.get_string(zmq.LAST_ENDPOINT).rsplit(":", 1)[1])

    def close(self) -> None:
        """Close all of it; waits for unsent messages for LINGER_MS at most."""
        if self.gatekeeper is not None:
            self.gatekeeper.stop()
        self.context.destroy(linger=LINGER_MS)


def bind_socket(kind: int, settings: FeedSettings) -> Bound:
    """Return a socket with its keep-alive options, in a context of its own.

    Raises
    ------
    PortInUse, ConfigError : as for `Feed`.
    """
    check_bind(settings.bind, settings.keys)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    gatekeeper = start_gatekeeper(context, settings.keys) if settings.keys else None
    socket = context.socket(kind)
    _set_options(socket)
    if settings.keys is not None:
        secure(socket, settings.keys)
    bound = Bound(context, socket, gatekeeper)
    try:
        socket.bind(f"tcp://{settings.bind}:{settings.port or '*'}")
    except zmq.ZMQError as error:
        bound.close()
        raise _bind_error(error, settings) from error
    return bound


def _set_options(socket: "zmq.Socket[bytes]") -> None:
    """Set what has no effect after bind."""
    socket.set(zmq.SNDHWM, SEND_HIGH_WATER)
    socket.set(zmq.LINGER, LINGER_MS)
    socket.set(zmq.HEARTBEAT_IVL, 1000)
    socket.set(zmq.HEARTBEAT_TIMEOUT, 3000)
    socket.set(zmq.TCP_KEEPALIVE, 1)
    socket.set(zmq.MAXMSGSIZE, MOST_INCOMING_BYTES)
    if socket.type == zmq.XPUB:
        socket.set(zmq.XPUB_VERBOSE, 1)


def _bind_error(error: zmq.ZMQError, settings: FeedSettings) -> PortInUse | ConfigError:
    where = f"tcp://{settings.bind}:{settings.port}"
    if error.errno == zmq.EADDRINUSE:
        return PortInUse(
            f"port {settings.port} is in use ({where}): another rtbold or another "
            f"program listens there. End it, or give {settings.port_option} N and tell "
            "the subscribers."
        )
    return ConfigError(
        f"cannot listen on {where}: {error}. Expected an address of this machine, such "
        "as --bind 127.0.0.1."
    )
