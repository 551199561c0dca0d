"""The folder of one recorded run: names in the manner of BIDS, never overwritten."""

import errno
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rtbold.errors import RtboldError
from rtbold.owner_only import claim_folder, make_folder, write_bytes, write_text
from rtbold.run_names import (
    DEFAULT_SESSION,
    DEFAULT_TASK,
    RunGroup,
    RunName,
    check_unused,
    next_run,
    note_run,
)

EVENTS_NAME = "events.jsonl"
PUBLISHED_NAME = "published.jsonl"
CARD_NAME = "card.json"
NOTE_NAME = "recorder.json"
_PART = re.compile(r"_part-(\d+)$")
_MOST_TRIES = 100  # sessions that start at the same moment
SETTINGS_NAME = "settings.json"
SETTINGS_VERSION = 1  # of its layout; the field names of the settings are part of it


@dataclass(frozen=True, slots=True)
class SessionPaths:
    """Where the files of one run go; the folder exists, the files do not."""

    folder: Path
    stem: str  # "sub-S01_ses-01_task-nf_run-01"

    def xdf(self, part: int = 1) -> Path:
        """Return the XDF; part 2 and up hold a stream that came back renamed."""
        suffix = "" if part == 1 else f"_part-{part:02d}"
        return self.folder / f"{self.stem}_eeg{suffix}.xdf"

    @property
    def xdf_parts(self) -> tuple[Path, ...]:
        """The parts that were written, in order."""
        return xdf_parts(self.xdf())

    @property
    def events(self) -> Path:
        """What the loop saw of each event."""
        return self.folder / EVENTS_NAME

    @property
    def published(self) -> Path:
        """What went out of predictions, feedback and truth."""
        return self.folder / PUBLISHED_NAME

    @property
    def note(self) -> Path:
        """Which recorders run, for whoever has to end them if we cannot."""
        return self.folder / NOTE_NAME

    @property
    def settings(self) -> Path:
        """The settings of the run."""
        return self.folder / SETTINGS_NAME

    @property
    def log(self) -> Path:
        """The program's log."""
        return self.folder / "session.log"

    @property
    def card(self) -> Path:
        """A copy of the bundle's card."""
        return self.folder / CARD_NAME

    def recorder_log(self, part: int = 1) -> Path:
        """Return what LabRecorder says."""
        return self.folder / f"labrecorder-part-{part:02d}.log"

    def write_settings(self, settings: Mapping[str, object]) -> None:
        """Write the settings as JSON, with the version of their layout.

        What JSON does not know becomes text.
        """
        versioned = {"version": SETTINGS_VERSION, **settings}
        text = json.dumps(versioned, indent=2, default=str) + "\n"
        with saying_why_not(self.settings):
            write_text(self.settings, text)

    def copy_card(self, bundle: Path) -> None:
        """Copy ``card.json`` of the bundle folder."""
        with saying_why_not(self.card):
            write_bytes(self.card, (bundle / CARD_NAME).read_bytes())


@contextmanager
def saying_why_not(path: Path) -> Iterator[None]:
    """Say in words what keeps a file of a recording from being written.

    Raises
    ------
    RtboldError : it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise RtboldError(
            f"cannot write {path}: {error.strerror or error}. Expected a disk with "
            "room that can be written; choose another folder with --record."
        ) from error


def open_session_folder(
    root: Path,
    subject: str,
    *,
    session: str = DEFAULT_SESSION,
    task: str = DEFAULT_TASK,
    run: int | None = None,
    copy: Path | None = None,
) -> SessionPaths:
    """Make the folder of a run; earlier runs are never touched.

    Parameters
    ----------
    root : of all recordings; made if it is not there.
    subject, session, task : labels of BIDS. No names of persons.
    run : its number, never used before; None: the next one.
    copy : root of the copies, where numbers are taken too.

    Raises
    ------
    ConfigError
        A label is none (it holds a path, a space, a dot, ...), or the number is taken.
    RtboldError
        The folder cannot be made.
    """
    group = RunGroup(subject=subject, session=session, task=task)
    roots = (root,) if copy is None else (root, copy)
    try:
        for _ in range(_MOST_TRIES):
            if run is not None:
                check_unused(run, roots, group)
            name = group.run(next_run(roots, group) if run is None else run)
            try:
                folder = claim_run(root, name)
            except FileExistsError:
                continue  # a second session took the number
            return SessionPaths(folder, folder.name)
    except OSError as error:
        raise RtboldError(
            f"cannot make a recording folder in {root}: {error.strerror}. Expected a "
            "folder that can be written; choose another with --record."
        ) from error
    raise RtboldError(
        f"{group.session_folder(root)} gives no free number of task {task!r}, expected "
        "that its runs can be listed. Use another session or task."
    )


def claim_run(root: Path, name: RunName, *, suffix: str = "") -> Path:
    """Make the folder of a run and list it; also claims it, against a second session.

    Raises
    ------
    FileExistsError : it is there.
    OSError : it cannot be made.
    """
    folder = name.folder(root)
    folder = folder.with_name(folder.name + suffix)
    try:
        make_folder(folder.parent)
    except FileExistsError as error:  # which here would mean that the run is there
        what = "a file is in the place of a folder"
        raise NotADirectoryError(errno.ENOTDIR, what, error.filename) from error
    claim_folder(folder)
    note_run(root, name)
    return folder


def xdf_parts(xdf: Path) -> tuple[Path, ...]:
    """Return all parts of the recording that `xdf` is a part of, in order.

    The order is that of their numbers, whatever they hold. Empty ones are among them.
    """
    stem = _PART.sub("", xdf.stem)
    found = {
        number: path
        for path in xdf.parent.glob("*.xdf")
        if (number := _number(path, stem)) is not None and path.is_file()
    }
    return tuple(found[number] for number in sorted(found))


def _number(path: Path, stem: str) -> int | None:
    """Return which part of `stem` a file is; None: of another recording."""
    if path.stem == stem:
        return 1
    found = _PART.search(path.stem)
    if found is None or path.stem[: found.start()] != stem:
        return None
    return int(found.group(1))


def session_parts(folder: Path) -> tuple[Path, ...]:
    """Return every XDF in the folder of a session; there are no others than its own."""

    def order(path: Path) -> tuple[str, int, str]:
        stem = _PART.sub("", path.stem)
        return stem, _number(path, stem) or 0, path.name

    return tuple(sorted(folder.glob("*.xdf"), key=order))
