"""One process that subscribes once and passes the feed on to any number of bridges.

A thread waits for the feed; everything else is one asyncio loop. Nothing that a client
does reaches the session: to it, this is one more subscriber.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import msgspec

from rtbold.bridge.datagrams import Datagrams, OscBridge, UdpBridge
from rtbold.bridge.door import Destination, Door, Network, check_door
from rtbold.bridge.lines import LinesBridge
from rtbold.bridge.murfi import MurfiBridge, Volumes
from rtbold.bridge.news import TOPICS, News, Reader, Shown
from rtbold.bridge.numbers import NumberChoice
from rtbold.bridge.websocket import WebSocketBridge
from rtbold.client import Body, CurveKeys, Subscriber
from rtbold.clock import Clock
from rtbold.errors import ConfigError, RtboldError

TURN_S: Final = 0.1  # the longest wait: a silent feed is noticed within it
ENCODINGS: Final = ("json", "msgpack")


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeSettings:
    """What ``rtbold bridge`` can be told; a port of 0 is any that is free."""

    connect: str = "tcp://127.0.0.1:5580"
    websocket: int | None = None
    murfi: int | None = None
    lines: int | None = None
    osc: Destination | None = None
    udp: Destination | None = None
    bind: str = "127.0.0.1"
    allow: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    page: Path | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    numbers: NumberChoice = field(default_factory=NumberChoice)
    encoding: str = "json"
    keys: CurveKeys | None = None

    def __post_init__(self) -> None:
        """Refuse what leads nowhere."""
        given = (self.websocket, self.murfi, self.lines, self.osc, self.udp)
        if all(each is None for each in given):
            raise ConfigError(
                "no bridge was named, expected one or more of --websocket PORT, "
                "--murfi PORT, --lines PORT, --osc HOST:PORT, --udp HOST:PORT."
            )
        if self.encoding not in ENCODINGS:
            raise ConfigError(
                f"--encoding is {self.encoding!r}, expected one of "
                f"{', '.join(ENCODINGS)}: what the feed speaks."
            )


class Outlet(Protocol):
    """One bridge."""

    @property
    def where(self) -> str:
        """Say where it is to be found."""
        ...

    @property
    def cannot(self) -> str:
        """Say what it cannot carry."""
        ...

    async def open(self) -> None:
        """Begin."""
        ...

    def take(self, news: News) -> None:
        """Pass on what is new; never waits."""
        ...

    async def close(self) -> None:
        """End."""
        ...


class Bridge:
    """Opens what was asked for; `run` passes the feed on until `stop`.

    Parameters
    ----------
    clock : a monotonic one, by which messages grow old.
    say : takes one line for the operator.

    Raises
    ------
    ConfigError, PortInUse : an address cannot be used.
    """

    def __init__(
        self, settings: BridgeSettings, *, clock: Clock, say: Callable[[str], None]
    ) -> None:
        networks = check_door(settings.bind, settings.allow)
        self._settings, self._say, self._clock = settings, say, clock
        self._feed = _subscriber(settings, clock)
        self._doors: list[Door] = []
        self.outlets: list[Outlet] = []
        try:
            self._open(networks)
        except BaseException:
            self._feed.close()
            raise
        self._closing = threading.Event()
        self._failure: Exception | None = None
        self._heard: bool | None = None  # the feed; None: nothing was told yet
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def n_refused(self) -> int:
        """How many connections were refused or had to make room."""
        return sum(door.n_refused for door in self._doors)

    def run(self) -> None:
        """Pass the feed on; returns after `stop` or Ctrl-C.

        Raises
        ------
        RtboldError : something unforeseen; every display is neutral by then.
        """
        asyncio.run(self._run())
        if self._failure is not None:
            raise RtboldError(
                f"the bridge has failed: {self._failure!r}. Start it again, and report "
                "this."
            ) from self._failure

    def stop(self) -> None:
        """Let `run` end; from any thread."""
        self._closing.set()

    def _open(self, networks: tuple[Network, ...]) -> None:
        it = self._settings

        def door() -> Door:
            self._doors.append(Door(networks))
            return self._doors[-1]

        if it.websocket is not None:
            self.outlets.append(
                WebSocketBridge(
                    it.bind,
                    it.websocket,
                    door(),
                    clock=self._clock,
                    origins=it.origins,
                    page=it.page,
                )
            )
        if it.murfi is not None:
            volumes = Volumes(it.numbers, it.names)
            self.outlets.append(
                MurfiBridge(it.bind, it.murfi, door(), volumes=volumes, say=self._say)
            )
        if it.lines is not None:
            self.outlets.append(
                LinesBridge(it.bind, it.lines, door(), clock=self._clock)
            )
        if it.osc is not None:
            self.outlets.append(OscBridge(it.osc, _to(it.osc, "--osc")))
        if it.udp is not None:
            self.outlets.append(UdpBridge(it.udp, _to(it.udp, "--udp"), it.numbers))

    async def _run(self) -> None:
        loop = self._loop = asyncio.get_running_loop()
        thread = threading.Thread(target=self._pump, name="rtbold-bridge", daemon=True)
        for outlet in self.outlets:
            await outlet.open()
            self._say(f"{outlet.where}; cannot carry: {outlet.cannot}")
        thread.start()
        try:
            await loop.run_in_executor(None, self._wait)
        finally:
            self._closing.set()
            thread.join()
            for outlet in self.outlets:
                await outlet.close()

    def _wait(self) -> None:
        self._closing.wait()

    def _pump(self) -> None:
        """Wait for the feed, turn by turn; a thread of its own."""
        reader = Reader(self._feed)
        try:
            while not self._closing.is_set():
                news = reader.turn(TURN_S, self._clock.now_s())
                if (news.lines or news.due) and self._loop is not None:
                    self._loop.call_soon_threadsafe(self._pass_on, news)
        except Exception as error:  # raised again by `run`
            self._failure = error
        finally:
            self._feed.close()
            self._closing.set()

    def _pass_on(self, news: News) -> None:
        try:
            self._tell(news.shown)
            for outlet in self.outlets:
                outlet.take(news)
        except Exception as error:  # raised again by `run`
            self._failure = error
            self._closing.set()

    def _tell(self, shown: Shown) -> None:
        """Say when the feed comes and goes."""
        heard = "no_heartbeat" not in shown.reasons
        if heard == self._heard:
            return
        self._heard = heard
        where = self._settings.connect
        if heard:
            self._say(f"the feed of {where} is there, session {shown.session}")
        else:
            self._say(f"no heartbeat from {where}: everything is neutral")


def run_bridge(
    settings: BridgeSettings, clock: Clock, *, say: Callable[[str], None]
) -> str:
    """Run bridges until Ctrl-C; return what to say at the end."""
    bridge = Bridge(settings, clock=clock, say=say)
    try:
        bridge.run()
    except KeyboardInterrupt:
        pass  # the usual way to end
    return f"ended; {bridge.n_refused} connections were refused"


def _subscriber(settings: BridgeSettings, clock: Clock) -> Subscriber:
    decode: Callable[[bytes], Body] | None = None
    if settings.encoding == "msgpack":
        decode = msgspec.msgpack.decode
    try:
        return Subscriber(
            settings.connect,
            TOPICS,
            keys=settings.keys,
            decode=decode,
            now_s=clock.now_s,
        )
    except ValueError as error:
        raise ConfigError(
            f"--connect: {error}. Expected an address such as tcp://127.0.0.1:5580."
        ) from error


def _to(where: Destination, option: str) -> Datagrams:
    try:
        return Datagrams(where)
    except OSError as error:
        raise ConfigError(
            f"{option} {where} leads nowhere: {error}. Expected HOST:PORT such as "
            "127.0.0.1:9000."
        ) from error
