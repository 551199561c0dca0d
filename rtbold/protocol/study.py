"""What a protocol says: blocks, runs, questions, what is safe. Settings alone."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from rtbold.config import KindName
from rtbold.protocol.events import Direction, Shown, Task

FORMAT = 1  # of the file
LEAST_BASELINE = 60  # volumes; of fewer, mean and spread are too uncertain
WayOfBlock = Literal["up", "down", "bidirectional"]


class ByDirection(msgspec.Struct, frozen=True, kw_only=True):
    """One text for each direction."""

    up: str = ""
    down: str = ""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of block, ``[blocks.NAME]``; runs name it as often as they like.

    Parameters
    ----------
    volumes, seconds : how long it lasts, in one of the two.
    jitter : it is up to this much longer or shorter, in the same unit.
    direction : of a block that regulates; bidirectional: up or down, drawn from the
        seed, as often the one as the other in a run.
    feedback : None: continuous where it regulates, none elsewhere.
    questions : names of ``[questions.NAME]``; of a block that asks.
    condition : an opaque code that travels with each of its values.
    """

    task: Task
    volumes: int | None = None
    seconds: float | None = None
    jitter: float = 0.0
    direction: WayOfBlock | None = None
    feedback: Shown | None = None
    instruction: str | ByDirection = ""
    questions: tuple[str, ...] = ()
    condition: str | None = None

    def instruction_for(self, direction: Direction | None) -> str:
        """Return what the participant is told."""
        if isinstance(self.instruction, str):
            return self.instruction
        return "" if direction is None else getattr(self.instruction, direction)


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A block with its place in the run: where it must begin."""

    block: str
    at_volume: int | None = None  # of the run, from 0
    at_second: float | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One start of the scanner, ``[[runs]]``; or several that are alike.

    Parameters
    ----------
    blocks : names, or tables with a place, in order.
    cycles : how often that list is gone through within a run.
    repeats : how many such runs there are.
    feedback : of its regulating blocks that say nothing.
    questions : asked once the blocks are over.
    """

    kind: KindName
    blocks: tuple[str | Placed, ...]
    name: str = ""
    cycles: int = 1
    repeats: int = 1
    feedback: Shown | None = None
    instruction: str = ""
    questions: tuple[str, ...] = ()
    condition: str | None = None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question, ``[questions.NAME]``."""

    text: str
    kind: Literal["slider", "text"] = "slider"
    low: str = ""  # words at the ends of a slider
    high: str = ""
    minimum: int = 0
    maximum: int = 100


class Risky(msgspec.Struct, frozen=True, kw_only=True):
    """A target and direction that a second person must confirm; None: any."""

    target: str | None = None
    direction: Direction | None = None


class Safety(msgspec.Struct, frozen=True, kw_only=True):
    """What protects the participant, ``[safety]``.

    Parameters
    ----------
    longest_run_minutes : a run that may last longer is refused.
    longest_regulation_seconds : the same of regulation without a block between.
    break_minutes : at least between two runs; the session says so where it was less.
    sleepiness_every_minutes : so often the operator is told to ask; None: never.
    risky : needs the code of a second person at the start of a run.
    stop_marker : a marker of this label is the participant's stop.
    """

    longest_run_minutes: float = 20.0
    longest_regulation_seconds: float | None = None
    break_minutes: float = 0.0
    sleepiness_every_minutes: float | None = None
    risky: tuple[Risky, ...] = ()
    stop_marker: str | None = None


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """A whole protocol.

    Parameters
    ----------
    feedback : the table ``[feedback]`` as it is written; the feedback's own settings
        read it.
    """

    name: str
    tr_s: float
    format: int = FORMAT
    seed: int = 0
    blocks: Mapping[str, Block]
    runs: tuple[Run, ...]
    questions: Mapping[str, Question] = {}
    safety: Safety = Safety()
    feedback: Mapping[str, object] = {}

    @property
    def n_runs(self) -> int:
        """How many runs there are, repeats counted."""
        return sum(run.repeats for run in self.runs)

    def run(self, number: int) -> Run:
        """Return the run of this number, from 1, repeats counted.

        Raises
        ------
        IndexError : there is none.
        """
        return self.runs[self.entry_of(number)]

    def entry_of(self, number: int) -> int:
        """Return which ``[[runs]]``, from 0, the run of this number is.

        Raises
        ------
        IndexError : there is none.
        """
        each = [i for i, run in enumerate(self.runs) for _ in range(run.repeats)]
        if number < 1:
            raise IndexError(number)
        return each[number - 1]
