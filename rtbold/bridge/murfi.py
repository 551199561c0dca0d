"""MURFI's TCP server, so that tasks that were written for MURFI run unchanged.

One query a connection, ``:*:*:*:TR:*:*:roi-weightedave:ROI:``; the answer is a number
inside of tags. Anything else means "not yet", and such tasks ask again. TR counts from
1, as MURFI does: TR 1 is the volume with index 0.

Status has no place in this answer. A volume whose value may not be shown is answered
with the neutral number, or, if there is none, never.
"""

import asyncio
import html
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from rtbold.bridge.door import Door, listening, peer_of
from rtbold.bridge.news import NO_FEEDBACK, News, Shown
from rtbold.bridge.numbers import NumberChoice, numbers_of
from rtbold.client import Body

MOST_QUERY_BYTES: Final = 4096
ASK_WITHIN_S: Final = 2.0
MOST_VOLUMES: Final = 2000  # an hour and more; older ones are forgotten
MOST_TOLD: Final = 20  # unknown names that are told, each once
_DATA_ID = re.compile(r"<get\s[^<>]*?dataid\s*=\s*[\"']([^\"'<>]*)[\"']", re.IGNORECASE)
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
NOT_YET: Final = f"{_HEAD}<info></info>\n"


@dataclass(frozen=True, slots=True)
class Query:
    """What a task asks for."""

    tr: int  # from 1
    roi: str


def read_query(text: str) -> Query | None:
    """Return what is asked; None: it is no query that MURFI would answer."""
    found = _DATA_ID.search(text)
    if found is None:
        return None
    # leading ":", three fields, TR, two fields, what, ROI, and an empty end
    parts = html.unescape(found.group(1)).split(":", 8)
    if len(parts) != 9 or parts[0] or parts[7].lower() != "roi-weightedave":
        return None
    tr, roi = parts[4].strip(), parts[8].removesuffix(":").strip()
    if not (tr.isascii() and tr.isdigit() and len(tr) <= 9) or not roi:
        return None
    return Query(int(tr), roi)


def answer(query: Query, number: float | None) -> str:
    """Return the XML with one number in it, or with none: not yet."""
    if number is None:
        return NOT_YET
    named = html.escape(f":*:*:*:{query.tr}:*:*:roi-weightedave:{query.roi}:")
    return f'{_HEAD}<info><data dataid="{named}">{number:.7g}</data></info>\n'


class Volumes:
    """The numbers of the volumes of one run, by name. Pure.

    The target's numbers are those of ``pred.fb``, other names are ROIs of ``pred.roi``.

    Parameters
    ----------
    choice : which number, and what stands for neutral.
    names : what a task calls a ROI or the target, by its own name.
    """

    def __init__(
        self, choice: NumberChoice, names: Mapping[str, str] | None = None
    ) -> None:
        self._choice = choice
        self._names = {k.lower(): v.lower() for k, v in (names or {}).items()}
        self._session: str | None = None
        self._run: object = None
        self._rois: tuple[str, ...] = ()
        self._target = ""
        self._first, self._last = 0, -1  # volumes of this run
        # topic -> volume -> name -> number; None: it may not be shown
        self._kept: dict[str, OrderedDict[int, dict[str, float | None]]] = {
            "pred.fb": OrderedDict(),
            "pred.roi": OrderedDict(),
        }

    def take(self, bodies: tuple[tuple[str, Body], ...], shown: Shown) -> None:
        """Take the messages of one turn, and what may be shown after them."""
        may_show = not set(shown.reasons) & set(NO_FEEDBACK)
        for topic, body in bodies:
            if body["session"] != self._session:
                self._forget(body["session"])
            if topic == "hello":
                rois = body.get("rois")
                named = rois if isinstance(rois, list) else ()
                self._rois = tuple(str(name).lower() for name in named)
                self._target = str(body.get("target")).lower()
            elif topic == "phase":
                self._enter(body.get("run"))
            found = numbers_of(topic, body, self._rois, self._choice.quantity)
            index = body.get("volume_index")
            if found is not None and type(index) is int and index >= 0:
                self._note(topic, index, found if may_show else dict.fromkeys(found))

    def number(self, query: Query) -> float | None:
        """Return what to answer; None: not yet."""
        name = self.name_of(query.roi)
        topic = "pred.fb" if name == self._target else "pred.roi"
        kept = self._kept[topic].get(self._first + query.tr - 1)
        if kept is None or name not in kept:
            return None
        found = kept[name]
        return self._choice.neutral if found is None else found

    def knows(self, roi: str) -> bool:
        """Whether there is such a ROI or target; True until a session has said it."""
        return not self._rois or self.name_of(roi) in (*self._rois, self._target)

    def name_of(self, roi: str) -> str:
        """Return the feed's name for what a task calls `roi`."""
        return self._names.get(roi.lower(), roi.lower())

    def _forget(self, session: str) -> None:
        self._session, self._run = session, None
        self._rois, self._target = (), ""
        self._first, self._last = 0, -1
        for kept in self._kept.values():
            kept.clear()

    def _enter(self, run: object) -> None:
        """Count from 1 again in another run of the session."""
        if self._run is not None and run != self._run:
            self._first = self._last + 1
        self._run = run

    def _note(self, topic: str, index: int, found: dict[str, float | None]) -> None:
        if index < self._first:  # a run that counts its own volumes
            self._first = 0
            for each in self._kept.values():
                each.clear()
        self._last = index
        if topic == "pred.fb":
            (self._target,) = found
        kept = self._kept[topic]
        kept[index] = found
        while len(kept) > MOST_VOLUMES:
            kept.popitem(last=False)


class MurfiBridge:
    """The TCP server; one query a connection."""

    cannot = "status, reasons, intervals, restarts, heartbeats"

    def __init__(
        self,
        host: str,
        port: int,
        door: Door,
        *,
        volumes: Volumes,
        say: Callable[[str], None],
    ) -> None:
        self._socket = listening(host, port, "--murfi")
        self.port: int = self._socket.getsockname()[1]
        self._door, self._volumes, self._say = door, volumes, say
        self._told: set[str] = set()
        self._server: asyncio.Server | None = None

    @property
    def where(self) -> str:
        """Say where it is to be found."""
        return f"MURFI queries on TCP port {self.port}"

    async def open(self) -> None:
        """Begin to take connections."""
        self._server = await asyncio.start_server(
            self._serve, sock=self._socket, limit=MOST_QUERY_BYTES
        )

    def take(self, news: News) -> None:
        """Keep the numbers of new volumes."""
        self._volumes.take(news.bodies, news.shown)

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
        self._socket.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        transport = writer.transport
        if not self._door.admit(transport, peer_of(transport)):
            return
        try:
            async with asyncio.timeout(ASK_WITHIN_S):
                text = await _question(reader)
                self._door.asked(transport)
                writer.write(self._answer(text).encode())
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError):
            pass  # it asks nothing, reads nothing or has gone
        finally:
            self._door.leave(transport)
            transport.abort()

    def _answer(self, text: str) -> str:
        query = read_query(text)
        if query is None:
            return NOT_YET
        if not self._volumes.knows(query.roi) and len(self._told) < MOST_TOLD:
            if query.roi not in self._told:
                self._told.add(query.roi)
                self._say(
                    f"murfi: a task asks for {query.roi[:60]!r}, which is neither the "
                    "target nor a ROI of this session; it gets no number. Expected a "
                    "name of hello.rois, or --name its=ours."
                )
        return answer(query, self._volumes.number(query))


async def _question(reader: asyncio.StreamReader) -> str:
    """Return what came until the query was whole, or too long."""
    data = b""
    while b"</info>" not in data and len(data) < MOST_QUERY_BYTES:
        part = await reader.read(MOST_QUERY_BYTES - len(data))
        if not part:
            break
        data += part
    return data.decode("utf-8", errors="replace")
