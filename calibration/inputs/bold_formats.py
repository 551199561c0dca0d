"""Formats of measured BOLD: NIfTI with an atlas, NPY and MAT, XDF, tables of text."""

import csv
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from rtbold.calibration.inputs.bold_series import RawTable
from rtbold.calibration.inputs.mat5 import in_child
from rtbold.errors import ConfigError, DataFileError
from rtbold.files import (
    XdfStream,
    check_declared_size,
    corrected_stamps,
    load_streams,
    require,
)
from rtbold.messages import FloatArray

Image = Any  # nibabel's; it carries no types
_PER_SECOND = {"sec": 1.0, "msec": 1e3, "usec": 1e6}
_TABLES = (".tsv", ".csv", ".txt")
_NAME_COLUMNS = ("name", "label", "region", "difumo_names")


def read_image(path: Path, atlas: Path | None) -> RawTable:
    """Read a 4D image and average it over the regions of an atlas.

    Neither filtered nor scaled. An atlas on another grid is resampled to the image's;
    that both are in one space (MNI, or the subject's) only the user can know.

    Parameters
    ----------
    atlas : 3D image of labels, or 4D image of maps. A table of the same name beside it
        gives the regions' names (columns index and name, as in BIDS; or names alone).

    Raises
    ------
    ConfigError : no atlas was given.
    DataFileError : an image cannot be read or has another shape.
    """
    if atlas is None:
        raise ConfigError(
            f"{path.name} is an image, expected an atlas with it that says where the "
            "ROIs are. Give one: --atlas FILE.nii.gz"
        )
    image, regions = _load(path), _load(atlas)
    if len(image.shape) != 4 or image.shape[3] < 2:
        raise DataFileError(
            f"{path.name} has shape {image.shape}, expected a series of volumes (4D)."
        )
    values, labels, warned = _averaged(path, image, regions)
    names, note = _names(atlas, labels)
    tr_s = _tr_s(image)
    notes = [f"regions of {atlas.name} by nilearn", note, *warned]
    if regions.shape[:3] != image.shape[:3]:
        notes.append(f"{atlas.name} was resampled to the grid of {path.name}")
    return RawTable(
        values=values, names=names, tr_s=tr_s, notes=tuple(n for n in notes if n)
    )


def _load(path: Path) -> Image:
    nibabel = require("nibabel", extra="calibration", purpose="reading NIfTI")
    if not path.is_file():
        raise DataFileError(
            f"there is no file {str(path)!r}, expected a NIfTI image. Check the path."
        )
    try:
        return nibabel.load(path)
    except Exception as error:  # nibabel raises what the damage leads to
        raise DataFileError(
            f"{path.name} cannot be read as NIfTI ({type(error).__name__}: {error}), "
            "expected .nii or .nii.gz. Copy it again."
        ) from error


def _averaged(
    path: Path, image: Image, regions: Image
) -> tuple[np.ndarray, list[int], list[str]]:
    """Return (volumes, regions), the atlas's own numbers of them, and notes."""
    maskers = require(
        "nilearn.maskers", extra="calibration", purpose="averaging over an atlas"
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if len(regions.shape) == 4:
                masker = maskers.NiftiMapsMasker(regions, standardize=None)
                values = masker.fit_transform(image)
                labels = list(range(1, regions.shape[3] + 1))
            else:
                masker = maskers.NiftiLabelsMasker(
                    regions, standardize=None, keep_masked_labels=False
                )
                values = masker.fit_transform(image)
                held = masker.region_ids_
                labels = [int(held[k]) for k in held if k != "background"]
        except Exception as error:
            raise DataFileError(
                f"nilearn cannot average {path.name} over the atlas "
                f"({type(error).__name__}: {error}). Are both images whole, and in one "
                "space?"
            ) from error
    quiet = DeprecationWarning | FutureWarning
    texts = [
        str(w.message).strip() for w in caught if not issubclass(w.category, quiet)
    ]
    return np.asarray(values, np.float64), labels, list(dict.fromkeys(texts))


def _names(atlas: Path, labels: list[int]) -> tuple[tuple[str, ...], str]:
    """Return names for the atlas's numbers, if a table beside it has them."""
    stem = atlas.name.removesuffix(".gz").removesuffix(".nii")
    for suffix in _TABLES:
        table = atlas.with_name(stem + suffix)
        if table.is_file():
            return _from_table(table, labels), f"region names from {table.name}"
    return tuple(f"roi-{label}" for label in labels), (
        f"no table of names beside {atlas.name}: regions are called by their numbers"
    )


def _from_table(table: Path, labels: list[int]) -> tuple[str, ...]:
    text = table.read_text(encoding="utf-8-sig")
    first = text.partition("\n")[0]
    delimiter = next((d for d in "\t,;" if d in first), "\n")
    rows = [row for row in csv.reader(text.splitlines(), delimiter=delimiter) if row]
    header = [cell.strip().casefold() for cell in rows[0]]
    column = next((header.index(n) for n in _NAME_COLUMNS if n in header), None)
    if column is None:  # names alone, one a line
        names = dict(enumerate((row[-1].strip() for row in rows), start=1))
    elif header[0] == "index" or header[0] == "component":
        names = {int(float(row[0])): row[column].strip() for row in rows[1:]}
    else:
        names = dict(enumerate((row[column].strip() for row in rows[1:]), start=1))
    missing = [label for label in labels if label not in names]
    if missing:
        raise DataFileError(
            f"{table.name} has no name for the regions {missing[:5]} of its atlas, "
            "expected one for each. Mend it, or move it away."
        )
    return tuple(names[label] for label in labels)


def _tr_s(image: Image) -> float | None:
    """Return the header's TR; None where it says nothing believable."""
    step = float(image.header.get_zooms()[3])
    tr_s = step / _PER_SECOND.get(image.header.get_xyzt_units()[1], 1.0)
    return tr_s if 0.1 <= tr_s <= 20 else None


# Arrays of BOLD: NPY, and MATLAB's MAT in both of its formats.

_HDF5_MAGIC = b"\x89HDF"


def read_npy(path: Path) -> RawTable:
    """Read one array of (volumes, ROIs); pickled objects are refused.

    Raises
    ------
    DataFileError : it is no NPY, holds objects, or has another shape.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataFileError(
            f"{path.name} cannot be read as NPY ({error}), expected an array of "
            "numbers. Save it with numpy.save, without pickled objects."
        ) from error
    if not isinstance(array, np.ndarray):
        raise DataFileError(
            f"{path.name} is an archive of several arrays, expected one. Save the one "
            "of (volumes, ROIs) as .npy."
        )
    return RawTable(values=_checked_table(path.name, array), names=None)


def read_mat(path: Path, variable: str | None = None) -> RawTable:
    """Read the 2-D variable of a MAT file.

    Parameters
    ----------
    variable : its name; needed when there are several.

    Raises
    ------
    DataFileError : it is no MAT, or it is not clear which variable is meant.
    """
    with path.open("rb") as file:
        file.seek(512)  # a MAT of version 7.3 is HDF5 behind a block of its own
        behind = file.read(4)
        file.seek(0)
        hdf5 = _HDF5_MAGIC in (behind, file.read(4))
    found = _read_hdf5(path) if hdf5 else _read_mat5(path)
    names = sorted(found)
    if variable is not None and variable not in found:
        raise DataFileError(
            f"{path.name} has no 2-D variable {variable!r}; it has {names}. Name one "
            "of these."
        )
    if variable is None and len(found) != 1:
        raise DataFileError(
            f"{path.name} holds {len(found)} 2-D variables of numbers {names}, "
            "expected one. Say which is the BOLD, as in FILE.mat:NAME."
        )
    values = _checked_table(path.name, found[variable or names[0]])
    return RawTable(values=values, names=None)


def _read_mat5(path: Path) -> dict[str, np.ndarray]:
    held = in_child(path)
    return {name: array for name, array in held.items() if _is_table(array)}


def _read_hdf5(path: Path) -> dict[str, np.ndarray]:
    h5py = require("h5py", extra="files", purpose="reading MAT of version 7.3")
    try:
        with h5py.File(path, "r") as file:
            tables = {
                name: item
                for name, item in file.items()
                if isinstance(item, h5py.Dataset) and _is_table(item)
            }
            check_declared_size(path, sum(item.nbytes for item in tables.values()))
            # MATLAB stores columns first, so that HDF5 sees the transpose.
            return {name: item[()].T for name, item in tables.items()}
    except OSError as error:
        raise DataFileError(
            f"{path.name} cannot be read as MAT 7.3 ({error}), expected a whole file. "
            "Copy or save it again."
        ) from error


def _is_table(item: object) -> bool:
    """Return whether it is 2-D, of numbers, and no mere scalar."""
    shape, dtype = getattr(item, "shape", ()), getattr(item, "dtype", None)
    return len(shape) == 2 and max(shape) > 1 and getattr(dtype, "kind", "") in "fiu"


def _checked_table(what: str, array: np.ndarray) -> FloatArray:
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise DataFileError(
            f"{what} is an array of {array.dtype} with shape {array.shape}, expected "
            "numbers of shape (volumes, ROIs)."
        )
    return np.ascontiguousarray(array, dtype=np.float64)


# Measured BOLD inside an XDF: a stream of type BOLD, one sample a volume.
#
# Its first channel is the volume's number, the others are ROIs; the stamp is the
# volume's onset. The twin sends such a stream (``rtbold-twin-bold``).


def read_stream(path: Path, name: str | None = None) -> RawTable:
    """Read the BOLD stream of an XDF.

    Parameters
    ----------
    name : of the stream, where there are several.

    Raises
    ------
    DataFileError : there is none, or more than one.
    """
    streams, notes = load_streams(path)
    fits = [
        s
        for s in streams
        if not s.is_text
        and (s.description.name == name if name else s.description.type == "BOLD")
    ]
    if len(fits) != 1:
        held = [f"{s.description.name!r} ({s.description.type})" for s in streams]
        wanted = f"called {name!r}" if name else "of type 'BOLD'"
        raise DataFileError(
            f"{path.name} holds {len(fits)} streams {wanted}, expected one; it holds "
            f"{', '.join(held)}. Name one as in FILE.xdf:NAME, or give a table."
        )
    return _stream_table(path, fits[0], notes)


def _stream_table(path: Path, stream: XdfStream, notes: list[str]) -> RawTable:
    values = np.asarray(stream.values, dtype=np.float64)
    names = tuple(channel.label for channel in stream.description.channels)
    if values.ndim != 2 or len(values) == 0 or len(names) != values.shape[1]:
        raise DataFileError(
            f"the stream {stream.description.name!r} of {path.name} has shape "
            f"{values.shape} and {len(names)} named channels, expected one volume a "
            "sample, with the labels of its ROIs."
        )
    return RawTable(
        values=values,
        names=names,
        onsets_s=corrected_stamps(stream),
        simulated=stream.description.simulated,
        notes=(f"BOLD from the stream {stream.description.name!r}", *notes),
    )


# Tables of text: a header of names, one row a volume, the delimiter found out.

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
