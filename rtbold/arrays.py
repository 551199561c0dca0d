"""Arrays from files of numpy's, NPY and NPZ, that somebody gave.

A header of a few bytes may announce a terabyte, and an archive of a kilobyte may unpack
to one; a header is parsed as Python, which has limits of its own. Here no array is
begun that its file does not hold.
"""

import io
import math
import zipfile
from collections.abc import Iterable
from typing import IO, Final

import numpy as np

_HEADER_BYTES: Final = 16_384  # numpy reads none that is longer than 10,000


def read_npy(stream: IO[bytes], *, n_bytes: int) -> np.ndarray:
    """Return the array of an NPY file of plain numbers or text.

    Parameters
    ----------
    stream : at its beginning; it can seek.
    n_bytes : length of the file. An array that would be longer is not begun.

    Raises
    ------
    ValueError : no such file, cut short, pickled, or its header says what cannot be.
    """
    _check_header(stream.read(_HEADER_BYTES), n_bytes)
    stream.seek(0)
    array: np.ndarray = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def read_npz(
    stream: IO[bytes], names: Iterable[str], *, at_most_bytes: int
) -> dict[str, np.ndarray]:
    """Return those of the named arrays that an NPZ archive holds.

    Parameters
    ----------
    at_most_bytes : that all its files together may unpack to.

    Raises
    ------
    ValueError : no such archive, or it unpacks to more; see also `read_npy`.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
            unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > at_most_bytes:
                raise ValueError(f"{unpacked} bytes unpacked, at most {at_most_bytes}")
            found = {}
            for name in names:
                if (file := f"{name}.npy") in sizes:
                    with archive.open(file) as packed:
                        found[name] = read_npy(packed, n_bytes=sizes[file])
            return found
    except ValueError:
        raise
    except Exception as error:  # of zipfile and its decompressors: a dozen kinds
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _check_header(start: bytes, n_bytes: int) -> None:
    stream = io.BytesIO(start)
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, kind = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, _, kind = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"an NPY file of version {version}, expected 1.0 or 2.0")
    except Exception as error:  # it parses the header as Python, which may raise any
        raise ValueError(f"no NPY file: {error}") from error
    if kind.hasobject:
        raise ValueError("it holds Python objects, expected plain numbers")
    if min(shape, default=0) < 0 or math.prod(shape) * kind.itemsize > n_bytes:
        raise ValueError(
            f"its header announces {shape} of {kind}, which is more than the file holds"
        )
