"""What a bridge passes on: the feed's messages as lines, and what may be shown now.

One `Reader` subscribes; every bridge takes the same `News`. What may be shown is
`rtbold.client`'s own answer, so that no bridge has a rule of its own.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from rtbold.client import STALLED_AFTER_TRS, Body, Message, Subscriber

# All but eeg, bands and log: those go out only while somebody asks, and are large.
TOPICS: Final = (
    "hello", "phase", "pred.fb", "pred.roi", "truth", "trigger", "quality", "hb", "bye",
)  # fmt: skip
SHOW: Final = "show"  # the bridge's own: what may be shown now
SHOW_EVERY_S: Final = 0.5
KEPT: Final = ("hello", "phase", "pred.fb", "hb", "bye")  # for who comes late
NO_FEEDBACK: Final = (
    "no_heartbeat", "no_phase", "no_feedback_run", "no_feedback_block",
    "participant_stop",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One message as JSON, on one line."""

    topic: str
    text: str

    @classmethod
    def of(cls, topic: str, body: Body) -> "Line":
        """Encode a message; NaN and infinity are none of the feed's."""
        text = json.dumps(
            body, ensure_ascii=True, allow_nan=False, separators=(",", ":")
        )
        return cls(topic, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What may be shown now, by the rules for apps."""

    show: Literal["value", "hold", "neutral"] = "neutral"
    value: float | None = None  # model units; null unless `show` is value or hold
    z: float | None = None
    shown: float | None = None  # 0 to 1, where the session makes it
    reasons: tuple[str, ...] = ()  # why it is not "value"
    volume_index: int | None = None  # of the newest pred.fb, usable or not
    status: str | None = None
    target: str | None = None
    session: str | None = None
    seq: int | None = None

    @property
    def has_number(self) -> bool:
        """Whether a number is to be seen."""
        return self.show != "neutral"

    def line(self) -> Line:
        """Return it as a line of the topic `show`."""
        body = {name: getattr(self, name) for name in self.__slots__}
        return Line.of(SHOW, {"topic": SHOW, **body})


@dataclass(frozen=True, slots=True)
class Recent:
    """What somebody who comes late is told at once."""

    bodies: tuple[tuple[str, Body], ...] = ()
    fresh_until_s: float = 0.0  # of the pred.fb among them

    def lines(self, now_s: float) -> list[Line]:
        """Return it as sent again; an old ``pred.fb`` is left out."""
        return [
            Line.of(topic, {**body, "replayed": True})
            for topic, body in self.bodies
            if topic != "pred.fb" or now_s <= self.fresh_until_s
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What one turn of the reader brought."""

    lines: tuple[Line, ...] = ()
    bodies: tuple[tuple[str, Body], ...] = ()  # the same, as objects
    shown: Shown = field(default_factory=Shown)
    changed: bool = False  # `shown` is another one than before
    due: bool = False  # half a second has passed: say `shown` again
    recent: Recent = field(default_factory=Recent)


class Reader:
    """Turns of a subscriber, each as `News`; one thread uses it."""

    def __init__(self, feed: Subscriber) -> None:
        self._feed = feed
        self._shown: Shown | None = None
        self._said_s = -SHOW_EVERY_S
        self._recent = Recent()

    def turn(self, timeout_s: float, now_s: float) -> News:
        """Wait up to `timeout_s` for messages; return them and what may be shown."""
        messages = self._feed.poll(timeout_s)
        return self.read(messages, now_s)

    def read(self, messages: Sequence[Message], now_s: float) -> News:
        """Return what these messages bring."""
        lines, bodies = [], []
        for message in messages:
            try:
                lines.append(Line.of(message.topic, message.body))
            except (ValueError, TypeError):  # NaN, or what JSON has no word for
                continue
            bodies.append((message.topic, message.body))
        shown = shown_now(self._feed)
        changed = shown != self._shown
        due = changed or now_s - self._said_s >= SHOW_EVERY_S
        self._shown, self._said_s = shown, now_s if due else self._said_s
        if messages:
            self._recent = self._kept(now_s)
        return News(
            lines=tuple(lines),
            bodies=tuple(bodies),
            shown=shown,
            changed=changed,
            due=due,
            recent=self._recent,
        )

    def _kept(self, now_s: float) -> Recent:
        latest = self._feed.latest
        found = tuple((t, latest[t].body) for t in KEPT if t in latest)
        fb, until_s = latest.get("pred.fb"), now_s
        if fb is not None:
            age_s = self._feed.age_s(fb)
            until_s += STALLED_AFTER_TRS * self._feed.tr_s
            until_s -= 0.0 if math.isinf(age_s) else age_s  # no heartbeat yet
        return Recent(found, until_s)


def shown_now(feed: Subscriber) -> Shown:
    """Return what the rules for apps let an app show at this moment."""
    told = feed.feedback()
    newest = feed.latest.get("pred.fb")
    body: Body = newest.body if newest else {}
    return Shown(
        show=told.show,
        value=told.value,
        z=told.z,
        shown=_share(body.get("shown")) if told.show == "value" else None,
        reasons=told.reasons,
        volume_index=_index(body.get("volume_index")),
        status=_text(body.get("status")),
        target=_text(body.get("target")),
        session=feed.session,
        seq=body.get("seq"),
    )


def _share(given: Any) -> float | None:  # noqa: ANN401 -- whatever the feed holds
    known = type(given) in (int, float) and 0 <= given <= 1
    return float(given) if known else None


def _index(given: Any) -> int | None:  # noqa: ANN401 -- whatever the feed holds
    return given if type(given) is int and given >= 0 else None


def _text(given: Any) -> str | None:  # noqa: ANN401 -- whatever the feed holds
    return given if isinstance(given, str) else None
