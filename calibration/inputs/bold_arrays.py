"""Arrays of BOLD: NPY, and MATLAB's MAT in both of its formats."""

from pathlib import Path

import numpy as np

from rtbold.calibration.inputs.bold_series import RawTable
from rtbold.errors import DataFileError
from rtbold.io.extras import require
from rtbold.messages import FloatArray

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
    return RawTable(values=_table(path.name, array), names=None)


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
    values = _table(path.name, found[variable or names[0]])
    return RawTable(values=values, names=None)


def _read_mat5(path: Path) -> dict[str, np.ndarray]:
    from scipy.io import loadmat

    try:
        held = loadmat(path, appendmat=False, verify_compressed_data_integrity=True)
    except Exception as error:  # scipy raises what the damage leads to
        raise DataFileError(
            f"{path.name} cannot be read as MAT ({type(error).__name__}: {error}), "
            "expected a file that MATLAB saved. Save it again."
        ) from error
    return {name: array for name, array in held.items() if _is_table(array)}


def _read_hdf5(path: Path) -> dict[str, np.ndarray]:
    h5py = require("h5py", extra="files", purpose="reading MAT of version 7.3")
    try:
        with h5py.File(path, "r") as file:
            # MATLAB stores columns first, so that HDF5 sees the transpose.
            return {
                name: item[()].T
                for name, item in file.items()
                if isinstance(item, h5py.Dataset) and _is_table(item)
            }
    except OSError as error:
        raise DataFileError(
            f"{path.name} cannot be read as MAT 7.3 ({error}), expected a whole file. "
            "Copy or save it again."
        ) from error


def _is_table(item: object) -> bool:
    """Return whether it is 2-D, of numbers, and no mere scalar."""
    shape, dtype = getattr(item, "shape", ()), getattr(item, "dtype", None)
    return len(shape) == 2 and max(shape) > 1 and getattr(dtype, "kind", "") in "fiu"


def _table(what: str, array: np.ndarray) -> FloatArray:
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise DataFileError(
            f"{what} is an array of {array.dtype} with shape {array.shape}, expected "
            "numbers of shape (volumes, ROIs)."
        )
    return np.ascontiguousarray(array, dtype=np.float64)
