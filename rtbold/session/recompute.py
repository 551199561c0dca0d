"""The messages of a session, made anew from its events by the live session's parts."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from rtbold.bundle import Card
from rtbold.feedback import (
    Feedback,
    FeedbackChain,
    FeedbackSettings,
    Reference,
    SafetyLimits,
)
from rtbold.messages import BoldPrediction, Event, MeasuredVolume, OperatorCommand
from rtbold.predict import (
    Model,
    Pipeline,
    PipelineSettings,
    StatusReasons,
    marked_late,
    with_facts,
)
from rtbold.protocol import BlockNow, Follower, Protocol, Step
from rtbold.publish import (
    LiveIntervals,
    Moments,
    Phase,
    Truth as TruthMessage,
    Widths,
    pred_fb,
    pred_roi,
)
from rtbold.session.blinded import Blinded
from rtbold.session.protocol import phase_of

if TYPE_CHECKING:  # pylsl comes with it, which who reads settings does not need
    from rtbold.session.truth import SessionTruth

Fields = dict[str, Any]
_NO_MOMENTS = Moments(t_pipeline_s=0.0, t_predicted_s=0.0, t_publish_s=0.0)


Where = Callable[[BoldPrediction], BlockNow | None]


def nowhere(prediction: BoldPrediction) -> BlockNow | None:
    """Return where a volume lies in no protocol."""
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Remade:
    """One prediction, and how its messages are made; when it came is not known."""

    prediction: BoldPrediction
    card: Card
    feedback: Feedback  # as if it had not been late
    widths: Widths  # of the intervals, when it went out

    def messages(self, *, late: bool) -> tuple[Fields, Fields]:
        """Return ``pred.roi`` and ``pred.fb`` as on the wire.

        Parameters
        ----------
        late : the session found it late, which depends on when it was computed.
        """
        made = self.prediction
        feedback, widths = self.feedback, self.widths
        if late and made.next_due_s is not None:
            made = marked_late(made, made.next_due_s + 1.0)
            feedback = _late(feedback)
        roi = pred_roi(made, self.card, _NO_MOMENTS, widths=widths)
        fb = pred_fb(made, self.card, _NO_MOMENTS, feedback=feedback, widths=widths)
        return on_wire(roi), on_wire(fb)


def _late(feedback: Feedback) -> Feedback:
    """Return what the chain makes of the same prediction when it is late."""
    if feedback.status == "paused":
        return feedback
    known = StatusReasons(feedback.status, feedback.reasons)
    status, reasons = with_facts(known, "late")
    return replace(feedback, status=status, reasons=reasons)


def on_wire(message: msgspec.Struct) -> Fields:
    """Return a message as a subscriber reads it."""
    fields: Fields = json.loads(msgspec.json.encode(message))
    return fields


class Follows:
    """A protocol that is followed anew; each prediction once, in order.

    Parameters
    ----------
    protocol : of the session.
    follower : of its run, at the start.
    """

    def __init__(self, protocol: Protocol, follower: Follower) -> None:
        self._protocol, self._follower = protocol, follower
        self._now: BlockNow | None = None

    def tick(self, prediction: BoldPrediction) -> Iterator[Phase]:
        """Take a volume; yield the phase that the session kept, if it kept one."""
        step = self._follower.tick(prediction.tick)
        self._now = step.now
        return self._told(step)

    def take(self, command: OperatorCommand) -> Iterator[Phase]:
        """Act on a command, as `tick`."""
        return self._told(self._follower.take(command))

    def where(self, prediction: BoldPrediction) -> BlockNow | None:
        """Return where the newest volume lies."""
        return self._now

    def _told(self, step: Step) -> Iterator[Phase]:
        """Yield the phase that the session kept of a step, if it kept one."""
        if step.changed is not None and step.changed.where != "before":
            yield phase_of(self._protocol, self._follower)


class Recomputation:
    """A session once more: events in, what it published out. Pure.

    Parameters
    ----------
    card : the session's.
    model : its engine.
    settings : of its pipeline.
    feedback : how the session made it; None: the card's target, as it is.
    withheld : nothing was fed back, for the model was not found fit.
    carried : the baseline that an earlier run had measured.
    where : where in the protocol the volume of a prediction lies; `follows` knows it.
    truth : what pairs measured BOLD; None: nobody measured.
    blinded : what was delivered in place of the predictions; None: they were.
    follows : the protocol of the session, from its start; None: there was none.
    """

    def __init__(
        self,
        card: Card,
        model: Model,
        settings: PipelineSettings,
        *,
        feedback: FeedbackSettings | None = None,
        withheld: bool = False,
        carried: Reference | None = None,
        where: Where = nowhere,
        truth: "SessionTruth | None" = None,
        blinded: Blinded | None = None,
        follows: Follows | None = None,
    ) -> None:
        self._card = card
        self._pipeline = Pipeline(card, model, settings)
        asked = feedback or FeedbackSettings()
        self._feedback = FeedbackChain(asked, card, withheld=withheld, carried=carried)
        self._limits = SafetyLimits(asked)
        self._where = follows.where if follows else where
        self._truth = truth
        self._blinded = blinded
        self._follows = follows
        self._intervals = LiveIntervals(card.intervals)

    def __call__(
        self, events: Iterable[Event]
    ) -> Iterator[Remade | TruthMessage | Phase]:
        """Yield predictions, truth and phases, each in the order of its topic."""
        follows = self._follows
        for event in events:
            if follows is not None and isinstance(event, OperatorCommand):
                yield from follows.take(event)
            for prediction in self._pipeline.push(event):
                widths = self._intervals.widths
                phases = list(follows.tick(prediction)) if follows else []
                feedback = self._fed_back(prediction)
                yield Remade(prediction, self._card, feedback, widths)
                yield from phases
                if self._truth is not None:
                    self._truth.predicted(prediction)
            if isinstance(event, MeasuredVolume) and self._truth is not None:
                learn = self._intervals.take
                message = self._truth.measured(event, say=_nobody, learn=learn)
                if message is not None:
                    yield message

    def _fed_back(self, prediction: BoldPrediction) -> Feedback:
        now = self._where(prediction)
        if self._blinded is not None:
            prediction = self._blinded.deliver(prediction, now)
        return self._limits.push(self._feedback.push(prediction, now), now)


def _nobody(level: str, text: str) -> None:
    """Take what the live session told its operator."""
