"""A feed without EEG, model or scanner, for people who write apps or dashboards.

Every message is built and sent by the same code as in a session; only the values come
from a script. ``hello`` says that the stream and the model are simulated.
"""

import heapq
import itertools
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, Protocol, Self, TypedDict, get_args

from rtbold.bundle import Card
from rtbold.clock import Clock
from rtbold.errors import ConfigError
from rtbold.feedback import (
    FeedbackChain,
    FeedbackSettings,
    SafetyLimits,
    choose_target,
)
from rtbold.messages import BoldPrediction, ChannelState, MeasuredVolume, Reason, Status
from rtbold.publish import (
    EVENTS_NAME,
    PREDICTIONS_NAME,
    CommandQueue,
    Control,
    ControlCommand,
    Encoding,
    Feed,
    FeedSettings,
    Log,
    LogLevel,
    LslMirror,
    Message,
    MirrorSettings,
    Ports,
    PredFb,
    PredRoi,
    Replies,
    SessionState,
    Topic,
    pred_fb,
    pred_roi,
    truth_message,
)
from rtbold.sim.fake_messages import (
    MOST_ROIS,
    NO_MODEL,
    FakeEeg,
    FakeTick,
    FakeViews,
    ScriptTime,
    delays,
    fake_card,
    fake_hello,
    fake_moments,
    fake_prediction,
)
from rtbold.sim.fake_script import (
    DEFAULT_TR_S,
    USUAL,
    FakeBold,
    ScriptRow,
    as_scenario,
    as_scene,
    default_script,
    read_script,
    repeated,
    scenario_sessions,
    scene_script,
    script_tr_s,
)
from rtbold.truth import Truth, TruthSettings

# What a fake session does when: one line of things that fall due. Pure.

EEG_EVERY_S: Final = 0.1
VIEWS_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Due:
    """One thing to do at `t_s`, seconds of the script since its start."""

    t_s: float
    what: Literal["row", "prediction", "eeg", "views", "end"]
    index: int  # of the row, or of the eeg and the views
    row: ScriptRow


def timeline(rows: Iterable[ScriptRow]) -> Iterator[Due]:
    """Yield what falls due, in order; nothing follows the "end".

    A row begins with its trigger; its prediction comes some tens of milliseconds later.
    """
    return heapq.merge(
        _of_rows(rows),
        _every(EEG_EVERY_S, "eeg"),
        _every(VIEWS_EVERY_S, "views"),
        key=lambda due: due.t_s,
    )


def _of_rows(rows: Iterable[ScriptRow]) -> Iterator[Due]:
    predicted_s = 0.0
    for index, row in enumerate(rows):
        # a script may have rows closer than a prediction takes: order is kept
        begun_s = max(row.t_s, predicted_s)
        predicted_s = begun_s + delays(index).total_s
        yield Due(begun_s, "row", index, row)
        yield Due(predicted_s, "prediction", index, row)
    yield Due(predicted_s, "end", 0, _NO_ROW)


def _every(step_s: float, what: Literal["eeg", "views"]) -> Iterator[Due]:
    for index in itertools.count():
        yield Due(index * step_s, what, index, _NO_ROW)


_NO_ROW: Final = ScriptRow(0.0, None, "warmup", USUAL["warmup"])

# The session that does it.

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
    target: FeedbackSettings  # with a ROI as its target
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


class Mirror(Protocol):
    """What a fake session needs of the LSL mirror."""

    def push(self, roi: PredRoi, fb: PredFb) -> None:
        """Send the two messages of one tick."""
        ...

    def push_event(self, text: str, t_lsl_s: float) -> None:
        """Send one text marker."""
        ...


class FakeSession:
    """Plays a script onto a feed.

    Parameters
    ----------
    mirror : the same on LSL; None: there is none.
    clock : LSL's clock, or any; it paces by absolute deadline.
    hang : makes the feed stand still, heartbeats too, for the scene "silent".
    """

    def __init__(
        self,
        plan: FakePlan,
        outlet: Outlet,
        clock: Clock,
        *,
        mirror: Mirror | None = None,
        hang: Callable[[], None] = lambda: None,
    ) -> None:
        card = plan.card
        self._mirror = mirror
        self._plan = plan
        self._outlet = outlet
        self._clock = clock
        self._hang = hang
        self._commands = CommandQueue()
        self._stopped = self._paused = self._hung = False
        eeg = FakeEeg(card.channels, seed=plan.seed)
        self._feedback = FeedbackChain(plan.target, card)
        self._limits = SafetyLimits(plan.target)
        target = card.rois.index(self._feedback.target.name)
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
        if (phase := self._views.phase(0.0)) is not None:  # before any prediction
            self._outlet.publish(phase)
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

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopped

    def on_command(self, command: ControlCommand) -> None:
        """Take a command; it is obeyed soon, or refused where too many wait."""
        self._commands.put(command)

    def _wait_until(self, due_s: float) -> None:
        self._obey()
        while not self._stopped and (now_s := self._clock.now_s()) < due_s:
            self._clock.sleep_until(min(due_s, now_s + OBEYS_EVERY_S))
            self._obey()

    def _elapsed_s(self) -> float:
        return self._clock.now_s() - self._time.start_s

    def _obey(self) -> None:
        for command in self._commands.take(self._clock.now_s()):
            self._say("info", f"operator: {command.op} {command.text}".strip())
            if command.op == "stop":
                self._stopped = True
            elif command.op in ("pause", "start", "resume"):
                self._paused = command.op == "pause"
            elif self._mirror is not None and not self._hung:
                text = f"{command.op}: {command.text}"
                self._mirror.push_event(text, self._clock.now_s())

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
        feedback = self._limits.push(self._feedback.push(prediction, None), None)
        fb = pred_fb(prediction, plan.card, moments, feedback=feedback)
        roi = pred_roi(prediction, plan.card, moments)
        self._outlet.publish(fb)
        self._outlet.publish(roi)
        if self._mirror is not None:
            self._mirror.push(roi, fb)
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
        target = self._feedback.target.name
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

    def _say(self, level: LogLevel, text: str) -> None:
        if not self._hung:
            self._outlet.publish(Log(level=level, text=text))


# Sockets and clock for a fake session.

ENCODINGS: Final[tuple[Encoding, ...]] = get_args(Encoding)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeSettings:
    """What ``rtbold fake`` can be told."""

    script: Path | None = None
    scene: str | None = None
    scene_after_s: float | None = None
    scenario: str | None = None
    n_rois: int = MOST_ROIS
    n_channels: int = 19
    target: str | None = None
    truth: bool = True
    seed: int = 0
    bind: str = "127.0.0.1"
    port: int = 5580
    control_port: int = 5581
    encoding: str = "json"
    speed: float = 1.0
    duration_s: float | None = None
    loop: bool = False
    lsl: bool = False  # the outlets of a session too

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.scenario is not None and (self.script or self.scene):
            raise ConfigError(
                f"--scenario {self.scenario} came with a --script or a --scene, "
                "expected one of the three: each says what is played."
            )
        if self.script is not None and self.scene is not None:
            raise ConfigError(
                f"--script and --scene {self.scene} were both given, expected one of "
                "them: a scene is a script of its own."
            )
        if self.scene is None and self.scene_after_s is not None:
            raise ConfigError(
                "--scene-after was given without a --scene that it could be before."
            )


class StoppableClock:
    """A clock that can stand still: whoever asks it the time then waits.

    The feed's thread asks before each heartbeat, so a stopped clock hangs it as a
    process hangs that swaps or is suspended.

    Parameters
    ----------
    clock : what it says while it goes.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._goes = threading.Event()
        self._goes.set()

    def now_s(self) -> float:
        """Return the time, once the clock goes."""
        self._goes.wait()
        return self._clock.now_s()

    def stop(self) -> None:
        """Let everybody wait who asks."""
        self._goes.clear()

    def go_on(self) -> None:
        """Let them go on."""
        self._goes.set()


def as_encoding(name: str) -> Encoding:
    """Return the encoding of that name; refuse another one."""
    for encoding in ENCODINGS:
        if name == encoding:
            return encoding
    raise ConfigError(
        f"--encoding is {name!r}, expected one of {', '.join(ENCODINGS)}."
    )


def run_fake(
    settings: FakeSettings,
    clock: Clock,
    *,
    now_unix_s: Callable[[], float],
    say: Callable[[str], None],
) -> Played:
    """Open a feed, play the script, close; return what went out.

    Parameters
    ----------
    clock : LSL's clock, or any without `lsl`; it paces by absolute deadline.
    now_unix_s : Unix time, for the stamps of messages.
    """
    sessions, tr_s = _sessions(settings)
    plan = _plan(settings, tr_s)
    encoding = as_encoding(settings.encoding)
    at = FeedSettings(bind=settings.bind, port=settings.port, encoding=encoding)
    control_port, played = settings.control_port, Played()
    for rows in sessions:
        with _Opened(
            plan,
            at,
            control_port,
            clock=clock,
            now_unix_s=now_unix_s,
            mirrored=settings.lsl,
        ) as opened:
            # what follows is the same publisher, started again
            at, control_port = replace(at, port=opened.feed.port), opened.control.port
            say(f"feed on {opened.feed.address}, control on port {control_port}")
            if settings.lsl:
                say(f"LSL streams {PREDICTIONS_NAME} and {EVENTS_NAME}")
            opened.session.play(rows, settings.duration_s)
        played.n_predictions += opened.session.played.n_predictions
        played.n_eeg_left_out += opened.session.played.n_eeg_left_out
        if opened.session.stopped:
            break
    return played


class _Opened:
    """The sockets of one fake session; open from construction to the end of `with`."""

    def __init__(
        self,
        plan: FakePlan,
        at: FeedSettings,
        control_port: int,
        *,
        clock: Clock,
        now_unix_s: Callable[[], float],
        mirrored: bool,
    ) -> None:
        stoppable = StoppableClock(clock)
        now = _Now(now_lsl_s=stoppable.now_s, now_unix_s=now_unix_s)
        with ExitStack() as stack:
            self.feed = stack.enter_context(Feed(at, session=str(uuid.uuid4()), **now))
            # what is made once takes its time, and the script's clock starts after it
            mirror = LslMirror(_mirrored(plan, self.feed.port)) if mirrored else None
            if mirror is not None:
                stack.callback(mirror.close)
            self.session = FakeSession(
                plan, self.feed, clock, mirror=mirror, hang=stoppable.stop
            )
            answers = Replies(
                on_command=self.session.on_command,
                latest=self.feed.latest,
                now_lsl_s=clock.now_s,  # the control socket goes on while it hangs
                now_unix_s=now_unix_s,
            )
            control_at = replace(at, port=control_port, port_option="--control-port")
            self.control = stack.enter_context(Control(control_at, answers))
            stack.callback(stoppable.go_on)
            ports = Ports(feed=self.feed.port, control=self.control.port)
            self.feed.publish(
                fake_hello(plan.card, ports, plan.target, encoding=at.encoding)
            )
            self.feed.set_state("running", None)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


class _Now(TypedDict):
    """The two clocks that feed and control socket stamp with."""

    now_lsl_s: Callable[[], float]
    now_unix_s: Callable[[], float]


def _plan(settings: FakeSettings, tr_s: float) -> FakePlan:
    # the client's stall rule counts in TRs, so a faster script declares a shorter one
    card = fake_card(
        tr_s / settings.speed, n_rois=settings.n_rois, n_channels=settings.n_channels
    )
    return FakePlan(
        card=card,
        target=FeedbackSettings(target=_roi(card, settings.target)),
        speed=settings.speed,
        seed=settings.seed,
        truth=settings.truth,
    )


def _roi(card: Card, text: str | None) -> str:
    """Return the ROI that is fed back: a script has values of one only."""
    target = choose_target(card, text)
    if target.roi_of(card) is None:
        raise ConfigError(
            f"--target is the contrast {target.name!r}, expected one ROI: a script has "
            "one value for each volume."
        )
    return target.name


def _mirrored(plan: FakePlan, port: int) -> MirrorSettings:
    return MirrorSettings(
        rois=plan.card.rois,
        target=plan.target.target or plan.card.rois[0],
        tr_s=plan.card.tr_s,
        model_sha256=NO_MODEL,
        simulated=True,
        port=port,
    )


def _sessions(
    settings: FakeSettings,
) -> tuple[Iterable[Iterable[ScriptRow]], float]:
    if settings.scenario is not None:
        scenario = as_scenario(settings.scenario)
        return scenario_sessions(scenario, seed=settings.seed), DEFAULT_TR_S
    rows, tr_s = _rows(settings)
    return (rows,), tr_s


def _rows(settings: FakeSettings) -> tuple[Iterable[ScriptRow], float]:
    if settings.scene is not None:
        scene, after_s = as_scene(settings.scene), settings.scene_after_s
        return scene_script(scene, after_s=after_s, seed=settings.seed), DEFAULT_TR_S
    if settings.script is None:
        return default_script(seed=settings.seed), DEFAULT_TR_S
    rows = read_script(settings.script)
    tr_s = script_tr_s(rows)
    return (repeated(rows, tr_s) if settings.loop else rows), tr_s
