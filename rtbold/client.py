"""Subscribe to rtbold from any Python program. One file; needs pyzmq only.

    from rtbold.client import Subscriber

    with Subscriber("tcp://127.0.0.1:5580") as feed:
        while True:                      # once per frame; it never waits
            feed.poll()
            shown = feed.feedback()      # .show is "value", "hold" or "neutral"

Copy this file into a project that cannot install rtbold: it imports nothing of it.
"""

import json
import math
import operator
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Self

import zmq

SCHEMA_VERSION = 1
DEAD_AFTER_S = 2.0  # no heartbeat for longer: the publisher is gone
STALLED_AFTER_TRS = 1.5  # heartbeats but no prediction for longer: stalled
NEUTRAL_AFTER_TRS = 2.0  # a usable value's own TR, and one of holding
OFFSET_LEAK = 1e-3  # s per s: more than clocks drift, little in a frozen app
LARGEST = 1e15  # a number beyond it is none
SHORTEST_TR_S = 0.1
KEY_CHARACTERS = 40  # of a CURVE key in Z85
MOST_PER_POLL = 1000  # a backlog must not freeze the frame that drains it

Body = dict[str, Any]
_USABLE = ("ok", "degraded")
_SHOWING = ("train",)  # run types that show feedback; any other one is neutral
_NUMBERS = {
    "hello": ("tr_s",),
    "phase": ("shows_from",),
    "pred.fb": (
        "next_due_lsl",
        "t_trigger",
        "value",
        "z",
        "low",
        "high",
        "volume_index",
    ),
}


@dataclass(frozen=True)
class CurveKeys:
    """CURVE keys (Z85 text) for a feed beyond this machine."""

    public: bytes
    secret: bytes
    server: bytes

    @classmethod
    def load(cls, secret_file: str, server_file: str) -> "CurveKeys":
        """Read this client's ``NAME.key_secret`` and the publisher's ``server.key``."""
        import zmq.auth

        public, secret = zmq.auth.load_certificate(secret_file)
        if secret is None:
            raise ValueError(f"{secret_file} holds no secret key; give NAME.key_secret")
        server = zmq.auth.load_certificate(server_file)[0]
        for file, key in ((secret_file, public), (secret_file, secret),
                          (server_file, server)):  # fmt: skip
            if len(key) != KEY_CHARACTERS:
                raise ValueError(
                    f"a key in {file} has {len(key)} characters, expected "
                    f"{KEY_CHARACTERS}: the file is not whole; copy it again"
                )
        return cls(public, secret, server)


@dataclass(frozen=True)
class Message:
    """One message of the feed."""

    topic: str
    body: Body
    t_received_s: float  # the subscriber's own clock


@dataclass(frozen=True)
class Feedback:
    """What to show now, by the rule for apps; `value` to show or to hold."""

    show: Literal["value", "hold", "neutral"]
    value: float | None  # model units
    z: float | None
    reasons: tuple[str, ...] = ()  # why it is not "value"
    interval: tuple[float, float] | None = None  # 95 % around `value`, if there is one
    shown: float | None = None  # 0 to 1, limited; draw it where the session has a range


class Subscriber:
    """The newest message of each topic, and whether the publisher is alive.

    Call `poll` often (once per frame): it never waits unless told to. Ages come from
    the publisher's stamps: a backlog is no news. Not to be shared between threads.

    Parameters
    ----------
    address : of the feed.
    topics : prefixes; "" subscribes to everything. ``hb`` and ``phase``, which tells
        whether the run shows feedback, are always added.
    keys : CURVE keys, for a feed on another machine.
    decode : payload to dict; ``msgpack.unpackb`` for a feed in msgpack.
    now_s : a monotonic clock.
    """

    def __init__(
        self,
        address: str = "tcp://127.0.0.1:5580",
        topics: Iterable[str] = ("pred.fb", "hb"),
        *,
        keys: CurveKeys | None = None,
        decode: Callable[[bytes], Body] | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.latest: dict[str, Message] = {}  # of the current session
        self.session: str | None = None
        self.n_sessions = 0
        self.n_gaps: Counter[str] = Counter()  # messages missed, by topic
        self.n_duplicates = 0  # re-sent, or of a session that is over
        self.n_bad = 0  # no message of rtbold
        self.foreign_schema: str | None = None  # last one of another version
        self.tr_s = 2.1  # until a message tells
        self._decode = decode or _decode_json
        self._now_s = now_s
        self._offset_s, self._offset_at_s = math.inf, 0.0  # inf: no heartbeat yet
        self._usable: Message | None = None
        self._last_seq: dict[str, int] = {}
        self._ended: set[str] = set()
        self._topics = {*topics, "hb", "phase"}
        self._context = zmq.Context()
        self._socket = _connect(self._context, zmq.SUB, address, keys)
        for topic in self._topics:
            self._socket.subscribe(topic)

    def poll(self, timeout_s: float = 0.0) -> list[Message]:
        """Return the new messages in order; wait up to `timeout_s` for the first."""
        messages: list[Message] = []
        if not self._socket.poll(round(1000 * timeout_s)):
            return messages
        for _ in range(MOST_PER_POLL):
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            if (message := self._accept(frames)) is not None:
                messages.append(message)
        return messages

    def age_s(self, message: Message) -> float:
        """Return how long ago `message` was published; infinite before a heartbeat."""
        age_s = self._now_s() - float(message.body["t_lsl"]) - self._offset_s
        return abs(age_s) if math.isinf(age_s) else age_s  # no heartbeat yet

    @property
    def alive(self) -> bool:
        """Whether the last heartbeat is at most 2 s old, and no ``bye`` came."""
        beat = self.latest.get("hb")
        if beat is None or "bye" in self.latest:
            return False
        return self.age_s(beat) <= DEAD_AFTER_S

    @property
    def stalled(self) -> bool:
        """Whether the publisher lives but sent no ``pred.fb`` for 1.5 TR."""
        if not self.alive or not any("pred.fb".startswith(t) for t in self._topics):
            return False
        newest = self.latest.get("pred.fb")
        age_s = self.age_s(newest) if newest else self._now_s() - self._t_begun_s
        return age_s > STALLED_AFTER_TRS * self.tr_s

    def feedback(self) -> Feedback:
        """Return what to show: the value, the last one held for a TR, or neutral.

        Neutral too unless the session has said that this is a training run, and, where
        it follows a protocol, that this block shows the value.
        """
        if not self.alive:
            return Feedback("neutral", None, None, ("no_heartbeat",))
        if why_not := self._why_not():
            return Feedback("neutral", None, None, (why_not,))
        newest, usable, stalled = self.latest.get("pred.fb"), self._usable, self.stalled
        if usable is not None and not self._is_of_block(usable):
            usable = None  # a value of the rest before is not held into a block
        if newest is None or usable is None:
            why = (newest.body.get("reasons") or ()) if newest else ("no_prediction",)
            if newest is not None and newest is self._usable:
                why = ("no_feedback_block",)
            return Feedback("neutral", None, None, tuple(why))
        value, z = usable.body["value"], usable.body.get("z")
        shown = _share(usable.body.get("shown"))
        if "shown" in usable.body and shown is None:  # a range, and nothing in it
            return Feedback("neutral", None, None, ("nothing_shown",))
        if newest is usable and not stalled:
            ends: Any = usable.body.get("low"), usable.body.get("high")
            interval = None if None in ends else ends
            return Feedback("value", value, z, (), interval, shown)
        reasons = ("stalled",) if stalled else tuple(newest.body.get("reasons") or ())
        if self.age_s(usable) > NEUTRAL_AFTER_TRS * self.tr_s:
            return Feedback("neutral", None, None, reasons)
        return Feedback("hold", value, z, reasons, None, shown)

    def close(self) -> None:
        """Close the socket. A second call does nothing."""
        self._socket.close(linger=0)
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _why_not(self) -> str:
        """Return why this run shows no feedback; empty: it does."""
        phase = self.latest.get("phase")
        if phase is None:
            return "no_phase"  # not told yet, or by a publisher that tells no kind
        if phase.body.get("name") == "end":  # the run is over; its session may go on
            return "no_feedback_run"
        if phase.body.get("stopped"):
            return "participant_stop"
        if phase.body.get("run_type") in _SHOWING:
            return "no_feedback_block" if phase.body.get("feedback") == "none" else ""
        training = phase.body.get("kind") == "training"  # with a block that shows none
        return "no_feedback_block" if training else "no_feedback_run"

    def _is_of_block(self, usable: Message) -> bool:
        """Return whether a value is of the block that is shown, if there are blocks."""
        first = self.latest["phase"].body.get("shows_from")
        volume = usable.body.get("volume_index")
        return first is None or (volume is not None and volume >= first)

    def _accept(self, frames: list[bytes]) -> Message | None:
        """Return the message, or None if it is foreign, old or a duplicate."""
        try:
            topic, body = frames[0].decode(), self._decode(frames[1])
            if body["schema"] != f"rtbold.{topic}/{SCHEMA_VERSION}":
                self.foreign_schema = str(body["schema"])
                return None
            session, seq = body["session"] + "", operator.index(body["seq"])
            _check_numbers(topic, body)  # one bad body spoils none
        except (ValueError, LookupError, TypeError, RecursionError):
            self.n_bad += 1
            return None
        if session != self.session and session not in self._ended:
            self._begin(session)
        if session != self.session or not self._is_next(topic, seq):
            self.n_duplicates += 1
            return None
        message = Message(topic, body, self._now_s())
        self._remember(message)
        return message

    def _begin(self, session: str) -> None:
        """Forget the last session: nothing of it may be taken for the new one's."""
        if self.session is not None:
            self._ended.add(self.session)
        self.session = session
        self.n_sessions += 1
        self.latest.clear()
        self._last_seq.clear()
        self._offset_s = math.inf
        self._usable = None
        self._t_begun_s = self._now_s()

    def _is_next(self, topic: str, seq: int) -> bool:
        """Count what was missed; False if `seq` was here before."""
        last = self._last_seq.get(topic, seq - 1)
        if seq <= last:
            return False
        self.n_gaps[topic] += seq - last - 1
        self._last_seq[topic] = seq
        return True

    def _remember(self, message: Message) -> None:
        body = message.body
        self.latest[message.topic] = message
        if message.topic == "hb":
            now_s = message.t_received_s
            leaked_s = self._offset_s + OFFSET_LEAK * (now_s - self._offset_at_s)
            self._offset_s = min(now_s - float(body["t_lsl"]), leaked_s)
            self._offset_at_s = now_s
        elif message.topic == "hello":
            self.tr_s = max(float(body.get("tr_s") or self.tr_s), SHORTEST_TR_S)
        elif message.topic == "pred.fb":
            due_s, onset_s = body.get("next_due_lsl"), body.get("t_trigger")
            if due_s is not None and onset_s is not None:
                self.tr_s = max(float(due_s) - float(onset_s), SHORTEST_TR_S)
            if body.get("status") in _USABLE and body.get("value") is not None:
                self._usable = message


def _share(told: object) -> float | None:
    """Return a number from 0 to 1; None: it is none."""
    if isinstance(told, bool) or not isinstance(told, int | float):
        return None
    return float(told) if 0 <= told <= 1 else None


def request(
    op: str,
    *,
    address: str = "tcp://127.0.0.1:5581",
    timeout_s: float = 2.0,
    keys: CurveKeys | None = None,
    **fields: str,
) -> Body:
    """Send one control request and return the reply.

    Parameters
    ----------
    op : START PAUSE RESUME STOP MARK NOTE HELLO LATEST or TIME.
    fields : such as ``text`` for MARK and NOTE, ``topic`` for LATEST.

    Raises
    ------
    TimeoutError : nobody answered within `timeout_s`.
    """
    with zmq.Context() as context:
        with _connect(context, zmq.REQ, address, keys) as socket:
            socket.send(json.dumps({"op": op, "id": 1, **fields}).encode())
            if not socket.poll(round(1000 * timeout_s)):
                raise TimeoutError(
                    f"no answer to {op} from {address} within {timeout_s:g} s. Is a "
                    "session running there, and is that its control port?"
                )
            reply: Body = json.loads(socket.recv())
            return reply


def _check_numbers(topic: str, body: Body) -> None:
    """Raise ValueError unless what is counted with is a number; null is none."""
    given = {key: body.get(key) for key in _NUMBERS.get(topic, ())}
    known = {key: value for key, value in given.items() if value is not None}
    for key, value in {"t_lsl": body["t_lsl"], **known}.items():
        if type(value) not in (int, float) or not abs(value) < LARGEST:
            raise ValueError(f"{key} is {value!r}, expected a number")
    if not all(isinstance(reason, str) for reason in body.get("reasons") or ()):
        raise ValueError("reasons are no texts")


def _decode_json(payload: bytes) -> Body:
    body: Body = json.loads(payload, parse_constant=lambda _: None)  # NaN: no value
    return body


def _connect(
    context: "zmq.Context[zmq.Socket[bytes]]",
    kind: int,
    address: str,
    keys: CurveKeys | None,
) -> "zmq.Socket[bytes]":
    socket = context.socket(kind)
    socket.set(zmq.LINGER, 0)  # all of it before connect, or it has no effect
    socket.set(zmq.HEARTBEAT_IVL, 1000)
    socket.set(zmq.HEARTBEAT_TIMEOUT, 3000)
    socket.set(zmq.TCP_KEEPALIVE, 1)
    socket.set(zmq.RECONNECT_IVL_MAX, 500)  # a restarted publisher is found at once
    try:
        if keys is not None:
            socket.curve_publickey = keys.public
            socket.curve_secretkey = keys.secret
            socket.curve_serverkey = keys.server
        socket.connect(address)
    except zmq.ZMQError as error:
        context.destroy(linger=0)
        raise ValueError(f"{address!r} is no address: {error}") from error
    return socket
