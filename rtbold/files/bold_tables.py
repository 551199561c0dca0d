"""Tables of BOLD: measured series in, predictions out."""

import csv
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

import numpy as np

from rtbold.errors import ConfigError, DataFileError, RtboldError
from rtbold.messages import BoldPrediction, FloatArray, MeasuredVolume
from rtbold.owner_only import create_text

_NOTHING = "n/a"  # as BIDS writes what is not there


@dataclass(frozen=True, slots=True, eq=False)
class BoldTable:
    """Measured BOLD of a run."""

    rois: tuple[str, ...]
    values: FloatArray  # (volumes, rois), after the dropped ones
    n_dropped: int  # volumes left out at the beginning


def read_bold(path: str | Path, *, drop_volumes: int = 0) -> BoldTable:
    """Read a TSV or CSV: a header of ROI names, then one row per volume.

    Parameters
    ----------
    drop_volumes : left out at the beginning (dummy volumes).

    Raises
    ------
    DataFileError
        The file is missing, empty, ragged, has no header, or holds what is no number.
    ConfigError
        `drop_volumes` is negative or leaves no volume.
    """
    path = Path(path)
    rows = _rows(path)
    rois = _header(path, rows[0])
    values = np.array(
        [
            _numbers(path, number, row, rois)
            for number, row in enumerate(rows[1:], start=2)
        ]
    ).reshape(-1, len(rois))
    if not 0 <= drop_volumes < len(values):
        raise ConfigError(
            f"--drop-volumes is {drop_volumes}, expected 0 to {len(values) - 1}: "
            f"{path.name} holds {len(values)} volumes."
        )
    return BoldTable(rois, values[drop_volumes:], drop_volumes)


def write_predictions_tsv(
    path: str | Path, predictions: Iterable[BoldPrediction], rois: Sequence[str]
) -> None:
    """Write predictions, one row each; the file appears whole or not at all.

    Numbers are the shortest that read back as the same float64 (times) and float32
    (values); what is not there is ``n/a``.

    Raises
    ------
    RtboldError
        The folder cannot be written.
    """
    path = Path(path)
    header = ["volume_index", "t_end", "status", "reasons", *rois]
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, delimiter="\t", lineterminator="\n")
                writer.writerow(header)
                writer.writerows(_cells(p, len(rois)) for p in predictions)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise RtboldError(
            f"cannot write {path}: {error.strerror}. Expected a folder that can be "
            "written; choose another with --out."
        ) from error


def check_folder(path: str | Path) -> None:
    """Refuse a file that cannot be written where it is said, before it is computed.

    Raises
    ------
    ConfigError : its folder is not there, or it is a folder itself.
    """
    folder = Path(path).parent
    if not folder.is_dir():
        raise ConfigError(
            f"cannot write {path}: there is no folder {str(folder)!r}. Expected one "
            "that can be written; choose another with --out, or make it."
        )
    if Path(path).is_dir():
        raise ConfigError(
            f"cannot write {path}: it is a folder, expected the name of a file; "
            "choose one with --out."
        )


def _cells(prediction: BoldPrediction, n_rois: int) -> list[str]:
    volume_index = prediction.tick.volume_index
    values = prediction.values
    if values is not None and len(values) != n_rois:
        raise ValueError(f"a prediction of {len(values)} ROIs, expected {n_rois}")
    return [
        _NOTHING if volume_index is None else str(volume_index),
        repr(float(prediction.t_end_s)),
        prediction.status,
        ",".join(prediction.reasons),
        *(
            [_NOTHING] * n_rois
            if values is None
            else map(str, values.astype(np.float32))
        ),
    ]


def _rows(path: Path) -> list[list[str]]:
    if not path.is_file():
        raise DataFileError(
            f"there is no file {str(path)!r}, expected a table of BOLD. Check the path."
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataFileError(
            f"{path.name} is no text ({error}), expected a TSV or CSV. "
            "Export the series as one."
        ) from error
    delimiter = "," if path.suffix.lower() == ".csv" else "\t"
    rows = [row for row in csv.reader(text.splitlines(), delimiter=delimiter) if row]
    if len(rows) < 2:
        raise DataFileError(
            f"{path.name} holds {len(rows)} lines, expected a header of ROI names and "
            "one row per volume. Export it again."
        )
    return rows


def _header(path: Path, row: list[str]) -> tuple[str, ...]:
    # Published names carry a typographic apostrophe in "Heschl's gyrus".
    rois = tuple(name.strip().replace("\u2019", "'") for name in row)
    numbers = [name for name in rois if _number(name) is not None]
    if numbers or "" in rois or len(set(rois)) < len(rois):
        raise DataFileError(
            f"the first line of {path.name} is {list(rois)[:6]}, expected a header of "
            "different ROI names. Add one (tabs in a .tsv, commas in a .csv)."
        )
    return rois


def _numbers(
    path: Path, number: int, row: list[str], rois: Sequence[str]
) -> list[float]:
    if len(row) != len(rois):
        raise DataFileError(
            f"line {number} of {path.name} has {len(row)} cells, expected {len(rois)} "
            "as in the header. Is the file truncated, or the separator another one?"
        )
    values = [_number(cell) for cell in row]
    for roi, cell, value in zip(rois, row, values, strict=True):
        if value is None or not np.isfinite(value):
            raise DataFileError(
                f"line {number} of {path.name} gives {roi!r} as {cell!r}, expected a "
                "finite number. Leave that ROI out, or export it again."
            )
    return [value for value in values if value is not None]


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


# Measured volumes into a table, row by row as they come.


class BoldWriter:
    """A TSV: ``volume``, then one column per ROI; each row is on disk at once.

    The ROIs are those that the first volume has a value of. A volume that lacks one of
    them, or whose number does not rise, is counted and left out: the numbers show that
    it is missing.

    Parameters
    ----------
    path : a new file.
    first : number that the source gives to volume 0; earlier ones are left out.
    """

    def __init__(self, path: Path, *, first: int = 0) -> None:
        self.path = path
        self._first = first
        self._file: TextIO = self._open()
        self._writer = csv.writer(self._file, delimiter="\t", lineterminator="\n")
        self._rois: tuple[str, ...] = ()
        self.indices: list[int] = []
        self.n_left_out = 0

    def _open(self) -> TextIO:
        try:
            return create_text(self.path)
        except OSError as error:
            raise RtboldError(
                f"cannot write {self.path}: {error.strerror}. Expected a folder that "
                "can be written; choose another with --record."
            ) from error

    def write(self, volume: MeasuredVolume) -> int | None:
        """Write one volume; return its number from 0, None if it was left out."""
        index = volume.volume_index - self._first
        values = {
            roi: value
            for roi, value in zip(volume.rois, volume.values, strict=False)
            if value is not None
        }
        old = bool(self.indices) and index <= self.indices[-1]
        if index < 0 or old or not values or not values.keys() >= set(self._rois):
            self.n_left_out += 1
            return None
        if not self._rois:
            self._rois = tuple(values)
            self._writer.writerow(["volume", *self._rois])
        self._writer.writerow([index, *(repr(values[roi]) for roi in self._rois)])
        self._file.flush()
        self.indices.append(index)
        return index

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
