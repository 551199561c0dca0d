"""A model bundle on disk, ``NAME.rtbold/``: found, verified, read, written.

The card lists the SHA-256 of every file beside it, so the card's own hash names the
whole bundle; that hash lies beside it as its seal. Compiled caches may lie in
``engines/``; they are not part of it.
"""

import dataclasses
import errno
import hashlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from rtbold.bundle.card import Card, FileHash
from rtbold.bundle.card_sense import check_sense
from rtbold.bundle.card_text import card_schema as card_schema, format_card, parse_card
from rtbold.bundle.check_windows import CHECK_NAME, check_names
from rtbold.bundle.graph import GRAPH_NAME, check_graph
from rtbold.bundle.seal import (
    CARD_NAME,
    COPY_AGAIN,
    SEAL_NAME,
    check_seal,
    seal_text,
)
from rtbold.disk import read_file, sha256_of
from rtbold.errors import BundleError
from rtbold.owner_only import create, make_folder, write_all

# The files of a bundle: names that stay inside, hashes, all or nothing on disk.

ENGINES_FOLDER = "engines"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def verify_files(path: Path, listed: Iterable[FileHash]) -> None:
    """Compare every file of the folder with the list; refuse what differs."""
    entries = tuple(listed)
    for entry in entries:
        try:
            found = sha256_of(
                path / entry.path, at_most_bytes=MAX_FILE_BYTES, inside=path
            )
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
    known = {entry.path for entry in entries}
    unlisted = islice((name for name in _present(path) if name not in known), 5)
    if names := ", ".join(map(repr, unlisted)):
        raise BundleError(
            f"bundle {path} holds files that its card does not list: {names}. "
            "Remove them, or copy the bundle again."
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
    """Yield everything in the folder that is no folder, but what is rtbold's own."""
    for folder, folders, names in os.walk(path):  # follows no links
        here = Path(folder)
        if here == path and ENGINES_FOLDER in folders:
            folders.remove(ENGINES_FOLDER)
        links = [name for name in folders if (here / name).is_symlink()]
        for name in sorted((*names, *links)):
            relative = (here / name).relative_to(path).as_posix()
            if relative not in (CARD_NAME, SEAL_NAME):
                yield relative


def _check_inside(path: Path, name: str) -> None:
    pure = PurePosixPath(name)
    plain = all(_NAME.fullmatch(part) for part in pure.parts)
    if not plain or str(pure) != name or name in (CARD_NAME, SEAL_NAME):
        raise BundleError(
            f"the card of {path} lists the file name {name!r}; expected a plain name "
            "inside the bundle. Do not use this bundle: copy it again from where it "
            "was made."
        )


SUFFIX = ".rtbold"
MAX_CARD_BYTES = 4_000_000
MAX_FILE_BYTES = 4 << 30  # a graph in ONNX has 2 GiB at most
LOG = logging.getLogger(__name__)
Place = Literal["path", "subject", "shipped"]


@dataclass(frozen=True)
class Bundle:
    """A verified bundle."""

    card: Card
    path: Path
    sha256: str  # of card.json, which holds the hashes of all other files
    sealed: bool = True  # a seal says that the card is as it was written

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

    Before it is used, its card is compared with the seal, every file with its hash on
    the card, and what the card says with what can be.

    Raises
    ------
    BundleError : nothing found, or what was found is truncated, changed or foreign.
    """
    found = verified(_find(path_or_name, subject_root))
    if not found.sealed:
        LOG.warning(
            "bundle %s has no seal, as one from an earlier version of rtbold: nothing "
            "shows whether its card is as it was written. Make it again, or, where you "
            "know that it is right, seal it: rtbold models seal %s",
            found.path,
            found.path,
        )
    return found


def verified(path: Path) -> Bundle:
    """Return the bundle in a folder; see `load`."""
    text = _read_card(path)
    card = parse_card(text, where=str(path / CARD_NAME))
    for entry in card.files:
        _check_inside(path, entry.path)
    sealed = check_seal(path, card, text, needed=_is_shipped(path))
    check_sense(card, where=str(path / CARD_NAME))
    _check_copy(path, card, None if sealed else text)
    verify_files(path, card.files)
    names = {entry.path for entry in card.files}
    if GRAPH_NAME in names:
        check_graph(path / GRAPH_NAME, card, at_most_bytes=MAX_FILE_BYTES)
    if CHECK_NAME in names:
        check_names(path / CHECK_NAME, card)
    return Bundle(card, path, hashlib.sha256(text).hexdigest(), sealed)


def card_beside(file: Path, sha256: str) -> Card | None:
    """Return the card of the bundle that a file is a part of; None: it is of none.

    Parameters
    ----------
    sha256 : of the file.

    Raises
    ------
    BundleError : there is a card that cannot be read or was changed, or it lists a file
        of that name which is another.
    """
    folder = file.absolute().parent
    if not os.path.lexists(folder / CARD_NAME):
        return None
    text = _read_card(folder)
    card = parse_card(text, where=str(folder / CARD_NAME))
    check_seal(folder, card, text, needed=_is_shipped(folder))
    listed = {entry.path: entry.sha256 for entry in card.files}
    if sha256 in listed.values():
        return card
    if file.name in listed:
        raise BundleError(
            f"{folder / CARD_NAME} lists a {file.name} of another hash; copy the whole "
            "bundle again, or move the file out of its folder"
        )
    return None


def seal_bundle(
    path_or_name: str | Path, *, subject_root: Path | None = None
) -> Bundle:
    """Write the seal of a bundle from before there were seals; its card stays.

    Everything that can be checked is. Whether the card is right is for whoever asks.

    Raises
    ------
    BundleError : it is sealed already or has lost its seal, see `load`, or the folder
        cannot be written.
    """
    found = verified(_find(path_or_name, subject_root))
    if found.sealed:
        raise BundleError(f"{found.path} is sealed already; there is nothing to do")
    try:
        write_file(found.path / SEAL_NAME, seal_text(_read_card(found.path)))
    except OSError as error:
        with suppress(OSError):  # half a seal would be a broken one
            (found.path / SEAL_NAME).unlink()
        raise BundleError(
            f"{found.path} cannot be written to ({error.strerror or error}); copy the "
            "bundle to a folder of yours and seal it there"
        ) from error
    return verified(found.path)


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
    contents : file name -> its bytes, or a file to copy. Their hashes go on the card,
        and the card's own hash beside it (`rtbold.bundle.seal`).

    Raises
    ------
    BundleError : the name is taken or no bundle's, or `load` would refuse the bundle;
        nothing is left behind then.
    """
    if folder.suffix != SUFFIX:
        raise BundleError(f"{folder} does not end in {SUFFIX}; name it NAME{SUFFIX}")
    if folder.exists() and not replace:
        raise BundleError(f"{folder} exists already; choose another name or remove it")
    make_folder(folder.parent)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        hashes = tuple(write_files(draft, contents))
        whole = msgspec.structs.replace(card, files=hashes, sealed=True)
        check_sense(whole, where=f"the card of {folder}")
        text = format_card(whole)
        write_file(draft / CARD_NAME, text)
        write_file(draft / SEAL_NAME, seal_text(text))
        written = verified(draft)
        move_into_place(draft, folder, replace=replace)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return dataclasses.replace(written, path=folder)


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
        if is_bundle(path) and not path.name.startswith(".")
    ]


def is_bundle(path: Path) -> bool:
    """Whether there is a card in a folder; one that may not be looked into counts."""
    try:
        return (path / CARD_NAME).is_file()
    except OSError:
        return True  # opening it says what is wrong


def _find(path_or_name: str | Path, subject_root: Path | None) -> Path:
    path = Path(path_or_name)
    try:
        if path.is_dir():
            return path
        there = path.exists()
    except OSError as error:
        raise BundleError(
            f"{path} cannot be looked at ({error.strerror or error}); expected a "
            f"folder NAME{SUFFIX} that you may read, or a name of rtbold models list"
        ) from error
    if there:
        raise BundleError(
            f"{path} is a file; a bundle is a folder NAME{SUFFIX} "
            f"with {CARD_NAME} in it"
        )
    name = str(path_or_name).removesuffix(SUFFIX)
    known = available(subject_root=subject_root)
    found = [entry.path for entry in known if entry.name == name]
    # A subject's code stands for the newest calibration; names begin with the date
    of_subject = [e.path for e in known if e.name.rpartition("/")[0] == name]
    if found or of_subject:
        return found[0] if found else of_subject[-1]
    names = ", ".join(sorted({entry.name for entry in known})) or "none"
    raise BundleError(
        f"no bundle '{path_or_name}': expected a folder NAME{SUFFIX} or one of these "
        f"names: {names}. See: rtbold models list"
    )


def _read_card(path: Path) -> bytes:
    try:
        return read_file(path / CARD_NAME, at_most_bytes=MAX_CARD_BYTES, inside=path)
    except OSError as error:
        raise BundleError(
            f"{path} is no bundle: {CARD_NAME} cannot be read "
            f"({error.strerror or error}); expected a folder that rtbold wrote. Copy "
            "the bundle again from where it was made."
        ) from error


def _check_copy(path: Path, card: Card, text: bytes | None) -> None:
    """Refuse a shipped model under another card; its check windows have no names.

    Parameters
    ----------
    text : of the card, where no seal vouches for it.
    """
    own = {entry for entry in card.files if entry.path == GRAPH_NAME}
    for folder in sorted(shipped_root().glob(f"*{SUFFIX}")):
        try:
            original = _read_card(folder)
            shipped = parse_card(original)
        except BundleError:  # opening that one says so
            continue
        if not own & set(shipped.files):
            continue
        names = (card.channels, card.rois) == (shipped.channels, shipped.rois)
        if not names or text not in (None, original):
            raise BundleError(
                f"bundle {path} has the model of rtbold's own '{folder.name}', but not "
                f"its {'card' if names else 'names of channels and ROIs'}: something "
                f"was exchanged. {COPY_AGAIN}"
            )


def _is_shipped(path: Path) -> bool:
    return os.path.realpath(path.parent) == os.path.realpath(shipped_root())
