"""What a late subscriber gets: subscriptions, the newest messages, what to re-send.

No socket here; time is an argument (this machine's LSL clock). The feed's thread
writes; other threads may ask `wants` and `latest`.
"""

import msgspec

from rtbold.publish.wire import TOPICS, Hello, Message, Topic

RESENT_TOPICS: tuple[Topic, ...] = ("hello", "phase", "pred.fb")
RESEND_INTERVAL_S = 0.1  # at most one re-send per topic in this time
FRESH_TRS = 1.5  # an older prediction must not be shown as the current one
PREDICTIONS: frozenset[Topic] = frozenset({"pred.fb", "pred.roi"})


class Latecomers:
    """Subscriptions by prefix and the newest message of each topic."""

    def __init__(self) -> None:
        self._prefixes: frozenset[str] = frozenset()
        self._latest: dict[Topic, Message] = {}
        self._resent_s: dict[Topic, float] = {}
        self._due_s: dict[Topic, float] = {}

    def subscribe(self, prefix: str, now_s: float) -> None:
        """Note a subscription and plan the re-sends that it asks for."""
        self._prefixes |= {prefix}
        for topic in RESENT_TOPICS:
            if topic.startswith(prefix):
                last_s = self._resent_s.get(topic, -RESEND_INTERVAL_S)
                self._due_s.setdefault(topic, max(now_s, last_s + RESEND_INTERVAL_S))

    def unsubscribe(self, prefix: str) -> None:
        """Note that nobody subscribes to `prefix` any more."""
        self._prefixes -= {prefix}

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
        for topic in sorted(topics, key=TOPICS.index):  # hello first
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
