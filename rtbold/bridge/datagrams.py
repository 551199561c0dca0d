"""OSC and UDP: numbers sent to one address, without an answer.

OSC says what may be shown in words, twice a second and at each change. The plain UDP
datagram is 4 bytes, a float32 of this machine's order, as OpenNFT sends it: there a
neutral number stands for "nothing to show".
"""

import socket
import struct
from typing import Any, Final

from rtbold.bridge.door import Destination
from rtbold.bridge.news import News, Shown
from rtbold.bridge.numbers import NumberChoice

OSC_FEEDBACK: Final = "/rtbold/feedback"  # z, value, volume, status: only while usable
OSC_SHOW: Final = "/rtbold/show"  # value, hold or neutral; each half second
OSC_NO_VOLUME: Final = -1


class Datagrams:
    """A socket that sends to one place; what cannot be sent is counted."""

    def __init__(self, to: Destination) -> None:
        found = socket.getaddrinfo(to.host, to.port, type=socket.SOCK_DGRAM)
        family, _, _, _, address = found[0]
        self._address: tuple[Any, ...] = tuple(address)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self.n_failed = 0

    def __call__(self, data: bytes) -> None:
        """Send one datagram; nobody may listen there, and that is no error."""
        try:
            self._socket.sendto(data, self._address)
        except OSError:
            self.n_failed += 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class UdpBridge:
    """Sends one float32 for each new value, and the neutral one when it ends."""

    cannot = "status, reasons, volume, restarts, heartbeats; a datagram may be lost"

    def __init__(self, to: Destination, send: Datagrams, choice: NumberChoice) -> None:
        self.where = f"float32 to UDP {to}"
        self._send, self._choice = send, choice

    async def open(self) -> None:
        """There is nothing to open."""

    def take(self, news: News) -> None:
        """Send the number of a change."""
        if news.changed and (data := self.datagram(news.shown)) is not None:
            self._send(data)

    def datagram(self, shown: Shown) -> bytes | None:
        """Return the 4 bytes for what is shown; None: nothing is sent.

        A value that is held needs none: the receiver has it.
        """
        if shown.show == "hold":
            return None
        number = self._choice.of(shown) if shown.show == "value" else None
        if number is None:
            number = self._choice.neutral
        return None if number is None else struct.pack("=f", number)

    async def close(self) -> None:
        """Send neutral, so that no last value stays on a screen."""
        if (data := self.datagram(Shown())) is not None:
            self._send(data)
        self._send.close()


class OscBridge:
    """Sends OSC messages."""

    cannot = "null, intervals, ROIs, restarts; a datagram may be lost"

    def __init__(self, to: Destination, send: Datagrams) -> None:
        self.where = f"OSC to UDP {to}"
        self._send = send

    async def open(self) -> None:
        """There is nothing to open."""

    def take(self, news: News) -> None:
        """Send what may be shown, and the numbers if there are new ones."""
        for data in messages(news):
            self._send(data)

    async def close(self) -> None:
        """Say neutral, so that no last value stays on a screen."""
        self._send(_osc(OSC_SHOW, "neutral"))
        self._send.close()


def messages(news: News) -> list[bytes]:
    """Return the OSC messages of one turn: numbers first, then what to do with them."""
    found, shown = [], news.shown
    if news.changed and shown.show == "value" and shown.z is not None:
        volume = OSC_NO_VOLUME if shown.volume_index is None else shown.volume_index
        value = shown.value
        if value is not None:
            numbers = (shown.z, value, volume, shown.status or "")
            found.append(_osc(OSC_FEEDBACK, *numbers))
    if news.due:
        usable = shown.show != "value" or shown.z is not None
        found.append(_osc(OSC_SHOW, shown.show if usable else "neutral"))
    return found


def _osc(address: str, *arguments: float | int | str) -> bytes:
    from pythonosc.osc_message_builder import OscMessageBuilder  # late: an extra

    builder = OscMessageBuilder(address=address)
    for each in arguments:
        builder.add_arg(each)
    datagram: bytes = builder.build().dgram
    return datagram
