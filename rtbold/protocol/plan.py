"""From a protocol to the blocks of one run, volume by volume. Pure, and drawn alike."""

import hashlib
import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rtbold.config import KindName
from rtbold.protocol.events import BlockNow, Direction, Shown, Task
from rtbold.protocol.study import Block, Run, Study

NEVER_SHOWN: Final = ("localiser", "baseline", "transfer")  # kinds of runs


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBlock:
    """One block of a run with its place."""

    number: int  # of the run, from 1
    name: str
    task: Task
    direction: Direction | None
    feedback: Shown
    first_volume: int  # of the run, from 0
    n_volumes: int
    instruction: str = ""
    questions: tuple[str, ...] = ()
    condition: str | None = None

    @property
    def end_volume(self) -> int:
        """The first volume after it."""
        return self.first_volume + self.n_volumes


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """The blocks of one attempt at a run; they tile it without gap or overlap."""

    study: str
    run: int
    attempt: int
    run_type: KindName
    name: str
    tr_s: float
    blocks: tuple[PlannedBlock, ...]
    instruction: str = ""
    questions: tuple[str, ...] = ()

    @property
    def n_volumes(self) -> int:
        """How long the run is."""
        return self.blocks[-1].end_volume

    @property
    def duration_s(self) -> float:
        """How long the run is, at its TR."""
        return self.n_volumes * self.tr_s

    def block_at(self, volume_index: int | None) -> PlannedBlock | None:
        """Return the block of a volume; None: before the first, or after the last."""
        if volume_index is None or not 0 <= volume_index < self.n_volumes:
            return None
        begins = [block.first_volume for block in self.blocks]
        return self.blocks[bisect_right(begins, volume_index) - 1]

    def at(self, volume_index: int | None) -> BlockNow | None:
        """Return where in the protocol a volume lies; None: in no block."""
        block = self.block_at(volume_index)
        if block is None or volume_index is None:
            return None
        return BlockNow(
            run=self.run,
            attempt=self.attempt,
            run_type=self.run_type,
            block=block.number,
            name=block.name,
            task=block.task,
            direction=block.direction,
            feedback=block.feedback,
            volume_in_block=volume_index - block.first_volume,
            n_volumes=block.n_volumes,
            last_of_block=volume_index == block.end_volume - 1,
            condition=block.condition,
        )


@dataclass(frozen=True, slots=True)
class Span:
    """How long a block may last, in volumes."""

    usual: int
    jitter: int

    @property
    def least(self) -> int:
        """The shortest that may come."""
        return self.usual - self.jitter

    @property
    def most(self) -> int:
        """The longest that may come."""
        return self.usual + self.jitter


def span_of(block: Block, tr_s: float) -> Span:
    """Return how long a block may last; seconds are rounded to whole volumes."""
    if block.volumes is not None:
        return Span(block.volumes, math.floor(block.jitter))
    seconds = block.seconds or 0.0
    return Span(round(seconds / tr_s), math.floor(block.jitter / tr_s + 1e-9))


def places(run: Run) -> Iterator[tuple[int, str, int | None, float | None]]:
    """Yield each block of a run in order: (item, name, at volume, at second).

    Item is where it stands in the run's list; a place holds in the first cycle alone.
    """
    for cycle in range(run.cycles):
        for item, each in enumerate(run.blocks):
            if isinstance(each, str):
                yield item, each, None, None
            elif cycle == 0:
                yield item, each.block, each.at_volume, each.at_second
            else:
                yield item, each.block, None, None


def plan_run(
    study: Study, run: int, *, attempt: int = 1, condition: str | None = None
) -> RunPlan:
    """Return the blocks of one attempt; the same arguments give the same blocks.

    Parameters
    ----------
    run : its number, from 1.
    condition : code of the session, for blocks and runs that have none of their own.

    Raises
    ------
    IndexError : the protocol has no such run.
    """
    what = study.run(run)
    draw = _Draw(f"{study.seed}/{run}/{attempt}")
    names = [name for _, name, _, _ in places(what)]
    ways = _ways(study, names, draw)
    blocks: list[PlannedBlock] = []
    first = 0
    for number, (name, direction) in enumerate(zip(names, ways, strict=True), 1):
        block = study.blocks[name]
        span = span_of(block, study.tr_s)
        n_volumes = span.least + draw(2 * span.jitter + 1)
        blocks.append(
            PlannedBlock(
                number=number,
                name=name,
                task=block.task,
                direction=direction,
                feedback=shown_in(block, what),
                first_volume=first,
                n_volumes=n_volumes,
                instruction=block.instruction_for(direction),
                questions=block.questions,
                condition=block.condition or what.condition or condition,
            )
        )
        first += n_volumes
    return RunPlan(
        study=study.name,
        run=run,
        attempt=attempt,
        run_type=what.kind,
        name=what.name,
        tr_s=study.tr_s,
        blocks=tuple(blocks),
        instruction=what.instruction,
        questions=what.questions,
    )


def shown_in(block: Block, run: Run) -> Shown:
    """Return the feedback of a block in a run; only a training shows any."""
    if run.kind in NEVER_SHOWN or block.task != "regulate":
        return "none"
    return block.feedback or run.feedback or "continuous"


class _Draw:
    """Whole numbers from a seed, the same in every version of Python and everywhere."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._n = 0

    def __call__(self, below: int) -> int:
        """Return a number in [0, below)."""
        text = f"{self._seed}/{self._n}".encode()
        self._n += 1
        return int.from_bytes(hashlib.sha256(text).digest()) % below


def _ways(study: Study, names: list[str], draw: _Draw) -> list[Direction | None]:
    """Return each block's direction; bidirectional ones are balanced over the run."""
    both = [name for name in names if study.blocks[name].direction == "bidirectional"]
    drawn: list[Direction] = []
    while len(drawn) < len(both):
        pair: tuple[Direction, Direction] = ("up", "down")
        drawn.extend(pair if draw(2) else pair[::-1])
    drawn = drawn[: len(both)]
    for i in range(len(drawn) - 1, 0, -1):  # Fisher and Yates
        k = draw(i + 1)
        drawn[i], drawn[k] = drawn[k], drawn[i]
    ways: list[Direction | None] = []
    for name in names:
        direction = study.blocks[name].direction
        ways.append(drawn.pop() if direction == "bidirectional" else direction)
    return ways
