"""Messages between their publishers and the thread that owns the feed's socket.

No socket here. Any thread may put; one thread takes. Envelopes are stamped when a
message is put, so ``t_lsl`` is the moment of publishing, and a dropped message shows
as a step in its topic's ``seq``.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from rtbold.errors import RtboldError
from rtbold.publish.wire import Message, Topic

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
