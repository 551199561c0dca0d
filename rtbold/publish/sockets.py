"""Listening sockets: address, port, keep-alive, keys; clear words when it fails."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import zmq

from rtbold.errors import ConfigError, PortInUse
from rtbold.io.curve import ServerKeys, check_bind, secure, start_gatekeeper
from rtbold.publish.wire import Encoding

if TYPE_CHECKING:
    from zmq.auth.thread import ThreadAuthenticator
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
