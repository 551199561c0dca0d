"""What one recorded run is called: BIDS entities, its place, and its number.

    ROOT/sub-S01/ses-01/eeg/sub-S01_ses-01_task-nf_run-01/   its folder
    ROOT/sub-S01/ses-01/sub-S01_ses-01_scans.tsv             every run that ever began

A number is used once. It counts as taken while anything of that name lies in the
folder of the session, in any layout, or in the list beside it, which stays when
recordings are moved away.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rtbold.errors import ConfigError
from rtbold.owner_only import create, write_all

DEFAULT_SESSION = "01"
DEFAULT_TASK = "nf"
UNNAMED_SUBJECT = "anon"
MOST_RUNS = 999
_LABEL = re.compile(r"[A-Za-z0-9]{1,32}")
_STEM = re.compile(
    r"sub-([A-Za-z0-9]+)_ses-([A-Za-z0-9]+)_task-([A-Za-z0-9]+)_run-(\d+)(?!\d)"
)
_EXAMPLES = {"subject": "S01", "session": "01", "task": "nf"}


def check_label(what: str, label: str) -> None:
    """Refuse what is no label of BIDS, or could be more than one part of a file name.

    Raises
    ------
    ConfigError : says what came and what was expected.
    """
    if not _LABEL.fullmatch(label):
        raise ConfigError(
            f"the {what} is {label!r}, expected a code of 1 to 32 letters and digits "
            f"such as {_EXAMPLES.get(what, 'S01')}, because it becomes part of file "
            "names. Choose another."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGroup:
    """The runs that are numbered together.

    Raises
    ------
    ConfigError : a label is none of BIDS.
    """

    subject: str
    session: str = DEFAULT_SESSION
    task: str = DEFAULT_TASK

    def __post_init__(self) -> None:
        """Refuse what is no label."""
        for what in ("subject", "session", "task"):
            check_label(what, getattr(self, what))

    @property
    def stem(self) -> str:
        """The beginning of the names of all its runs."""
        return f"sub-{self.subject}_ses-{self.session}_task-{self.task}"

    def session_folder(self, root: Path) -> Path:
        """Return the folder of the session, of all its tasks."""
        return root / f"sub-{self.subject}" / f"ses-{self.session}"

    def run(self, number: int) -> "RunName":
        """Return the name of one run.

        Raises
        ------
        ConfigError : it is no number of a run.
        """
        return RunName(self.subject, self.session, self.task, number)


@dataclass(frozen=True, slots=True)
class RunName:
    """The entities of one run."""

    subject: str
    session: str
    task: str
    run: int
    acquisition: str | None = None  # where one run is several files

    def __post_init__(self) -> None:
        """Refuse what is no label and no number."""
        for what in ("subject", "session", "task"):
            check_label(what, getattr(self, what))
        check_run(self.run)

    @property
    def group(self) -> RunGroup:
        """The runs that it is numbered with."""
        return RunGroup(subject=self.subject, session=self.session, task=self.task)

    @property
    def stem(self) -> str:
        """The beginning of every file name of the run."""
        acq = f"_acq-{self.acquisition}" if self.acquisition else ""
        return f"{self.group.stem}{acq}_run-{self.run:02d}"

    @property
    def datatype_folder(self) -> Path:
        """Where BIDS has its files, below a root."""
        return self.group.session_folder(Path()) / "eeg"

    def folder(self, root: Path) -> Path:
        """Return the run's own folder, for it is more files than BIDS knows of."""
        return root / self.datatype_folder / self.stem


def check_run(number: int | None) -> None:
    """Refuse what is no number of a run; None is not given.

    Raises
    ------
    ConfigError : says what was expected.
    """
    if number is not None and not 1 <= number <= MOST_RUNS:
        raise ConfigError(f"--run is {number}, expected 1 to {MOST_RUNS}.")


def parse(name: str) -> RunName | None:
    """Return the entities that `name`, of a file or folder, begins with."""
    found = _STEM.match(name)
    if found is None:
        return None
    subject, session, task, run = found.groups()
    try:
        return RunName(subject, session, task, int(run))
    except ConfigError:
        return None


def taken(roots: Iterable[Path], group: RunGroup) -> set[int]:
    """Return the numbers that were ever used; a folder that is not there has none.

    Parameters
    ----------
    roots : of the recordings and of their copies; a disk that fails counts for none.
    """
    return {
        name.run
        for root in roots
        for text in _names(group.session_folder(root), group)
        if (name := parse(text)) is not None and _same(name.group, group)
    }


def next_run(roots: Iterable[Path], group: RunGroup) -> int:
    """Return the number after the highest that was ever used.

    Raises
    ------
    ConfigError : all were.
    """
    number = max(taken(roots, group), default=0) + 1
    if number > MOST_RUNS:
        raise ConfigError(
            f"{group.stem} has run {number - 1} already, expected at most {MOST_RUNS} "
            "runs. Use another session or task."
        )
    return number


def check_unused(number: int, roots: Iterable[Path], group: RunGroup) -> None:
    """Refuse a number that was used before.

    Raises
    ------
    ConfigError : it was, or is none; says which is the next one.
    """
    check_run(number)
    roots = tuple(roots)
    if number in taken(roots, group):
        raise ConfigError(
            f"run {number} of {group.stem} was recorded before, expected a number that "
            f"was never used: give --run {next_run(roots, group)}, or leave --run out."
        )


def note_run(root: Path, name: RunName) -> None:
    """Add a run to the list of its session, ``sub-S01_ses-01_scans.tsv``.

    Raises
    ------
    OSError : it cannot be written.
    """
    folder = name.group.session_folder(root)
    path = folder / _scans_name(name.group)
    with suppress(FileExistsError), create(path, exclusive=True) as file:
        write_all(file, b"filename\n")
    row = f"eeg/{name.stem}/{name.stem}_eeg.xdf\n".encode()
    before = path.read_bytes()[-1:]  # an editor may have cut the last line end
    lead = b"" if before == b"\n" else b"\n" if before else b"filename\n"
    with create(path) as file:
        write_all(file, lead + row)


def run_folders(root: Path) -> Iterator[Path]:
    """Yield what lies where runs are recorded, in this layout and the earlier one."""
    for path in root.glob("sub-*/ses-*/*"):
        if path.name == "eeg":
            with suppress(OSError):  # somebody else's
                yield from [run for run in path.iterdir() if run.is_dir()]
        elif path.is_dir():
            yield path


def _names(folder: Path, group: RunGroup) -> Iterator[str]:
    """Yield the names of what lies in a session's folder, or is in its list."""
    for place in (folder, folder / "eeg"):
        with suppress(OSError):
            yield from [path.name for path in place.iterdir()]
    with suppress(OSError):
        lines = (folder / _scans_name(group)).read_bytes().decode("utf-8", "replace")
        for line in lines.splitlines():
            yield line.partition("\t")[0].rpartition("/")[2]


def _same(one: RunGroup, other: RunGroup) -> bool:
    """Whether a disk that knows no capitals would mix their files up."""
    return one.stem.casefold() == other.stem.casefold()


def _scans_name(group: RunGroup) -> str:
    return f"sub-{group.subject}_ses-{group.session}_scans.tsv"
