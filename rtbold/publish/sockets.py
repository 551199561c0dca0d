"""Listening sockets: address, port, keep-alive, and an end to each connection at will.

libzmq tells of each connection that comes and goes (a monitor), and with each frame on
which of them it came. So one client can be cut off while the others notice nothing.
"""

import ipaddress
import math
import socket as system_socket
import struct
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import zmq

from rtbold.errors import ConfigError, PortInUse
from rtbold.publish.guests import NOBODY, Guests, Places
from rtbold.publish.keys import Gatekeeper, ServerKeys, secure
from rtbold.publish.wire import Encoding

HEARTBEAT_S = 0.5
SEND_HIGH_WATER = 100
# Frames of one connection that wait for us; more wait at the sender. Few: libzmq puts
# all that wait into its tree of prefixes before our thread can look at the first.
RECEIVE_HIGH_WATER = 2
LINGER_MS = 200
HANDSHAKE_MS = 5000  # a connection that says nothing holds a place no longer
# A larger frame ends its connection. CURVE's handshake has one of 300 to 500 bytes.
MOST_SUBSCRIPTION_BYTES, MOST_CURVE_BYTES = 256, 1024
MOST_REQUEST_BYTES = 16_384  # the longest text takes 12,000
WEIGHED_EVERY_S = 0.1
TCP_RECEIVED = slice(128, 136)  # tcpi_bytes_received of Linux's struct tcp_info
COMES_AND_GOES = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """Where and how the feed goes out; port 0 takes any free port."""

    bind: str = "127.0.0.1"
    port: int = 5580
    encoding: Encoding = "json"
    heartbeat_s: float = HEARTBEAT_S
    keys: ServerKeys | None = None  # needed beyond loopback
    port_option: str = "--port"  # what to name when the port is taken


@dataclass(frozen=True, slots=True)
class Arrival:
    """One frame, or one message, and who sent it."""

    frames: tuple[bytes, ...]
    sender: int  # number of the connection; `NOBODY` if it is not known
    key: str  # its CURVE key, empty where there are none


@dataclass(slots=True, eq=False)
class Bound:
    """A listening socket, what it lives in, and who is connected to it.

    One thread uses it, but `close` is for whoever opened it, after that thread.
    """

    context: "zmq.Context[zmq.Socket[bytes]]"
    socket: "zmq.Socket[bytes]"
    monitor: "zmq.Socket[bytes]"
    gatekeeper: Gatekeeper | None
    guests: Guests
    _weigh_at_s: float = -math.inf

    @property
    def port(self) -> int:
        """The port that was bound, also when any free one was asked for."""
        return int(self.socket.get_string(zmq.LAST_ENDPOINT).rsplit(":", 1)[1])

    def arrivals(
        self, most_n: int, now_s: float, *, whole: bool = False
    ) -> list[Arrival]:
        """Return what has come, at most `most_n` frames, or messages if `whole`.

        It also notes who came and went, and ends what may not stay.
        """
        found = list(_received(self.socket, most_n, whole=whole))
        self._look_around()  # after it: a sender came before what it sent
        if now_s >= self._weigh_at_s:
            self._weigh_at_s = now_s + WEIGHED_EVERY_S
            for number in self.guests.numbers:
                self.cut(self.guests.received(number, _n_bytes(number), now_s))
        return found

    def _look_around(self) -> None:
        """Note who came and went; cut off whom there is no place for."""
        for event, number in _events(self.monitor):
            if event == zmq.EVENT_ACCEPTED:
                self.cut(self.guests.came(number))
            else:
                self.guests.left(number)
        if self.gatekeeper is not None:
            self.cut(self.guests.without_a_key(self.gatekeeper.admitted))

    def cut(self, numbers: Sequence[int]) -> None:
        """End these connections; what libzmq holds for them goes with them."""
        if not numbers:
            return
        port = self.port
        for number in numbers:
            _shut(number, port)

    def stop_listening(self) -> None:
        """Close the socket; for the thread that uses it, as the last thing it does."""
        self.socket.monitor(None, 0)  # first: libzmq waits for a monitor that is gone
        self.monitor.close(linger=0)
        self.socket.close(linger=LINGER_MS)

    def close(self) -> None:
        """Close all of it; waits for unsent messages for LINGER_MS at most."""
        if self.gatekeeper is not None:
            self.gatekeeper.close()
        self.context.destroy(linger=LINGER_MS)


def bind_socket(
    kind: int, settings: FeedSettings, *, places: Places
) -> Bound:
    """Return a socket with its keep-alive options, in a context of its own.

    Raises
    ------
    PortInUse, ConfigError : as for `Feed`.
    """
    check_bind(settings.bind, settings.keys)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    gatekeeper = Gatekeeper(context, settings.keys) if settings.keys else None
    socket = context.socket(kind)
    _set_options(socket, keys=settings.keys)
    monitor = _watched(context, socket)
    bound = Bound(context, socket, monitor, gatekeeper, Guests(places))
    try:
        socket.bind(f"tcp://{settings.bind}:{settings.port or '*'}")
    except zmq.ZMQError as error:
        bound.stop_listening()
        bound.close()
        raise _bind_error(error, settings) from error
    return bound


def check_bind(host: str, keys: ServerKeys | None) -> None:
    """Raise ConfigError if `host` is reachable from elsewhere and there are no keys."""
    if keys is not None or _is_loopback(host):
        return
    raise ConfigError(
        f"--bind {host} would show the feed to other machines without protection. "
        "Expected 127.0.0.1, or CURVE keys as well: --curve-keys FOLDER."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"  # any other name, and "*", may be anywhere


def _set_options(socket: "zmq.Socket[bytes]", *, keys: ServerKeys | None) -> None:
    """Set what has no effect after bind."""
    socket.set(zmq.SNDHWM, SEND_HIGH_WATER)
    socket.set(zmq.RCVHWM, RECEIVE_HIGH_WATER)
    socket.set(zmq.LINGER, LINGER_MS)
    socket.set(zmq.HEARTBEAT_IVL, 1000)
    socket.set(zmq.HEARTBEAT_TIMEOUT, 3000)
    socket.set(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.set(zmq.TCP_KEEPALIVE, 1)
    if socket.type == zmq.XPUB:
        socket.set(zmq.XPUB_VERBOSER, 1)  # each (un)subscription, of each connection
        largest = MOST_CURVE_BYTES if keys else MOST_SUBSCRIPTION_BYTES
    else:
        largest = MOST_REQUEST_BYTES
    socket.set(zmq.MAXMSGSIZE, largest)
    if keys is not None:
        secure(socket, keys)


def _watched(
    context: "zmq.Context[zmq.Socket[bytes]]", socket: "zmq.Socket[bytes]"
) -> "zmq.Socket[bytes]":
    """Return where libzmq tells of connections.

    Without a bound: a full monitor would stop libzmq's own thread. It is emptied at
    each turn.
    """
    address = f"inproc://monitor-{uuid.uuid4().hex}"
    socket.monitor(address, COMES_AND_GOES)
    monitor = context.socket(zmq.PAIR)
    monitor.set(zmq.RCVHWM, 0)
    monitor.set(zmq.LINGER, 0)
    monitor.connect(address)
    return monitor


def _events(monitor: "zmq.Socket[bytes]") -> Iterator[tuple[int, int]]:
    """Yield (event, number of the connection) for all that has happened."""
    while True:
        try:
            told, *_ = monitor.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        yield struct.unpack("=HI", told)


def _received(
    socket: "zmq.Socket[bytes]", most_n: int, *, whole: bool
) -> Iterator[Arrival]:
    for _ in range(most_n):
        try:
            frames = (
                socket.recv_multipart(zmq.NOBLOCK, copy=False)
                if whole
                else [socket.recv(zmq.NOBLOCK, copy=False)]
            )
        except zmq.Again:
            return
        last = frames[-1]
        yield Arrival(tuple(frame.bytes for frame in frames), *_sender(last))


def _sender(frame: zmq.Frame) -> tuple[int, str]:
    """Return the connection that a frame came on, and its key."""
    try:
        number = int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:  # libzmq's own word for a connection that has ended
        return NOBODY, ""
    try:
        return number, str(frame.get("User-Id"))
    except zmq.ZMQError:
        return number, ""


def _n_bytes(number: int) -> int:
    """Return how many bytes have come on a connection; 0 where that is not known.

    Only Linux is asked.
    """
    if sys.platform != "linux" or number < 0:
        return 0
    try:
        connection = system_socket.socket(
            system_socket.AF_INET, system_socket.SOCK_STREAM, fileno=number
        )
    except OSError:
        return 0
    try:
        told = connection.getsockopt(
            system_socket.IPPROTO_TCP, system_socket.TCP_INFO, TCP_RECEIVED.stop
        )
    except OSError:  # no TCP connection any more
        return 0
    finally:
        connection.detach()  # it stays libzmq's
    return int.from_bytes(told[TCP_RECEIVED], sys.byteorder)


def _shut(number: int, port: int) -> None:
    """End a connection; libzmq, whose it is, sees that it has ended and clears up.

    The number may be another connection's by now. Only one to our own port is ended: a
    client that is cut by mistake connects again.
    """
    try:
        connection = system_socket.socket(fileno=number)
    except OSError:  # it is closed already, or is no socket
        return
    try:
        if connection.getsockname()[1] == port:
            connection.shutdown(system_socket.SHUT_RDWR)
    except (OSError, IndexError):
        pass  # its other end has gone
    finally:
        connection.detach()  # it stays libzmq's


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
