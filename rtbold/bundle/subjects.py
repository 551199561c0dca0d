"""The models of each subject: a folder a subject, a bundle a calibration.

``ROOT/S01/20261123-101500.rtbold``: the name is the moment, UTC, at which it was saved,
so that the newest is the last; a second one of the same second gets ``-2``. Nothing is
ever overwritten, by another process neither: a name is reserved before it is written.
"""

import datetime
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from rtbold.bundle.store import SUFFIX, is_bundle
from rtbold.errors import BundleError, RtboldError
from rtbold.owner_only import make_folder
from rtbold.run_names import check_label

_NAME = re.compile(r"(\d{8}-\d{6})(?:-(\d+))?")
_MOST_PER_SECOND = 1000
ROOM_BYTES = 200_000_000  # a base-size bundle with its checks and report, and some more


@dataclass(frozen=True, slots=True)
class Calibrated:
    """One calibration of a subject, on disk."""

    subject: str
    path: Path

    @property
    def name(self) -> str:
        """Its moment: ``20261123-101500``."""
        return self.path.name.removesuffix(SUFFIX)


def default_root() -> Path:
    """Return the user's own folder of subjects."""
    return user_data_path("rtbold") / "subjects"


def list_subjects(root: Path) -> tuple[str, ...]:
    """Return the codes of the subjects that were calibrated."""
    if not root.is_dir():
        return ()
    found = sorted(path.name for path in root.iterdir() if path.is_dir())
    return tuple(name for name in found if _bundles(root / name))


def calibrations(root: Path, subject: str) -> tuple[Calibrated, ...]:
    """Return a subject's calibrations, oldest first.

    Raises
    ------
    ConfigError : the subject's code is none (it holds a path, a space, ...).
    BundleError : there is no such subject; says which there are.
    """
    check_label("subject", subject)
    found = _bundles(root / subject)
    if not found:
        known = ", ".join(list_subjects(root)) or "none"
        raise BundleError(
            f"subject {subject!r} has no model in {root}, expected one of these "
            f"subjects: {known}. Calibrate first (rtbold calibrate --subject "
            f"{subject}), or name the folder with --root."
        )
    return tuple(Calibrated(subject, path) for path in found)


def newest(root: Path, subject: str) -> Path:
    """Return a subject's last calibration.

    Raises
    ------
    ConfigError, BundleError : as `calibrations`.
    """
    return calibrations(root, subject)[-1].path


def one_of(root: Path, subject: str, name: str) -> Path:
    """Return a subject's calibration by its name, or the newest for ``latest``.

    Raises
    ------
    ConfigError, BundleError : as `calibrations`; or it has no such calibration.
    """
    found = {entry.name: entry.path for entry in calibrations(root, subject)}
    if name == "latest":
        return list(found.values())[-1]
    if name not in found:
        raise BundleError(
            f"subject {subject!r} has no calibration {name!r}, expected one of "
            f"{', '.join(found)} or latest. See: rtbold subjects list {subject}"
        )
    return found[name]


@contextmanager
def reserved_folder(root: Path, subject: str, now: datetime.datetime) -> Iterator[Path]:
    """Reserve the path of a new calibration while it is made; the path is not made.

    A file of the reservation, hidden, lies beside it until the end. A subject's folder
    that was not there before, and in which nothing was written, goes again.

    Parameters
    ----------
    now : aware of its time zone.

    Raises
    ------
    ConfigError : the subject's code is none.
    RtboldError : the subject's folder cannot be made or written to.
    """
    check_label("subject", subject)
    parent = root / subject
    made = [path for path in (parent, *parent.parents) if not path.exists()]
    try:
        try:
            make_folder(parent)
            folder, reservation = _reserve(parent, now)
        except OSError as error:
            raise RtboldError(
                f"{parent} cannot be written to: {error.strerror or error}. Choose "
                "another folder with --root."
            ) from error
        try:
            yield folder
        finally:
            reservation.unlink(missing_ok=True)
    finally:
        with suppress(OSError):  # not empty: then it stays, as do those above
            for path in made:
                path.rmdir()


def _reserve(parent: Path, now: datetime.datetime) -> tuple[Path, Path]:
    """Return a free path, and the file that keeps others from it."""
    stamp = now.astimezone(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    for n in range(1, _MOST_PER_SECOND):
        name = stamp if n == 1 else f"{stamp}-{n}"
        folder, reservation = parent / f"{name}{SUFFIX}", parent / f".{name}.reserved"
        try:
            reservation.touch(exist_ok=False)
        except FileExistsError:
            continue
        # Looked for only now: whoever held the name before has written it by then
        if not folder.exists():
            return folder, reservation
        reservation.unlink()
    raise RtboldError(
        f"{parent} holds {_MOST_PER_SECOND} calibrations of one second, "
        "expected a free name. Is the clock standing still?"
    )


def check_room(root: Path, n_bytes: int = ROOM_BYTES) -> None:
    """Refuse a root that has no room, before an hour of work; nothing is made.

    Raises
    ------
    RtboldError : too little space on that disk, or the root is a file or another's.
    """
    there = next(path for path in (root, *root.absolute().parents) if path.exists())
    if not there.is_dir():
        raise RtboldError(
            f"{there} is a file, expected the folder of all subjects. Choose another "
            "with --root."
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise RtboldError(
            f"{there} may not be written to, expected a folder of yours. Choose "
            "another with --root."
        )
    free = shutil.disk_usage(there).free
    if free < n_bytes:
        raise RtboldError(
            f"{there} has {free / 1e6:.0f} MB free, expected {n_bytes / 1e6:.0f} MB "
            "for a bundle. Make room, or choose another disk with --root."
        )


def _bundles(folder: Path) -> tuple[Path, ...]:
    found = [
        ((match[1], int(match[2] or 1)), path)
        for path in folder.glob(f"*{SUFFIX}")
        if (match := _NAME.fullmatch(path.name.removesuffix(SUFFIX)))
        and is_bundle(path)
    ]
    return tuple(path for _, path in sorted(found))
