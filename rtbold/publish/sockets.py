"""Listening sockets: address, port, keep-alive, and an end to each connection at will.

libzmq tells of each connection that comes and goes (a monitor), and with each frame on
which of them it came. So one client can be cut off while the others notice nothing.
"""

import ipaddress
import socket as system_socket
import struct
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

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
RECEIVE_BUFFER_BYTES = 8192
# The system, not libzmq, notices a dead peer: a heartbeat of libzmq 4.3.5 on a
# connection that is held back, and has ended meanwhile, aborts the process (its issue
# 4841). Heartbeats of clients are answered.
KEEPALIVE_S, KEEPALIVE_TRIES, UNANSWERED_MS = 1, 3, 5000
LINGER_MS = 200
HANDSHAKE_MS = 5000  # a connection that says nothing holds a place no longer
# A larger frame ends its connection. CURVE's handshake has one of 300 to 500 bytes.
MOST_SUBSCRIPTION_BYTES, MOST_CURVE_BYTES = 256, 1024
MOST_REQUEST_BYTES = 16_384  # the longest text takes 12,000
GUARD_S, GUARD_BUSY_S = 0.1, 0.01  # between two looks; where something is going on
BUSY_LOOKS, BUSY_BYTES = 200, 4096
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


class Bound:
    """A listening socket, what it lives in, and who is connected to it.

    One thread uses the socket; `close` is for whoever opened it, after that thread. A
    guard in a thread of its own looks at the connections: the other one may be held up
    inside libzmq for as long as somebody floods it.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        socket: "zmq.Socket[bytes]",
        gatekeeper: Gatekeeper | None,
        *,
        places: Places,
    ) -> None:
        self.context = context
        self.socket = socket
        self._gatekeeper = gatekeeper
        self._guests = Guests(places)
        self._monitor = _watched(context, socket)
        self._lock = threading.Lock()  # of guests and monitor
        self._closing = threading.Event()
        self._port = 0
        self._guard = threading.Thread(
            target=self._watch, name="rtbold-guard", daemon=True
        )

    def listen(self, address: str) -> None:
        """Bind to `address`, and begin to guard it."""
        self.socket.bind(address)
        endpoint = self.socket.get_string(zmq.LAST_ENDPOINT)
        self._port = int(endpoint.rsplit(":", 1)[1])
        self._guard.start()

    @property
    def port(self) -> int:
        """The port that was bound, also when any free one was asked for."""
        return self._port

    @property
    def n_cut(self) -> int:
        """How many connections were cut off."""
        return self._guests.n_cut

    @property
    def n_silent(self) -> int:
        """How many ended before they asked for anything."""
        return self._guests.n_silent

    @property
    def prefixes(self) -> frozenset[str]:
        """What is subscribed to, of topics."""
        return self._guests.prefixes

    def received(self, most_n: int, *, whole: bool = False) -> list[Arrival]:
        """Return what has come, at most `most_n` frames, or messages if `whole`."""
        return list(_received(self.socket, most_n, whole=whole))

    def asked(self, arrival: Arrival, now_s: float) -> None:
        """Note a subscriber's frame; cut off who asks too much."""
        (frame,) = arrival.frames
        with self._lock:
            self._look_around()  # a sender came before what it sent
            self._cut(self._guests.asked(arrival.sender, frame, now_s, key=arrival.key))

    def requested(
        self, arrival: Arrival, now_s: float
    ) -> Literal["serve", "refuse"] | None:
        """Note a request; return what to do with it, None: nothing, its sender goes."""
        with self._lock:
            self._look_around()
            sender = arrival.sender
            verdict = self._guests.requested(sender, now_s, key=arrival.key)
            if verdict == "cut":
                self._cut(self._guests.cut(sender))
        return verdict if verdict in ("serve", "refuse") else None

    def cut(self, number: int) -> None:
        """End a connection; what libzmq holds for it goes with it."""
        with self._lock:
            self._cut(self._guests.cut(number))

    def stop_listening(self) -> None:
        """Close the socket; for the thread that uses it, as the last thing it does."""
        self._closing.set()
        if self._guard.is_alive():
            self._guard.join()
        self.socket.monitor(None, 0)  # first: libzmq waits for a monitor that is gone
        self._monitor.close(linger=0)
        self.socket.close(linger=LINGER_MS)

    def close(self) -> None:
        """Close all of it; waits for unsent messages for LINGER_MS at most."""
        if self._gatekeeper is not None:
            self._gatekeeper.close()
        self.context.destroy(linger=LINGER_MS)

    # The guard.

    def _watch(self) -> None:
        busy, wait_s, now_s = BUSY_LOOKS, GUARD_BUSY_S, 0.0
        while not self._closing.wait(wait_s):
            now_s += wait_s  # at most as much as has passed
            with self._lock:
                if self._look_around() or self._weigh(now_s) > BUSY_BYTES:
                    busy = BUSY_LOOKS
            busy = max(busy - 1, 0)
            wait_s = GUARD_BUSY_S if busy else GUARD_S

    def _look_around(self) -> int:
        """Note who came and went; end what may not stay. Return how many there were."""
        n = 0
        for event, number in _events(self._monitor):
            n += 1
            if event == zmq.EVENT_ACCEPTED:
                self._cut(self._guests.came(number))
            else:
                self._guests.left(number)
        if self._gatekeeper is not None:
            self._cut(self._guests.without_a_key(self._gatekeeper.admitted))
        return n

    def _weigh(self, now_s: float) -> int:
        """Cut off who has sent too much; return the bytes that are new."""
        n_bytes = 0
        for number in self._guests.numbers:
            n_all = _n_bytes(number)
            n_bytes += self._guests.new_bytes(number, n_all)
            self._cut(self._guests.received(number, n_all, now_s))
        return n_bytes

    def _cut(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            _shut(number, self._port)


def bind_socket(kind: int, settings: FeedSettings, *, places: Places) -> Bound:
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
    bound = Bound(context, socket, gatekeeper, places=places)
    try:
        bound.listen(f"tcp://{settings.bind}:{settings.port or '*'}")
    except zmq.ZMQError as error:
        bound.stop_listening()
        bound.close()
        raise _bind_error(error, settings) from error
    return bound


def check_bind(host: str, keys: ServerKeys | None) -> None:
    """Raise ConfigError if `host` is reachable from elsewhere and there are no keys."""
    if keys is not None or is_loopback(host):
        return
    raise ConfigError(
        f"--bind {host} would show the feed to other machines without protection. "
        "Expected 127.0.0.1, or CURVE keys as well: --curve-keys FOLDER."
    )


def is_loopback(host: str) -> bool:
    """Return whether nobody but this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"  # any other name, and "*", may be anywhere


def _set_options(socket: "zmq.Socket[bytes]", *, keys: ServerKeys | None) -> None:
    """Set what has no effect after bind."""
    socket.set(zmq.SNDHWM, SEND_HIGH_WATER)
    socket.set(zmq.RCVHWM, RECEIVE_HIGH_WATER)
    socket.set(zmq.RCVBUF, RECEIVE_BUFFER_BYTES)
    socket.set(zmq.LINGER, LINGER_MS)
    socket.set(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.set(zmq.TCP_KEEPALIVE, 1)
    socket.set(zmq.TCP_KEEPALIVE_IDLE, KEEPALIVE_S)
    socket.set(zmq.TCP_KEEPALIVE_INTVL, KEEPALIVE_S)
    socket.set(zmq.TCP_KEEPALIVE_CNT, KEEPALIVE_TRIES)
    socket.set(zmq.TCP_MAXRT, UNANSWERED_MS)
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
