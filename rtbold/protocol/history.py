"""Which runs of a protocol were done: one small file beside each recording.

A run can be repeated; each start is an attempt of its own with a number that is never
used again. What was interrupted is kept and counts as not done.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec

from rtbold.config import KindName
from rtbold.disk import read_file
from rtbold.errors import DataFileError
from rtbold.owner_only import create, write_all
from rtbold.protocol.plan import RunPlan
from rtbold.protocol.study import Study
from rtbold.run_names import RunGroup

ATTEMPT_NAME: Final = "attempts.jsonl"  # one line at the start, one at the end, ...
COPY_NAME: Final = "protocol.toml"
MAX_BYTES: Final = 1_000_000
State = Literal["running", "complete", "interrupted", "stopped_by_participant"]


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One start of a run of a protocol, and what became of it.

    Parameters
    ----------
    study, sha256 : name in the protocol, and of the file's bytes.
    state : running also where nobody saw how it ended.
    n_done : volumes that had their prediction or the lack of one published.
    confirmed_by : code of the second person, where the protocol asks for one.
    """

    study: str
    sha256: str
    run: int
    attempt: int
    kind: KindName
    n_volumes: int
    state: State = "running"
    n_done: int = 0
    condition: str | None = None
    confirmed_by: str | None = None
    n_adverse_events: int = 0
    begun_unix_s: float = 0.0
    ended_unix_s: float | None = None


def write_attempt(folder: Path, attempt: Attempt) -> None:
    """Add a line on an attempt to the folder of its recording; the last one holds.

    Nothing is rewritten: a second copy of the recording follows files as they grow.

    Raises
    ------
    OSError : it cannot be written.
    """
    with create(folder / ATTEMPT_NAME) as file:
        write_all(file, msgspec.json.encode(attempt) + b"\n")


def read_attempts(folder: Path) -> tuple[Attempt, ...]:
    """Return the attempts that a recording holds, as each was left; none: no protocol.

    A last line that a crash has cut off is passed over.

    Raises
    ------
    DataFileError : the file cannot be read.
    """
    path = folder / ATTEMPT_NAME
    try:
        text = read_file(path, at_most_bytes=MAX_BYTES)
        lines = text[: text.rfind(b"\n") + 1].splitlines()
        found = [msgspec.json.decode(line, type=Attempt) for line in lines]
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.MsgspecError, RecursionError) as error:
        raise DataFileError(
            f"{path} cannot be read ({error}), expected which run of a protocol was "
            "recorded. Restore it from the copy of the recording."
        ) from error
    if not found:
        raise DataFileError(
            f"{path} is empty, expected which run of a protocol was recorded. Restore "
            "it from the copy of the recording."
        )
    return tuple({(a.run, a.attempt): a for a in found}.values())


def read_attempt(folder: Path) -> Attempt | None:
    """Return the last attempt of a recording; None: it followed no protocol.

    Raises
    ------
    DataFileError : its file cannot be read.
    """
    found = read_attempts(folder)
    return found[-1] if found else None


def attempts_in(roots: Iterable[Path], group: RunGroup, study: str) -> list[Attempt]:
    """Return the attempts that recordings of one session hold, in their order.

    Parameters
    ----------
    roots : of the recordings and of their copies.

    Raises
    ------
    DataFileError : one cannot be read: its number must not be used again.
    """
    found = {
        (each.run, each.attempt): each
        for root in roots
        for folder in sorted((group.session_folder(root) / "eeg").glob("*_run-*"))
        if folder.name.startswith(f"{group.stem}_") and folder.is_dir()
        for each in read_attempts(folder)
        if each.study == study
    }
    return sorted(found.values(), key=lambda a: (a.begun_unix_s, a.run, a.attempt))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """One run of a protocol and its attempts so far."""

    plan: RunPlan  # of the attempt that comes next
    attempts: tuple[Attempt, ...]

    @property
    def done(self) -> bool:
        """Whether an attempt went to its end."""
        return any(each.state == "complete" for each in self.attempts)


def next_attempt(attempts: Iterable[Attempt], run: int) -> int:
    """Return the number of the next attempt at a run, from 1."""
    return 1 + max((a.attempt for a in attempts if a.run == run), default=0)


def next_run(study: Study, attempts: Sequence[Attempt]) -> int | None:
    """Return the first run that no attempt has brought to its end; None: all are."""
    done = {a.run for a in attempts if a.state == "complete"}
    runs = range(1, study.n_runs + 1)
    return next((run for run in runs if run not in done), None)


def break_left_s(study: Study, attempts: Iterable[Attempt], now_unix_s: float) -> float:
    """Return how much of the break after the last run is left; 0: none.

    Parameters
    ----------
    attempts : of the same session.
    now_unix_s : Unix time.
    """
    ended_s = [a.ended_unix_s for a in attempts if a.ended_unix_s is not None]
    if not ended_s:
        return 0.0
    since_s = now_unix_s - max(ended_s)
    return max(0.0, 60 * study.safety.break_minutes - max(0.0, since_s))


def progress(
    plans: Iterable[RunPlan], attempts: Sequence[Attempt]
) -> Iterator[RunProgress]:
    """Yield each run with its attempts."""
    for plan in plans:
        own = tuple(each for each in attempts if each.run == plan.run)
        yield RunProgress(plan=plan, attempts=own)
