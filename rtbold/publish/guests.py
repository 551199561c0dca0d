"""Who is connected to a socket, and what each may ask of it. Pure.

libzmq keeps whatever a subscriber sends: a node for each byte of each prefix, for as
long as its connection lasts. So nobody is only ignored: who asks too much is to be cut
off, and what libzmq kept for it goes with it. Time is an argument.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from rtbold.publish.wire import TOPICS

LONGEST_PREFIX = 255  # bytes; with the byte before it, a frame of 256
MOST_FOREIGN = 100  # prefixes of no topic, kept by libzmq for all guests together
MOST_FOREIGN_EACH = 32
ALL_TOGETHER = 16  # times as many bytes as one guest may send
FEW_BYTES = 1024  # too few for its sender to be blamed
NOBODY = -1  # who sent it is not known; libzmq says so when a connection has ended


class Allowance:
    """So many at once, and so many a second in the long run."""

    def __init__(self, burst: float, per_s: float) -> None:
        self._burst = self._left = burst
        self._per_s = per_s
        self._at_s = 0.0

    def take(self, now_s: float, n: int = 1) -> bool:
        """Use `n` up; False if fewer are left."""
        grown = self._left + self._per_s * max(now_s - self._at_s, 0.0)
        self._left, self._at_s = min(self._burst, grown), now_s
        if self._left < n:
            return False
        self._left -= n
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """How many may be connected to a socket, and what each may send.

    Who sends more than `bytes` or `asked` is cut off. Of requests more than `served`
    are refused.
    """

    most: int = 400  # connections; files and LSL need the rest of 1024
    bytes_burst: int = 65_536  # a subscriber sends some hundred
    bytes_per_s: float = 4096.0  # a subscriber's heartbeats are some 20
    asked_burst: int = 200  # frames or requests; a subscriber sends a dozen
    asked_per_s: float = 50.0
    served_burst: int = 100
    served_per_s: float = 200.0


@dataclass(frozen=True, slots=True)
class Ask:
    """What one frame asks for."""

    kind: Literal["subscribe", "unsubscribe", "nothing"]
    prefix: str = ""


def read_frame(frame: bytes) -> Ask:
    """Return what a subscriber's frame asks for, whatever it holds."""
    if frame[:1] not in (b"\x00", b"\x01"):
        return Ask("nothing")
    prefix = frame[1 : LONGEST_PREFIX + 1].decode("utf-8", errors="replace")
    return Ask("subscribe" if frame[0] else "unsubscribe", prefix)


def of_a_topic(prefix: str) -> bool:
    """Return whether any topic begins with `prefix`."""
    return any(topic.startswith(prefix) for topic in TOPICS)


@dataclass(slots=True)
class _Guest:
    may_send: Allowance  # bytes
    may_ask: Allowance
    is_served: Allowance
    n_bytes: int = 0
    prefixes: set[str] = field(default_factory=set)
    n_foreign: int = 0
    key: str = ""  # its CURVE key, where there are keys
    asked: bool = False
    leaving: bool = False  # told to the caller already


class Guests:
    """The connections of one socket, by number; says which have to go."""

    def __init__(self, places: Places) -> None:
        self._places = places
        burst, per_s = places.bytes_burst, places.bytes_per_s
        self._all_may_send = Allowance(ALL_TOGETHER * burst, ALL_TOGETHER * per_s)
        self._guests: dict[int, _Guest] = {}
        self._held: Counter[str] = Counter()  # prefixes, by how many guests
        self.n_cut = 0  # connections that had to go
        self.n_silent = 0  # that went before they asked for anything
        self.prefixes: frozenset[str] = frozenset()  # that guests hold, of topics

    def __len__(self) -> int:
        return len(self._guests)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The connections that there are."""
        return tuple(self._guests)

    def came(self, number: int) -> list[int]:
        """Note a new connection; return whom to cut off for it, itself perhaps."""
        self.left(number)  # numbers are used again
        self._guests[number] = self._new()
        if len(self._guests) <= self._places.most:
            return []
        idle = (n for n, g in self._guests.items() if not (g.asked or g.leaving))
        return self.cut(next(idle, number))  # the oldest that never asked

    def left(self, number: int) -> None:
        """Note that a connection has ended."""
        guest = self._guests.pop(number, None)
        if guest is None:
            return
        self.n_silent += not (guest.asked or guest.leaving)
        for prefix in guest.prefixes:
            self._let_go(prefix)

    def asked(
        self, number: int, frame: bytes, now_s: float, *, key: str = ""
    ) -> list[int]:
        """Note one frame; return whom to cut off.

        Parameters
        ----------
        number : of the connection; `NOBODY` if it is not known.
        key : the guest's CURVE key, if there are keys.
        """
        if not self.spoke(number, key=key):
            return []
        guest = self._guests[number]
        if not guest.may_ask.take(now_s) or len(frame) > LONGEST_PREFIX + 1:
            return self.cut(number)
        ask = read_frame(frame)
        if ask.kind == "subscribe":
            return self._subscribe(number, guest, ask.prefix)
        if ask.kind == "unsubscribe" and ask.prefix in guest.prefixes:
            guest.prefixes.remove(ask.prefix)
            self._let_go(ask.prefix)
        return []

    def spoke(self, number: int, *, key: str = "") -> bool:
        """Note who sent something; False if it is to be ignored, for it leaves."""
        if number == NOBODY:
            self._guests.setdefault(NOBODY, self._new())
        if (guest := self._guests.get(number)) is None:
            return False  # it has ended since
        guest.asked, guest.key = True, key or guest.key
        return not guest.leaving

    def requested(
        self, number: int, now_s: float, *, key: str = ""
    ) -> Literal["serve", "refuse", "cut", "ignore"]:
        """Note one request; return what is to be done with it."""
        if not self.spoke(number, key=key):
            return "ignore"
        guest = self._guests[number]
        if number != NOBODY and not guest.may_ask.take(now_s):
            return "cut"
        return "serve" if guest.is_served.take(now_s) else "refuse"

    def cut(self, number: int) -> list[int]:
        """Note that a connection has to go; return it, once."""
        guest = self._guests.get(number)
        if guest is None or guest.leaving or number == NOBODY:
            return []
        guest.leaving = True
        self.n_cut += 1
        return [number]

    def new_bytes(self, number: int, n_bytes: int) -> int:
        """Return how many of the bytes of a guest are new."""
        guest = self._guests.get(number)
        return 0 if guest is None else n_bytes - guest.n_bytes

    def received(self, number: int, n_bytes: int, now_s: float) -> list[int]:
        """Note how many bytes have come from a guest in all; return whom to cut off.

        libzmq keeps the parts of a message until its last one has come, however many.
        """
        guest = self._guests.get(number)
        if guest is None:
            return []
        new, guest.n_bytes = n_bytes - guest.n_bytes, n_bytes
        together = self._all_may_send.take(now_s, new) or new <= FEW_BYTES
        return [] if guest.may_send.take(now_s, new) and together else self.cut(number)

    def without_a_key(self, admitted: frozenset[str]) -> list[int]:
        """Return the connections whose key is no longer `admitted`, to cut them off."""
        gone = [
            number
            for number, guest in self._guests.items()
            if guest.key and guest.key not in admitted and not guest.leaving
        ]
        for number in gone:
            self._guests[number].leaving = True
        return gone

    def _new(self) -> _Guest:
        it = self._places
        return _Guest(
            may_send=Allowance(it.bytes_burst, it.bytes_per_s),
            may_ask=Allowance(it.asked_burst, it.asked_per_s),
            is_served=Allowance(it.served_burst, it.served_per_s),
        )

    def _subscribe(self, number: int, guest: _Guest, prefix: str) -> list[int]:
        if of_a_topic(prefix):
            if prefix not in guest.prefixes:
                guest.prefixes.add(prefix)
                self._held[prefix] += 1
                self.prefixes = frozenset(self._held)
            return []
        if number == NOBODY:
            return []
        # never counted down: who unsubscribes from another one is not believed
        guest.n_foreign += 1
        if guest.n_foreign > MOST_FOREIGN_EACH:
            return self.cut(number)
        staying = [(g.n_foreign, n) for n, g in self._guests.items() if not g.leaving]
        if sum(n_foreign for n_foreign, _ in staying) > MOST_FOREIGN:
            return self.cut(max(staying)[1])  # who has the most of them
        return []

    def _let_go(self, prefix: str) -> None:
        self._held[prefix] -= 1
        if not self._held[prefix]:
            del self._held[prefix]
            self.prefixes = frozenset(self._held)
