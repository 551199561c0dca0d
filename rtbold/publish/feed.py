"""The feed: predictions out over ZMQ.

One thread owns the XPUB socket. Others hand it messages through a bounded queue, so
that heartbeats go on while the loop computes, and a frozen subscriber delays nobody.
"""

import math
import socket as system_socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import zmq
from msgspec import UNSET

from rtbold.codec import encode
from rtbold.io.latecomers import Latecomers
from rtbold.io.outbox import OPTIONAL_TOPICS, FeedStopped, Outbox, Stamp
from rtbold.publish.sockets import LINGER_MS, FeedSettings, bind_socket
from rtbold.publish.wire import Bye, Heartbeat, Message, SessionState, Topic

JOIN_S = 2.0


@dataclass(frozen=True, slots=True)
class _Beat:
    """What the session last said about itself."""

    state: SessionState = "starting"
    t_stream_s: float | None = None  # LSL time of the newest sample


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
        self._latecomers = Latecomers()
        self._beat = _Beat()
        self._last_prediction_seq: int | None = None
        self._failure: Exception | None = None
        self._n_encode_errors = 0
        self._last_encode_error: Exception | None = None
        self._bound = bind_socket(zmq.XPUB, settings)
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
        return self._latecomers.wants(topic)

    def latest(self, topic: Topic) -> Message | None:
        """Return the newest sent message of `topic`, marked as replayed.

        None if there is none, or for predictions if it is older than 1.5 TR.
        """
        return self._latecomers.latest(topic, self._now_s())

    def set_state(self, state: SessionState, t_stream_s: float | None) -> None:
        """Say what heartbeats tell: the state, and the newest sample's LSL time."""
        self._beat = _Beat(state, t_stream_s)

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
            self._socket.close(linger=LINGER_MS)

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wake_out, zmq.POLLIN)
        beat_due_s = self._now_s()
        while not self._outbox.closed:
            now_s = self._now_s()
            if now_s >= beat_due_s:
                self._outbox.put(self._heartbeat(now_s))
                # absolute deadlines; after a stall no burst of heartbeats
                beat_due_s = max(beat_due_s + self._settings.heartbeat_s, now_s)
            self._send_all()
            poller.poll(self._patience_ms(beat_due_s))
            self._drain_wake()
            self._take_subscriptions()
            for message in self._latecomers.due(self._now_s()):
                self._send(message)
        self._send_all()

    def _patience_ms(self, beat_due_s: float) -> int:
        resend_s = self._latecomers.next_due_s()
        due_s = beat_due_s if resend_s is None else min(beat_due_s, resend_s)
        return max(0, math.ceil(1000 * (due_s - self._now_s())))

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
        )

    def _send_all(self) -> None:
        while (message := self._outbox.take()) is not None:
            if not self._send(message):
                continue
            self._latecomers.sent(message)
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
        while self._socket.poll(0):
            frame = self._socket.recv()
            prefix = frame[1:].decode("utf-8", errors="replace")
            if frame[:1] == b"\x01":
                self._latecomers.subscribe(prefix, self._now_s())
            elif frame[:1] == b"\x00":
                self._latecomers.unsubscribe(prefix)

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
