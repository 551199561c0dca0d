"""`rtbold monitor`: subscribe and print."""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Annotated, Final

import typer

from rtbold.client import SCHEMA_VERSION, Body, Message, Subscriber
from rtbold.errors import ConfigError, RtboldError


def monitor(
    connect: Annotated[
        str, typer.Option(help="Address of the feed.")
    ] = "tcp://127.0.0.1:5580",
    json_lines: Annotated[
        bool, typer.Option("--json", help="One JSON object a line on stdout.")
    ] = False,
    count: Annotated[
        int | None, typer.Option(help="Stop after so many messages.", min=1)
    ] = None,
    topics: Annotated[
        list[str] | None,
        typer.Option(help="Topic or prefix; repeatable. Default: pred.fb, truth."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Give up after so many seconds of silence.")
    ] = 10.0,
) -> None:
    """Print what a session publishes; check its sequence, age and jitter.

    Example: rtbold monitor --json --count 10
    """
    from rtbold.config import check_range

    check_range("--timeout", timeout, 0.1, 86400)
    settings = WatchSettings(
        address=connect,
        topics=tuple(topics or ("pred.fb", "truth")),
        count=count,
        timeout_s=timeout,
        json_lines=json_lines,
    )
    summary = watch(
        settings, out=typer.echo, say=lambda text: typer.echo(text, err=True)
    )
    typer.echo(summary, err=json_lines)


# Watch a feed: one line per message, and whether sequence, age and pace are right.

POLL_S = 0.1
PACED_TOPIC = "pred.fb"
KEPT_INTERVALS = 5000
COUNTING_TOPICS = ("hb", "quality")
LOST: Final = {
    "n_encode_errors": "messages that could not be encoded",
    "n_overflow_samples": "samples that the session did not take in time",
    "n_triggers_implausible": "triggers with a time that cannot be",
    "n_refused": "connections and commands that were refused",
    "n_dropped": "messages of eeg, bands or log that nobody took in time",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """What ``rtbold monitor`` can be told."""

    address: str
    topics: tuple[str, ...] = (PACED_TOPIC, "truth")
    count: int | None = None
    timeout_s: float = 10.0
    json_lines: bool = False


@dataclass(slots=True)
class Pace:
    """How regularly predictions come; bounded memory."""

    intervals_s: list[float] = field(default_factory=list)
    ages_ms: list[float] = field(default_factory=list)
    _last: Message | None = None

    def add(self, message: Message) -> None:
        """Take one ``pred.fb``; a re-sent one says nothing about pace."""
        if message.body["replayed"]:
            return
        last, self._last = self._last, message
        same = last is not None and last.body["session"] == message.body["session"]
        if last is not None and same and len(self.intervals_s) < KEPT_INTERVALS:
            self.intervals_s.append(message.t_received_s - last.t_received_s)
            self.ages_ms.append(message.body["age_ms"])


@dataclass(slots=True)
class Losses:
    """What the publisher itself says that it lost, and how late its triggers come."""

    _n: dict[str, int] = field(default_factory=dict)  # by field of the message
    _session: str | None = None
    _trigger_lag_ms: float | None = None

    def take(self, message: Message) -> str:
        """Note a heartbeat or ``quality``; return what is newly lost, in words."""
        body = message.body
        if body["session"] != self._session:
            self._session, self._trigger_lag_ms = body["session"], None
            self._n.clear()
        self._trigger_lag_ms = body.get("trigger_lag_ms", self._trigger_lag_ms)
        grown = []
        for name in LOST:
            n = int(body.get(name) or 0)
            if n > self._n.get(name, 0):
                self._n[name] = n
                grown.append(name)
        return self._words(grown)

    def summary(self) -> str:
        """Return what was lost in all; empty where there is nothing to say."""
        text = f"; {lost}" if (lost := self._words(self._n)) else ""
        lag_ms = self._trigger_lag_ms
        if lag_ms is not None:
            text += f"; the newest trigger came {lag_ms:.0f} ms after its time"
        return text

    def _words(self, names: Collection[str]) -> str:
        parts = [f"{LOST[name]}: {self._n[name]}" for name in LOST if name in names]
        return f"the publisher lost {', '.join(parts)}" if parts else ""


def watch(
    settings: WatchSettings,
    *,
    out: Callable[[str], None],
    say: Callable[[str], None],
) -> str:
    """Print messages until `count` is reached or Ctrl-C; return a summary.

    Raises
    ------
    RtboldError : nothing at all came for `timeout_s`, or a feed of another version.
    """
    pace, losses, n_printed = Pace(), Losses(), 0
    with _subscriber(settings) as feed:
        try:
            for message in _messages(feed, settings, say):
                if message.topic == PACED_TOPIC:
                    pace.add(message)
                if message.topic in COUNTING_TOPICS and (lost := losses.take(message)):
                    say(lost)
                if message.topic.startswith(settings.topics):
                    out(_json(message) if settings.json_lines else line(message))
                    n_printed += 1
                if n_printed == settings.count:
                    break
        except KeyboardInterrupt:
            pass  # the usual way to end; the summary follows
        return summary(feed, pace, n_printed) + losses.summary()


def _subscriber(settings: WatchSettings) -> Subscriber:
    try:
        return Subscriber(settings.address, {*settings.topics, *COUNTING_TOPICS, "bye"})
    except ValueError as error:
        raise ConfigError(
            f"--connect: {error}. Expected an address such as tcp://127.0.0.1:5580."
        ) from error


def _messages(
    feed: Subscriber, settings: WatchSettings, say: Callable[[str], None]
) -> Iterator[Message]:
    """Yield what comes; say when the publisher dies, stalls, or comes back."""
    state, n_silent = None, 0
    while n_silent * POLL_S < settings.timeout_s:
        messages = feed.poll(POLL_S)
        # a poll returns early only when it brings something
        n_silent = 0 if messages else n_silent + 1
        yield from messages
        if feed.foreign_schema:
            raise RtboldError(
                f"{settings.address} speaks {feed.foreign_schema}, this is a reader of "
                f"version {SCHEMA_VERSION}. Install the rtbold of the publisher."
            )
        now = _state(feed)
        if now != state and (state or now == "alive"):  # silent before the first one
            state = now
            say(f"publisher is {state}, session {feed.session}")
    raise RtboldError(
        f"nothing came from {settings.address} for {settings.timeout_s:g} s, expected "
        "a heartbeat each 0.5 s. Is a session running there (rtbold run, rtbold fake)?"
    )


def _state(feed: Subscriber) -> str:
    if not feed.alive:
        return "gone" if "bye" in feed.latest else "silent: no heartbeat"
    return "stalled: no prediction for 1.5 TR" if feed.stalled else "alive"


def line(message: Message) -> str:
    """Return one readable line."""
    body = message.body
    start = f"{message.topic:<8} #{body['seq']:<5}"
    if body["replayed"]:
        start += " (re-sent)"
    if message.topic == "truth":
        return f"{start} {_truth(body)}"
    if message.topic != PACED_TOPIC:
        skip = ("schema", "session", "seq", "t_lsl", "t_unix_ms", "replayed")
        rest = {key: value for key, value in body.items() if key not in skip}
        return f"{start} {json.dumps(rest)}"
    value = "--" if body["value"] is None else f"{body['value']:+.3f}"
    if None not in (body.get("low"), body.get("high")):
        value += f" [{body['low']:+.3f}, {body['high']:+.3f}]"
    z = "--" if body["z"] is None else f"{body['z']:+.2f}"
    if "shown" in body:
        z += " shown " + ("--" if body["shown"] is None else f"{body['shown']:.2f}")
    return (
        f"{start} volume {body['volume_index']} {body['target']} {value} z {z} "
        f"{body['status']} {','.join(body['reasons'])} age {body['age_ms']:.0f} ms"
    )


def _truth(body: Body) -> str:
    """Return what was measured of the target, and how the two agree by now."""
    name, score = body["target"], body["target_score"]
    if score is None:
        return f"volume {body['volume_index']} {name} is not measured"
    k = body["rois"].index(name) if name in body["rois"] else None
    value = None if k is None else body["values"][k]
    measured = "" if value is None else f" measured {value:+.4g}"
    text = f"volume {body['volume_index']} {name}{measured}"
    if score["r"] is None:
        enough = body["enough_n_eff"]
        return f"{text} R not enough ({score['n_eff']:.1f} of {enough:g} volumes)"
    return f"{text} R {score['r']:+.2f} [{score['low']:+.2f}, {score['high']:+.2f}]"


def summary(feed: Subscriber, pace: Pace, n_printed: int) -> str:
    """Return what was seen, in one line."""
    n_gaps = sum(feed.n_gaps.values())
    text = (
        f"{n_printed} messages, {n_gaps} missed, {feed.n_duplicates} duplicates, "
        f"{feed.n_sessions} session(s)"
    )
    if pace.intervals_s:
        middle_s = median(pace.intervals_s)
        jitter_ms = 1000 * max(abs(each - middle_s) for each in pace.intervals_s)
        text += (
            f"; every {middle_s:.3f} s, jitter at most {jitter_ms:.1f} ms, "
            f"age median {median(pace.ages_ms):.0f} ms, max {max(pace.ages_ms):.0f} ms"
        )
    return text


def _json(message: Message) -> str:
    return json.dumps({"topic": message.topic, **message.body})
