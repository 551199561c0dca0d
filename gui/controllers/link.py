"""The connection to a session's feed: a thread reads, the window takes."""

import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from rtbold.client import CurveKeys, Message, Subscriber
from rtbold.gui.state.received import EegBlock, Link, Received, parse

POLL_S = 0.05
LINK_EVERY_S = 0.1
FOREIGN_FOR_S = 3.0  # a feed of another version counts as there after its last message
MOST_EEG = 300  # blocks: 30 s, more than a scope shows
MOST_OTHER = 5000  # minutes of all else
JOIN_S = 3.0


class Inbox:
    """Two bounded queues, so that EEG cannot push out what is said once.

    One thread puts, another drains. A full queue drops its oldest, and counts.
    """

    def __init__(self, most_eeg: int = MOST_EEG, most_other: int = MOST_OTHER) -> None:
        self._eeg: deque[tuple[int, Received]] = deque(maxlen=most_eeg)
        self._other: deque[tuple[int, Received]] = deque(maxlen=most_other)
        self._link: deque[tuple[int, Received]] = deque(maxlen=1)
        self._number = itertools.count()
        # or a link of the session before could be drained after the next one's hello
        self._lock = threading.Lock()
        self.n_dropped = 0

    def __len__(self) -> int:
        return len(self._eeg) + len(self._other)

    def put(self, received: Received) -> None:
        """Queue one thing."""
        queue = self._eeg if isinstance(received, EegBlock) else self._other
        with self._lock:
            self.n_dropped += len(queue) == queue.maxlen
            queue.append((next(self._number), received))

    def put_link(self, link: Link) -> None:
        """Say how the connection is; only the newest is kept."""
        with self._lock:
            self._link.append((next(self._number), link))

    def drain(self) -> list[Received]:
        """Return what has come, in order."""
        queues = (self._eeg, self._other, self._link)
        with self._lock:
            taken = [numbered for queue in queues for numbered in queue]
            for queue in queues:
                queue.clear()
        taken.sort(key=lambda numbered: numbered[0])
        return [received for _, received in taken]


class FeedReader:
    """Moves what a subscriber hears into an inbox; without a thread of its own.

    Parameters
    ----------
    feed : open.
    inbox : what it is put into.
    now_s : the same clock as the subscriber's.
    """

    def __init__(
        self, feed: Subscriber, inbox: Inbox, *, now_s: Callable[[], float]
    ) -> None:
        self._feed = feed
        self._inbox = inbox
        self._now_s = now_s
        self._session: str | None = None
        self._heard = False
        self._n_bad = 0
        self._foreign: tuple[str, float] | None = None  # what, and when
        self._link_due_s = -math.inf

    def step(self, timeout_s: float = 0.0) -> None:
        """Wait for messages up to `timeout_s` and put them in the inbox."""
        try:
            messages = self._feed.poll(timeout_s)
        except (LookupError, TypeError, ValueError):
            # a body with rtbold's envelope and nonsense in it; the next may be sound
            self._n_bad += 1
            messages = []
        for message in messages:
            self._take(message)
        self._note_foreign()
        if self._now_s() >= self._link_due_s:
            self._inbox.put_link(self._link())
            self._link_due_s = self._now_s() + LINK_EVERY_S

    def _take(self, message: Message) -> None:
        self._heard = True
        session = message.body["session"]
        if session != self._session:
            self._session = session
            # queued, so that it stands before the first message of the new session
            self._inbox.put(self._link())
        received = parse(message)
        if received is None:
            self._n_bad += 1
        else:
            self._inbox.put(received)

    def _note_foreign(self) -> None:
        schema, self._feed.foreign_schema = self._feed.foreign_schema, None
        now_s = self._now_s()
        if schema is not None:
            self._foreign, self._heard = (str(schema), now_s), True
        elif self._foreign is not None and now_s - self._foreign[1] > FOREIGN_FOR_S:
            self._foreign = None

    def _link(self) -> Link:
        now_s, beat = self._now_s(), self._feed.latest.get("hb")
        silent_s = offset_s = math.inf
        if beat is not None:
            silent_s = self._feed.age_s(beat)
            offset_s = now_s - float(beat.body["t_lsl"]) - silent_s
        return Link(
            t_s=now_s,
            heard=self._heard,
            alive=self._feed.alive,
            silent_s=silent_s,
            stalled=self._feed.stalled,
            foreign_schema=self._foreign[0] if self._foreign else None,
            n_bad=self._feed.n_bad + self._n_bad,
            n_gaps=self._feed.n_gaps.total(),
            offset_s=offset_s,
            session=self._session,
            n_dropped=self._inbox.n_dropped,
        )


class FeedLink:
    """Reads a feed in a thread of its own; finds it again when it comes back.

    Parameters
    ----------
    address : of the feed, such as tcp://127.0.0.1:5580.
    keys : for a feed on another machine.
    topics : prefixes; "" is everything.
    now_s : this machine's monotonic clock.
    """

    def __init__(
        self,
        address: str,
        *,
        keys: CurveKeys | None = None,
        topics: Iterable[str] = ("",),
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = address
        self._keys = keys
        self._topics = tuple(topics)
        self._now_s = now_s
        self._inbox = Inbox()
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="rtbold-gui-link", daemon=True
        )

    def start(self) -> None:
        """Begin to read; once."""
        self._thread.start()

    def drain(self) -> list[Received]:
        """Return what has come since the last call, oldest first. Never waits."""
        return self._inbox.drain()

    def close(self) -> None:
        """End the thread and close its socket. A second call does nothing."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(JOIN_S)

    # From here on: the link's own thread.

    def _run(self) -> None:
        try:
            self._read()
        except Exception as error:  # shown in the window; there is nobody else to tell
            text = str(error) or type(error).__name__
            self._inbox.put_link(Link(t_s=self._now_s(), error=text))

    def _read(self) -> None:
        with Subscriber(
            self.address, self._topics, keys=self._keys, now_s=self._now_s
        ) as feed:
            reader = FeedReader(feed, self._inbox, now_s=self._now_s)
            while not self._stopping.is_set():
                reader.step(POLL_S)
