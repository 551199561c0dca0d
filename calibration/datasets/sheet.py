"""A sheet that says which scan is for training, validation and test.

The published one (``scan_split``) has a sheet a fold, with the columns scan_name,
train, val, test, of which one is marked in each row. XLSX, CSV and TSV are read.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal
from zipfile import ZipFile

from rtbold.errors import DataFileError
from rtbold.files import check_declared_size, damage_told, require

SheetPart = Literal["train", "validation", "test"]
Sheet = Mapping[str, SheetPart]  # scan -> part
_NAME: Final = ("scan_name", "scan", "name")
_PARTS: Final[dict[str, SheetPart]] = {
    "train": "train", "training": "train",
    "val": "validation", "validation": "validation", "valid": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
_FOLD: Final = "fold"  # column of a table of text: its sheets
_YES: Final = ("1", "1.0", "x", "true", "yes", "y")
_NO: Final = ("", "0", "0.0", "false", "no", "n", "nan", "n/a", "none", "-")
_TEXT: Final = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
Row = Sequence[str]


def read_sheet(path: str | Path) -> Mapping[str, Sheet]:
    """Read the sheets of a split.

    Parameters
    ----------
    path : XLSX, each sheet a fold; or CSV or TSV, with a column ``fold`` for several.

    Returns
    -------
    Name of the sheet (of a table of text without folds: of the file) -> scan -> part.

    Raises
    ------
    DataFileError : a column is missing, or a scan is in no part, in two, or twice.
    RtboldError : openpyxl is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise DataFileError(
            f"there is no file {str(path)!r}, expected a sheet of a split. Check the "
            "path."
        )
    suffix = path.suffix.lower()
    with damage_told(path, "a sheet of a split"):
        if suffix == ".xlsx":
            tables = _xlsx(path)
        elif suffix in _TEXT:
            tables = _folds(path, _text(path, _TEXT[suffix]))
        else:
            raise DataFileError(
                f"{path.name} ends in {path.suffix or 'nothing'!r}, expected .xlsx, "
                ".csv or .tsv. Save the sheet as one of these."
            )
    sheets = {name: _sheet(path, name, rows) for name, rows in tables.items() if rows}
    if not sheets:
        raise DataFileError(
            f"{path.name} holds no rows, expected a scan in each. Save it again."
        )
    return sheets


def _xlsx(path: Path) -> dict[str, list[Row]]:
    openpyxl = require("openpyxl", extra="training", purpose="reading a split as .xlsx")
    with ZipFile(path) as archive:
        check_declared_size(path, sum(item.file_size for item in archive.infolist()))
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        return {
            sheet.title: [
                cells
                for row in sheet.iter_rows(values_only=True)
                if any(cells := tuple(_cell(value) for value in row))
            ]
            for sheet in book.worksheets
        }
    finally:
        book.close()


def _cell(value: object) -> str:
    return "" if value is None else str(value).strip()


def _text(path: Path, delimiter: str) -> list[Row]:
    text = path.read_text(encoding="utf-8-sig")
    if delimiter == "," and ";" in text.partition("\n")[0]:
        delimiter = ";"  # as spreadsheets of many countries write
    rows = csv.reader(text.splitlines(), delimiter=delimiter)
    return [[cell.strip() for cell in row] for row in rows if any(row)]


def _folds(path: Path, rows: list[Row]) -> dict[str, list[Row]]:
    """Return the rows of each fold; of the whole table where it has no such column."""
    header = [cell.casefold() for cell in rows[0]] if rows else []
    if _FOLD not in header:
        return {path.stem: rows}
    at = header.index(_FOLD)
    found: dict[str, list[Row]] = {}
    for row in rows[1:]:
        name = row[at] if at < len(row) else ""
        name = f"fold{name}" if name.isdecimal() else name
        found.setdefault(name or path.stem, [rows[0]]).append(row)
    return found


def _sheet(path: Path, name: str, rows: Iterable[Row]) -> Sheet:
    header, *body = rows
    where = f"sheet {name!r} of {path.name}"
    named = [cell.casefold() for cell in header]
    at = next((named.index(word) for word in _NAME if word in named), None)
    parts = {k: _PARTS[cell] for k, cell in enumerate(named) if cell in _PARTS}
    if at is None or not {"train", "test"} <= set(parts.values()):
        raise DataFileError(
            f"{where} has the columns {list(header)}, expected scan_name, train, val "
            "and test. Correct the first row."
        )
    found: dict[str, SheetPart] = {}
    for row in body:
        scan = row[at] if at < len(row) else ""
        if not scan:
            continue
        if scan in found:
            raise DataFileError(
                f"{where} names {scan!r} twice, expected each scan once. Remove one of "
                "the rows."
            )
        found[scan] = _part(where, scan, {p: _mark(row, k) for k, p in parts.items()})
    return found


def _mark(row: Row, at: int) -> str:
    return row[at].casefold() if at < len(row) else ""


def _part(where: str, scan: str, marks: Mapping[SheetPart, str]) -> SheetPart:
    odd = [mark for mark in marks.values() if mark not in (*_YES, *_NO)]
    chosen = [part for part, mark in marks.items() if mark in _YES]
    if odd or len(chosen) != 1:
        told = ", ".join(f"{part} {mark!r}" for part, mark in marks.items())
        raise DataFileError(
            f"{where} has {told} for {scan!r}, expected a 1 in exactly one of train, "
            "val and test. Correct that row."
        )
    return chosen[0]
