"""Measured BOLD in a table of text: a header of names, one row a volume."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from rtbold.acquire import (
    BLANKS,
    DECIMAL_COMMAS,
    blank_separated,
    cell_value,
    cells_of,
    decimal_commas,
    decoded,
    delimiter_of,
    fitted,
    holds_numbers,
    lines_of,
    trimmed,
)
from rtbold.calibration.inputs.bold_series import RawTable
from rtbold.errors import DataFileError

_VOLUME: Final = re.compile(
    r"(v|vol|volume|t|tr|scan|frame|dyn|image|time_?point)?[\W_]*0*(?P<number>\d+)",
    re.I,
)
_ON_ITS_SIDE: Final = (
    "expected one row per volume and one column per ROI. It lies on its side: "
    "transpose it"
)


def read_text(path: Path) -> RawTable:
    """Read TSV or CSV; numbers have a decimal point.

    Raises
    ------
    DataFileError : it is no text in UTF-8, has no header, is ragged, lies on its side,
        or holds no numbers.
    """
    lines = lines_of(decoded(path.read_bytes(), path.name))
    if len(lines) < 2:
        raise DataFileError(
            f"{path.name} holds {len(lines)} lines, expected a header of names and one "
            "row per volume. Export it again."
        )
    if blank_separated(lines):
        raise DataFileError(f"{path.name} cannot be read: {BLANKS}.")
    delimiter = delimiter_of(lines)
    if delimiter == "," and any(decimal_commas(line, lines[0]) for line in lines[1:]):
        raise DataFileError(f"{path.name} cannot be read: {DECIMAL_COMMAS}.")
    rows = _cut(lines, delimiter)
    _refuse_on_its_side(path.name, rows)
    names = _header(path.name, rows)
    values = np.empty((len(rows) - 1, len(names)))
    for k, row in enumerate(rows[1:]):
        values[k] = _numbers(path.name, k + 2, row, names)
    return RawTable(values=values, names=tuple(names), counts=True)


def _cut(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Return the cells of each line, without columns that have neither name nor cell.

    Some programs end each line with a separator, and some export empty columns or rows
    behind the table.
    """
    rows = [cells_of(line, delimiter) for line in lines]
    while len(rows) > 2 and not any(cell.strip() for cell in rows[-1]):
        del rows[-1]
    n = len(trimmed(rows[0]))
    if all(len(trimmed(row)) <= n for row in rows):
        rows = [fitted(row, n) for row in rows]
    if len({len(row) for row in rows}) > 1:
        return rows
    kept = [k for k in range(n) if any(row[k].strip() for row in rows)]
    return [[row[k] for k in kept] for row in rows] if kept else rows


def _refuse_on_its_side(what: str, rows: Sequence[Sequence[str]]) -> None:
    """Refuse ROIs in rows: names in the first column, or volumes in the header."""
    head, body = rows[0], rows[1:]
    words = all(row and cell_value(row[0]) is None for row in body)
    numbers = all(cell_value(cell) is not None for row in body for cell in row[1:])
    if min(map(len, rows)) < 3:
        return
    named = words and numbers and len({row[0] for row in body}) == len(body)
    volumes = _counts_volumes(head[1:])
    without_head = all(cell_value(cell) is not None for cell in head[1:])
    wide = len(head) - 1 > len(body)
    if (named and (wide or volumes or without_head)) or (volumes and wide):
        raise DataFileError(
            f"{what} has {len(rows)} lines of {len(head)} cells, the first of them "
            f"{[row[0] for row in rows[:4]]}, {_ON_ITS_SIDE}."
        )


def _counts_volumes(names: Sequence[str]) -> bool:
    """Return whether names are numbers of volumes, such as vol0, vol1, vol2."""
    found = [_VOLUME.fullmatch(name.strip()) for name in names]
    numbers = [int(match["number"]) for match in found if match]
    rising = all(b - a == 1 for a, b in itertools.pairwise(numbers))
    return len(numbers) == len(names) > 2 and rising


def _header(what: str, rows: Sequence[Sequence[str]]) -> list[str]:
    names = list(rows[0])
    if holds_numbers(names):
        side = (
            f" Or does it lie on its side ({len(rows)} lines of {len(names)} numbers)? "
            "Then transpose it first."
            if len(names) > len(rows)
            else ""
        )
        raise DataFileError(
            f"the first line of {what} is {names[:6]}, expected the names of the "
            f"columns. Add a header.{side}"
        )
    return names


def _numbers(
    what: str, line: int, row: Sequence[str], names: Sequence[str]
) -> list[float]:
    if len(row) != len(names):
        raise DataFileError(
            f"line {line} of {what} has {len(row)} cells, expected {len(names)} as in "
            "the header. Is the file truncated, are there decimal commas, or has the "
            "first column no name?"
        )
    values = [cell_value(cell) for cell in row]
    for name, cell, value in zip(names, row, values, strict=True):
        if value is None:
            comma = " Write decimal points, not commas." if "," in cell else ""
            raise DataFileError(
                f"line {line} of {what} gives {name!r} as {cell!r}, expected a "
                f"number.{comma} Remove that column, or export it again."
            )
    return [value for value in values if value is not None]
