"""The messages of a session, made anew from its events by the live session's parts."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from rtbold.bundle import Card
from rtbold.messages import BoldPrediction, Event, MeasuredVolume
from rtbold.predict import Model, Pipeline, PipelineSettings, marked_late
from rtbold.publish import (
    FeedbackSettings,
    LiveIntervals,
    Moments,
    Truth as TruthMessage,
    Widths,
    pred_fb,
    pred_roi,
)
from rtbold.session.blinded import Blinded
from rtbold.session.truth import SessionTruth

Fields = dict[str, Any]
_NO_MOMENTS = Moments(t_pipeline_s=0.0, t_predicted_s=0.0, t_publish_s=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Remade:
    """One prediction, and how its messages are made; when it came is not known."""

    prediction: BoldPrediction
    card: Card
    feedback: FeedbackSettings
    widths: Widths  # of the intervals, when it went out
    shown: BoldPrediction | None = None  # in a blinded session, what was fed back

    def messages(self, *, late: bool) -> tuple[Fields, Fields]:
        """Return ``pred.roi`` and ``pred.fb`` as on the wire.

        Parameters
        ----------
        late : the session found it late, which depends on when it was computed.
        """
        made = _marked(self.prediction, late=late)
        shown = made if self.shown is None else _marked(self.shown, late=late)
        widths = self.widths
        roi = pred_roi(made, self.card, _NO_MOMENTS, widths=widths)
        fb = pred_fb(
            shown, self.card, _NO_MOMENTS, settings=self.feedback, widths=widths
        )
        return on_wire(roi), on_wire(fb)


def _marked(made: BoldPrediction, *, late: bool) -> BoldPrediction:
    if late and made.next_due_s is not None:
        return marked_late(made, made.next_due_s + 1.0)
    return made


def on_wire(message: msgspec.Struct) -> Fields:
    """Return a message as a subscriber reads it."""
    fields: Fields = json.loads(msgspec.json.encode(message))
    return fields


class Recomputation:
    """A session once more: events in, what it published out. Pure.

    Parameters
    ----------
    card : the session's.
    model : its engine.
    settings : of its pipeline.
    target : of ``--target``; None: the card's.
    truth : what pairs measured BOLD; None: nobody measured.
    blinded : what was delivered in place of the predictions; None: they were.
    """

    def __init__(
        self,
        card: Card,
        model: Model,
        settings: PipelineSettings,
        *,
        target: str | None = None,
        truth: SessionTruth | None = None,
        blinded: Blinded | None = None,
    ) -> None:
        self._card = card
        self._pipeline = Pipeline(card, model, settings)
        self._feedback = FeedbackSettings.choose(card, target)
        self._truth = truth
        self._blinded = blinded
        self._intervals = LiveIntervals(card.intervals)

    def __call__(self, events: Iterable[Event]) -> Iterator[Remade | TruthMessage]:
        """Yield predictions and truth in the order in which they went out."""
        for event in events:
            for prediction in self._pipeline.push(event):
                widths = self._intervals.widths
                given = self._blinded.deliver(prediction) if self._blinded else None
                yield Remade(prediction, self._card, self._feedback, widths, given)
                if self._truth is not None:
                    self._truth.predicted(prediction)
            if isinstance(event, MeasuredVolume) and self._truth is not None:
                learn = self._intervals.take
                message = self._truth.measured(event, say=_nobody, learn=learn)
                if message is not None:
                    yield message


def _nobody(level: str, text: str) -> None:
    """Take what the live session told its operator."""
