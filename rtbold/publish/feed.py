"""The feed: predictions out over ZMQ.

One thread owns the XPUB socket. Others hand it messages through a bounded queue, so
that heartbeats go on while the loop computes, and a frozen subscriber delays nobody.
Heartbeats come first at each of its turns; of what subscribers ask it takes only so
much a turn, and who asks too much is cut off (`rtbold.publish.guests`).
"""

import math
import socket as system_socket
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import msgspec
import zmq
from msgspec import UNSET

from rtbold.errors import RtboldError
from rtbold.publish.guests import Places, of_a_topic, read_frame
from rtbold.publish.sockets import FeedSettings, bind_socket
from rtbold.publish.wire import (
    Bye,
    Heartbeat,
    Hello,
    Message,
    SessionState,
    Topic,
    encode,
)

# What a late subscriber gets: subscriptions, the newest messages, what to re-send.
#
# No socket here; time is an argument (this machine's LSL clock). The feed's thread
# writes; other threads may ask `wants` and `latest`.

RESENT_TOPICS: tuple[Topic, ...] = ("hello", "phase", "pred.fb")
RESEND_INTERVAL_S = 0.1  # at most one re-send per topic in this time
FRESH_TRS = 1.5  # an older prediction must not be shown as the current one
PREDICTIONS: frozenset[Topic] = frozenset({"pred.fb", "pred.roi"})


class LastValueCache:
    """Subscriptions by prefix and the newest message of each topic."""

    def __init__(self) -> None:
        self._prefixes: frozenset[str] = frozenset()
        self._latest: dict[Topic, Message] = {}
        self._resent_s: dict[Topic, float] = {}
        self._due_s: dict[Topic, float] = {}

    def subscribe(self, prefix: str, now_s: float) -> None:
        """Note a subscription and plan the re-sends that it asks for.

        A prefix of no topic is not kept: they are as many as a client likes.
        """
        if prefix not in self._prefixes and of_a_topic(prefix):
            self._prefixes |= {prefix}
        for topic in RESENT_TOPICS:
            if topic.startswith(prefix):
                last_s = self._resent_s.get(topic, -RESEND_INTERVAL_S)
                self._due_s.setdefault(topic, max(now_s, last_s + RESEND_INTERVAL_S))

    def keep_only(self, prefixes: frozenset[str]) -> None:
        """Forget all other subscriptions: those who had them are gone."""
        self._prefixes &= prefixes

    def wants(self, topic: Topic) -> bool:
        """Return whether anybody subscribes to `topic`."""
        return any(topic.startswith(prefix) for prefix in self._prefixes)

    def sent(self, message: Message) -> None:
        """Remember `message` as the newest of its topic."""
        self._latest[message.topic] = message

    def next_due_s(self) -> float | None:
        """Return when the next re-send is due, or None."""
        return min(self._due_s.values(), default=None)

    def due(self, now_s: float) -> list[Message]:
        """Return the messages to re-send now, marked as replayed."""
        topics = [topic for topic, due_s in self._due_s.items() if due_s <= now_s]
        found = []
        for topic in sorted(topics, key=RESENT_TOPICS.index):  # phase before value
            del self._due_s[topic]
            if (message := self.latest(topic, now_s)) is not None:
                self._resent_s[topic] = now_s
                found.append(message)
        return found

    def latest(self, topic: Topic, now_s: float) -> Message | None:
        """Return the newest message of `topic`, marked as replayed.

        None if there is none, or if it is a prediction older than 1.5 TR: a late
        reader must not take it for the current one.
        """
        message = self._latest.get(topic)
        if message is None or (
            topic in PREDICTIONS and not self._fresh(message, now_s)
        ):
            return None
        return msgspec.structs.replace(message, replayed=True)

    def _fresh(self, message: Message, now_s: float) -> bool:
        hello = self._latest.get("hello")
        if not isinstance(hello, Hello):
            return False  # without a TR nobody can tell
        return now_s - message.t_lsl < FRESH_TRS * hello.tr_s


# Messages between their publishers and the thread that owns the feed's socket.
#
# No socket here. Any thread may put; one thread takes. Envelopes are stamped when a
# message is put, so ``t_lsl`` is the moment of publishing, and a dropped message shows
# as a step in its topic's ``seq``.

OPTIONAL_TOPICS: frozenset[Topic] = frozenset({"eeg", "bands", "log"})


class FeedStopped(RtboldError):
    """The feed no longer takes messages."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the envelopes of one session share."""

    session: str
    now_lsl_s: Callable[[], float]
    now_unix_s: Callable[[], float]


class Outbox:
    """Two bounded queues: predictions and the like, and what may be dropped.

    Parameters
    ----------
    stamp : the session and its clocks.
    n_vital : bound of the queue that never drops; a full one raises, since it means
        that the feed has stood still for minutes.
    n_optional : bound of the queue of eeg, bands and log; it drops its oldest.
    """

    def __init__(
        self, stamp: Stamp, *, n_vital: int = 1000, n_optional: int = 64
    ) -> None:
        self._stamp = stamp
        self._n_vital = n_vital
        self._n_optional = n_optional
        self._vital: deque[Message] = deque()
        self._optional: deque[Message] = deque()
        self._seq: Counter[Topic] = Counter()
        self._lock = threading.Lock()
        self._n_dropped = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._vital) + len(self._optional)

    @property
    def n_dropped(self) -> int:
        """How many optional messages were dropped since the start."""
        return self._n_dropped

    @property
    def closed(self) -> bool:
        """Whether the last message has been put."""
        return self._closed

    def put(self, message: Message) -> bool:
        """Stamp `message` and queue it; False if the outbox is closed.

        Raises
        ------
        FeedStopped : the vital queue is full.
        """
        optional = message.topic in OPTIONAL_TOPICS
        with self._lock:  # one lock for stamp and queue: seq is the order on the wire
            if self._closed:
                return False
            if optional:
                self._make_room()
            elif len(self._vital) >= self._n_vital:
                raise FeedStopped(
                    f"the feed holds {len(self._vital)} unsent messages, expected a "
                    "handful: its thread has stood still. Restart the session."
                )
            queue = self._optional if optional else self._vital
            queue.append(self._stamped(message))
        return True

    def close(self, last: Message | None) -> bool:
        """Put the `last` message, if any, and take no more; False if closed before."""
        with self._lock:
            if self._closed:
                return False
            self._closed = True
            if last is not None:
                self._vital.append(self._stamped(last))
        return True

    def take(self) -> Message | None:
        """Return the next message, predictions first; None if there is none."""
        with self._lock:
            for queue in (self._vital, self._optional):
                if queue:
                    return queue.popleft()
        return None

    def _make_room(self) -> None:
        while len(self._optional) >= self._n_optional:
            self._optional.popleft()
            self._n_dropped += 1

    def _stamped(self, message: Message) -> Message:
        seq = self._seq[message.topic]
        self._seq[message.topic] += 1
        return msgspec.structs.replace(
            message,
            session=self._stamp.session,
            seq=seq,
            t_lsl=self._stamp.now_lsl_s(),
            t_unix_ms=round(1000 * self._stamp.now_unix_s(), 3),
        )


JOIN_S = 2.0
LOOKS_EVERY_S = 0.1  # at who is connected, and how much each has sent
MOST_FRAMES_A_TURN = 200  # of subscribers, between two looks at the heartbeat


@dataclass(frozen=True, slots=True)
class _Beat:
    """What the session last said about itself."""

    state: SessionState = "starting"
    t_stream_s: float | None = None  # LSL time of the newest sample
    n_refused: int = 0  # of control requests and the like


class Feed:
    """The publisher's end; open from construction to `close`.

    Parameters
    ----------
    settings : address and encoding.
    session : uuid4 text, a new one per start.
    now_lsl_s, now_unix_s : the session's clocks, ``local_clock`` and ``time.time``.

    Raises
    ------
    PortInUse : the port is taken; rtbold never moves on to another one.
    ConfigError : the address is not one of this machine, or is reachable from
        elsewhere and there are no keys.
    """

    def __init__(
        self,
        settings: FeedSettings,
        *,
        session: str,
        now_lsl_s: Callable[[], float],
        now_unix_s: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._now_s = now_lsl_s
        self._outbox = Outbox(Stamp(session, now_lsl_s, now_unix_s))
        self._last_values = LastValueCache()
        self._beat = _Beat()
        self._beats_now = False
        self._last_prediction_seq: int | None = None
        self._failure: Exception | None = None
        self._n_encode_errors = 0
        self._last_encode_error: Exception | None = None
        self._bound = bind_socket(zmq.XPUB, settings, places=Places())
        self._socket, self.port = self._bound.socket, self._bound.port
        self._wake_in, self._wake_out = system_socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._thread = threading.Thread(
            target=self._run, name="rtbold-feed", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """The address that subscribers connect to."""
        return f"tcp://{self._settings.bind}:{self.port}"

    @property
    def failure(self) -> Exception | None:
        """What ended the feed's thread, or None while it is well."""
        return self._failure

    @property
    def n_encode_errors(self) -> int:
        """How many messages were dropped because they could not be encoded."""
        return self._n_encode_errors

    @property
    def last_encode_error(self) -> Exception | None:
        """Why the last of them could not; None while there is none."""
        return self._last_encode_error

    def publish(self, message: Message) -> None:
        """Stamp `message` and hand it to the feed's thread. Any thread may call.

        Topics eeg, bands and log are taken only while somebody subscribes to them.

        Raises
        ------
        FeedStopped : the feed is closed, or its thread has failed or stands still.
        """
        if self._failure is not None:
            raise FeedStopped(f"the feed has failed: {self._failure!r}.")
        if message.topic in OPTIONAL_TOPICS and not self.wants(message.topic):
            return
        if not self._outbox.put(message):
            raise FeedStopped(f"the feed was closed before this {message.topic}.")
        self._wake()

    def wants(self, topic: Topic) -> bool:
        """Return whether anybody subscribes to `topic`."""
        return self._last_values.wants(topic)

    def latest(self, topic: Topic) -> Message | None:
        """Return the newest sent message of `topic`, marked as replayed.

        None if there is none, or for predictions if it is older than 1.5 TR.
        """
        return self._last_values.latest(topic, self._now_s())

    @property
    def n_refused(self) -> int:
        """How many connections were cut off since the start.

        With those that ended before they asked for anything: libzmq itself ends one
        that sends too large a frame, and does not say why.
        """
        return self._bound.n_cut + self._bound.n_silent

    def set_state(
        self, state: SessionState, t_stream_s: float | None, *, n_refused: int = 0
    ) -> None:
        """Say what heartbeats tell; another state makes one at once.

        Parameters
        ----------
        t_stream_s : the newest sample's LSL time.
        n_refused : what was refused beside the feed, such as commands.
        """
        changes = state != self._beat.state
        self._beat = _Beat(state, t_stream_s, n_refused)
        if changes:  # told at once: half a second is long for a stall
            self._beats_now = True
            self._wake()

    def close(self, reason: str = "end") -> None:
        """Send what is queued and ``bye``, then close. A second call does nothing."""
        last = None if self._failure is not None else Bye(reason=reason)
        if not self._outbox.close(last):
            return
        self._wake()
        self._thread.join(JOIN_S)
        self._bound.close()
        self._wake_in.close()
        self._wake_out.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asked_for = error is None or isinstance(error, KeyboardInterrupt)
        self.close("end" if asked_for else "failed")

    # From here on: the feed's own thread.

    def _run(self) -> None:
        try:
            self._serve()
        except Exception as error:  # kept for `failure`, which publishers are shown
            self._failure = error
        finally:
            self._bound.stop_listening()

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wake_out, zmq.POLLIN)
        beat_due_s = self._now_s()
        while not self._outbox.closed:
            now_s = self._now_s()
            if self._beats_now:
                self._beats_now = False
                self._outbox.put(self._heartbeat(now_s))
            if now_s >= beat_due_s:
                self._outbox.put(self._heartbeat(now_s))
                # absolute deadlines; after a stall no burst of heartbeats
                beat_due_s = max(beat_due_s + self._settings.heartbeat_s, now_s)
            self._send_all()
            poller.poll(self._patience_ms(beat_due_s))
            self._drain_wake()
            self._take_subscriptions()
            for message in self._last_values.due(self._now_s()):
                self._send(message)
        self._send_all()

    def _patience_ms(self, beat_due_s: float) -> int:
        resend_s = self._last_values.next_due_s()
        now_s = self._now_s()
        due_s = min(beat_due_s, now_s + LOOKS_EVERY_S)
        if resend_s is not None:
            due_s = min(due_s, resend_s)
        return max(0, math.ceil(1000 * (due_s - now_s)))

    def _heartbeat(self, now_s: float) -> Heartbeat:
        beat = self._beat
        age_s = None if beat.t_stream_s is None else now_s - beat.t_stream_s
        return Heartbeat(
            state=beat.state,
            last_pred_seq=self._last_prediction_seq,
            stream_age_ms=None if age_s is None else round(1000 * age_s, 1),
            queue=len(self._outbox),
            n_dropped=self._outbox.n_dropped,
            n_encode_errors=self._n_encode_errors or UNSET,
            n_refused=self.n_refused + beat.n_refused or UNSET,
        )

    def _send_all(self) -> None:
        while (message := self._outbox.take()) is not None:
            if not self._send(message):
                continue
            self._last_values.sent(message)
            if message.topic == "pred.fb":
                self._last_prediction_seq = message.seq

    def _send(self, message: Message) -> bool:
        """Return False if the message cannot be encoded; others must go on."""
        try:
            payload = encode(message, self._settings.encoding)
        except Exception as error:  # kept for `last_encode_error`
            self._n_encode_errors += 1
            self._last_encode_error = error
            return False
        # XPUB never blocks: a subscriber that is SEND_HIGH_WATER behind loses messages
        self._socket.send_multipart([message.topic.encode(), payload])
        return True

    def _take_subscriptions(self) -> None:
        """Take some of what subscribers ask; the rest is for the next turn."""
        now_s = self._now_s()
        for arrival in self._bound.received(MOST_FRAMES_A_TURN):
            self._bound.asked(arrival, now_s)
            ask = read_frame(arrival.frames[0])
            if ask.kind == "subscribe" and ask.prefix in self._bound.prefixes:
                self._last_values.subscribe(ask.prefix, now_s)
        self._last_values.keep_only(self._bound.prefixes)

    def _wake(self) -> None:
        try:
            self._wake_in.send(b"\0")
        except BlockingIOError:
            pass  # unread bytes are there already: the thread will wake

    def _drain_wake(self) -> None:
        try:
            while self._wake_out.recv(4096):
                pass
        except BlockingIOError:
            pass
