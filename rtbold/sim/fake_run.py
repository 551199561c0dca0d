"""Sockets and clock for a fake session."""

import itertools
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rtbold.clock import MonotonicClock
from rtbold.io.binding import FeedSettings
from rtbold.io.control import Answers, Control
from rtbold.io.feed import Feed
from rtbold.sim.fake import FakeSession, fake_card, fake_hello
from rtbold.sim.fake_script import (
    DEFAULT_TR_S,
    ScriptRow,
    default_script,
    read_script,
    script_tr_s,
)
from rtbold.wire import Ports


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeSettings:
    """What ``rtbold fake`` can be told."""

    script: Path | None = None
    bind: str = "127.0.0.1"
    port: int = 5580
    control_port: int = 5581
    speed: float = 1.0
    duration_s: float | None = None
    loop: bool = False


def run_fake(settings: FakeSettings, *, say: Callable[[str], None]) -> int:
    """Open a feed, play the script, close; return the number of predictions."""
    rows, tr_s = _rows(settings)
    # the client's stall rule counts in TRs, so a faster script declares a shorter one
    card = fake_card(tr_s / settings.speed)
    clock = MonotonicClock()
    listen = FeedSettings(bind=settings.bind, port=settings.port)
    with Feed(
        listen,
        session=str(uuid.uuid4()),
        now_lsl_s=clock.now_s,
        now_unix_s=time.time,
    ) as feed:
        session = FakeSession(
            card, clock=clock, publish=feed.publish, speed=settings.speed
        )
        answers = Answers(
            on_command=session.on_command,
            latest=feed.latest,
            now_lsl_s=clock.now_s,
            now_unix_s=time.time,
        )
        control_at = replace(
            listen, port=settings.control_port, port_option="--control-port"
        )
        with Control(control_at, answers) as control:
            ports = Ports(feed=feed.port, control=control.port)
            feed.publish(fake_hello(card, ports))
            feed.set_state("running", None)
            say(f"feed on {feed.address}, control on port {control.port}")
            return session.play(rows, settings.duration_s)


def _rows(settings: FakeSettings) -> tuple[Iterable[ScriptRow], float]:
    if settings.script is None:
        return default_script(), DEFAULT_TR_S
    rows = read_script(settings.script)
    tr_s = script_tr_s(rows)
    return (_repeat(rows, tr_s) if settings.loop else rows), tr_s


def _repeat(rows: tuple[ScriptRow, ...], tr_s: float) -> Iterator[ScriptRow]:
    length_s = rows[-1].t_s + tr_s
    for lap in itertools.count():
        for row in rows:
            yield replace(row, t_s=row.t_s + lap * length_s)
