"""Tables of text: a header of names, one row a volume, the delimiter found out."""

import csv
from pathlib import Path

import numpy as np

from rtbold.calibration.inputs.bold_series import RawTable
from rtbold.errors import DataFileError

_DELIMITERS = "\t,;"
_NOTHING = ("n/a", "na", "nan", "")  # as BIDS and pandas write what is not there


def read_text(path: Path) -> RawTable:
    """Read TSV or CSV; numbers have a decimal point.

    Raises
    ------
    DataFileError : it is no text, has no header, is ragged, or holds no numbers.
    """
    lines = _lines(path)
    delimiter = _delimiter(lines)
    rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    names = rows[0]
    if any(_number(name) is not None and name.strip() for name in names):
        raise DataFileError(
            f"the first line of {path.name} is {names[:6]}, expected the names of the "
            "columns. Add a header."
        )
    values = np.empty((len(rows) - 1, len(names)))
    for k, row in enumerate(rows[1:]):
        values[k] = _numbers(path, k + 2, row, names)
    return RawTable(values=values, names=tuple(names))


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataFileError(
            f"{path.name} is no text ({error}), expected a table with a header and one "
            "row per volume. Export it as TSV or CSV."
        ) from error
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        raise DataFileError(
            f"{path.name} holds {len(lines)} lines, expected a header of names and one "
            "row per volume. Export it again."
        )
    return lines


def _delimiter(lines: list[str]) -> str:
    """Return what cuts header and first row into equally many cells, the most."""
    counts = {
        d: [len(row) for row in csv.reader(lines[:2], delimiter=d)] for d in _DELIMITERS
    }
    even = {d: n[0] for d, n in counts.items() if n[0] == n[1]}
    if not even or max(even.values()) == 1:
        return max(counts, key=lambda d: counts[d][0])
    return max(even, key=even.__getitem__)


def _numbers(path: Path, line: int, row: list[str], names: list[str]) -> list[float]:
    if len(row) != len(names):
        raise DataFileError(
            f"line {line} of {path.name} has {len(row)} cells, expected {len(names)} "
            "as in the header. Is the file truncated, or are there decimal commas?"
        )
    values = [_number(cell) for cell in row]
    for name, cell, value in zip(names, row, values, strict=True):
        if value is None:
            comma = " Write decimal points, not commas." if "," in cell else ""
            raise DataFileError(
                f"line {line} of {path.name} gives {name!r} as {cell!r}, expected a "
                f"number.{comma} Remove that column, or export it again."
            )
    return [value for value in values if value is not None]


def _number(cell: str) -> float | None:
    if cell.strip().casefold() in _NOTHING:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        return None
