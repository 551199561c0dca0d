"""Where an author's client sends its acknowledgements: TCP lines, or HTTP POST.

A browser posts, ``fetch("http://127.0.0.1:5582/", {method: "POST", body: ...})``; all
others write one JSON object a line.
"""

import asyncio
import threading
from collections.abc import Callable

from rtbold.bridge.door import Door, listening, peer_of
from rtbold.bridge.judge import LONGEST_ACK, Ack

_POST = b"POST "
_ANSWER = (
    b"HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: *\r\n"
    b"Connection: close\r\n\r\n"
)
MOST_HEADERS = 64
PATIENCE_S = 5.0  # for the rest of a request


class AckServer:
    """Takes acknowledgements in a thread of its own, until `close`.

    Parameters
    ----------
    take : is given each one; called in that thread.
    refuse : is given what was no acknowledgement, in words.
    """

    def __init__(
        self, port: int, *, take: Callable[[Ack], None], refuse: Callable[[str], None]
    ) -> None:
        self._socket = listening("127.0.0.1", port, "--ack-port")
        self.port: int = self._socket.getsockname()[1]
        self._take, self._refuse = take, refuse
        self._door = Door(most=20)
        self.connected = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._run(),), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()

    async def _run(self) -> None:
        server = await asyncio.start_server(
            self._serve, sock=self._socket, limit=LONGEST_ACK
        )
        await self._end.wait()
        server.close()
        clients = asyncio.all_tasks() - {asyncio.current_task()}
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if not self._door.admit(writer.transport, peer_of(writer.transport)):
            return
        self._door.asked(writer.transport)
        self.connected.set()
        try:
            while line := await reader.readline():
                if line.startswith(_POST):
                    async with asyncio.timeout(PATIENCE_S):
                        self._read(await _body(reader))
                        writer.write(_ANSWER)
                        await writer.drain()
                    writer.close()
                    return
                self._read(line)
        except (ValueError, OSError, TimeoutError, asyncio.IncompleteReadError):
            self._refuse("a line or a request was not whole, or too long")
        finally:
            self._door.leave(writer.transport)
            writer.close()

    def _read(self, line: bytes) -> None:
        text = line.decode("utf-8", errors="replace").strip()
        if not text:
            return
        try:
            self._take(Ack.parse(text))
        except ValueError as error:
            self._refuse(f"{text[:60]!r}: {error}")


async def _body(reader: asyncio.StreamReader) -> bytes:
    """Return the body of a request whose first line was read.

    Raises
    ------
    ValueError : it says no length, or one that is too large.
    """
    length = 0
    for _ in range(MOST_HEADERS):
        name, _, value = (await reader.readline()).strip().partition(b":")
        if not name:
            break
        if name.lower() == b"content-length":
            length = int(value)
    if not 0 < length <= LONGEST_ACK:
        raise ValueError(f"a body of {length} bytes")
    return await reader.readexactly(length)
