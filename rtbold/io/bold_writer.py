"""Measured volumes into a table, row by row as they come."""

import csv
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from rtbold.errors import RtboldError
from rtbold.messages import MeasuredVolume


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
            return self.path.open("x", encoding="utf-8", newline="")
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
