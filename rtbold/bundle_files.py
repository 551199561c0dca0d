"""The files of a bundle: names that stay inside, hashes, all or nothing on disk."""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from rtbold.bundle.card import FileHash
from rtbold.errors import BundleError

CARD_NAME = "card.json"
ENGINES_FOLDER = "engines"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def verify_files(path: Path, listed: Iterable[FileHash]) -> None:
    """Compare every file of the folder with the list; refuse what differs."""
    entries = tuple(listed)
    for entry in entries:
        _check_inside(path, entry.path)
        try:
            found = _sha256(path / entry.path)
        except OSError as error:
            raise BundleError(
                f"bundle {path} is not whole: {entry.path} cannot be read "
                f"({error.strerror or error}). Copy it again."
            ) from error
        if found != entry.sha256:
            raise BundleError(
                f"bundle {path} is damaged: {entry.path} has SHA-256 {found[:12]}..., "
                f"its card says {entry.sha256[:12]}... Copy it again."
            )
    unlisted = sorted(set(_present(path)) - {entry.path for entry in entries})
    if unlisted:
        raise BundleError(
            f"bundle {path} holds files that its card does not list: "
            f"{', '.join(unlisted[:5])}. Remove them, or copy the bundle again."
        )


def write_files(
    draft: Path, contents: Mapping[str, bytes | Path]
) -> Iterator[FileHash]:
    """Write each file and yield its hash."""
    for name, content in sorted(contents.items()):
        _check_inside(draft, name)
        target = draft / name
        target.parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else content.read_bytes()
        write_file(target, data)
        yield FileHash(path=name, sha256=hashlib.sha256(data).hexdigest())


def write_file(target: Path, data: bytes) -> None:
    """Write through to the disk."""
    with target.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def move_into_place(draft: Path, folder: Path, *, replace: bool) -> None:
    """Rename the finished `draft`; an earlier `folder` goes only if that worked.

    Raises
    ------
    BundleError : it is there, not to be replaced; another process may have been faster.
    """
    if not (replace and folder.exists()):
        try:
            draft.rename(folder)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
            raise BundleError(
                f"{folder} exists already; choose another name or remove it"
            ) from error
        return
    retired = draft.with_name(f"{draft.name}.old")
    folder.rename(retired)
    try:
        draft.rename(folder)
    except OSError:
        retired.rename(folder)  # the earlier bundle stays as it was
        raise
    shutil.rmtree(retired, ignore_errors=True)


def _present(path: Path) -> Iterator[str]:
    for file in path.rglob("*"):
        relative = file.relative_to(path)
        if file.is_file() and relative.parts[0] != ENGINES_FOLDER:
            if relative.as_posix() != CARD_NAME:
                yield relative.as_posix()


def _check_inside(path: Path, name: str) -> None:
    pure = PurePosixPath(name)
    plain = all(_NAME.fullmatch(part) for part in pure.parts)
    if not plain or str(pure) != name or name == CARD_NAME:
        raise BundleError(
            f"the card of {path} lists the file name {name!r}; expected a plain name "
            "inside the bundle. Do not use this bundle."
        )


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
