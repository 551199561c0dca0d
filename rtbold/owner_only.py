"""Files and folders that their owner alone can open: recordings, keys, reports.

What is made here is 600 (a folder 700) whatever the umask. What is there already keeps
its permissions; ``open_to_others`` finds it. On Windows nothing is set: a new file
takes the access list of its folder, which in a user's profile names that user alone.
"""

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

FILE_MODE, FOLDER_MODE = 0o600, 0o700
UMASK = 0o077  # for programs that make files for us
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_folder(folder: Path) -> None:
    """Make `folder` and what is missing above it; those that are there stay so.

    Raises
    ------
    OSError : it cannot be made, or a file is in its place.
    """
    missing = []
    for level in (folder, *folder.parents):
        if level.is_dir():
            break
        missing.append(level)
    for level in reversed(missing):
        try:
            claim_folder(level)
        except FileExistsError:
            if not level.is_dir():  # another process may have been faster
                raise


def claim_folder(folder: Path) -> None:
    """Make one folder.

    Raises
    ------
    FileExistsError : it is there.
    OSError : it cannot be made.
    """
    folder.mkdir(mode=FOLDER_MODE)
    if sys.platform != "win32":
        folder.chmod(FOLDER_MODE)  # a strange umask may have taken the owner's rights


def create(file: Path, *, exclusive: bool = False) -> BinaryIO:
    """Open a file for appending, unbuffered; make it if it is not there.

    Parameters
    ----------
    exclusive : refuse a file that is there.

    Raises
    ------
    FileExistsError : it is there, and `exclusive`.
    OSError : it cannot be opened.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    if exclusive:
        flags |= os.O_EXCL
    is_new = exclusive or not file.exists()
    descriptor = os.open(file, flags, FILE_MODE)
    if is_new and hasattr(os, "fchmod"):
        os.fchmod(descriptor, FILE_MODE)
    return os.fdopen(descriptor, "ab", buffering=0)


def create_text(file: Path) -> TextIO:
    """Open a new text file, UTF-8, for a writer of tables.

    Raises
    ------
    FileExistsError : it is there.
    OSError : it cannot be made.
    """
    create(file, exclusive=True).close()
    return file.open("a", encoding="utf-8", newline="")


def write_bytes(file: Path, data: bytes) -> None:
    """Write a whole file; one that is there is emptied first and keeps its permissions.

    Raises
    ------
    OSError : it cannot be written.
    """
    create(file).close()
    file.write_bytes(data)


def write_all(stream: BinaryIO, data: bytes) -> None:
    """Write all of `data` to an unbuffered file, which may take a part at a time."""
    view = memoryview(data)
    while view:
        view = view[stream.write(view) :]


def write_text(file: Path, text: str) -> None:
    """Write text as UTF-8; see `write_bytes`."""
    create(file).close()
    file.write_text(text, encoding="utf-8")


def open_to_others(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield those that group or others have any right to; none on Windows."""
    if sys.platform == "win32":
        return
    for path in paths:
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        if mode & _OTHERS:
            yield path
