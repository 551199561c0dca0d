"""Names of an atlas's regions, from the table beside it, whatever program wrote it.

BIDS (``index``, ``name``), FreeSurfer and FSLeyes (number, name, colours, blanks
between), AAL (short, long, number), Schaefer, FSL's XML, and a plain list. A region is
found by its number wherever the column of numbers stands; names are counted only where
there are no numbers at all, and as many as the atlas has regions.
"""

import csv
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rtbold.acquire import DELIMITERS, cell_value, decoded
from rtbold.errors import DataFileError

SUFFIXES: Final = (".tsv", ".csv", ".txt", ".lut", ".ctab", ".xml")
# Names of columns, letters and digits alone, the surest first.
_NUMBERS: Final = (
    "index", "label", "labelid", "labelindex", "labelnumber", "labelvalue", "roilabel",
    "id", "roiid", "regionid", "parcelid", "value", "indexvalue", "intensity", "number",
    "roinumber", "roinum", "no", "nr", "num", "idx", "key", "code", "component", "roi",
    "region", "parcel", "node", "structid",
)  # fmt: skip
_NAMES: Final = (
    "name", "roiname", "regionname", "labelname", "structname", "structure",
    "structurename", "region", "roi", "label", "difumonames", "fullname", "longname",
    "anatomy", "parcel", "area", "description", "abbreviation", "shortname",
)  # fmt: skip
_BACKGROUND: Final = ("background", "unknown", "clear label", "unlabeled", "unlabelled",
                      "outside", "none", "???")  # fmt: skip
_LARGEST: Final = 4 << 20  # bytes; a table of names is far shorter


def names_beside(
    atlas: Path, labels: Sequence[int], *, maps: bool = False
) -> tuple[tuple[str, ...], str]:
    """Return names for all numbers of an atlas, and where they come from.

    Parameters
    ----------
    labels : all numbers of regions in the atlas, rising; of maps: 1, 2, ...
    maps : an atlas of 4D maps, whose tables may count from 0.

    Raises
    ------
    DataFileError : the table beside it cannot be read, or does not fit the atlas.
    """
    stem = atlas.name.removesuffix(".gz").removesuffix(".nii")
    anywhere = re.sub(r"_res-[^_]+", "", stem)  # BIDS: one table for all resolutions
    for name in dict.fromkeys(
        s + suffix for s in (stem, anywhere) for suffix in SUFFIXES
    ):
        table = atlas.with_name(name)
        if table.is_file():
            found = region_names(table, labels, maps=maps)
            return found, f"region names from {table.name}"
    return tuple(f"roi-{label}" for label in labels), (
        f"no table of names beside {atlas.name}: regions are called by their numbers"
    )


def region_names(
    table: Path, labels: Sequence[int], *, maps: bool = False
) -> tuple[str, ...]:
    """Return the names that a table gives to the numbers of an atlas.

    Raises
    ------
    DataFileError : it has no name for one, several for one, or no numbers and another
        count of names.
    """
    if table.stat().st_size > _LARGEST:
        raise _unreadable(table, f"it holds {table.stat().st_size} bytes")
    text = decoded(table.read_bytes(), table.name)
    named = _of_xml(table, text) if table.suffix == ".xml" else None
    if text.lstrip()[:1] == "{":
        named = _of_json(table, text)
    if named is None:
        rows = _rows(text)
        if not rows:
            raise _unreadable(table, "it is empty")
        named = _numbered(table, rows, labels, maps=maps)
        if named is None:
            return _counted(table, _listed(rows), labels)
    if maps and set(named) == set(range(len(labels))):  # it counts from 0
        named = {number + 1: name for number, name in named.items()}
    missing = [label for label in labels if not named.get(label)]
    if missing:
        raise DataFileError(
            f"{table.name} has no name for the regions {missing[:5]} of its atlas, "
            f"expected one for each of {len(labels)}. Mend it, or move it away."
        )
    return tuple(named[label] for label in labels)


def _unreadable(table: Path, why: str) -> DataFileError:
    return DataFileError(
        f"{table.name} cannot be read as names of regions: {why}, expected columns "
        "index and name, or one name a line. Mend it, or move it away."
    )


# Lines and cells.


def _rows(text: str) -> list[list[str]]:
    """Return the cells of each line; comments and empty lines are left out."""
    lines = [line.strip(" ") for line in re.split(r"\r\n|\n|\r", text)]
    comments = [line for line in lines if line[:1] in ("#", "%")]
    lines = [line for line in lines if line.strip() and line[0] not in "#%"]
    for delimiter in DELIMITERS:
        rows = [_stripped(cells) for cells in csv.reader(lines, delimiter=delimiter)]
        if rows and min(map(len, rows)) > 1 and _table(rows, delimiter):
            head = comments and _stripped(comments[-1].lstrip("#% ").split(delimiter))
            return [head, *rows] if head and len(head) == len(rows[0]) else rows
    return _by_blanks(lines) or [[line.strip().strip('"')] for line in lines]


def _stripped(cells: Iterable[str]) -> list[str]:
    return [cell.strip().strip('"').strip() for cell in cells]


def _table(rows: list[list[str]], delimiter: str) -> bool:
    """Return whether a separator makes columns, and does not only stand in names."""
    widths = {len(row) for row in rows}
    numbers = any(
        all(len(row) > k and _whole(row[k]) is not None for row in rows[1:] or rows)
        for k in range(max(widths))
    )
    known = _known_header(rows[0])
    if delimiter == "\t":  # nobody writes tabs into names; the last cells may be empty
        for row in rows:
            row += [""] * (max(widths) - len(row))
        return True
    return len(widths) == 1 and (numbers or known or len(rows) == 1)


_BETWEEN: Final = r"(?:\s*[:=,;.)]\s*|\s+-\s+|\s+)"  # blanks, or as in lists
_LEADING: Final = re.compile(rf"(-?\d+){_BETWEEN}(.*\S)")
_TRAILING: Final = re.compile(rf"(.*\S){_BETWEEN}(-?\d+)")
_NUMBER: Final = r"[-+]?\d*\.?\d+"


def _by_blanks(lines: list[str]) -> list[list[str]]:
    """Return number and name of lines with blanks between; nothing: they are names."""
    for pattern, place in ((_LEADING, 0), (_TRAILING, 1)):
        for skipped in (0, 1):  # a header
            found = [pattern.fullmatch(line.strip()) for line in lines[skipped:]]
            rows = [list(match.groups()) for match in found if match]
            if not rows or len(rows) < len(found):
                continue
            rows = [[row[place], _without_colours(row[1 - place])] for row in rows]
            if all(name.endswith(f" {number}") for number, name in rows):  # AAL3
                rows = [[n, name.removesuffix(f" {n}").strip()] for n, name in rows]
            if len({name for _, name in rows}) == len(rows) and all(
                name for _, name in rows
            ):
                return rows
    return []


def _without_colours(text: str) -> str:
    """Return a name without three or more numbers before or behind it."""
    text = re.sub(rf"(\s+{_NUMBER}){{3,}}$", "", text)
    return re.sub(rf"^({_NUMBER}\s+){{3,}}", "", text).strip().strip('"')


# Which column holds the numbers, and which the names.


@dataclass(frozen=True, slots=True)
class _Column:
    at: int
    head: str  # letters and digits alone; empty without a header
    cells: tuple[str, ...]

    @property
    def numbers(self) -> tuple[int, ...] | None:
        """The whole numbers that it holds, each once or with one name."""
        found = [_whole(cell) for cell in self.cells]
        numbers = [number for number in found if number is not None]
        return tuple(numbers) if len(numbers) == len(found) else None

    @property
    def wordy(self) -> bool:
        """Whether it holds words: no numbers, no colours, not mostly empty."""
        words = [c for c in self.cells if c and cell_value(c) is None and c[0] != "#"]
        return 2 * len(words) > len(self.cells)


def _numbered(
    table: Path, rows: list[list[str]], labels: Sequence[int], *, maps: bool
) -> dict[int, str] | None:
    """Return number -> name; None: there is no column of numbers."""
    columns = _columns(rows)
    index = _index_column(table, columns, labels, maps=maps)
    if index is None:
        _refuse_holes(table, columns)
        return None
    numbers = index.numbers
    assert numbers is not None
    names = _name_column(table, columns, index)
    named: dict[int, str] = {}
    for number, name in zip(numbers, names.cells, strict=True):
        if named.setdefault(number, name) != name:
            raise DataFileError(
                f"{table.name} calls the region {number} both {named[number]!r} and "
                f"{name!r}, expected each number once. Mend it, or move it away."
            )
    return named


def _refuse_holes(table: Path, columns: Sequence[_Column]) -> None:
    """Refuse a column of numbers that lacks some: its rows cannot be counted."""
    for column in columns if len(columns) > 1 else ():
        cells = column.cells
        odd = [cell for cell in cells if _whole(cell) is None]
        held = len(cells) - len(odd)
        named = column.head in _NUMBERS and column.head not in _NAMES
        if held and (named or 2 * held >= len(cells)):
            raise DataFileError(
                f"{table.name} has the number {odd[0]!r} for a region, expected a "
                "whole number in each row. Mend it, or move it away."
            )


def _columns(rows: list[list[str]]) -> list[_Column]:
    header = _has_header(rows)
    heads = [_plain(cell) for cell in rows[0]] if header else [""] * len(rows[0])
    body = rows[1:] if header else rows
    return [
        _Column(k, head, tuple(row[k] for row in body)) for k, head in enumerate(heads)
    ]


def _has_header(rows: list[list[str]]) -> bool:
    """Return whether the first line is one: known words, or words above numbers."""
    if len(rows) < 2:
        return False
    if any(_whole(cell) is not None for cell in rows[0]):
        return False
    if _known_header(rows[0]):
        return True
    return any(
        all(_whole(row[k]) is not None for row in rows[1:]) for k in range(len(rows[0]))
    )


def _known_header(cells: Sequence[str]) -> bool:
    plain = [_plain(cell) for cell in cells]
    return any(cell in (*_NAMES, *_NUMBERS) for cell in plain)


def _plain(cell: str) -> str:
    return re.sub(r"[\W_]+", "", cell.casefold())


def _index_column(
    table: Path, columns: Sequence[_Column], labels: Sequence[int], *, maps: bool
) -> _Column | None:
    numeric = [column for column in columns if column.numbers is not None]
    fitting = [c for c in numeric if maps or not _counts_rows(c, columns)]
    if not any(column.wordy for column in columns):
        numeric = [c for c in numeric if c.head not in _NAMES[:5]]  # Brodmann's areas
    if not numeric:
        return None
    known = [c for c in numeric if c.head in _NUMBERS]
    fits = [c for c in known if _covers(c, labels, maps=maps)]
    fits = fits or [c for c in fitting if _covers(c, labels, maps=maps)]
    if fits and len({c.numbers for c in fits}) == 1:
        return fits[0]
    if known and not fits:  # the message says which numbers have no name
        return min(known, key=lambda c: _NUMBERS.index(c.head))
    what = f"{len(fits)} columns" if fits else "no column"
    raise DataFileError(
        f"{table.name} has {what} that could be the numbers of the regions "
        f"({_some(labels)}), expected one. Call it index, and the names' name."
    )


def _counts_rows(column: _Column, columns: Sequence[_Column]) -> bool:
    """Return whether a column without a name numbers the rows, as pandas does."""
    if column.head or not any(c.head for c in columns):
        return False
    counted = list(column.numbers or ()) == list(range(len(column.cells)))
    first = {c.cells[0].casefold() for c in columns}
    return counted and not first & set(_BACKGROUND)


def _covers(column: _Column, labels: Sequence[int], *, maps: bool) -> bool:
    held = column.numbers or ()
    all_there = set(labels) <= set(held) or (
        maps and set(held) == set(range(len(labels)))
    )
    return all_there and len(set(held)) == len(held)


def _name_column(table: Path, columns: Sequence[_Column], index: _Column) -> _Column:
    others = [column for column in columns if column.at != index.at]
    known = [c for c in others if c.head in _NAMES and (c.wordy or c.head == "name")]
    if known:
        return min(known, key=lambda c: _NAMES.index(c.head))
    words = [column for column in others if column.wordy]
    if not words:
        raise _unreadable(table, "it has numbers and no names")
    nearest = min(abs(c.at - index.at) for c in words)
    beside = [c for c in words if abs(c.at - index.at) == nearest]
    return max(beside, key=lambda c: sum(map(len, c.cells)))  # the long names


# Names without numbers.

_BEGINS: Final = re.compile(r"\W*(\d+)(?!\w)")  # names that hold a number of their own


def _listed(rows: list[list[str]]) -> list[str]:
    """Return the names of a list: one a line, or all in one line."""
    if len(rows) == 1:
        return rows[0]
    columns = _columns(rows)
    known = [c for c in columns if c.head in _NAMES]
    words = known or [c for c in columns if c.wordy] or columns
    best = min(known, key=lambda c: _NAMES.index(c.head)) if known else words[0]
    return list(best.cells)


def _counted(table: Path, names: list[str], labels: Sequence[int]) -> tuple[str, ...]:
    """Return the names in the order of the numbers, where both are as many."""
    if names and names[0].casefold() in _BACKGROUND:
        names = names[1:]
    names = [name for name in names if name]
    begin = [match[1] for match in map(_BEGINS.match, names) if match]
    if len(set(begin)) == len(begin) > 1 and 2 * len(begin) >= len(names):
        raise DataFileError(
            f"{table.name} has names such as {names[0]!r}, expected numbers and names "
            "apart. Write two columns, index and name, or move it away."
        )
    if len(names) != len(labels) or list(labels) != list(range(1, len(labels) + 1)):
        raise DataFileError(
            f"{table.name} has {len(names)} names without numbers, and its atlas the "
            f"regions {_some(labels)}, expected as many, counted from 1. Write two "
            "columns, index and name, or move it away."
        )
    return tuple(names)


def _some(labels: Sequence[int]) -> str:
    shown = ", ".join(map(str, labels[:5]))
    return f"{shown}, ... ({len(labels)})" if len(labels) > 5 else shown


def _whole(cell: str) -> int | None:
    value = cell_value(cell) if cell.strip() else None
    if value is None or not value.is_integer():
        return None
    return int(value)


# Files of pairs: JSON, and XML of FSL, SPM and AAL.


def _of_json(table: Path, text: str) -> Mapping[int, str]:
    """Return number -> name of pairs of both, whichever stands first."""
    try:
        pairs = dict(json.loads(text)).items()
        turned = [(v, k) if _whole(str(k)) is None else (k, v) for k, v in pairs]
        named = {int(str(number)): str(name) for number, name in turned}
    except (ValueError, TypeError, RecursionError) as error:
        raise _unreadable(table, f"{type(error).__name__}: {error}") from error
    if len(named) < len(pairs):
        raise _unreadable(table, "a number comes twice")
    return named


def _of_xml(table: Path, text: str) -> Mapping[int, str] | None:
    """Return number -> name of a description of an atlas.

    FSL's counts from 0. In an image of labels a probabilistic region's number is one
    higher, as FSL makes its maximum maps. SPM and AAL write the labels' own numbers.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise _unreadable(table, "it declares entities")
    try:
        root = ET.fromstring(text)  # no entities: they are refused above
        said = (root.findtext(".//type") or "").strip().casefold()
        first = 0 if said.startswith("label") else 1
        labels = list(root.iter("label"))
        if labels and all(label.find("index") is not None for label in labels):
            return {
                int(label.findtext("index", "")): label.findtext("name", "").strip()
                for label in labels
            }
        return {
            int(label.attrib["index"]) + first: "".join(label.itertext()).strip()
            for label in labels
        }
    except (ET.ParseError, KeyError, ValueError) as error:
        raise _unreadable(table, f"{type(error).__name__}: {error}") from error
