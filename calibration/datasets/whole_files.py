"""Files and folders that are whole or not there, on a disk that may be full.

Each is made under another name beside its place and renamed when it is whole. Several
processes may do this for one place at once.
"""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from rtbold.errors import DataFileError
from rtbold.messages import Float32Array

DRAFT_SUFFIX: Final = ".part"
_CHUNK_BYTES: Final = 1 << 24
_FULL: Final = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


@contextlib.contextmanager
def room_told(folder: Path) -> Iterator[None]:
    """Turn what a disk refuses into an error that names the folder and the fix.

    Raises
    ------
    DataFileError : the disk is full, or the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        # numpy tells of a short write without the system's number
        short = error.errno is None and "written" in str(error)
        if short or error.errno in _FULL:
            raise DataFileError(
                f"the disk of {folder} is full; a scan needs about 1 MB a minute and "
                "20 channels. What was prepared before is kept, nothing half-written "
                "is left. Make room and run the same command again."
            ) from error
        raise DataFileError(
            f"{folder} cannot be written: {error.strerror or error}. Expected a folder "
            "of yours; name another with --out."
        ) from error


# Folders.


@contextlib.contextmanager
def new_folder(place: Path, *, replace: bool) -> Iterator[Path]:
    """Give a folder to write into, which becomes `place` when all went well.

    Parameters
    ----------
    replace : what is there already goes; else it stays, and the new one goes.
    """
    draft = Path(
        tempfile.mkdtemp(
            prefix=f".{place.name}-", suffix=DRAFT_SUFFIX, dir=place.parent
        )
    )
    try:
        yield draft
        _put(draft, place, replace=replace)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_npy(path: Path, array: Float32Array) -> None:
    """Write an array in pieces; a map onto a full disk would end the process."""
    with path.open("wb") as stream:
        header = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(stream, header | {"fortran_order": False})
        for row in array:
            _write(stream, np.ascontiguousarray(row).data.cast("B"))
        stream.flush()
        write_through(stream.fileno())


def _put(draft: Path, place: Path, *, replace: bool) -> None:
    """Rename a finished folder; where another process was faster, its own stays."""
    try:
        draft.rename(place)
    except OSError:
        if not place.is_dir():
            raise
        if replace:
            retired = draft.with_name(f"{draft.name}.old")
            with contextlib.suppress(OSError):
                place.rename(retired)
                draft.rename(place)
            shutil.rmtree(retired, ignore_errors=True)


def _write(stream: BinaryIO, data: memoryview) -> None:
    for start in range(0, len(data), _CHUNK_BYTES):
        stream.write(data[start : start + _CHUNK_BYTES])


# Files.


def replace_file(path: Path, text: bytes) -> None:
    """Write a file; an earlier one goes when the new one is whole."""
    draft = _draft(path, text)
    try:
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def lay_down(path: Path, text: bytes) -> None:
    """Put a file in place unless another process was faster."""
    draft = _draft(path, text)
    try:
        _exclusive()(draft, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not path.exists():
            os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _exclusive() -> Callable[[Path, Path], None]:
    """Return what gives a file its name unless that is taken, in one step."""
    return os.rename if os.name == "nt" else os.link


def _draft(path: Path, text: bytes) -> Path:
    handle, name = tempfile.mkstemp(
        prefix=f".{path.name}-", suffix=DRAFT_SUFFIX, dir=path.parent
    )
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text)
            stream.flush()
            write_through(stream.fileno())
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def write_through(handle: int) -> None:
    """Have the system write an open file to the disk itself."""
    os.fsync(handle)
