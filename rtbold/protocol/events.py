"""Where in its protocol one volume lies: what the feedback of it depends on."""

from dataclasses import dataclass
from typing import Literal, get_args

from rtbold.config import KindName

Task = Literal["rest", "baseline", "regulate", "question", "break"]
Direction = Literal["up", "down"]
Shown = Literal["continuous", "block_end", "none"]
TASKS: tuple[Task, ...] = get_args(Task)
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockNow:
    """Where in the protocol one volume lies.

    A block without feedback shows none, whatever its run is; a run that is no training
    has none in any block. `condition` is an opaque code: it names no arm.
    """

    run: int  # of the protocol, from 1
    attempt: int  # of this run, from 1
    run_type: KindName
    block: int  # of the run, from 1
    name: str
    task: Task
    direction: Direction | None  # of a block that regulates; None: of any other
    feedback: Shown
    volume_in_block: int  # from 0
    n_volumes: int  # of the block
    last_of_block: bool
    condition: str | None = None  # travels with each value

    @property
    def shows_feedback(self) -> bool:
        """Whether the value of this very volume may be shown."""
        if self.run_type != "training":
            return False
        if self.feedback == "block_end":
            return self.last_of_block
        return self.feedback == "continuous"
