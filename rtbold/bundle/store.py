"""A model bundle on disk, ``NAME.rtbold/``: found, verified, read, written.

The card lists the SHA-256 of every file beside it, so the card's own hash names the
whole bundle. Compiled caches may lie in ``engines/``; they are not part of it.
"""

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from rtbold.bundle.card import CARD_FORMAT, Card, FileHash
from rtbold.errors import BundleError
from rtbold.owner_only import create, make_folder, write_all

# The files of a bundle: names that stay inside, hashes, all or nothing on disk.

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
        make_folder(target.parent)
        data = content if isinstance(content, bytes) else content.read_bytes()
        write_file(target, data)
        yield FileHash(path=name, sha256=hashlib.sha256(data).hexdigest())


def write_file(target: Path, data: bytes) -> None:
    """Write through to the disk."""
    with create(target, exclusive=True) as stream:
        write_all(stream, data)
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


SUFFIX = ".rtbold"
MAX_CARD_BYTES = 4_000_000
Place = Literal["path", "subject", "shipped"]


@dataclass(frozen=True)
class Bundle:
    """A verified bundle."""

    card: Card
    path: Path
    sha256: str  # of card.json, which holds the hashes of all other files

    def file(self, name: str) -> Path:
        """Return the path of a file that the card lists.

        Raises
        ------
        BundleError : the bundle has no such file.
        """
        if name not in {entry.path for entry in self.card.files}:
            listed = ", ".join(entry.path for entry in self.card.files) or "none"
            raise BundleError(
                f"bundle {self.path} has no {name}, expected one beside its card "
                f"(its files: {listed}); export the model again"
            )
        return self.path / name


@dataclass(frozen=True)
class Available:
    """A bundle that a name leads to."""

    name: str
    path: Path
    place: Place


def shipped_root() -> Path:
    """Return the folder of the bundles that rtbold ships."""
    return Path(str(files("rtbold.models")))  # by name: bundles sit beside the models


def load(path_or_name: str | Path, *, subject_root: Path | None = None) -> Bundle:
    """Find a bundle by path, then in the subject folder, then among the shipped ones.

    Every file is read and compared with its hash on the card before it is used.

    Raises
    ------
    BundleError : nothing found, or what was found is truncated, changed or foreign.
    """
    path = _find(path_or_name, subject_root)
    text = _read_card(path)
    card = parse_card(text, where=str(path / CARD_NAME))
    verify_files(path, card.files)
    return Bundle(card=card, path=path, sha256=hashlib.sha256(text).hexdigest())


def parse_card(text: bytes, *, where: str = CARD_NAME) -> Card:
    """Decode a card strictly; unknown keys and other formats are refused."""
    try:
        declared = msgspec.json.decode(text, type=_Format)
    except msgspec.MsgspecError as error:
        raise BundleError(
            f"{where} is no bundle card: {error}; expected the JSON that rtbold "
            "writes. "
            "Copy the bundle again from where it was made."
        ) from error
    if declared.format != CARD_FORMAT:
        raise BundleError(
            f"{where} has format {declared.format}, this rtbold reads {CARD_FORMAT}; "
            "use the rtbold version that wrote it, or export the model again"
        )
    try:
        return msgspec.json.decode(text, type=Card)
    except msgspec.MsgspecError as error:
        raise BundleError(
            f"{where} does not follow the card's schema: {error}; "
            "export the model again with this version of rtbold"
        ) from error


class _Format(msgspec.Struct, frozen=True):
    format: int


def card_schema() -> dict[str, object]:
    """Return the JSON schema of ``card.json``."""
    schema: dict[str, object] = msgspec.json.schema(Card)
    return schema


def write(
    folder: Path,
    card: Card,
    contents: Mapping[str, bytes | Path],
    *,
    replace: bool = False,
) -> Bundle:
    """Write a bundle under a temporary name and move it into place.

    Parameters
    ----------
    folder : ``.../NAME.rtbold``; refused if it exists, unless `replace`.
    contents : file name -> its bytes, or a file to copy. Their hashes go on the card.
    """
    if folder.suffix != SUFFIX:
        raise BundleError(f"{folder} does not end in {SUFFIX}; name it NAME{SUFFIX}")
    if folder.exists() and not replace:
        raise BundleError(f"{folder} exists already; choose another name or remove it")
    make_folder(folder.parent)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        hashes = tuple(write_files(draft, contents))
        text = msgspec.json.format(
            msgspec.json.encode(msgspec.structs.replace(card, files=hashes)), indent=1
        )
        write_file(draft / CARD_NAME, text)
        move_into_place(draft, folder, replace=replace)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return load(folder)


def available(*, subject_root: Path | None = None) -> list[Available]:
    """List the bundles that `load` finds by name, in the order it looks."""
    places: list[tuple[Place, Path | None, tuple[str, ...]]] = [
        # A calibration's own name is "S01/20261123-101500"
        ("subject", subject_root, (f"*{SUFFIX}", f"*/*{SUFFIX}")),
        ("shipped", shipped_root(), (f"*{SUFFIX}",)),
    ]
    return [
        Available(
            name=path.relative_to(root).as_posix().removesuffix(SUFFIX),
            path=path,
            place=place,
        )
        for place, root, patterns in places
        if root is not None and root.is_dir()
        for pattern in patterns
        for path in sorted(root.glob(pattern))
        if (path / CARD_NAME).is_file() and not path.name.startswith(".")
    ]


def _find(path_or_name: str | Path, subject_root: Path | None) -> Path:
    path = Path(path_or_name)
    if path.is_dir():
        return path
    if path.exists():
        raise BundleError(
            f"{path} is a file; a bundle is a folder NAME{SUFFIX} "
            f"with {CARD_NAME} in it"
        )
    name = str(path_or_name).removesuffix(SUFFIX)
    known = available(subject_root=subject_root)
    found = [entry.path for entry in known if entry.name == name]
    if found:
        return found[0]
    names = ", ".join(sorted({entry.name for entry in known})) or "none"
    raise BundleError(
        f"no bundle '{path_or_name}': expected a folder NAME{SUFFIX} or one of these "
        f"names: {names}. See: rtbold models list"
    )


def _read_card(path: Path) -> bytes:
    file = path / CARD_NAME
    try:
        if file.stat().st_size > MAX_CARD_BYTES:
            raise BundleError(
                f"{file} is larger than {MAX_CARD_BYTES} bytes; that is no bundle card"
            )
        return file.read_bytes()
    except OSError as error:
        raise BundleError(
            f"{path} is no bundle: {CARD_NAME} cannot be read "
            f"({error.strerror or error}); expected a folder that rtbold wrote"
        ) from error
