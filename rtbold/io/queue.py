"""The bounded queue between the inlet readers and the session's loop."""

import threading
from collections import deque

from rtbold.messages import Discontinuity, EegChunk, Event

EVENTS_MAX = 20_000  # of all kinds; a session that takes none for minutes is stuck


class EventQueue:
    """Events in order of arrival. Policy when full: ``drop_oldest`` samples.

    Where samples were dropped, ``Discontinuity("overflow", n)`` stands in their place.

    Parameters
    ----------
    hold_s : seconds of samples to hold at most, once the rate is known.
    """

    def __init__(self, hold_s: float) -> None:
        self._hold_s = hold_s
        self._samples_max = hold_s * 5000.0
        self._events: deque[Event] = deque()
        self._n_samples = 0
        self._arrived = threading.Condition()
        self.n_dropped = 0

    def set_rate(self, rate_hz: float) -> None:
        """Set the bound for a stream of `rate_hz`; 0 (markers) changes nothing."""
        if rate_hz > 0:
            self._samples_max = self._hold_s * rate_hz

    def put(self, event: Event) -> None:
        """Append `event`, and drop the oldest samples beyond the bound."""
        with self._arrived:
            self._events.append(event)
            self._n_samples += _samples(event)
            while self._n_samples > self._samples_max:
                self._drop_oldest_samples()
            if len(self._events) > EVENTS_MAX:
                dropped = _samples(self._events.popleft())
                self._n_samples -= dropped
                self.n_dropped += dropped
            self._arrived.notify()

    def take(self, timeout_s: float) -> list[Event]:
        """Return and remove everything; wait up to `timeout_s` for the first event."""
        with self._arrived:
            if not self._events and timeout_s > 0:
                self._arrived.wait_for(lambda: bool(self._events), timeout_s)
            events = list(self._events)
            self._events.clear()
            self._n_samples = 0
            return events

    def _drop_oldest_samples(self) -> None:
        """Put one overflow mark in the place of the oldest chunk."""
        at, chunk = next(
            (i, e) for i, e in enumerate(self._events) if isinstance(e, EegChunk)
        )
        n = _samples(chunk)
        before = self._events[at - 1] if at else None
        if isinstance(before, Discontinuity) and before.kind == "overflow":
            self._events[at - 1] = Discontinuity("overflow", before.n_missing + n)
            del self._events[at]
        else:
            self._events[at] = Discontinuity("overflow", n)
        self._n_samples -= n
        self.n_dropped += n


def _samples(event: Event) -> int:
    return event.data_uv.shape[1] if isinstance(event, EegChunk) else 0
