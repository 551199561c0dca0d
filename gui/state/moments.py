"""When the operator marked something, and when blocks began and ended. Pure."""

import math
from dataclasses import dataclass

from rtbold.publish import Log, Phase

MOST = 500
SAID = "operator: "  # how a session's log begins what an operator asked for
SHOWN = ("mark", "note", "pause", "resume")


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that the operator did."""

    t_s: float  # the publisher's clock
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the protocol."""

    t_on_s: float  # the publisher's clock
    t_off_s: float | None  # planned; None: until the next one
    run_type: str
    name: str


class Moments:
    """Marks and blocks of one session, oldest first."""

    def __init__(self) -> None:
        self.marks: tuple[Mark, ...] = ()
        self.blocks: tuple[Block, ...] = ()
        self.version = 0

    def take_log(self, log: Log) -> None:
        """Keep what an operator did."""
        op, _, text = log.text.removeprefix(SAID).partition(" ")
        if log.text.startswith(SAID) and op in SHOWN:
            self.marks = (*self.marks, Mark(log.t_lsl, op, text))[-MOST:]
            self.version += 1

    def take_phase(self, phase: Phase) -> None:
        """Keep a block when it is another one."""
        block = Block(phase.t_on, phase.t_off_planned, phase.run_type, phase.name)
        if not self.blocks or self.blocks[-1] != block:
            self.blocks = (*self.blocks, block)[-MOST:]
            self.version += 1

    def spans(self, last_s: float) -> tuple[tuple[float, float, Block], ...]:
        """Return (begin, end, block); none reaches into the next one.

        Parameters
        ----------
        last_s : where a block ends of which no end is known.
        """
        if not self.blocks:
            return ()
        *done, newest = self.blocks
        spans = [
            (block.t_on_s, min(block.t_off_s or math.inf, after.t_on_s), block)
            for block, after in zip(done, self.blocks[1:], strict=True)
        ]
        end_s = last_s if newest.t_off_s is None else newest.t_off_s
        spans.append((newest.t_on_s, max(newest.t_on_s, end_s), newest))
        return tuple(spans)
