"""Who may come in, and where things go: addresses, places, sockets of a bridge."""

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from rtbold.errors import ConfigError, PortInUse
from rtbold.publish import is_loopback

MOST_CLIENTS: Final = 100  # of one bridge at once
SEND_BUFFER_BYTES: Final = 32_768  # what the system keeps for a client that reads late
KEEPALIVE_S, KEEPALIVE_TRIES, UNANSWERED_MS = 1, 3, 5000

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def check_door(host: str, allow: Sequence[str]) -> tuple[Network, ...]:
    """Return who may connect; refuse to listen beyond this machine without a list.

    Raises
    ------
    ConfigError : `host` can be reached from elsewhere and nobody is named, or a name is
        no address.
    """
    networks = tuple(_network(each) for each in allow)
    if networks or is_loopback(host):
        return networks
    raise ConfigError(
        f"--bind {host} would show feedback to other machines without protection. "
        "Expected 127.0.0.1, or the machines that may connect as well: --allow "
        "192.168.0.7 (repeatable)."
    )


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ConfigError(
            f"--allow is {text!r}, expected an address such as 192.168.0.7, or a "
            f"network such as 192.168.0.0/24: {error}."
        ) from error


@dataclass(frozen=True, slots=True)
class Destination:
    """Where datagrams go."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, option: str) -> "Destination":
        """Read HOST:PORT.

        Raises
        ------
        ConfigError : it is none, or one that many machines would hear.
        """
        host, colon, port = text.rpartition(":")
        host = host.strip("[]")
        if not colon or not host or not _is_port(port):
            raise ConfigError(
                f"{option} is {text!r}, expected HOST:PORT such as 127.0.0.1:9000."
            )
        if _for_many(host):
            raise ConfigError(
                f"{option} {text} would send feedback to many machines at once. "
                "Expected the address of the one that shows it."
            )
        return cls(host, int(port))

    def __str__(self) -> str:
        """Return HOST:PORT."""
        return f"{self.host}:{self.port}"


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535


def _for_many(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "*"
    many = address.is_multicast or address.is_unspecified
    return many or str(address) == "255.255.255.255"


class Guest(Protocol):
    """A connection, as the door sees it."""

    def abort(self) -> None:
        """End it at once."""
        ...


class Door:
    """The places of one bridge; who has said nothing makes room first.

    Parameters
    ----------
    allow : who may connect; empty: this machine alone, by the bind.
    """

    def __init__(self, allow: Sequence[Network] = (), most: int = MOST_CLIENTS) -> None:
        self._allow, self._most = tuple(allow), most
        self._guests: dict[Guest, bool] = {}  # whether it has asked; oldest first
        self.n_refused = 0

    def __len__(self) -> int:
        return len(self._guests)

    def admit(self, guest: Guest, host: str) -> bool:
        """Take a new connection in, or end it; the oldest that never asked may go."""
        if not self._may(host):
            return self._refuse(guest)
        if len(self._guests) >= self._most:
            silent = next((g for g, asked in self._guests.items() if not asked), None)
            if silent is None:
                return self._refuse(guest)
            self.leave(silent)
            self._refuse(silent)
        self._guests[guest] = False
        return True

    def asked(self, guest: Guest) -> None:
        """Note that it has said what it wants."""
        if guest in self._guests:
            self._guests[guest] = True

    def leave(self, guest: Guest) -> None:
        """Note that it has gone."""
        self._guests.pop(guest, None)

    def _refuse(self, guest: Guest) -> bool:
        self.n_refused += 1
        guest.abort()
        return False

    def _may(self, host: str) -> bool:
        if not self._allow:
            return True
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return address.is_loopback or any(address in each for each in self._allow)


def listening(host: str, port: int, option: str) -> socket.socket:
    """Return a listening socket; it never moves on to another port.

    Raises
    ------
    PortInUse, ConfigError : it is taken, or no address of this machine.
    """
    plain = host.strip("[]")
    family = socket.AF_INET6 if ":" in plain else socket.AF_INET
    try:
        found = socket.create_server((plain, port), family=family, backlog=512)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} is in use ({host}:{port}): another bridge or another "
                f"program listens there. End it, or give {option} another one."
            ) from error
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error}. Expected an address of this "
            "machine, such as --bind 127.0.0.1."
        ) from error
    # connections inherit both: what waits for one that does not read stays small
    found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    found.setblocking(False)
    return found


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """Let the system notice a peer whose cable is out."""
    connection = transport.get_extra_info("socket")
    if connection is None:
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_S),
        ("TCP_KEEPINTVL", KEEPALIVE_S),
        ("TCP_KEEPCNT", KEEPALIVE_TRIES),
        ("TCP_USER_TIMEOUT", UNANSWERED_MS),
    ):
        if hasattr(socket, name):  # not each system has each
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def peer_of(transport: asyncio.BaseTransport) -> str:
    """Return the address of the other end; empty if it has gone."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else ""
