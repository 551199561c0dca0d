"""What happened in a session: runs, blocks, marks, notes, gaps, when. Pure, bounded.

`VolumeHistory` has the numbers, volume by volume; this has the rest of the picture.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

from msgspec import UNSET

from rtbold.gui.state.received import FeedbackValue
from rtbold.publish import Bye, Log, Phase, Quality, Trigger

MOST_MARKS = 500
MOST_BLOCKS = 500
MOST_GAPS = 500
MarkKind = Literal[
    "mark", "note", "pause", "resume", "start", "stop", "participant stop",
    "adverse event",
]  # fmt: skip
SAID: Final = "operator: "  # how a session's log begins what an operator asked for
OPS: Final[dict[str, MarkKind]] = {
    "mark": "mark", "note": "note", "pause": "pause", "resume": "resume",
    "start": "start", "stop": "stop", "participant_stop": "participant stop",
    "adverse_event": "adverse event",
}  # fmt: skip
LOSSES: Final = ("gap", "no_data")  # reasons of predictions without their EEG
SHORTEST_GAP_S = 0.05  # so that a gap without a length is seen


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that the operator did; times as on the wire."""

    t_s: float  # the publisher's clock
    t_unix_ms: float
    kind: MarkKind
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the protocol, or a run without blocks."""

    t_on_s: float
    t_off_s: float | None  # planned; None: not planned
    run: int
    run_type: str  # of a protocol: the run's kind, whatever its block shows
    block: int
    name: str


@dataclass(frozen=True, slots=True)
class Gap:
    """EEG that is missing."""

    t_from_s: float
    t_to_s: float


class Story:
    """Marks, blocks and gaps of one session, and the numbers that must not go back.

    A counter of the session that begins anew, or a message that was lost, takes nothing
    back: what was counted once stays.
    """

    def __init__(self) -> None:
        self.marks: tuple[Mark, ...] = ()
        self.blocks: tuple[Block, ...] = ()
        self.gaps: tuple[Gap, ...] = ()
        self.begun_s: float | None = None  # publisher's clock
        self.begun_unix_ms: float | None = None
        self.ended_unix_ms: float | None = None  # of the newest message
        self.n_late_triggers = 0
        self.file = ""  # of the recording
        self.folder = ""  # of all recordings, where it is known
        self.n_bytes = 0
        self._counted: dict[str, float] = {}  # newest number of each counter
        self._before: dict[str, float] = {}  # what it had come to when it fell
        self._n_interruptions = 0
        self._losing = False
        self.version = 0

    # What came

    def take_phase(self, phase: Phase) -> None:
        """Note a block when it is another one."""
        self._heard(phase.t_unix_ms)
        if self.begun_s is None:
            self.begun_s = phase.t_on
            self.begun_unix_ms = phase.t_unix_ms - 1000 * (phase.t_lsl - phase.t_on)
        if phase.name == "end":
            return
        block = Block(
            phase.t_on,
            phase.t_off_planned,
            phase.run,
            phase.run_type if phase.kind is UNSET else phase.kind,
            phase.block,
            phase.name,
        )
        if not self.blocks or self.blocks[-1] != block:
            self.blocks = (*self.blocks, block)[-MOST_BLOCKS:]
            self.version += 1

    def take_log(self, log: Log) -> None:
        """Note what the operator did."""
        self._heard(log.t_unix_ms)
        op, _, text = log.text.removeprefix(SAID).partition(" ")
        if log.text.startswith(SAID) and op in OPS:
            mark = Mark(log.t_lsl, log.t_unix_ms, OPS[op], text)
            self.marks = (*self.marks, mark)[-MOST_MARKS:]
            self.version += 1

    def take_quality(self, quality: Quality) -> None:
        """Count on, and note what has been lost since the last look."""
        self._heard(quality.t_unix_ms)
        n_before, lost_before_s = self.total("n_gaps"), self.total("lost_s")
        first = not self._counted  # says what was lost, and not when
        self._count(_told(quality))
        lost_s = self.total("lost_s") - lost_before_s
        if not first and (self.total("n_gaps") > n_before or lost_s > 0):
            self._note_gap(quality.t_lsl, max(lost_s, SHORTEST_GAP_S))
        part = quality.recording
        if part is not UNSET and part is not None:
            self.file, self.n_bytes = part.file, max(self.n_bytes, part.n_bytes)

    def take_feedback(self, fb: FeedbackValue) -> None:
        """Count how often predictions lost their EEG."""
        self._heard(fb.t_unix_ms)
        losing = any(reason in LOSSES for reason in fb.reasons)
        self._n_interruptions += losing and not self._losing
        self._losing = losing

    def take_trigger(self, trigger: Trigger) -> None:
        """Count a trigger that came too late to be taken."""
        self.n_late_triggers += trigger.kind == "late"

    def take_bye(self, bye: Bye) -> None:
        """Note the end."""
        self._heard(bye.t_unix_ms)

    # What is asked

    def total(self, name: str) -> float:
        """Return what a counter of `quality` has come to over the session."""
        return self._before.get(name, 0.0) + self._counted.get(name, 0.0)

    def bands(self, last_s: float) -> tuple[tuple[float, float, Block], ...]:
        """Return (begin, end, block) of the blocks; none reaches into the next.

        Parameters
        ----------
        last_s : where a block ends of which no end is known.
        """
        begins_s = [block.t_on_s for block in self.blocks[1:]]
        bands = []
        for block, next_s in zip(self.blocks, [*begins_s, math.inf], strict=True):
            planned_s = block.t_off_s
            if planned_s is None:
                planned_s = last_s if math.isinf(next_s) else math.inf
            if block.block:  # else it is a run without blocks
                end_s = max(block.t_on_s, min(planned_s, next_s))
                bands.append((block.t_on_s, end_s, block))
        return tuple(bands)

    @property
    def n_gaps(self) -> int:
        """Gaps; no fewer than the times that predictions said that EEG was missing."""
        return max(round(self.total("n_gaps")), self._n_interruptions)

    def _count(self, told: dict[str, float]) -> None:
        """Take the newest numbers; where they begin anew, count on."""
        fell = (told[name] < self._counted.get(name, 0.0) for name in _NEVER_FALL)
        if any(fell):
            for name, newest in self._counted.items():
                self._before[name] = self._before.get(name, 0.0) + newest
        self._counted = {**self._counted, **told}

    def _note_gap(self, t_to_s: float, lost_s: float) -> None:
        """Note a gap, or that the newest one goes on."""
        gap = Gap(t_to_s - lost_s, t_to_s)
        self.version += 1
        if self.gaps and gap.t_from_s <= self.gaps[-1].t_to_s + SHORTEST_GAP_S:
            gap = Gap(min(self.gaps[-1].t_from_s, gap.t_from_s), t_to_s)
            self.gaps = (*self.gaps[:-1], gap)
            return
        self.gaps = (*self.gaps, gap)[-MOST_GAPS:]

    def _heard(self, t_unix_ms: float) -> None:
        if t_unix_ms > 0:
            self.ended_unix_ms = max(self.ended_unix_ms or t_unix_ms, t_unix_ms)
            self.begun_unix_ms = self.begun_unix_ms or t_unix_ms


# Others may: what was taken for missing comes after all, a trigger that is late too.
_NEVER_FALL: Final = ("n_gaps", "n_triggers")
_COUNTERS: Final = (
    *_NEVER_FALL, "n_missing_samples", "n_triggers_missed", "n_triggers_double",
)  # fmt: skip


def _told(quality: Quality) -> dict[str, float]:
    """Return the counters of the session, as far as it tells them."""
    told = {name: float(getattr(quality, name)) for name in _COUNTERS}
    if quality.lost_s is not UNSET:
        told["lost_s"] = quality.lost_s
    elif quality.rate_hz_nominal:
        told["lost_s"] = quality.n_missing_samples / quality.rate_hz_nominal
    return told
