"""The folder of one recorded run: names in the manner of BIDS, never overwritten."""

import glob
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rtbold.config import check_label
from rtbold.errors import RtboldError

EVENTS_NAME = "events.jsonl"
_MOST_RUNS = 999
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
        return self.folder / "card.json"

    def recorder_log(self, part: int = 1) -> Path:
        """Return what LabRecorder says."""
        return self.folder / f"labrecorder-part-{part:02d}.log"

    def write_settings(self, settings: Mapping[str, object]) -> None:
        """Write the settings as JSON, with the version of their layout.

        What JSON does not know becomes text.
        """
        versioned = {"version": SETTINGS_VERSION, **settings}
        text = json.dumps(versioned, indent=2, default=str) + "\n"
        self.settings.write_text(text, encoding="utf-8")

    def copy_card(self, bundle: Path) -> None:
        """Copy ``card.json`` of the bundle folder."""
        shutil.copyfile(bundle / "card.json", self.card)


def open_session_folder(
    root: Path, subject: str, *, session: str = "01", task: str = "nf"
) -> SessionPaths:
    """Make the folder of the next run; earlier runs are never touched.

    Parameters
    ----------
    root : of all recordings; made if it is not there.
    subject, session, task : codes of letters and digits. No names of persons.

    Raises
    ------
    ConfigError
        A code is none (it holds a path, a space, a dot, ...).
    RtboldError
        The folder cannot be made.
    """
    for what, label in (("subject", subject), ("session", session), ("task", task)):
        check_label(what, label)
    parent = root / f"sub-{subject}" / f"ses-{session}"
    stem = f"sub-{subject}_ses-{session}_task-{task}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for run in range(1, _MOST_RUNS + 1):
            folder = parent / f"{stem}_run-{run:02d}"
            try:
                folder.mkdir()  # also claims the number, against a second session
            except FileExistsError:
                continue
            return SessionPaths(folder, folder.name)
    except OSError as error:
        raise RtboldError(
            f"cannot make a recording folder in {root}: {error.strerror}. Expected a "
            "folder that can be written; choose another with --record."
        ) from error
    raise RtboldError(
        f"{parent} holds {_MOST_RUNS} runs of task {task!r}, expected a free number. "
        "Use another session or task."
    )


def xdf_parts(xdf: Path) -> tuple[Path, ...]:
    """Return `xdf` and the further parts beside it that exist, in order."""
    found = xdf.parent.glob(f"{glob.escape(xdf.stem)}_part-*.xdf")
    return tuple(path for path in (xdf, *sorted(found)) if path.is_file())
