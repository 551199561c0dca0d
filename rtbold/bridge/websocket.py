"""WebSocket: the feed's JSON for browsers, and the page that shows it, on one port.

``/`` is the page, ``/feed.js`` the rules for apps as a module, ``/feed`` the socket:
one message a frame, each with its ``topic``; ``?topics=pred.fb,hb`` chooses. Pages of
other places may connect only if their origin was named.
"""

import ipaddress
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from rtbold.bridge.door import Door, keep_alive, listening, peer_of
from rtbold.bridge.lines import first_of
from rtbold.bridge.news import SHOW, TOPICS, News
from rtbold.bridge.outbox import Outbox
from rtbold.clock import Clock
from rtbold.errors import ConfigError

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

USUAL_TOPICS: Final = ("hello", "phase", "pred.fb", "hb", "bye")
ALL_TOPICS: Final = (*TOPICS, SHOW)
MOST_FRAME_BYTES: Final = 4096  # of what a browser sends
MOST_FRAMES: Final = 1000  # and how many of them
HANDSHAKE_S: Final = 5.0
PING_S: Final = 5.0
WRITE_LIMIT_BYTES: Final = 16_384
MOST_PAGE_BYTES: Final = 4_000_000
_SAFE: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' "
        "'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws: wss:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class File:
    """What is served at one path."""

    data: bytes
    kind: str
    for_all: bool = False  # pages of other places may load it


def pages(page: Path | None) -> dict[str, File]:
    """Return what is served: our page or `page`, and the rules for apps.

    Raises
    ------
    ConfigError : `page` cannot be read, or is too large.
    """
    ours = files("rtbold.bridge") / "page"
    html = (ours / "index.html").read_bytes() if page is None else _read(page)
    shown = File(html, "text/html; charset=utf-8")
    script = "text/javascript; charset=utf-8"
    return {
        "/": shown,
        "/index.html": shown,
        "/feed.js": File((ours / "feed.js").read_bytes(), script, for_all=True),
        "/display.js": File((ours / "display.js").read_bytes(), script),
    }


def _read(page: Path) -> bytes:
    try:
        if page.stat().st_size > MOST_PAGE_BYTES:
            raise ConfigError(
                f"--page {page} is larger than {MOST_PAGE_BYTES} bytes; expected one "
                "HTML file."
            )
        return page.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"--page {page} cannot be read: {error}. Expected one HTML file."
        ) from error


def own_origins(host: str, port: int) -> frozenset[str]:
    """Return the origins of our own page.

    A name that somebody else's page made up for this machine is none of them.
    """
    hosts = {"127.0.0.1", "localhost", "[::1]", f"[{host}]" if ":" in host else host}
    return frozenset(f"http://{each}:{port}" for each in hosts)


def is_ours(origin: str, host: str) -> bool:
    """Return whether a page came from the very address that it now connects to.

    Parameters
    ----------
    host : of the request; a number, for a name may be anybody's.
    """
    try:
        ipaddress.ip_address(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
    return origin == f"http://{host}"


def wanted_topics(query: str) -> tuple[str, ...]:
    """Return what ``?topics=`` asks for, or the usual ones.

    Raises
    ------
    ValueError : one of them is none that a bridge passes on.
    """
    given = ",".join(parse_qs(query, max_num_fields=16).get("topics", []))
    if not given:
        return USUAL_TOPICS
    topics = tuple(name.strip() for name in given.split(","))
    if unknown := [name for name in topics if name not in ALL_TOPICS]:
        raise ValueError(
            f"topics are {', '.join(unknown)[:200]}; expected some of "
            f"{', '.join(ALL_TOPICS)}"
        )
    return topics


class WebSocketBridge:
    """The server of page and socket.

    Parameters
    ----------
    origins : whose pages may connect, beside our own, such as http://localhost:8000.
    """

    cannot = "nothing: it has every key of the feed"

    def __init__(
        self,
        host: str,
        port: int,
        door: Door,
        *,
        clock: Clock,
        origins: Sequence[str] = (),
        page: Path | None = None,
    ) -> None:
        import websockets.asyncio.server  # late: an extra; missing, it is told now

        self._serve = websockets.asyncio.server.serve
        self._pages = pages(page)
        self._socket = listening(host, port, "--websocket")
        self.port: int = self._socket.getsockname()[1]
        self._host = host
        self._origins = own_origins(host, self.port) | set(origins)
        self._door, self._clock = door, clock
        self._outboxes: set[Outbox] = set()
        self._news = News()
        self._server: Server | None = None

    @property
    def where(self) -> str:
        """Say where it is to be found."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"WebSocket, and a page for the browser: http://{host}:{self.port}/"

    async def open(self) -> None:
        """Begin to take connections."""
        quiet = logging.getLogger("rtbold.bridge.websocket")
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False  # what strangers send is no news of ours
        self._server = await self._serve(
            self._talk,
            sock=self._socket,
            compression=None,
            process_request=self._request,
            server_header=None,
            open_timeout=HANDSHAKE_S,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            close_timeout=1,
            max_size=MOST_FRAME_BYTES,
            max_queue=4,
            write_limit=WRITE_LIMIT_BYTES,
            logger=quiet,
            create_connection=_guest_of(self._door),
        )

    def take(self, news: News) -> None:
        """Pass on what is new; never waits."""
        self._news = news
        lines = (*news.lines, news.shown.line()) if news.due else news.lines
        for outbox in self._outboxes:
            outbox.put(lines)

    async def close(self) -> None:
        """Say goodbye and stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        self._socket.close()

    def _request(
        self, connection: "ServerConnection", request: "Request"
    ) -> "Response | None":
        """Return a page, a refusal, or None: go on with the handshake."""
        path, query = _split(request.path)
        if path in self._pages:
            return _page(connection, self._pages[path])
        if path != "/feed":
            return connection.respond(404, "expected /, /feed.js or /feed\n")
        (host, *_) = request.headers.get_all("Host") or [""]
        for origin in request.headers.get_all("Origin"):  # no browser: none
            if origin not in self._origins and not is_ours(origin, host):
                return connection.respond(
                    403, "this page's origin was not named: --origin\n"
                )
        try:
            wanted_topics(query)
        except ValueError as error:
            return connection.respond(400, f"{error}\n")
        return None

    async def _talk(self, connection: "ServerConnection") -> None:
        transport = connection.transport
        self._door.asked(transport)
        keep_alive(transport)
        request = connection.request
        query = _split(request.path)[1] if request else ""
        outbox = Outbox(wanted_topics(query))
        outbox.put(self._news.recent.lines(self._clock.now_s()))
        outbox.put((self._news.shown.line(),))
        self._outboxes.add(outbox)
        try:
            await first_of(outbox.deliver(_sender(connection)), _ignore(connection))
        finally:
            self._outboxes.discard(outbox)
            if connection.close_code is None:  # frozen: no polite end would reach it
                transport.abort()


def _sender(connection: "ServerConnection") -> Callable[[str], Awaitable[None]]:
    from websockets.exceptions import ConnectionClosed

    async def send(text: str) -> None:
        try:
            await connection.send(text)
        except ConnectionClosed as error:
            raise ConnectionError(str(error)) from error

    return send


async def _ignore(connection: "ServerConnection") -> None:
    """Read what a browser sends until it ends, or has sent too much."""
    from websockets.exceptions import ConnectionClosed

    try:
        for _ in range(MOST_FRAMES):
            await connection.recv()
    except ConnectionClosed:
        pass


def _split(path: str) -> tuple[str, str]:
    try:
        parts = urlsplit(path)
    except ValueError:
        return "", ""
    return parts.path, parts.query


def _page(connection: "ServerConnection", file: File) -> "Response":
    response = connection.respond(200, "")
    response.body = file.data
    for name in ("Content-Type", "Content-Length"):
        del response.headers[name]
    response.headers["Content-Type"] = file.kind
    response.headers["Content-Length"] = str(len(file.data))
    for name, value in _SAFE.items():
        response.headers[name] = value
    if file.for_all:
        response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def _guest_of(door: Door) -> "type[ServerConnection]":
    """Return the kind of connection that passes `door` before it says anything."""
    import asyncio

    from websockets.asyncio.server import ServerConnection

    class Guest(ServerConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            door.admit(self.transport, peer_of(transport))

        def connection_lost(self, exc: Exception | None) -> None:
            door.leave(self.transport)
            super().connection_lost(exc)

    return Guest
