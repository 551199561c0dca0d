"""How a table of measured BOLD is read: its text, its cells, and what a column is.

One rule for the file of a scan and for a table that grows while a session runs. Pure.
"""

import csv
import math
import re
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from rtbold.errors import DataFileError
from rtbold.messages import FloatArray

# Text, lines, cells.

DELIMITERS: Final = "\t,;"
_NOTHING: Final = ("n/a", "na", "nan", "")  # as BIDS and pandas write what is missing
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
BLANKS: Final = (
    "its columns are separated by blanks, expected tabs, commas or semicolons, and a "
    "first line with the names of the columns. Write it so"
)


def decoded(data: bytes, what: str) -> str:
    """Return text in UTF-8, with or without a byte order mark.

    Parameters
    ----------
    what : that it is of, for the message.

    Raises
    ------
    DataFileError : it is in another encoding, or no text.
    """
    try:
        if data.startswith(_UTF_16) or b"\0" in data[:1000]:
            raise UnicodeError("it looks like UTF-16, as Excel's 'Unicode text' is")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        why = f"byte 0x{data[error.start]:02x} in line {line} is of another encoding"
    except UnicodeError as error:
        why = str(error)
    raise DataFileError(
        f"{what} is no text in UTF-8 ({why}), expected a table in UTF-8. Save it as "
        "UTF-8, such as 'CSV UTF-8' of a spreadsheet program."
    )


def lines_of(text: str) -> list[str]:
    """Return the lines of a table: no empty ones, no comments before its header."""
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line.strip()]
    if lines and re.fullmatch(r'"?sep=.?"?', lines[0], re.I):  # of a spreadsheet
        del lines[0]
    while len(lines) > 2 and is_comment(lines[0], lines[1]):
        del lines[0]
    return [header_of(lines[0]), *lines[1:]] if lines else []


def is_comment(line: str, after: str) -> bool:
    """Return whether a line before a table is none of it: no numbers come after it."""
    return line[:1] in ("#", "%") and not is_numeric(after)


def header_of(line: str) -> str:
    """Return a header without the sign that numpy.savetxt writes before it."""
    return line.lstrip("#% ") if line[:1] in ("#", "%") else line


def delimiter_of(lines: Sequence[str]) -> str:
    """Return what cuts header and first row into equally many cells.

    Of several the one that leaves numbers in the row, then the one of most cells; tabs
    before commas before semicolons.
    """
    header, row = ([*lines[:2], ""])[:2]
    best, most = "\t", (False, False, 0)
    for delimiter in DELIMITERS:
        cells = trimmed(cells_of(row, delimiter))
        n = len(trimmed(cells_of(header, delimiter)))
        even = n == len(cells) > 1
        numbers = all(cell_value(cell) is not None for cell in cells)
        if (found := (even, even and numbers, n)) > most:
            best, most = delimiter, found
    return best


def cells_of(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line; quotes hold a cell together.

    Raises
    ------
    DataFileError : a break or a NUL within, or no end to a cell.
    """
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error as error:
        raise DataFileError(
            f"the line {line[:80]!r} is no row of a table: {error}. It is left out."
        ) from error


def trimmed(cells: Sequence[str]) -> list[str]:
    """Return the cells without empty ones at the end: some programs end lines so."""
    kept = list(cells)
    while len(kept) > 1 and not kept[-1].strip():
        del kept[-1]
    return kept


def fitted(cells: Sequence[str], n: int) -> list[str]:
    """Return `n` cells where only empty ones at the end make another number."""
    kept = trimmed(cells)
    return kept + [""] * (n - len(kept)) if len(cells) >= n >= len(kept) else kept


def cell_value(cell: str) -> float | None:
    """Return the number in a cell, nan where the file says that there is none.

    None: it is no number. Numbers have a decimal point.
    """
    if cell.strip().casefold() in _NOTHING:
        return float("nan")
    try:
        return None if "_" in cell else float(cell)  # Python groups digits by it
    except ValueError:
        return None


def holds_numbers(header: Sequence[str]) -> bool:
    """Return whether a line of names is none: numbers, or only what is missing.

    A region may be called NA (Nucleus accumbens) among others.
    """
    values = [cell_value(name) for name in header if name.strip()]
    held = [value for value in values if value is not None]
    return any(map(math.isfinite, held)) or len(held) == len(values) > 0


DECIMAL_COMMAS: Final = (
    "the commas between its cells look like decimal commas, expected tabs or "
    "semicolons between columns and decimal points. Export it so"
)


def decimal_commas(line: str, header: str) -> bool:
    """Return whether the commas of a row of whole numbers may be those of decimals.

    100,046 and 101,250 would be columns of whole numbers, some with a zero before them;
    "Sulcus, left" is one name where the row has no blank behind its comma.
    """
    cells = line.split(",")
    if len(cells) < 2 or not all(re.fullmatch(r"-?\d+", cell) for cell in cells):
        return False
    zero = any(re.fullmatch(r"0\d+", cell) for cell in cells[1:])
    blanks = [name.startswith(" ") for name in header.split(",")[1:]]
    pairs = len(blanks) % 2 == 1 and all(blanks[::2]) and not any(blanks[1::2])
    return zero or (pairs and '"' not in header)


def blank_separated(lines: Sequence[str]) -> bool:
    """Return whether blanks stand between the numbers of a table, and nothing else."""
    row = lines[min(1, len(lines) - 1)].strip()
    return len(row.split()) > 1 and not set(row) & set(DELIMITERS) and is_numeric(row)


def is_numeric(line: str) -> bool:
    """Return whether a line holds numbers alone, whatever is between them."""
    words = re.split(r"[\s,;]+", line.strip().strip('"'))
    return all(cell_value(word.strip('"')) is not None for word in words)


# What a column is, by its name.

Kind = Literal["roi", "number", "counter", "time"]

# The number of a volume, as rtbold itself, BIDS and pandas write it.
VOLUME_NUMBER: Final = ("volume", "volume_index", "vol", "index", "")
_COUNTER: Final = re.compile(
    r"(n|nr|no|num)?_?(tr|scan|frame|dyn|dynamic|time_?point|vol|volume|row|image|rep|"
    r"repetition|epi)s?(_?(idx|index|nr|no|number|num|n|id|count))?|unnamed_0"
)
_UNITS: Final = {
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
    "ms": 1e-3, "msec": 1e-3, "msecs": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3,
    "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0,
}  # fmt: skip
_TIME: Final = re.compile(
    r"(acq(uisition)?_|scan_)?(time|times|timestamps?|t|onsets?|zeit)"
    rf"(_in)?(_?(?P<unit>{'|'.join(sorted(_UNITS, key=len, reverse=True))}))?"
    r"|(?P<alone>secs?|seconds|msecs?|milliseconds|minutes)"
)


def column_kind(name: str) -> Kind:
    """Return what the name of a column says that it holds.

    ``number`` is the volume's own number, ``counter`` another name under which tables
    count their rows; ``roi`` is everything that is not known.
    """
    key = _key(name)
    if name.strip().casefold() in VOLUME_NUMBER:
        return "number"
    if _TIME.fullmatch(key):
        return "time"
    return "counter" if _COUNTER.fullmatch(key) else "roi"


def unit_s(name: str) -> float | None:
    """Return the seconds in the unit that the name of a time column says."""
    found = _TIME.fullmatch(_key(name))
    unit = found and (found["unit"] or found["alone"])
    return _UNITS[unit] if unit else None


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.strip().casefold()).strip("_")


# What a column is, by its numbers.

_FEWEST: Final = 5  # rows; fewer rise by the same step by chance
_NEVER: Final = 12  # whole numbers that rise at each row; no signal does
_LINE: Final = 0.75  # of a step: times that were rounded, or jitter
_SHARE: Final = 0.8  # of the steps: rows may be missing, runs may begin anew
_SAME: Final = 0.01  # of a step


def steady_step(column: FloatArray) -> float | None:
    """Return the step by which a column counts from row to row; None: it does not.

    A counter or a time rises (or falls) along a line, or by the same step from nearly
    every row to the next. No measured signal does.
    """
    steps = np.diff(column)
    if len(column) < _FEWEST or not np.isfinite(steps).all():
        return None
    step = float(np.median(steps))
    if step == 0:
        return None
    same = np.abs(steps - step) <= _SAME * abs(step)
    if float(np.mean(same)) >= _SHARE:
        return step
    rows = np.arange(len(column))
    slope, start = np.polyfit(rows, column, 1)
    off = np.abs(column - (start + slope * rows)).max()
    straight = bool((steps * slope > 0).all()) and off <= _LINE * abs(slope)
    if straight:
        return float(slope)
    whole = bool((column == np.round(column)).all() and (steps > 0).all())
    if whole and len(column) >= _NEVER:  # a counter of which rows were cut
        return float(np.sort(steps)[len(steps) // 2])
    return None
