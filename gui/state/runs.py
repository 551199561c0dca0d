"""The runs of one session: planned, running, done. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

RunKind = Literal["localiser", "baseline", "training", "transfer"]
RunState = Literal["planned", "running", "done", "aborted"]
KINDS: tuple[RunKind, ...] = get_args(RunKind)
MOST_RUNS = 60
MOST_DUMMIES = 1000

KIND_WORDS: dict[RunKind, str] = {
    "localiser": "finds the region or tests the task; no feedback is meant",
    "baseline": "rest, before the training",
    "training": "the participant gets feedback",
    "transfer": "the same task without feedback",
}


@dataclass(frozen=True, slots=True)
class Run:
    """One run: one start of the scanner, one trigger train, one recording folder.

    Parameters
    ----------
    number : in the session, from 1.
    duration_s : planned; nothing ends by it.
    """

    number: int
    kind: RunKind = "training"
    dummy_volumes: int = 0
    duration_s: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run and what became of it."""

    run: Run
    state: RunState = "planned"

    @property
    def fixed(self) -> bool:
        """Whether it was started: its number names a folder."""
        return self.state != "planned"


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The runs in order; every change makes another plan.

    A run that was started keeps its number and its place.
    """

    rows: tuple[PlannedRun, ...] = (PlannedRun(Run(1)),)

    def added(self, kind: RunKind, *, like: Run | None = None) -> "RunPlan":
        """Return the plan with one more run at its end, with the settings of `like`."""
        if len(self.rows) >= MOST_RUNS:
            return self
        run = replace(like, kind=kind) if like else Run(0, kind)
        return RunPlan(_numbered((*self.rows, PlannedRun(run))))

    def removed(self, place: int) -> "RunPlan":
        """Return the plan without the run at `place`; one that was started stays."""
        if not self.can_remove(place):
            return self
        return RunPlan(_numbered(self.rows[:place] + self.rows[place + 1 :]))

    def moved(self, place: int, by: Literal[-1, 1]) -> "RunPlan":
        """Return the plan with the run at `place` one earlier or later."""
        if not self.can_move(place, by):
            return self
        rows = list(self.rows)
        rows[place], rows[place + by] = rows[place + by], rows[place]
        return RunPlan(_numbered(tuple(rows)))

    def edited(self, place: int, run: Run) -> "RunPlan":
        """Return the plan with other settings of the run at `place`."""
        if not 0 <= place < len(self.rows) or self.rows[place].fixed:
            return self
        return self._with(place, PlannedRun(replace(run, number=0)))

    def marked(self, number: int, state: RunState) -> "RunPlan":
        """Return the plan with the run of this number in another state."""
        rows = (replace(r, state=state) if r.run.number == number else r for r in self)
        return RunPlan(tuple(rows))

    def can_remove(self, place: int) -> bool:
        """Whether the run at `place` was not started, and another is left."""
        there = 0 <= place < len(self.rows)
        return there and len(self.rows) > 1 and not self.rows[place].fixed

    def can_move(self, place: int, by: Literal[-1, 1]) -> bool:
        """Whether both that run and its neighbour were not started."""
        both = (place, place + by)
        return all(0 <= p < len(self.rows) and not self.rows[p].fixed for p in both)

    def next_place(self) -> int | None:
        """Return where the first run is that was not started; None: all were."""
        return next((i for i, row in enumerate(self.rows) if not row.fixed), None)

    @property
    def running(self) -> Run | None:
        """The run that is under way."""
        return next((row.run for row in self.rows if row.state == "running"), None)

    def __iter__(self) -> Iterator[PlannedRun]:
        """Go through the runs in order."""
        return iter(self.rows)

    def _with(self, place: int, row: PlannedRun) -> "RunPlan":
        rows = (*self.rows[:place], row, *self.rows[place + 1 :])
        return RunPlan(_numbered(rows))


def folder_name(run: Run) -> str:
    """Return the name of the run's own recording folder, such as run-02_training."""
    return f"run-{run.number:02d}_{run.kind}"


def duration_of(text: str) -> float | None:
    """Return seconds of ``8``, ``8:30`` or ``8 min``; None where it says nothing.

    A number alone is minutes.

    Raises
    ------
    ValueError : it says something else; the message says what was expected.
    """
    bare = text.casefold().replace("min", "").strip()
    if not bare:
        return None
    minutes, _, seconds = bare.partition(":")
    try:
        found_s = 60 * float(minutes.replace(",", ".")) + float(seconds or 0)
    except ValueError:
        found_s = -1.0
    if not 0 < found_s <= 86_400:
        raise ValueError(f"{text!r} is no duration: give minutes, such as 8 or 8:30")
    return found_s


def duration_words(duration_s: float | None) -> str:
    """Return ``8:30 min``; empty for None."""
    if duration_s is None:
        return ""
    minutes, seconds = divmod(round(duration_s), 60)
    return f"{minutes}:{seconds:02d} min"


def _numbered(rows: tuple[PlannedRun, ...]) -> tuple[PlannedRun, ...]:
    """Give planned runs the numbers after those before them."""
    numbered: list[PlannedRun] = []
    last = 0
    for row in rows:
        last = row.run.number if row.fixed else last + 1
        numbered.append(replace(row, run=replace(row.run, number=last)))
    return tuple(numbered)
