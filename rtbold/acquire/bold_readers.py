"""Where measured BOLD comes from in a session: an LSL stream, a file, a socket.

``--truth`` names one: ``lsl:NAME``, ``file:PATH``, ``tcp:HOST:PORT``, or
``tbv:HOST:PORT`` for Turbo-BrainVoyager. A reader is polled by a thread of its own.
"""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, get_args

from rtbold.errors import ConfigError, DataFileError
from rtbold.io.bold_text import JsonRows, Rows, TableRows
from rtbold.messages import MeasuredVolume

SourceKind = Literal["lsl", "file", "tcp", "tbv"]
KINDS: tuple[str, ...] = get_args(SourceKind)
TBV_PORT = 55555
CONNECT_S = 2.0
PATIENCE_S = 0.2  # a reader waits no longer than this for the next volume
MOST_BYTES = 1 << 20  # of one look: a long file is caught up with in steps


@dataclass(frozen=True, slots=True)
class BoldSource:
    """One source, as it was named."""

    kind: SourceKind
    name: str  # stream, path or host
    port: int = 0

    def __str__(self) -> str:
        """Say it as it was given."""
        return f"{self.kind}:{self.name}" + (f":{self.port}" if self.port else "")


class Reader(Protocol):
    """Reads one source; only the thread that polls it calls it."""

    def read(self, now_s: float) -> list[MeasuredVolume]:
        """Return what is new; may wait up to `PATIENCE_S`.

        Raises
        ------
        OSError : the source is not there (any more); it is looked for again.
        DataFileError : what came is no volume; the next may be.
        """
        ...

    def close(self) -> None:
        """Let go of the source; `read` takes it up again."""
        ...


def parse_source(text: str, *, option: str = "--truth") -> BoldSource:
    """Return the source that an option names.

    Raises
    ------
    ConfigError : it is none.
    """
    kind, _, rest = text.partition(":")
    if kind not in KINDS or not rest:
        raise ConfigError(
            f"{option} is {text!r}, expected lsl:NAME, file:PATH, tcp:HOST:PORT or "
            f"tbv:HOST[:{TBV_PORT}]."
        )
    if kind in ("lsl", "file"):
        return BoldSource("lsl" if kind == "lsl" else "file", rest)
    host, _, port = rest.rpartition(":")
    if kind == "tbv" and not host:
        return BoldSource("tbv", rest, TBV_PORT)
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(
            f"{option} is {text!r}, expected {kind}:HOST:PORT with a port of 1 to "
            "65535."
        )
    return BoldSource("tcp" if kind == "tcp" else "tbv", host, int(port))


def check_source(text: str, rois: Sequence[str], *, option: str = "--truth") -> None:
    """Refuse what cannot be a source, before anything is opened.

    Raises
    ------
    ConfigError : it is none, or sends numbers without names and none were given.
    """
    source = parse_source(text, option=option)
    if source.kind != "lsl":
        open_reader(source, rois)


def open_reader(source: BoldSource, rois: Sequence[str]) -> Reader:
    """Return the reader of a file or socket; it is not opened yet.

    Raises
    ------
    ConfigError : the source sends numbers without names, and none were given.
    """
    if source.kind == "file":
        return FileReader(Path(source.name))
    if source.kind == "tcp":
        return TcpReader(source.name, source.port, rois)
    from rtbold.acquire.tbv import TbvReader

    return TbvReader(source.name, source.port, rois)


class FileReader:
    """Follows a table that another program appends to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rows: Rows = TableRows()
        self._identity: tuple[int, int] = (0, 0)

    def read(self, now_s: float) -> list[MeasuredVolume]:
        """Return the rows that were appended; a new file begins anew."""
        file = self._file or self._open()
        self._look_whether_it_is_the_same(file)
        data = file.read(MOST_BYTES)
        return self._rows.feed(data, now_s) if data else []

    def _open(self) -> BinaryIO:
        file = self._path.open("rb")
        found = os.fstat(file.fileno())
        self._file, self._identity = file, (found.st_dev, found.st_ino)
        self._rows = TableRows()
        return file

    def _look_whether_it_is_the_same(self, file: BinaryIO) -> None:
        found = self._path.stat()
        replaced = (found.st_dev, found.st_ino) != self._identity
        if not replaced and found.st_size >= file.tell():
            return
        self.close()
        raise DataFileError(
            f"{self._path} was {'replaced' if replaced else 'cut short'}, expected "
            "rows to be appended. It is read from its beginning."
        )

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


class TcpReader:
    """Takes JSON lines from a server; it is connected to again when it goes."""

    def __init__(self, host: str, port: int, rois: Sequence[str]) -> None:
        self._address = (host, port)
        self._rois = rois
        self._socket: socket.socket | None = None
        self._rows: Rows = JsonRows(rois)

    def read(self, now_s: float) -> list[MeasuredVolume]:
        """Return the volumes whose lines have come."""
        connection = self._socket or self._connect()
        try:
            data = connection.recv(MOST_BYTES)
        except TimeoutError:
            return []
        if not data:
            raise ConnectionError("the sender closed the connection")
        return self._rows.feed(data, now_s)

    def _connect(self) -> socket.socket:
        self._socket = socket.create_connection(self._address, CONNECT_S)
        self._socket.settimeout(PATIENCE_S)
        self._rows = JsonRows(self._rois)
        return self._socket

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
