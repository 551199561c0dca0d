"""Which session the window looks at: joined, started here, offered, ended. No Qt."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rtbold.client import CurveKeys
from rtbold.gui.controllers.children import SessionChild
from rtbold.gui.controllers.link import FeedLink
from rtbold.gui.controllers.session import SessionController
from rtbold.gui.state.address import Address, address_of
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.received import Link
from rtbold.gui.state.words import Level, stale_reason
from rtbold.publish import Bye, Hello, Log

OpenFeed = Callable[[str, tuple[str, ...], CurveKeys | None], FeedLink]
StartSession = Callable[[Sequence[str]], SessionChild]


def keys_of(address: Address) -> CurveKeys | None:
    """Read the keys of an address; None if it needs none.

    Raises
    ------
    ValueError, OSError : a file cannot be read, or holds no key.
    """
    if not address.secret_file:
        return None
    return CurveKeys.load(address.secret_file, address.server_file)


OFFER_TOPICS = ("hello",)  # heartbeats come with any topic
EVERYTHING = ("",)
PATIENCE_S = 3.0  # with an address, before it counts as stale
SURELY_SILENT_S = 3.0  # after its death; a link is taken for alive for 2 s
NoticeKind = Literal[
    "started", "joined", "offer", "ended", "died", "trouble", "greeting", "stale",
    "recording",
]  # fmt: skip
RECORDING = "RECORDING:"  # how a session's log begins what is wrong with its recording


@dataclass(frozen=True, slots=True)
class SessionNotice:
    """Something that the operator has to be told; an offer says where to join."""

    kind: NoticeKind
    text: str
    level: Level = "ok"
    where: Address | None = None


class DashboardController:
    """Owns the feed's reader, the state made of it, and the child that was started.

    Parameters
    ----------
    open_feed : makes a reader; raises ValueError or OSError in words.
    start_session : starts ``rtbold ARGUMENTS`` so that it outlives the window.
    commands : where the operator's commands go.
    offer_at : address that is listened at while nothing is joined; None: nowhere.
    """

    def __init__(
        self,
        *,
        open_feed: OpenFeed,
        start_session: StartSession,
        commands: SessionController,
        offer_at: Address | None = None,
    ) -> None:
        self.state = DashboardState()
        self.commands = commands
        self.address: Address | None = None
        self.child: SessionChild | None = None
        self._open_feed, self._start_session = open_feed, start_session
        self._keys: CurveKeys | None = None
        self._feed: FeedLink | None = None
        self._probe: FeedLink | None = None
        self._offer_at = offer_at
        self._notices: list[SessionNotice] = []
        self.trouble = ""  # why the last start or join did not work
        self._greeted: str | None = None
        self._ended: str | None = None
        self._buried = True  # the child's end was told, or there is none
        self._bye_before: Bye | None = None  # of the session that was left
        self._hello_before: Hello | None = None
        self._died_s = self._joined_s = math.inf
        self._stale_noticed = True  # nothing is joined
        if offer_at is not None:
            self._listen(offer_at)

    @property
    def own(self) -> bool:
        """Whether the session was started from here."""
        return self.child is not None

    @property
    def child_runs(self) -> bool:
        """Whether a session that was started from here has not ended."""
        return self.child is not None and self.child.poll() is None

    @property
    def session_alive(self) -> bool:
        """Whether closing the window leaves a session behind."""
        link = self.state.link
        heard = self._feed is not None and link is not None and link.alive
        return self.child_runs or (heard and not self.bye_received)

    @property
    def bye_received(self) -> bool:
        """Whether the session that is joined has said that it ends."""
        bye = self.state.bye
        return bye is not None and bye is not self._bye_before

    def join(self, address: Address) -> bool:
        """Read another session's feed from now on; False and a notice if that fails."""
        try:
            keys = keys_of(address)
            feed = self._open_feed(address.feed, EVERYTHING, keys)
        except (ValueError, OSError) as error:
            self._tell(
                "trouble", f"{address.feed} cannot be joined: {error}", "invalid"
            )
            return False
        self._leave()
        self.address, self._keys, self._feed = address, keys, feed
        self.state.address, self.state.folder = address.feed, ""
        self.commands.connect_to(address.command_address(None), keys=keys)
        feed.start()
        self._tell("joined", f"Joined {address.feed}.")
        return True

    def start(self, arguments: Sequence[str]) -> bool:
        """Start a session and join it; False and a notice if it cannot be started."""
        if self.child_runs:
            self._tell(
                "trouble",
                "A session that was started from here still runs. Stop it first.",
                "degraded",
            )
            return False
        child = self._start_session(arguments)
        if child.problem:
            self._tell("trouble", child.problem, "invalid")
            return False
        joined = self.join(address_of(arguments))
        self.child, self._buried = child, False
        self.state.folder = recorded_into(arguments)
        self.state.starting = True  # from the click on
        self._tell("started", "The session is starting.")
        return joined

    def offer_nothing(self) -> None:
        """Listen no more whether a session runs already."""
        if self._probe is not None:
            self._probe.close()
            self._probe = None

    def tick(self, now_s: float) -> None:
        """Take what has come; call it once per frame."""
        self._hear_offer()
        fault = self._take(now_s)
        self._hear_the_start()
        self._aim()
        self._greet()
        self._watch_child(now_s)
        self._look_for_another(now_s)
        self._check_stale(now_s)
        if fault is not None:
            raise fault

    def notices(self) -> list[SessionNotice]:
        """Return what has happened since the last call."""
        told, self._notices = self._notices, []
        return told

    def close(self) -> None:
        """End the readers and the thread of commands; the session goes on."""
        self._leave()
        self.commands.close()

    def _hear_the_start(self) -> None:
        """Say STARTING no longer once the session speaks, or has died."""
        link = self.state.link
        heard = link is not None and link.alive
        if self.state.starting and (heard or not self.child_runs):
            self.state.starting = False

    def _take(self, now_s: float) -> Exception | None:
        """Take all that has come; return the last fault in that, for the caller."""
        fault = None
        for received in self._feed.drain() if self._feed is not None else ():
            if isinstance(received, Log) and received.text.startswith(RECORDING):
                serious = received.level == "error"
                level: Level = "invalid" if serious else "degraded"
                self._tell("recording", received.text, level)
            try:
                self.state.take(received, now_s)
            except Exception as error:  # of one message: the others are not lost by it
                fault = error
        return fault

    def _aim(self) -> None:
        """Send commands to the session that is heard, as soon as it has said where.

        The usual port may be another session's, which nobody here wants to stop.
        """
        if self.address is None:
            return
        hello = self._hello()
        where = self.address.command_address(hello.ports.control if hello else None)
        if where != self.commands.address:
            self.commands.connect_to(where, keys=self._keys)

    def _hello(self) -> Hello | None:
        """Return what the session that is joined has said; not the one before."""
        hello = self.state.hello
        return None if hello is self._hello_before else hello

    def _leave(self) -> None:
        self.offer_nothing()
        if self._feed is not None:
            self._feed.close()
            self._feed = None
        if self.child is not None:
            self.child.let_go()
        self.child, self._buried = None, True
        self.state.starting = False
        self._bye_before, self._hello_before = self.state.bye, self.state.hello
        self.state.disconnect()
        self._died_s = self._joined_s = math.inf
        self._stale_noticed = False

    def _listen(self, address: Address) -> None:
        try:
            self._probe = self._open_feed(address.feed, OFFER_TOPICS, None)
        except (ValueError, OSError):
            return  # an offer is a courtesy; joining says what is wrong
        self._probe.start()

    def _hear_offer(self) -> None:
        if self._probe is None or self._offer_at is None:
            return
        heard = self._probe.drain()
        names = [r.model_name for r in heard if isinstance(r, Hello)]
        if not names and not any(isinstance(r, Link) and r.alive for r in heard):
            return
        self.offer_nothing()
        what = f" (model {names[-1]})" if names else ""
        text = f"A session{what} already runs at {self._offer_at.feed}."
        self._notices.append(SessionNotice("offer", text, "warmup", self._offer_at))

    def _greet(self) -> None:
        """Say which session is heard, and when it has ended; each once."""
        hello, bye = self._hello(), self.state.bye
        if hello is None:
            return
        link = self.state.link
        if link is not None and link.alive and not self._stale_noticed:
            self._stale_noticed = True  # a session is there
        if hello.session != self._greeted:
            again = "Another" if self._greeted else "This"
            self._greeted = hello.session
            self._tell("greeting", f"{again} session is heard: {hello.model_name}.")
        if bye is not None and self.bye_received and self._ended != hello.session:
            self._ended = hello.session
            level: Level = "invalid" if bye.reason == "failed" else "ok"
            why = "" if bye.reason == "end" else f" ({bye.reason})"
            self._tell("ended", f"The session has ended{why}.", level)

    def _watch_child(self, now_s: float) -> None:
        if self._buried or self.child is None:
            return
        code = self.child.poll()
        if code is None:
            return
        self._buried = True
        if code != 0:
            said = self.child.last_words() or "nothing"
            self._tell(
                "died",
                f"The session that was started here {_ending(code)}. It said: {said}",
                "invalid",
            )
            self._died_s = now_s
        elif self._ended is None or self._ended != self.state.session:
            self._ended = self.state.session
            self._tell("ended", "The session that was started here has ended.")

    def _look_for_another(self, now_s: float) -> None:
        """Say it if heartbeats go on long after the session here has died."""
        if now_s - self._died_s < SURELY_SILENT_S:
            return
        self._died_s = math.inf
        link = self.state.link
        if link is not None and link.alive:
            self._tell(
                "trouble",
                "What is shown now is another session on the same port, not the one "
                "that was started here.",
                "invalid",
            )

    def _check_stale(self, now_s: float) -> None:
        """Say once what is wrong with an address where no session is heard."""
        if self.address is None or self._stale_noticed:
            return
        self._joined_s = min(self._joined_s, now_s)
        if self.child_runs or now_s - self._joined_s < PATIENCE_S:
            return
        self._stale_noticed = True
        self._tell(
            "stale", stale_reason(self.state.link, self.address.feed), "degraded"
        )

    def _tell(self, kind: NoticeKind, text: str, level: Level = "ok") -> None:
        self.trouble = text if kind == "trouble" else ""
        self._notices.append(SessionNotice(kind, text, level))


def recorded_into(arguments: Sequence[str]) -> str:
    """Return the recording folder of a command line; empty: it records nothing."""
    words = list(arguments)
    return words[words.index("--record") + 1] if "--record" in words[:-1] else ""


def _ending(code: int) -> str:
    """Return how a process ended; below 0 it was a signal, on POSIX."""
    return f"was killed (signal {-code})" if code < 0 else f"ended (exit code {code})"
