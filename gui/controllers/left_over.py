"""Recordings that a dead session has left running: found, told, closed. No Qt.

LabRecorder outlives its session, and writes what the amplifier sends on. Nobody sees
it any more; so the window looks for it once a session that ran on this machine is gone.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final, Literal

from rtbold.gui.controllers.jobs import ChildJob, ChildJobs
from rtbold.gui.state.address import Address
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.words import Level

LOOK_LIMIT_S: Final = 60.0
END_LIMIT_S: Final = 120.0  # each takes up to 5 s to end, if the machine is not busy
SILENT_S: Final = 6.0  # a session that is only held up is not gone
Kind = Literal["left_over", "closed", "trouble"]


@dataclass(frozen=True, slots=True)
class LeftOverNotice:
    """What the operator is told; `left_over` comes with a button that closes it."""

    kind: Kind
    text: str
    level: Level


class LeftOverRecordings:
    """Looks when a session has gone, and closes when it is asked to.

    Parameters
    ----------
    jobs : starts the children.
    state : what is known of the session.

    `tell` takes what the operator has to know.
    """

    def __init__(self, jobs: ChildJobs, state: Callable[[], DashboardState]) -> None:
        self._jobs, self._state = jobs, state
        self._job: ChildJob | None = None
        self._ends = False  # what the job does
        self._looked_for: str | None = None  # session that fell silent
        self._files: tuple[str, ...] = ()
        self._begun = False
        self.tell: Callable[[LeftOverNotice], None] = lambda notice: None

    @property
    def files(self) -> tuple[str, ...]:
        """Those that were found and are not closed, as far as known."""
        return self._files

    def look(self) -> None:
        """Look now; does nothing while that goes on."""
        self._begin("Looking for recordings", ("recorders", "--json"), ends=False)

    def close_recordings(self) -> None:
        """Close what was found."""
        self._begin("Closing", ("recorders", "--end", "--json"), ends=True)

    def tick(self, now_s: float) -> None:
        """Take what the child has said; look at first, and once a session is gone."""
        if not self._begun:
            self._begun = True
            self.look()
        self._look_after_silence(now_s)
        if self._job is None or self._job.poll() is None:
            return
        job, self._job = self._job, None
        rows = _rows(job)
        if rows is None:
            if self._ends:
                self._tell("trouble", f"The recording was not closed. {job.problem}")
            return
        if self._ends:
            self._closed(rows)
        else:
            self._found(rows)

    def close(self) -> None:
        """End nothing: the jobs end with those who own them."""

    def _begin(self, name: str, words: tuple[str, ...], *, ends: bool) -> None:
        if self._job is not None and not (ends and not self._ends):
            return
        limit_s = END_LIMIT_S if ends else LOOK_LIMIT_S
        self._job, self._ends = self._jobs.start(name, words, limit_s=limit_s), ends

    def _look_after_silence(self, now_s: float) -> None:
        state = self._state()
        silent_s = state.silent_s(now_s)
        if state.session is None or state.bye is not None or state.link is None:
            return
        gone = SILENT_S < silent_s < float("inf")
        here = not state.address or Address(state.address).here
        if gone and here and state.session != self._looked_for:
            self._looked_for = state.session
            self.look()

    def _found(self, rows: list[dict[str, object]]) -> None:
        before, self._files = self._files, tuple(str(row["file"]) for row in rows)
        if before and not self._files:
            self._tell("closed", f"{_recordings(before)} is closed.", "ok")
        if not self._files:
            return
        self._tell(
            "left_over",
            f"{_recordings(self._files)} of a session that has died still goes on: "
            "LabRecorder writes what the amplifier sends. It ends by itself some "
            "minutes after its streams are gone, and when a session starts.",
            "degraded",
        )

    def _closed(self, rows: list[dict[str, object]]) -> None:
        failed = tuple(str(row["file"]) for row in rows if not row.get("closed"))
        done = tuple(str(row["file"]) for row in rows if row.get("closed"))
        self._files = failed
        if failed:
            self._tell("trouble", f"{_recordings(failed)} could not be closed.")
        elif done:
            self._tell("closed", f"{_recordings(done)} is closed; it is whole.", "ok")
        else:
            self._tell("closed", "No recording goes on any more.", "ok")

    def _tell(self, kind: Kind, text: str, level: Level = "invalid") -> None:
        self.tell(LeftOverNotice(kind, text, level))


def _recordings(files: tuple[str, ...]) -> str:
    names = ", ".join(PurePath(file).name for file in files)
    return f"The recording {names}" if len(files) == 1 else f"Each recording ({names})"


def _rows(job: ChildJob) -> list[dict[str, object]] | None:
    """Return what the command listed; None where it cannot be read."""
    try:
        rows = json.loads("\n".join(job.lines))
    except ValueError:
        return None
    well = isinstance(rows, list) and all(
        isinstance(row, dict) and "file" in row for row in rows
    )
    return rows if well else None
