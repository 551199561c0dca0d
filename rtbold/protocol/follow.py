"""Follow a run of a protocol: which block is now, and what happens at its edges. Pure.

Blocks are counted in volumes of the scanner's run, so that a gap in the EEG or a lost
trigger moves none of them. What follows depends on ticks and commands alone, and comes
out again in a replay.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from rtbold.messages import OperatorCommand, Tick
from rtbold.protocol.events import BlockNow
from rtbold.protocol.plan import PlannedBlock, RunPlan, plan_run
from rtbold.protocol.study import Question, Study

Where = Literal["before", "block", "over"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowSettings:
    """Which run is followed, as it was asked for.

    Parameters
    ----------
    attempt : number of the first one; each start of the scanner after it is the next.
    condition : code of the session, for blocks that have none of their own.
    """

    run: int
    attempt: int = 1
    condition: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolNow:
    """Where the session is in its run.

    Parameters
    ----------
    t_on_s : onset of the block's first volume, or of the one after the last block.
    shows : the participant may see the value of the newest volume.
    shows_from : the first volume whose value may be shown; None: none may.
    stopped : the participant has asked to stop; nothing is shown until a resume.
    """

    plan: RunPlan
    where: Where = "before"
    block: PlannedBlock | None = None
    t_on_s: float = 0.0
    shows: bool = False
    shows_from: int | None = None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What one tick or command came to.

    Parameters
    ----------
    now : of the volume, for the feedback. After the last block it is a break, which
        shows nothing; None: before the first volume, which has no value.
    changed : where the session now is, if that is new.
    markers : for the recording and the operator, in order.
    """

    now: BlockNow | None = None
    changed: ProtocolNow | None = None
    markers: tuple[str, ...] = ()


@dataclass(slots=True)
class _Train:
    """A train of volumes that goes on: one attempt."""

    attempt: int
    last_volume: int = -1


class Follower:
    """Takes each tick once, in order; and commands, which act at once.

    Parameters
    ----------
    study : of the protocol.
    settings : which run of it.
    """

    def __init__(self, study: Study, settings: FollowSettings) -> None:
        self._study, self._settings = study, settings
        self._train = _Train(settings.attempt)
        self._before: _Train | None = None
        self._newest_attempt = settings.attempt
        self._asked_s = 0.0  # since the last question about sleepiness
        self.completed: set[int] = set()  # attempts that went to their end
        self.n_adverse_events = 0
        self.answers: dict[str, str] = {}
        self.state = ProtocolNow(plan=self._plan(settings.attempt))

    @property
    def plan(self) -> RunPlan:
        """The blocks of the attempt that is under way."""
        return self.state.plan

    @property
    def n_done(self) -> int:
        """Volumes of the attempt so far."""
        return min(self._train.last_volume + 1, self.plan.n_volumes)

    @property
    def unanswered(self) -> tuple[str, ...]:
        """Names of the questions after the run that nobody has answered yet."""
        return tuple(q for q in self.plan.questions if q not in self.answers)

    def tick(self, tick: Tick) -> Step:
        """Return where a volume lies, and what has changed with it."""
        volume = tick.volume_index
        if volume is None:
            return Step()
        markers = self._count(volume)
        now = self.plan.at(volume) or _after(self.plan, volume)
        if self.state.stopped:
            now = replace(now, feedback="none")
        state = self._state_at(volume, tick.t_trigger_s, now)
        begins = state.block is not None and (
            self.state.block != state.block or bool(markers)
        )
        if begins:
            markers += self._block_markers(state)
        elif state.where == "over" and self.state.where != "over":
            self.completed.add(self.plan.attempt)
            markers += (f"run over {_which(self.plan)}", *self._to_answer())
        changed = None if state == self.state and not markers else state
        self.state = state
        return Step(now, changed, markers)

    def take(self, command: OperatorCommand) -> Step:
        """Act on a command; what is none of the protocol's does nothing."""
        acts: dict[str, Callable[[str], Step]] = {
            "participant_stop": self._stop,
            "adverse_event": self._adverse_event,
            "answer": self._answer,
            "resume": self._resume,
        }
        act = acts.get(command.op)
        return Step() if act is None else act(command.text)

    # What a tick does

    def _plan(self, attempt: int) -> RunPlan:
        settings = self._settings
        return plan_run(
            self._study, settings.run, attempt=attempt, condition=settings.condition
        )

    def _count(self, volume: int) -> tuple[str, ...]:
        """Note a volume; another train of them is another attempt, or an old one."""
        train, before = self._train, self._before
        if volume <= train.last_volume:  # the scanner began anew
            self._newest_attempt += 1
            self._before = train
            return self._go_on_with(_Train(self._newest_attempt, volume), "began")
        gap = volume > train.last_volume + 1
        if gap and before is not None and volume > before.last_volume:
            # what seemed to begin a run was a stray trigger: the old one goes on
            self._before = None
            before.last_volume = volume
            return self._go_on_with(before, "goes on")
        train.last_volume = volume
        return ()

    def _go_on_with(self, train: _Train, what: str) -> tuple[str, ...]:
        self._train = train
        plan = self._plan(train.attempt)
        self.state = replace(self.state, plan=plan, where="before", block=None)
        return (f"run {what} {_which(plan)}",)

    def _state_at(self, volume: int, t_s: float, now: BlockNow) -> ProtocolNow:
        block, old = self.plan.block_at(volume), self.state
        where: Where = "block" if block is not None else "over"
        same = (old.block, old.where) == (block, where)
        since = 0 if block is None else volume - block.first_volume
        shows = now.shows_feedback
        first = None
        if shows and block is not None:
            at_end = block.feedback == "block_end"
            first = block.end_volume - 1 if at_end else block.first_volume
        return replace(
            old,
            where=where,
            block=block,
            t_on_s=old.t_on_s if same else float(t_s - since * self.plan.tr_s),
            shows=shows,
            shows_from=first,
        )

    def _block_markers(self, state: ProtocolNow) -> tuple[str, ...]:
        block = state.block
        assert block is not None  # the caller looked
        words = [
            f"block {_which(self.plan)} block={block.number} task={block.task}",
            *([f"direction={block.direction}"] if block.direction else []),
            f"feedback={block.feedback}",
            *([f"condition={block.condition}"] if block.condition else []),
            f"name={block.name}",
        ]
        return (" ".join(words), *self._sleepiness(block))

    def _to_answer(self) -> tuple[str, ...]:
        asked = ", ".join(self.unanswered)
        return (f"questions to be answered: {asked}",) if asked else ()

    def _sleepiness(self, block: PlannedBlock) -> tuple[str, ...]:
        """Return that it is time to ask, in a block that the question does not hurt."""
        every = self._study.safety.sleepiness_every_minutes
        at_s = block.first_volume * self.plan.tr_s
        if block.first_volume == 0:
            self._asked_s = 0.0
        if every is None or block.task in ("regulate", "baseline"):
            return ()
        if at_s - self._asked_s < 60 * every:
            return ()
        self._asked_s = at_s
        return ("ask whether the participant is awake",)

    # What a command does

    def _stop(self, text: str) -> Step:
        self.state = replace(self.state, stopped=True, shows=False, shows_from=None)
        return Step(changed=self.state)

    def _resume(self, text: str) -> Step:
        if not self.state.stopped:
            return Step()
        self.state = replace(self.state, stopped=False)  # shown from the next volume on
        return Step(changed=self.state)

    def _adverse_event(self, text: str) -> Step:
        self.n_adverse_events += 1
        return Step()

    def _answer(self, text: str) -> Step:
        name, value = (part.strip() for part in (*text.split(":", 1), "")[:2])
        if self.state.where != "over" or name not in self.plan.questions:
            return Step()  # kept with the events all the same
        if (wanted := _unfit(value, self._study.questions[name])) is not None:
            return Step(markers=(f"no answer to {name}, expected {wanted}",))
        self.answers[name] = value
        return Step(changed=self.state)


def _unfit(value: str, question: Question) -> str | None:
    """Return what a question wants instead of this answer; None: it fits."""
    if question.kind == "text":
        return None if value else "a text"
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if question.minimum <= number <= question.maximum:
        return None
    return f"a number from {question.minimum} to {question.maximum}"


def _after(plan: RunPlan, volume: int) -> BlockNow:
    """Return where a volume after the last block lies: in a break without an end."""
    since = volume - plan.n_volumes
    return BlockNow(
        run=plan.run,
        attempt=plan.attempt,
        run_type=plan.run_type,
        block=len(plan.blocks) + 1,
        name="end",
        task="break",
        direction=None,
        feedback="none",
        volume_in_block=since,
        n_volumes=since + 1,
        last_of_block=False,
    )


def _which(plan: RunPlan) -> str:
    return f"run={plan.run} attempt={plan.attempt}"
