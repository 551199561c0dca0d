"""Find LSL streams on the network and choose one without guessing; LSL's clock."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtbold.clock import Clock
from rtbold.errors import AmbiguousStream, StreamNotFound
from rtbold.text import printable

if TYPE_CHECKING:
    import pylsl
SIMULATED = "desc/rtbold/simulated='true'"  # as rtbold's own senders declare it
LOOK_EVERY_S = 0.05  # while streams are awaited
SETTLE_S = 0.6  # after the first answer: long enough for the others on a LAN
LONGEST_ID = 500  # characters of a source id; a longer one tells no senders apart
MOST_LISTED = 20  # streams in a message


@dataclass(frozen=True, slots=True)
class FoundStream:
    """One stream that answered on the network."""

    name: str
    type: str
    host: str
    source_id: str
    uid: str  # of this outlet object; another after every restart
    rate_hz: float  # nominal; 0: irregular
    n_channels: int
    format: str  # "float32", "string", ...
    created_s: float = 0.0  # its outlet, on its host's LSL clock; 0: not said


@dataclass(frozen=True, slots=True)
class StreamQuery:
    """Which stream is wanted; None fits anything.

    With a name, the type only decides between streams of that name: a stream that
    was asked for by name is not refused because its sender wrote another type.

    Parameters
    ----------
    name_option, host_option : what to advise where several streams fit.
    """

    name: str | None = None
    type: str | None = "EEG"
    host: str | None = None
    name_option: str = "--stream"
    host_option: str = "--host"

    def __str__(self) -> str:
        """Say it as the options that were given."""
        parts = {"name": self.name, "type": self.type, "host": self.host}
        if self.name is not None:
            del parts["type"]
        said = [f"{key} {value!r}" for key, value in parts.items() if value is not None]
        return " and ".join(said) or "any name"


def fitting(found: Sequence[FoundStream], query: StreamQuery) -> list[FoundStream]:
    """Return those of `found` that fit `query`."""
    name = None if query.name is None else printable(query.name)
    fits = [
        s
        for s in found
        if (name is None or s.name == name)
        and (query.host is None or s.host.casefold() == query.host.casefold())
    ]
    if query.type is None:
        return fits
    typed = [s for s in fits if s.type.casefold() == query.type.casefold()]
    return typed if typed or query.name is None else fits


def select_stream(found: Sequence[FoundStream], query: StreamQuery) -> FoundStream:
    """Return the one stream that fits.

    Raises
    ------
    StreamNotFound
        Nothing fits; the message lists what is there.
    AmbiguousStream
        Several fit; the message lists them and how to pick one.
    """
    fits = fitting(found, query)
    if not fits:
        raise StreamNotFound(_nothing(found, query))
    if len(fits) > 1:
        raise AmbiguousStream(_several(fits, query))
    return fits[0]


def list_streams(found: Sequence[FoundStream]) -> str:
    """Return one indented line per stream, for messages."""
    rows = sorted(found, key=lambda s: (s.name, s.host, s.source_id))
    lines = [
        f"  name {s.name!r}, type {s.type!r}, host {s.host!r}, source id "
        f"{s.source_id!r}, {s.n_channels} channels, "
        + (f"{s.rate_hz:g} Hz" if s.rate_hz else "irregular rate")
        for s in rows[:MOST_LISTED]
    ]
    if len(rows) > MOST_LISTED:
        lines.append(f"  and {len(rows) - MOST_LISTED} more")
    return "\n".join(lines)


def _nothing(found: Sequence[FoundStream], query: StreamQuery) -> str:
    there = (
        f"Streams that are there:\n{list_streams(found)}\nName one of them, or start"
        if found
        else "No LSL stream answered at all. Start"
    )
    return (
        f"no LSL stream fits {query}. {there} the sender, give it longer (--wait), and "
        "check that both machines are on one network: rtbold doctor."
    )


def _several(fits: Sequence[FoundStream], query: StreamQuery) -> str:
    names = {s.name for s in fits}
    hosts = {s.host for s in fits}
    if len(names) > 1:
        hint = f"Pick one by name ({query.name_option} NAME)."
    elif len(hosts) > 1:
        hint = f"Pick one by its computer ({query.host_option} HOST)."
    else:
        hint = "They share name and host: stop one of them, or rename it."
    return (
        f"{len(fits)} LSL streams fit {query}, expected exactly one:\n"
        f"{list_streams(fits)}\n{hint}"
    )


class Resolver:
    """Asks the network continuously; reading the answer never blocks.

    Parameters
    ----------
    predicate : XPath over the whole description, answered by the senders; None: all.
    """

    def __init__(self, predicate: str | None = None) -> None:
        import pylsl

        self._resolver = pylsl.ContinuousResolver(pred=predicate, forget_after=2.0)

    def infos(self) -> dict[str, "pylsl.StreamInfo"]:
        """Return what is visible now, by uid."""
        return {printable(info.uid()): info for info in self._resolver.results()}


def found_stream(info: "pylsl.StreamInfo") -> FoundStream:
    """Return the core facts of a resolved stream, its text fit to be shown."""
    import pylsl

    return FoundStream(
        name=printable(info.name()),
        type=printable(info.type()),
        host=printable(info.hostname()),
        source_id=printable(info.source_id(), LONGEST_ID),
        uid=printable(info.uid()),
        rate_hz=float(info.nominal_srate()),
        n_channels=int(info.channel_count()),
        format=pylsl.lib.fmt2string[info.channel_format()],
        created_s=float(info.created_at()),
    )


def discover(
    wait_s: float,
    clock: Clock,
    until: Callable[[list[FoundStream]], bool] = lambda _: False,
) -> list[FoundStream]:
    """Return the streams that answer within `wait_s`, or until `until` is content.

    Runs in the caller's process: for listings, not for a session (liblsl can hang).
    """
    resolver = Resolver()
    end_s = clock.now_s() + wait_s
    while True:
        found = [found_stream(info) for info in resolver.infos().values()]
        if until(found) or (now_s := clock.now_s()) >= end_s:
            return sorted(found, key=lambda s: (s.type, s.name, s.host, s.source_id))
        clock.sleep_until(now_s + LOOK_EVERY_S)


# LSL's clock: what a session runs on.


class LslClock:
    """LSL's local clock, with sleep by absolute deadline."""

    def __init__(self) -> None:
        from pylsl import local_clock  # late: `rtbold --help` must not load LSL

        self._now = local_clock

    def now_s(self) -> float:
        """Return LSL's local clock in seconds."""
        return float(self._now())

    def sleep_until(self, t_s: float) -> None:
        """Sleep to the absolute deadline `t_s`."""
        while (left_s := t_s - self.now_s()) > 0:
            time.sleep(left_s)
