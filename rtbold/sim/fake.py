"""A feed without EEG, model or scanner, for people who write apps or dashboards.

Every message is built and sent by the same code as in a session; only the values come
from a script. ``hello`` says that the stream and the model are simulated.
"""

import itertools
import queue
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from rtbold.bundle.card import Card
from rtbold.clock import Clock
from rtbold.messages import BoldPrediction, ChannelState, MeasuredVolume, Reason, Status
from rtbold.publish.compose import pred_fb, pred_roi
from rtbold.publish.control import ControlCommand
from rtbold.publish.feedback import FeedbackSettings
from rtbold.publish.wire import Log, Message, SessionState, Topic
from rtbold.sim.fake_bold import FakeBold
from rtbold.sim.fake_eeg import FakeEeg
from rtbold.sim.fake_messages import FakeViews, ScriptTime
from rtbold.sim.fake_prediction import FakeTick, fake_moments, fake_prediction
from rtbold.sim.fake_script import ScriptRow
from rtbold.sim.fake_timeline import Due, timeline
from rtbold.truth.pairing import Truth, TruthSettings
from rtbold.view_messages import truth_message

TOO_LATE_S: Final = 0.25  # behind by more, EEG is left out, so that the rest keeps up
OBEYS_EVERY_S: Final = 0.1


class Outlet(Protocol):
    """What a fake session needs of a feed."""

    def publish(self, message: Message) -> None:
        """Send one message."""
        ...

    def wants(self, topic: Topic) -> bool:
        """Return whether anybody subscribes to `topic`."""
        ...

    def set_state(self, state: SessionState, t_stream_s: float | None) -> None:
        """Say what heartbeats tell."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FakePlan:
    """What is played.

    Parameters
    ----------
    card : from `fake_card`; its TR is the one that the feed declares.
    speed : 60 plays an hour in a minute; the card's TR has shrunk likewise.
    truth : whether measured BOLD is published, one TR late.
    """

    card: Card
    target: FeedbackSettings
    speed: float = 1.0
    seed: int = 0
    truth: bool = True


@dataclass(slots=True)
class Played:
    """What went out."""

    n_predictions: int = 0
    n_eeg_left_out: int = 0  # to keep up

    def __str__(self) -> str:
        """Return it in words."""
        said = f"published {self.n_predictions} predictions"
        if not self.n_eeg_left_out:
            return said
        return f"{said}; left out {self.n_eeg_left_out} eeg messages to keep up"


class FakeSession:
    """Plays a script onto a feed.

    Parameters
    ----------
    clock : LSL's clock, or any; it paces by absolute deadline.
    hang : makes the feed stand still, heartbeats too, for the scene "silent".
    """

    def __init__(
        self,
        plan: FakePlan,
        outlet: Outlet,
        clock: Clock,
        *,
        hang: Callable[[], None] = lambda: None,
    ) -> None:
        card = plan.card
        self._plan = plan
        self._outlet = outlet
        self._clock = clock
        self._hang = hang
        self._commands: queue.SimpleQueue[ControlCommand] = queue.SimpleQueue()
        self._stopped = self._paused = self._hung = False
        eeg = FakeEeg(card.channels, seed=plan.seed)
        target = card.rois.index(plan.target.target)
        self._bold = FakeBold(len(card.rois), target, seed=plan.seed)
        self._time = ScriptTime(clock.now_s(), plan.speed)
        self._views = FakeViews(card, eeg, self._time)
        self._truth = Truth(
            TruthSettings(
                rois=card.rois,
                tr_s=card.tr_s * plan.speed,
                lowpass_hz=card.normalisation.lowpass_hz,
            )
        )
        self._last_value: float | None = None
        self._told: tuple[Status, tuple[Reason, ...]] | None = None
        self._told_bad: dict[str, ChannelState] = {}
        self.played = Played()

    def play(self, rows: Iterable[ScriptRow], duration_s: float | None = None) -> int:
        """Publish `rows` when they are due; return how many predictions that made.

        Ends with the script, after `duration_s` of the clock, or by STOP.
        """
        self._say("info", f"model {self._plan.card.name!r} runs on a script")
        longest_s = float("inf") if duration_s is None else duration_s
        some = itertools.takewhile(
            lambda row: row.t_s / self._plan.speed < longest_s, rows
        )
        for due in timeline(some):
            self._wait_until(self._time.at(due.t_s))
            late_row = due.what == "row" and self._elapsed_s() >= longest_s
            if self._stopped or due.what == "end" or late_row:
                break
            self._do(due)
        return self.played.n_predictions

    def on_command(self, command: ControlCommand) -> None:
        """Take a command; it is obeyed within a tenth of a second."""
        self._commands.put(command)

    def _wait_until(self, due_s: float) -> None:
        self._obey()
        while not self._stopped and (now_s := self._clock.now_s()) < due_s:
            self._clock.sleep_until(min(due_s, now_s + OBEYS_EVERY_S))
            self._obey()

    def _elapsed_s(self) -> float:
        return self._clock.now_s() - self._time.start_s

    def _obey(self) -> None:
        while not self._commands.empty():
            command = self._commands.get()
            self._say("info", f"operator: {command.op} {command.text}".strip())
            if command.op == "stop":
                self._stopped = True
            elif command.op in ("pause", "start", "resume"):
                self._paused = command.op == "pause"

    def _do(self, due: Due) -> None:
        due_s = self._time.at(due.t_s)
        if due.what == "row":
            self._begin(due.row, due.index, due_s)
        elif self._views.around.silent != "no":
            return
        elif due.what == "prediction":
            self._predict(due.row, due.index)
        elif due.what == "eeg":
            self._show_eeg(due.t_s, due_s)
        else:
            self._show(due.t_s)

    def _begin(self, row: ScriptRow, index: int, due_s: float) -> None:
        triggers = self._views.begin(row, index, due_s)
        if row.around.silent == "all" and not self._hung:
            self._hung = True
            self._hang()
        if row.around.silent != "no":
            return
        for trigger in triggers:
            self._outlet.publish(trigger)
        if row.around.n_lost:
            self._say("warning", f"gap: {row.around.n_lost} samples are missing")
        if self._told_bad != (bad := self._views.bad):
            self._told_bad = bad
            names = ", ".join(bad) or "none"
            text = "reference and interpolation recomputed; interpolated channels:"
            self._say("info", f"{text} {names}")

    def _predict(self, row: ScriptRow, index: int) -> None:
        plan = self._plan
        at = FakeTick(
            index=index,
            t_s=self._time.at(row.t_s),
            tr_s=plan.card.tr_s,
            speed=plan.speed,
            paused=self._paused,
        )
        values = self._bold.predicted(index, row.value)
        prediction = fake_prediction(row, at, values)
        moments = fake_moments(at, self._clock.now_s())
        fb = pred_fb(prediction, plan.card, moments, settings=plan.target)
        self._outlet.publish(fb)
        self._outlet.publish(pred_roi(prediction, plan.card, moments))
        self.played.n_predictions += 1
        self._note(prediction)
        if plan.truth and row.around.trigger != "waiting":
            self._measure(prediction, index - 1)
        self._last_value = row.value

    def _measure(self, prediction: BoldPrediction, volume: int) -> None:
        """Publish the volume before the one that was just predicted."""
        self._truth.predicted(prediction)
        if volume < 0:
            return
        values = self._bold.measured(volume, self._last_value)
        rois = self._plan.card.rois
        measured = MeasuredVolume(
            volume, rois, tuple(values.tolist()), self._clock.now_s()
        )
        state = self._truth.measured(measured)
        if state is None:
            return
        lowpass_hz = self._plan.card.normalisation.lowpass_hz
        target = self._plan.target.target
        self._outlet.publish(truth_message(state, target, lowpass_hz=lowpass_hz))

    def _note(self, prediction: BoldPrediction) -> None:
        """Say when the status has changed."""
        status = prediction.status, prediction.reasons
        if status != self._told:
            self._told = status
            self._say("info", f"status {status[0]}: {', '.join(status[1]) or 'well'}")

    def _show_eeg(self, t_s: float, due_s: float) -> None:
        wanted = self._outlet.wants("eeg")
        too_late = self._clock.now_s() - due_s > TOO_LATE_S
        eeg = self._views.eeg(t_s, wanted=wanted and not too_late)
        self.played.n_eeg_left_out += wanted and too_late
        if eeg is not None:
            self._outlet.publish(eeg)
        self._outlet.set_state(self._state(), self._views.newest_s)

    def _show(self, t_s: float) -> None:
        self._outlet.publish(self._views.quality(self._clock.now_s()))
        bands = self._views.bands() if self._outlet.wants("bands") else None
        for message in (bands, self._views.phase(t_s)):
            if message is not None:
                self._outlet.publish(message)

    def _state(self) -> SessionState:
        around = self._views.around
        if self._paused or around.reasons == ("operator_pause",):
            return "paused"
        if around.stream != "running":
            return "stalled"
        return "waiting" if around.trigger == "waiting" else "running"

    def _say(self, level: str, text: str) -> None:
        if not self._hung:
            self._outlet.publish(Log(level=level, text=text))  # type: ignore[arg-type]
