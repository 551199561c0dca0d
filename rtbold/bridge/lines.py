"""TCP, one JSON object a line: for MATLAB, Unity and whatever has a socket alone.

A client connects and reads. It gets the feed's messages, each with its ``topic``, and
at least twice a second a line of the topic ``show``: what may be shown now.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from rtbold.bridge.door import Door, keep_alive, listening, peer_of
from rtbold.bridge.news import SHOW, News
from rtbold.bridge.outbox import Outbox
from rtbold.clock import Clock

TOPICS: Final = ("hello", "phase", "pred.fb", "pred.roi", "hb", "bye", SHOW)
MOST_SENT_BYTES: Final = 65_536  # by a client, that has nothing to say here


class LinesBridge:
    """A TCP server that writes JSON lines."""

    cannot = "nothing: it has every key of the feed"

    def __init__(self, host: str, port: int, door: Door, *, clock: Clock) -> None:
        self._socket = listening(host, port, "--lines")
        self.port: int = self._socket.getsockname()[1]
        self._door, self._clock = door, clock
        self._outboxes: set[Outbox] = set()
        self._news = News()
        self._server: asyncio.Server | None = None

    @property
    def where(self) -> str:
        """Say where it is to be found."""
        return f"JSON lines on TCP port {self.port}"

    async def open(self) -> None:
        """Begin to take connections."""
        self._server = await asyncio.start_server(self._serve, sock=self._socket)

    def take(self, news: News) -> None:
        """Pass on what is new; never waits."""
        self._news = news
        lines = (*news.lines, news.shown.line()) if news.due else news.lines
        for outbox in self._outboxes:
            outbox.put(lines)

    async def close(self) -> None:
        """Stop listening; connections end with the loop."""
        if self._server is not None:
            self._server.close()
        self._socket.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        transport, outbox = writer.transport, Outbox(TOPICS)
        if not self._door.admit(transport, peer_of(transport)):
            return
        self._door.asked(transport)
        keep_alive(transport)
        transport.set_write_buffer_limits(high=0)  # `drain` waits for the system

        async def send(text: str) -> None:
            writer.write(text.encode() + b"\n")
            await writer.drain()

        try:
            outbox.put(self._news.recent.lines(self._clock.now_s()))
            outbox.put((self._news.shown.line(),))
            self._outboxes.add(outbox)
            await first_of(outbox.deliver(send), _ignore(reader))
        finally:
            self._outboxes.discard(outbox)
            self._door.leave(transport)
            transport.abort()


async def _ignore(reader: asyncio.StreamReader) -> None:
    """Read what a client sends, until it ends or has sent too much."""
    n_bytes = 0
    while n_bytes < MOST_SENT_BYTES and (part := await reader.read(4096)):
        n_bytes += len(part)


async def first_of(*work: Coroutine[Any, Any, None]) -> None:
    """Run several until one ends, in whatever way; end the others."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, OSError, TimeoutError):
                await task
