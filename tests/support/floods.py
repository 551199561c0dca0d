"""Peers that send what no library would: ZMTP 3.0 by hand, and many of it at once."""

import socket
import time
from contextlib import suppress

import psutil

from rtbold.client import Subscriber

GREETING = (
    b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)
)
PATIENCE_S = 10.0


def frame(body, *, more=False, command=False):
    """Return one ZMTP frame."""
    flags = more + 4 * command
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags + 2]) + len(body).to_bytes(8, "big") + body


def ready(kind):
    name, value = b"Socket-Type", kind.encode()
    given = bytes([len(name)]) + name + len(value).to_bytes(4, "big") + value
    return frame(b"\x05READY" + given, command=True)


def subscriptions(n, size=8, *, first=0, what=b"\x01"):
    """Return `n` distinct ones as bytes for the wire."""
    names = (f"{k:x}-".encode() for k in range(first, n + first))
    return b"".join(frame(what + name.ljust(size, b"x")) for name in names)


class Peer:
    """A connection that has shaken hands, as SUB or REQ would."""

    def __init__(self, port, kind="SUB"):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        try:
            self.socket.sendall(GREETING + ready(kind))
            self._read_exactly(64)  # its greeting
            self._read_exactly(self._read_exactly(2)[1])  # its READY
        except OSError:
            self.socket.close()
            raise

    def send(self, data):
        """Send bytes; return whether all went out before we were cut off."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    @property
    def cut(self):
        """Whether the other end has ended this connection; reads what has come."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(65536):
                pass
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            with suppress(OSError):
                self.socket.settimeout(PATIENCE_S)
        return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def _read_exactly(self, n):
        found = b""
        while len(found) < n:
            part = self.socket.recv(n - len(found))
            if not part:
                raise ConnectionError("cut off in the handshake")
            found += part
        return found


class Watched:
    """What a bystander gets while something else happens, and what it costs.

    `beats` counts the heartbeats that were sent in that time, by their own stamps.
    """

    def __init__(self, address, pid, settle_s=1.2):
        self._process = psutil.Process(pid)
        self.feed = Subscriber(address, ("",))
        self.messages = []
        self.listen(settle_s)
        assert self.beats() >= 1, "the feed was silent before the flood"
        self.messages.clear()
        self._rss_before = self._process.memory_info().rss
        self.peak_mb = 0.0
        self.begun_s = time.monotonic()

    def listen(self, seconds):
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.messages += self.feed.poll(0.05)

    def measure(self):
        grown = self._process.memory_info().rss - self._rss_before
        self.peak_mb = max(self.peak_mb, grown / 1e6)

    def beats(self):
        return sum(m.topic == "hb" for m in self.messages)

    def due(self):
        """Return the heartbeats that were due since the beginning."""
        return (time.monotonic() - self.begun_s) / 0.5

    def last(self, topic):
        found = [m.body for m in self.messages if m.topic == topic]
        return found[-1] if found else None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.feed.close()
