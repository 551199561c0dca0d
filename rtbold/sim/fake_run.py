"""Sockets and clock for a fake session."""

import threading
import uuid
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, get_args

from rtbold.clock import Clock
from rtbold.errors import ConfigError
from rtbold.publish.control import Answers, Control
from rtbold.publish.feed import Feed
from rtbold.publish.feedback import FeedbackSettings
from rtbold.publish.sockets import FeedSettings
from rtbold.publish.wire import Encoding
from rtbold.sim.fake import FakePlan, FakeSession, Played
from rtbold.sim.fake_card import MOST_ROIS, fake_card, fake_hello
from rtbold.sim.fake_script import (
    DEFAULT_TR_S,
    ScriptRow,
    read_script,
    repeated,
    script_tr_s,
)
from rtbold.sim.fake_story import as_scene, default_script, scene_script
from rtbold.wire_parts import Ports

ENCODINGS: Final[tuple[Encoding, ...]] = get_args(Encoding)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeSettings:
    """What ``rtbold fake`` can be told."""

    script: Path | None = None
    scene: str | None = None
    scene_after_s: float | None = None
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

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
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
    clock : LSL's clock, or any; it paces by absolute deadline.
    now_unix_s : Unix time, for the stamps of messages.
    """
    rows, tr_s = _rows(settings)
    plan = _plan(settings, tr_s)
    stoppable = StoppableClock(clock)
    now = _Now(stoppable.now_s, now_unix_s)
    with ExitStack() as stack:
        feed = stack.enter_context(_feed(settings, now))
        # what is made once takes its time, and the script's clock starts after it
        session = FakeSession(plan, feed, clock, hang=stoppable.stop)
        control = stack.enter_context(_control(settings, session, feed, now))
        stack.callback(stoppable.go_on)
        ports = Ports(feed=feed.port, control=control.port)
        encoding = as_encoding(settings.encoding)
        feed.publish(fake_hello(plan.card, ports, plan.target, encoding=encoding))
        feed.set_state("running", None)
        say(f"feed on {feed.address}, control on port {control.port}")
        session.play(rows, settings.duration_s)
    return session.played


def _plan(settings: FakeSettings, tr_s: float) -> FakePlan:
    # the client's stall rule counts in TRs, so a faster script declares a shorter one
    card = fake_card(
        tr_s / settings.speed, n_rois=settings.n_rois, n_channels=settings.n_channels
    )
    return FakePlan(
        card=card,
        target=FeedbackSettings.choose(card, settings.target),
        speed=settings.speed,
        seed=settings.seed,
        truth=settings.truth,
    )


@dataclass(frozen=True, slots=True)
class _Now:
    """The two clocks that feed and control socket stamp with."""

    lsl_s: Callable[[], float]
    unix_s: Callable[[], float]


def _feed(settings: FakeSettings, now: _Now) -> Feed:
    return Feed(
        _listen(settings),
        session=str(uuid.uuid4()),
        now_lsl_s=now.lsl_s,
        now_unix_s=now.unix_s,
    )


def _control(
    settings: FakeSettings, session: FakeSession, feed: Feed, now: _Now
) -> Control:
    answers = Answers(
        on_command=session.on_command,
        latest=feed.latest,
        now_lsl_s=now.lsl_s,
        now_unix_s=now.unix_s,
    )
    at = replace(
        _listen(settings), port=settings.control_port, port_option="--control-port"
    )
    return Control(at, answers)


def _listen(settings: FakeSettings) -> FeedSettings:
    return FeedSettings(
        bind=settings.bind,
        port=settings.port,
        encoding=as_encoding(settings.encoding),
    )


def _rows(settings: FakeSettings) -> tuple[Iterable[ScriptRow], float]:
    if settings.scene is not None:
        scene, after_s = as_scene(settings.scene), settings.scene_after_s
        return scene_script(scene, after_s=after_s, seed=settings.seed), DEFAULT_TR_S
    if settings.script is None:
        return default_script(seed=settings.seed), DEFAULT_TR_S
    rows = read_script(settings.script)
    tr_s = script_tr_s(rows)
    return (repeated(rows, tr_s) if settings.loop else rows), tr_s
