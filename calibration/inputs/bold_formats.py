"""Formats of measured BOLD that hold arrays: NPY, MAT, and a stream of an XDF."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from rtbold.arrays import read_npy as npy_array
from rtbold.calibration.inputs.bold_series import RawTable
from rtbold.calibration.inputs.mat5 import in_child
from rtbold.errors import DataFileError
from rtbold.files import (
    XdfStream,
    check_declared_size,
    corrected_stamps,
    load_streams,
    require,
    why_not_hdf5,
)
from rtbold.messages import FloatArray
from rtbold.record import read_lines

# Arrays of BOLD: NPY, and MATLAB's MAT in both of its formats.

Item = Any  # of h5py; it carries no types
_HDF5_MAGIC = b"\x89HDF"
_ZIP_MAGIC = b"PK\x03\x04"


def read_npy(path: Path) -> RawTable:
    """Read one array of (volumes, ROIs); pickled objects are refused.

    Raises
    ------
    DataFileError : it is no NPY, holds objects, or has another shape.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) == _ZIP_MAGIC:
                raise DataFileError(
                    f"{path.name} is an archive of several arrays, expected one. Save "
                    "the one of (volumes, ROIs) as .npy."
                )
            file.seek(0)
            array = npy_array(file, n_bytes=os.fstat(file.fileno()).st_size)
    except (OSError, ValueError) as error:
        raise DataFileError(
            f"{path.name} cannot be read as NPY ({error}), expected an array of "
            "numbers. Save it with numpy.save, without pickled objects."
        ) from error
    return RawTable(values=_checked_table(path.name, array), names=None, counts=True)


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
    found, others = _read_hdf5(path) if hdf5 else _read_mat5(path)
    names = sorted(found)
    if not names:
        raise DataFileError(_no_table(path.name, others, variable))
    if variable is not None and variable not in found:
        what = f", but a {others[variable]}" if variable in others else ""
        raise DataFileError(
            f"{path.name} has no 2-D variable {variable!r} of numbers{what}; it has "
            f"{names}. Name one of these."
        )
    if variable is None and len(found) != 1:
        raise DataFileError(
            f"{path.name} holds {len(found)} 2-D variables of numbers {names}, "
            "expected one. Say which is the BOLD, as in FILE.mat:NAME."
        )
    values = _checked_table(path.name, found[variable or names[0]])
    return RawTable(values=values, names=None, counts=True)


def _no_table(name: str, others: dict[str, str], variable: str | None) -> str:
    """Say what a MAT without a matrix holds, and how to save one."""
    asked = variable if variable in others else next(iter(others), "")
    held = ", ".join(f"{key} ({what})" for key, what in others.items()) or "nothing"
    inside = "bold"
    if "cell" in others.get(asked, ""):
        inside = f"cell2mat({asked})"
    elif "sparse" in others.get(asked, ""):
        inside = f"full({asked})"
    elif "struct" in others.get(asked, ""):
        inside = f"{asked}.FIELD"
    return (
        f"{name} holds {held}, expected a 2-D variable of numbers (volumes, ROIs). "
        f"Save one in MATLAB: roi = {inside}; save('bold.mat', 'roi')"
    )


def _read_mat5(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    held, others = in_child(path)
    tables = {name: array for name, array in held.items() if _is_table(array)}
    for name, array in held.items():
        if name not in tables:
            others[name] = _sized(array.shape, str(array.dtype))
    return tables, others


def _read_hdf5(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    h5py = require("h5py", extra="files", purpose="reading MAT of version 7.3")
    if why := why_not_hdf5(path):
        raise _damaged(path, why)
    try:
        with h5py.File(path, "r") as file:
            items = {name: item for name, item in file.items() if name[0] != "#"}
            kinds = {name: _matlab_class(item) for name, item in items.items()}
            tables = {
                name: item
                for name, item in items.items()
                if kinds[name] in _NUMBERS
                and "MATLAB_empty" not in item.attrs
                and isinstance(item, h5py.Dataset)
                and _is_table(item)
            }
            others = {
                name: _sized(getattr(item, "shape", ())[::-1], kinds[name])
                for name, item in items.items()
                if name not in tables
            }
            check_declared_size(path, sum(item.nbytes for item in tables.values()))
            # MATLAB stores columns first, so that HDF5 sees the transpose.
            return {name: item[()].T for name, item in tables.items()}, others
    except OSError as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, why: str) -> DataFileError:
    return DataFileError(
        f"{path.name} cannot be read as MAT 7.3 ({why}), expected a whole file. "
        "Copy or save it again."
    )


# What MATLAB calls a class of numbers; letters and truth values are none. A file that
# another program wrote says no class at all.
_NUMBERS = (
    "", "double", "single", "int8", "int16", "int32", "int64",
    "uint8", "uint16", "uint32", "uint64",
)  # fmt: skip


def _matlab_class(item: Item) -> str:
    """Return what MATLAB called a variable; empty where it does not say."""
    if "MATLAB_sparse" in item.attrs:
        return "sparse matrix"
    if not hasattr(item, "shape"):
        return f"struct of {', '.join(item)}"
    said = item.attrs.get("MATLAB_class", b"")
    return said.decode("ascii", "replace") if isinstance(said, bytes) else str(said)


def _sized(shape: tuple[int, ...], kind: str) -> str:
    """Return the size of a variable and what it is, as MATLAB lists it."""
    return f"{'x'.join(map(str, shape))} {kind}".strip()


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


# Measured BOLD in the event log of a session that rtbold recorded.


def read_event_log(path: Path) -> RawTable:
    """Read the measured volumes of a session, with their numbers as they came.

    An ROI counts if the first volume has a value of it, as for a table that is written
    live. A volume that lacks one, or whose number does not rise, is left out and told.

    Raises
    ------
    DataFileError : it is no event log, or the session had no measured BOLD.
    """
    rows: list[list[float]] = []
    onsets_s: list[float | None] = []
    rois: tuple[str, ...] = ()
    n_left_out = 0
    for line in read_lines(path):
        if line["type"] != "measured":
            continue
        sent = dict(zip(line["rois"], line["values"], strict=False))
        values = {roi: float(v) for roi, v in sent.items() if v is not None}
        rois = rois or tuple(values)
        number = int(line["volume_index"])
        if not values.keys() >= set(rois) or (rows and number <= rows[-1][0]):
            n_left_out += 1
            continue
        rows.append([number, *(values[roi] for roi in rois)])
        onsets_s.append(line.get("t_volume_s"))
    if not rows:
        raise DataFileError(
            f"the session of {path.parent.name} measured no BOLD ({path.name} has "
            "none), expected a run with --truth. Leave the run out, or give its BOLD "
            "as a table."
        )
    stamped = [t_s for t_s in onsets_s if t_s is not None]
    whole = len(stamped) == len(rows)
    note = f"{n_left_out} measured volumes lack an ROI or came twice: left out"
    return RawTable(
        values=np.array(rows),
        names=("volume", *rois),
        onsets_s=np.array(stamped) if whole else None,
        notes=(note,) if n_left_out else (),
        counts=True,
    )
