"""Where measured BOLD comes from in a session: an LSL stream, a file, a socket.

``--truth`` names one: ``lsl:NAME``, ``file:PATH``, ``tcp:HOST:PORT``, or
``tbv:HOST:PORT`` for Turbo-BrainVoyager. A reader is polled by a thread of its own.
"""

import json
import math
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, get_args

from rtbold.acquire.bold_columns import (
    BLANKS,
    DECIMAL_COMMAS,
    blank_separated,
    cell_value,
    cells_of,
    column_kind,
    decimal_commas,
    decoded,
    delimiter_of,
    fitted,
    header_of,
    holds_numbers,
    is_comment,
    is_numeric,
    trimmed,
)
from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import MeasuredVolume

# Measured volumes out of text that is still being written: table rows, JSON lines.
#
# Pure: bytes in, volumes out. A last line without its line break waits for the rest.

LONGEST_LINE = 1 << 20  # bytes; whatever is longer is no line of a table


class Rows(Protocol):
    """Turns bytes of a growing text into volumes."""

    def feed(self, data: bytes, now_s: float) -> list[MeasuredVolume]:
        """Return the volumes that `data` completes.

        Raises
        ------
        DataFileError : a line is none; those before it are lost, later ones are not.
        """
        ...


class _Lines:
    """Cuts bytes into whole lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            self._rest = b""
            raise DataFileError(
                f"{LONGEST_LINE} bytes came without a line break, expected one line "
                "per volume. Is this the right file or port?"
            )
        return [line for line in whole if line.strip()]


class TableRows:
    """A table: a header of ROI names, then one row a volume as it is measured.

    A column called volume (or volume_index, index) says which volume a row is; without
    one, rows are counted from 0. A counter of another name (TR, scan, frame) tells only
    which rows are missing. What separates the columns is what cuts the header and the
    first row into equally many cells, as in the file of a scan. Decimal points. A
    column of times is left out.
    """

    def __init__(self) -> None:
        self._lines = _Lines()
        self._header = ""
        self._columns: _Columns | None = None
        self._n_rows = 0

    def feed(self, data: bytes, now_s: float) -> list[MeasuredVolume]:
        """Return the volumes of the rows that are whole now."""
        volumes, problem = [], None
        for line in self._lines.feed(data):
            try:
                text = decoded(line, "the table").strip("\r ")
                if self._columns is None and is_comment(self._header, text):
                    self._header = text
                elif self._header:
                    volumes.append(self._row(text, now_s))
                else:
                    self._header = text
                    if is_numeric(text):
                        _refuse_numbers(text, re.split(r"[\s,;]+", text.strip()))
            except DataFileError as error:
                problem = error
        if problem is not None and not volumes:
            raise problem
        return volumes

    def _row(self, line: str, now_s: float) -> MeasuredVolume:
        self._n_rows += 1  # a bad row was a volume too
        columns = self._columns or _Columns.of(header_of(self._header), line)
        volume = columns.volume(line, self._n_rows, now_s)
        self._columns = columns  # a row that is broken says nothing of the separator
        return volume


def _refuse_numbers(header: str, names: Sequence[str]) -> None:
    if holds_numbers(names):
        raise DataFileError(
            f"the first line is {header[:40]!r}, expected a header of ROI names. Begin "
            "the table with one."
        )


class _Columns:
    """What the columns of a growing table are, by its header and its first row."""

    @classmethod
    def of(cls, header: str, row: str) -> "_Columns":
        """Read the header; which separator it has, the first row tells."""
        if blank_separated((header, row)):
            raise DataFileError(f"the table cannot be read: {BLANKS}.")
        delimiter = delimiter_of((header, row))
        names = [name.strip() for name in cells_of(header, delimiter)]
        cells = cells_of(row, delimiter)
        if len(names) > len(trimmed(cells)):  # lines that end in separators
            names = trimmed(names)
        _refuse_numbers(header, names)
        for name in names:
            if name and names.count(name) > 1:
                raise DataFileError(
                    f"the table has more than one column called {name!r}, expected "
                    "different names. Rename them."
                )
        return cls(delimiter, names, header)

    def __init__(self, delimiter: str, names: list[str], header: str) -> None:
        self._delimiter = delimiter
        self._header = header
        self._names = names
        self._kinds = [column_kind(name) for name in names]
        self._counted: int | None = None  # of the row before
        self._first = 0  # what a counter says at volume 0

    def volume(self, line: str, row: int, now_s: float) -> MeasuredVolume:
        """Return one row; `row` counts from 1."""
        if self._delimiter == "," and decimal_commas(line, self._header):
            raise DataFileError(f"row {row} is left out: {DECIMAL_COMMAS}.")
        cells = fitted(cells_of(line, self._delimiter), len(self._names))
        if len(cells) != len(self._names):
            raise DataFileError(
                f"row {row} has {len(cells)} cells, expected {len(self._names)} as in "
                "the header. It is left out."
            )
        if self._counted is None:
            self._demote(cells)
        index, rois, values = row - 1, [], []
        numbered = "number" in self._kinds
        for name, kind, cell in zip(self._names, self._kinds, cells, strict=True):
            if kind == "number":
                index = _whole(_value(name, cell))
            elif kind == "counter" and not numbered:
                index = self._by_counter(_value(name, cell), row)
                numbered = True
            elif kind == "roi":
                rois.append(name)
                values.append(_value(name, cell))
        return MeasuredVolume(index, tuple(rois), tuple(values), now_s)

    def _demote(self, cells: Sequence[str]) -> None:
        """Take a column for an ROI that is called as a counter and holds fractions."""
        for k, cell in enumerate(cells):
            value = cell_value(cell)
            if self._kinds[k] == "counter" and value is not None:
                if math.isfinite(value) and not value.is_integer():
                    self._kinds[k] = "roi"

    def _by_counter(self, value: float | None, row: int) -> int:
        """Return the volume by a counter whose first row is that row's volume."""
        number = _whole(value)
        if self._counted is None:
            self._first = number - (row - 1)
        elif number <= self._counted:
            raise DataFileError(
                f"row {row} counts {number} after {self._counted}, expected a number "
                "that rises from row to row. It is left out."
            )
        self._counted = number
        return number - self._first


class JsonRows:
    r"""One JSON object a line: ``{"volume": 12, "values": {"ROI": 0.3}}``.

    ``values`` may be a list; its names are then those of a line ``{"rois": [...]}``
    that came before, or were given. ``null`` is a value that is missing.

    Parameters
    ----------
    rois : names for lists, until a line tells others.
    """

    def __init__(self, rois: Sequence[str] = ()) -> None:
        self._lines = _Lines()
        self._rois = tuple(rois)

    def feed(self, data: bytes, now_s: float) -> list[MeasuredVolume]:
        """Return the volumes of the lines that are whole now."""
        volumes, problem = [], None
        for line in self._lines.feed(data):
            try:
                volume = self._line(line, now_s)
            except DataFileError as error:
                problem = error
                continue
            if volume is not None:
                volumes.append(volume)
        if problem is not None and not volumes:
            raise problem
        return volumes

    def _line(self, data: bytes, now_s: float) -> MeasuredVolume | None:
        line = data.decode("utf-8-sig", errors="replace").strip("\r ")
        try:
            fields = json.loads(line, parse_constant=lambda _: None)
        except (ValueError, RecursionError) as error:
            raise _no_volume(line) from error
        if not isinstance(fields, dict):
            raise _no_volume(line)
        if "rois" in fields and isinstance(fields["rois"], list):
            self._rois = tuple(str(name) for name in fields["rois"])
        if "volume" not in fields:
            if "rois" in fields:
                return None
            raise _no_volume(line)
        rois, values = self._named(fields.get("values"), line)
        index = _whole(_json_value(fields["volume"], line))
        return MeasuredVolume(index, rois, values, now_s)

    def _named(
        self, values: object, line: str
    ) -> tuple[tuple[str, ...], tuple[float | None, ...]]:
        if isinstance(values, dict):
            numbers = [_json_value(v, line) for v in values.values()]
            return tuple(str(name) for name in values), tuple(numbers)
        if not isinstance(values, list):
            raise _no_volume(line)
        if len(values) != len(self._rois):
            raise DataFileError(
                f"a volume came with {len(values)} values and {len(self._rois)} names "
                'are known, expected one each. Send {"rois": [...]} first, send values '
                "by name, or give --truth-roi (--bold-roi) NAME for each."
            )
        return self._rois, tuple(_json_value(v, line) for v in values)


def _json_value(value: object, line: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _no_volume(line)
    try:
        number = float(value)
    except OverflowError as error:  # a whole number of hundreds of digits
        raise _no_volume(line) from error
    return number if math.isfinite(number) else None


def _no_volume(line: str) -> DataFileError:
    return DataFileError(
        f"the line {line[:80]!r} is no volume, expected "
        '{"volume": 12, "values": {"ROI": 0.3, ...}}. It is left out.'
    )


def _value(name: str, cell: str) -> float | None:
    number = cell_value(cell)
    if number is None:
        raise DataFileError(
            f"{name!r} is {cell!r}, expected a number with a decimal point or n/a. "
            "The row is left out."
        )
    return number if math.isfinite(number) else None


def _whole(number: float | None) -> int:
    if number is None or not number.is_integer():
        raise DataFileError(
            f"the volume is {number}, expected a whole number. It is left out."
        )
    return int(number)


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
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(
            f"{option} is {text!r}, expected {kind}:HOST:PORT with a port of 1 to "
            "65535."
        )
    return BoldSource("tcp" if kind == "tcp" else "tbv", host, int(port))


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
