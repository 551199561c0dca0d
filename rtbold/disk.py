"""Read a file that somebody gave: an ordinary one, not too large, never for ever.

Under a file's name may lie a pipe, which hangs whoever opens it, a device that never
ends, or a symbolic link to somewhere else. Whatever is wrong is an `OSError` whose
`strerror` says it, so that each reader puts it into an error of its own.
"""

import errno
import hashlib
import io
import os
import stat
from pathlib import Path
from typing import Final

_CHUNK_BYTES: Final = 1 << 20
# Without O_NONBLOCK a pipe that took the file's place would hang the open itself.
_FLAGS: Final = (
    os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
)  # fmt: skip
_KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_file(
    path: Path, *, at_most_bytes: int, inside: Path | None = None
) -> io.BufferedReader:
    """Open an ordinary file for reading.

    Parameters
    ----------
    inside : the folder that the file must lie in, once all symbolic links are followed.

    Raises
    ------
    OSError : it cannot be opened, is no ordinary file, is larger, or lies elsewhere.
    """
    try:
        if inside is not None:
            _check_inside(path, inside)
        _check_ordinary(path.stat().st_mode)  # to open a device may already do harm
        handle = os.open(path, _FLAGS)
    except ValueError as error:  # a null character in the name
        raise OSError(errno.EINVAL, f"that is no name of a file: {error}") from error
    try:
        facts = os.fstat(handle)  # of what was opened: it may have been exchanged
        _check_ordinary(facts.st_mode)
        if facts.st_size > at_most_bytes:
            raise _too_large(facts.st_size, at_most_bytes)
    except OSError:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def read_file(path: Path, *, at_most_bytes: int, inside: Path | None = None) -> bytes:
    """Return what an ordinary file holds; for parameters and errors see `open_file`."""
    data = bytearray()
    with open_file(path, at_most_bytes=at_most_bytes, inside=inside) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            data += chunk
            if len(data) > at_most_bytes:  # it grew, or hides its size
                raise _too_large(len(data), at_most_bytes)
    return bytes(data)


def sha256_of(path: Path, *, at_most_bytes: int, inside: Path | None = None) -> str:
    """Return the SHA-256 of an ordinary file; for the rest see `open_file`."""
    with open_file(path, at_most_bytes=at_most_bytes, inside=inside) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_inside(path: Path, folder: Path) -> None:
    real, root = Path(os.path.realpath(path)), Path(os.path.realpath(folder))
    if not real.is_relative_to(root):
        raise OSError(
            errno.EPERM, "it is a link that leads out of its folder, expected a file"
        )


def _check_ordinary(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}, expected an ordinary file")


def _too_large(n_bytes: int, at_most_bytes: int) -> OSError:
    return OSError(
        errno.EFBIG,
        f"it is larger than expected: {n_bytes} bytes or more, at most {at_most_bytes}",
    )
