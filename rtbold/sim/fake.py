"""A feed without EEG, model or scanner, for people who write apps.

Every message is built and sent by the same code as in a session; only the values come
from a script. ``hello`` says that the stream and the model are simulated.
"""

from collections.abc import Callable, Iterable

import numpy as np

from rtbold.card import Baseline, Card, Origin
from rtbold.clock import Clock
from rtbold.errors import RtboldError
from rtbold.feedback import FeedbackSettings
from rtbold.io.control import ControlCommand
from rtbold.messages import WINDOW_S, BoldPrediction, Reason, Status, Tick
from rtbold.publication import Moments, SessionFacts, hello, pred_fb, pred_roi
from rtbold.sim.fake_script import ScriptRow
from rtbold.wire import Hello, Message, Ports, Quality, Trigger

FAKE_ROI = "fake_target"
_REASONS: dict[Status, tuple[Reason, ...]] = {
    "ok": (),
    "degraded": ("interpolated",),
    "invalid": ("no_data",),
    "warmup": ("warmup",),
    "paused": ("operator_pause",),
}


def fake_card(tr_s: float) -> Card:
    """Return the card of a bundle that does not exist: one ROI, baseline N(0, 1)."""
    return Card(
        name="fake",
        architecture="none",
        channels=("Cz",),
        reference="average",
        tr_s=tr_s,
        rois=(FAKE_ROI,),
        baseline=Baseline(name="fake", mean=(0.0,), sd=(1.0,), n=100),
        scanner="simulated",
        origin=Origin(kind="simulated", simulated_lineage=True),
        note="scripted values; there is no model",
    )


def fake_hello(card: Card, ports: Ports) -> Hello:
    """Return the hello of a fake session."""
    facts = SessionFacts(
        model_sha256="0" * 64, simulated_stream=True, ports=ports, tr_s=card.tr_s
    )
    return hello(card, facts, settings=FeedbackSettings(FAKE_ROI))


class FakeSession:
    """Plays a script onto a feed.

    Parameters
    ----------
    card : from `fake_card`.
    clock : LSL's clock, or any; it paces by absolute deadline.
    publish : `Feed.publish`.
    speed : 60 plays an hour in a minute; the TR that is declared shrinks likewise.
    """

    def __init__(
        self,
        card: Card,
        *,
        clock: Clock,
        publish: Callable[[Message], None],
        speed: float = 1.0,
    ) -> None:
        self._card = card
        self._clock = clock
        self._publish = publish
        self._speed = speed
        self._stopped = False

    def play(self, rows: Iterable[ScriptRow], duration_s: float | None = None) -> int:
        """Publish `rows` when they are due; return how many.

        Ends with the script, after `duration_s` of the clock, or by STOP.
        """
        start_s = self._clock.now_s()
        n_played = 0
        for index, row in enumerate(rows):
            due_s = start_s + row.t_s / self._speed
            if duration_s is not None and due_s - start_s >= duration_s:
                break
            self._clock.sleep_until(due_s)
            if self._stopped:
                break
            for message in self._messages(row, index, due_s):
                self._publish(message)
            n_played += 1
        return n_played

    def on_command(self, command: ControlCommand) -> None:
        """Obey STOP, at the next row; refuse what a script cannot do."""
        if command.op != "stop":
            raise RtboldError(
                f"a fake session plays a script and cannot {command.op}; it takes "
                "STOP, HELLO, LATEST and TIME."
            )
        self._stopped = True

    def _messages(self, row: ScriptRow, index: int, due_s: float) -> list[Message]:
        prediction = self._prediction(row, index, due_s)
        now_s = self._clock.now_s()
        moments = Moments(t_pipeline_s=due_s, t_predicted_s=now_s, t_publish_s=now_s)
        target = FeedbackSettings(FAKE_ROI)
        return [
            Trigger(kind="volume", volume_index=index, t_trigger=due_s, label="fake"),
            pred_roi(prediction, self._card, moments),
            pred_fb(prediction, self._card, moments, settings=target),
            Quality(
                stream_state="running",
                stream_age_ms=0.0,
                rate_hz_nominal=None,
                rate_hz_effective=None,
                channels=(),
                n_triggers=index + 1,
            ),
        ]

    def _prediction(self, row: ScriptRow, index: int, due_s: float) -> BoldPrediction:
        value = None if row.value is None else np.array([row.value], np.float32)
        return BoldPrediction(
            tick=Tick(volume_index=index, t_trigger_s=due_s, trigger_locked=True),
            t_start_s=due_s - WINDOW_S,
            t_end_s=due_s,
            bold_time_s=due_s,
            status=row.status,
            reasons=_REASONS[row.status],
            values=value,
            next_due_s=due_s + self._card.tr_s,
        )
