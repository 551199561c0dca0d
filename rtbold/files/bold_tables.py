"""Tables of BOLD that are written: predictions, and measured volumes as they come."""

import csv
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

import numpy as np

from rtbold.errors import ConfigError, RtboldError
from rtbold.messages import BoldPrediction, MeasuredVolume
from rtbold.owner_only import create_text

_NOTHING = "n/a"  # as BIDS writes what is not there


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
