"""The runs of a protocol as they were listed, and the plan that they make. Pure."""

from typing import Final, Literal

import msgspec

from rtbold.config import KindName
from rtbold.gui.state.setup import (
    MOST_RUNS,
    PlannedRun,
    Run,
    RunPlan,
    SetupChoice,
    at_home,
    planned_for,
)
from rtbold.run_names import UNNAMED_SUBJECT

Listed = tuple[str, ...]  # what a list is of


class AttemptSeen(msgspec.Struct, frozen=True):
    """One attempt at a run, and what became of it."""

    attempt: int
    state: Literal["running", "complete", "interrupted", "stopped_by_participant"]


class RunSeen(msgspec.Struct, frozen=True):
    """One run of the protocol."""

    run: int
    kind: KindName
    duration_s: float
    name: str = ""
    done: bool = False
    attempts: tuple[AttemptSeen, ...] = ()

    @property
    def words(self) -> str:
        """What the plan says of it."""
        again = f"attempt {len(self.attempts) + 1}" if self.attempts else ""
        last = self.attempts[-1].state.replace("_", " ") if self.attempts else ""
        parts = (f"protocol {self.run}", self.name, again, last and f"was {last}")
        return ", ".join(part for part in parts if part)


class RunsSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What ``protocol runs --json`` printed; empty while nothing is chosen."""

    study: str = ""
    runs: tuple[RunSeen, ...] = ()
    break_left_s: float = 0.0
    problem: str = ""  # why there are none
    of: Listed = ()

    @property
    def words(self) -> str:
        """What stands below the plan; empty: all is well."""
        if self.problem:
            return self.problem
        if self.runs and all(run.done for run in self.runs):
            return "Every run of the protocol is done."
        if self.break_left_s > 0:
            return (
                f"Break: {self.break_left_s / 60:.1f} min are left before the next run."
            )
        return ""


NOT_READ: Final = "The protocol's runs could not be listed."


def listed_for(choice: SetupChoice) -> Listed:
    """Return what a list is of; empty: no protocol is chosen."""
    if not choice.protocol:
        return ()
    return (at_home(choice.protocol), *planned_for(choice))


def runs_arguments(choice: SetupChoice) -> tuple[str, ...]:
    """Return the words that list the runs of the chosen protocol."""
    words = ["protocol", "runs", at_home(choice.protocol), "--json"]
    if choice.record:
        subject = choice.record_as or choice.subject or UNNAMED_SUBJECT
        words += ["--record", at_home(choice.record), "--record-as", subject]
        words += ["--session", choice.session, "--task", choice.task]
    return tuple(words)


def read_runs(text: str, of: Listed) -> RunsSeen | None:
    """Return what was printed; None: it cannot be read."""
    try:
        found = msgspec.json.decode(text.encode(), type=RunsSeen)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return msgspec.structs.replace(found, of=of, problem="")


def plan_of(found: RunsSeen, before: RunPlan) -> RunPlan:
    """Return the plan of a protocol: what was started, then its runs that are not done.

    Numbers are given as to any plan; dummies are those of the plan before.
    """
    started = tuple(row for row in before.rows if row.fixed)
    under_way = {row.run.protocol_run for row in started if row.state == "running"}
    dummies = before.rows[-1].run.dummy_volumes
    coming = tuple(
        PlannedRun(
            Run(
                0,
                seen.kind,
                dummies,
                seen.duration_s,
                seen.words,
                protocol_run=seen.run,
            )
        )
        for seen in found.runs
        if not seen.done and seen.run not in under_way
    )
    rows = (*started, *coming)[:MOST_RUNS]
    if not rows:
        return before
    return before.with_rows(rows)


def without_protocol(before: RunPlan) -> RunPlan:
    """Return the plan where no protocol is followed any more."""
    rows = tuple(
        row for row in before.rows if row.fixed or row.run.protocol_run is None
    )
    return before if rows == before.rows else before.with_rows(rows or RunPlan().rows)
