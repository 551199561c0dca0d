"""The control socket: requests of operators and apps, one reply each.

A ROUTER in a thread of its own that serves plain REQ sockets. A request is JSON,
``{"op": "MARK", "id": 7, "text": "eyes open"}``; the reply repeats op and id and says
``"ok": true``, or ``"ok": false`` with an ``error`` that says what was expected.

It reads so many requests a second, each client in its turn, and serves so many of one
client; more are refused, much more end its connection. Commands go through a bounded
queue; "ok" means that the session will take it.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self, get_args

import msgspec
import zmq

from rtbold.errors import RtboldError
from rtbold.publish.guests import Allowance, Places
from rtbold.publish.sockets import Arrival, FeedSettings, bind_socket
from rtbold.publish.wire import TOPICS, Message, Topic
from rtbold.text import printable

Op = Literal[
    "START", "PAUSE", "RESUME", "STOP", "MARK", "NOTE", "HELLO", "LATEST", "TIME",
    "PARTICIPANT_STOP", "ADVERSE_EVENT", "ANSWER",
]  # fmt: skip
CommandOp = Literal[
    "start", "pause", "resume", "stop", "mark", "note", "participant_stop",
    "adverse_event", "answer",
]  # fmt: skip
_ALWAYS = ("stop", "participant_stop")  # taken however many wait
_PATIENT = ("mark", "note", "answer")  # what gives way where too much comes
LATEST_BY_DEFAULT: Topic = "pred.fb"
LONGEST_TEXT = 1000
LONGEST_ECHO = 200  # characters of what is no request, in its refusal
WAKE_MS = 100  # how soon `close` is noticed
JOIN_S = 2.0
PLACES = Places(
    most=200,
    bytes_burst=2_000_000,
    bytes_per_s=262_144.0,
    asked_burst=20_000,
    asked_per_s=2000.0,
)
MOST_FRAMES = 8  # of a request: who sent it, an empty one, the JSON
READ_BURST, READ_PER_S = 300, 2000.0  # requests of all clients together
MOST_A_TURN = 20
PUT_OFF = ("MARK", "NOTE", "ANSWER", "HELLO", "LATEST", "TIME")
TOO_MANY = (
    f"too many requests, expected {PLACES.served_per_s:g} a second at most from one "
    "client. This one is not served; send it again later."
)
BREATH_S = 0.01  # while more come than are served
# RecursionError: brackets nested thousands deep
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class ControlCommand:
    """What an operator asks of the session."""

    op: CommandOp
    text: str = ""  # of a mark or a note: one line, fit to be shown


class TooManyCommands(RtboldError):
    """More commands came than the session takes."""


TAKEN_AT_ONCE, TAKEN_PER_S = 4, 100.0  # by the loop; each takes it some 0.3 ms
MOST_WAITING = 64  # marks and notes
MOST_URGENT = 16  # pauses and the like, on top


class CommandQueue:
    """Commands on their way from the control socket to the loop, in order; bounded.

    Any thread puts, the loop takes a few per turn. A flood of marks leaves places for
    who wants to pause; STOP and a participant's stop are taken always.
    """

    def __init__(self) -> None:
        self._waiting: deque[ControlCommand] = deque()
        self._lock = threading.Lock()
        self._allowance = Allowance(TAKEN_AT_ONCE, TAKEN_PER_S)
        self._closed = False
        self.n_refused = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, command: ControlCommand) -> None:
        """Queue `command`.

        Raises
        ------
        TooManyCommands : it is not taken.
        RtboldError : the session has ended.
        """
        urgent = command.op not in _PATIENT
        with self._lock:
            if self._closed:
                raise RtboldError("the session has ended, and takes no command.")
            always = command.op in _ALWAYS
            if always and command.op in (waiting.op for waiting in self._waiting):
                return
            most = MOST_WAITING + (MOST_URGENT if urgent else 0)
            if len(self._waiting) >= most and not always:
                self.n_refused += 1
                raise TooManyCommands(
                    f"too many commands: {len(self._waiting)} wait already, expected "
                    "a few a second. This one is not taken; send it again later."
                )
            self._waiting.append(command)

    def take(self, now_s: float) -> list[ControlCommand]:
        """Return and remove the oldest commands: a few, however many wait."""
        taken: list[ControlCommand] = []
        with self._lock:
            while self._waiting and self._allowance.take(now_s):
                taken.append(self._waiting.popleft())
        return taken

    def close(self) -> list[ControlCommand]:
        """Take no more; return what still waits."""
        with self._lock:
            self._closed = True
            left = list(self._waiting)
            self._waiting.clear()
        return left

    def count_refused(self) -> None:
        """Note a request that was refused before it was a command."""
        with self._lock:
            self.n_refused += 1


class Request(msgspec.Struct, frozen=True):
    """One request, as it came."""

    op: Op
    id: int | str | None = None
    text: str = ""
    topic: Topic = LATEST_BY_DEFAULT


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """One reply; what was not asked for is left out."""

    op: str
    id: int | str | None
    ok: bool
    error: str = ""
    message: Message | None = None
    t_lsl: float | None = None
    t_unix_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """Where the control socket's answers come from.

    Parameters
    ----------
    on_command : takes a command; raises RtboldError to refuse it. It is called in the
        control socket's thread, so it queues and returns.
    latest : newest message of a topic (`Feed.latest`).
    now_lsl_s, now_unix_s : the session's clocks.
    on_refused : called for each request that was put off, or connection cut off.
    """

    on_command: Callable[[ControlCommand], None]
    latest: Callable[[Topic], Message | None]
    now_lsl_s: Callable[[], float]
    now_unix_s: Callable[[], float]
    on_refused: Callable[[], None] = lambda: None


def reply_to(payload: bytes, replies: Replies, *, busy: bool = False) -> bytes:
    """Return the reply to one request, whatever it holds. Never raises RtboldError.

    Parameters
    ----------
    busy : its sender asks too much; only a command that is no mark or note is served.
    """
    try:
        request = msgspec.json.decode(payload, type=Request)
    except UNREADABLE as error:
        return _refusal(payload, str(error))
    if busy and request.op in PUT_OFF:
        replies.on_refused()
        return msgspec.json.encode(Reply(request.op, request.id, False, TOO_MANY))
    try:
        return msgspec.json.encode(_reply_to(request, replies))
    except RtboldError as error:
        return msgspec.json.encode(Reply(request.op, request.id, False, str(error)))


def _reply_to(request: Request, replies: Replies) -> Reply:
    if request.op == "TIME":
        return Reply(
            request.op,
            request.id,
            True,
            t_lsl=replies.now_lsl_s(),
            t_unix_ms=round(1000 * replies.now_unix_s(), 3),
        )
    if request.op in ("HELLO", "LATEST"):
        return _latest(request, replies)
    replies.on_command(_command(request))
    return Reply(request.op, request.id, True)


def _latest(request: Request, replies: Replies) -> Reply:
    topic: Topic = "hello" if request.op == "HELLO" else request.topic
    message = replies.latest(topic)
    if message is None:
        raise RtboldError(
            f"there is no {topic} yet, or it is older than 1.5 TR and must not be used."
        )
    return Reply(request.op, request.id, True, message=message)


def _command(request: Request) -> ControlCommand:
    wordy = request.op in ("MARK", "NOTE", "ADVERSE_EVENT", "ANSWER")
    if wordy and not request.text.strip():
        raise RtboldError(f'{request.op} came without text, expected "text": "...".')
    if len(request.text) > LONGEST_TEXT:
        raise RtboldError(
            f"text has {len(request.text)} characters, expected {LONGEST_TEXT} at most."
        )
    command: CommandOp = request.op.lower()  # type: ignore[assignment]
    return ControlCommand(command, printable(request.text, LONGEST_TEXT))


def _refusal(payload: bytes, why: str) -> bytes:
    """Return the reply to what is no request; keep op and id if they can be read."""
    try:
        given = msgspec.json.decode(payload)
    except UNREADABLE:
        given = None
    given = given if isinstance(given, dict) else {}
    id_ = given.get("id")
    why = printable(why, LONGEST_ECHO)
    error = (
        f'cannot serve this request: {why}. Expected JSON such as {{"op": "TIME", '
        f'"id": 1}} with op one of {", ".join(get_args(Op))}, and topic, where given, '
        f"one of {', '.join(TOPICS)}."
    )
    known_id: int | str | None = id_ if isinstance(id_, int) else None
    if isinstance(id_, str):
        known_id = printable(id_, LONGEST_ECHO)
    op = printable(str(given.get("op", "")), LONGEST_ECHO)
    return msgspec.json.encode(Reply(op, known_id, False, error))


class Control:
    """The control socket; open from construction to `close`.

    Raises
    ------
    PortInUse, ConfigError : as for the feed.
    """

    def __init__(self, settings: FeedSettings, replies: Replies) -> None:
        self._replies = replies
        self._bound = bind_socket(zmq.ROUTER, settings, places=PLACES)
        self.port = self._bound.port
        self._n_cut_told = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.name = "rtbold-control"
        self._thread.start()

    def close(self) -> None:
        """Answer what has come, then close. A second call does nothing."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join(JOIN_S)
        self._bound.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _run(self) -> None:
        allowance = Allowance(READ_BURST, READ_PER_S)
        while not self._closing.is_set():
            self._bound.socket.poll(WAKE_MS)
            if not self._serve(allowance):
                self._closing.wait(BREATH_S)
        self._bound.stop_listening()

    def _serve(self, allowance: Allowance) -> bool:
        """Answer some requests; False if no more are to be answered for now."""
        while self._n_cut_told < self._bound.n_cut:
            self._n_cut_told += 1
            self._replies.on_refused()
        for _ in range(MOST_A_TURN):
            now_s = self._replies.now_lsl_s()
            if not allowance.take(now_s):
                return False
            arrivals = self._bound.received(1, whole=True)
            for arrival in arrivals:
                self._answer(arrival, now_s)
            if not arrivals:
                break
        return True

    def _answer(self, arrival: Arrival, now_s: float) -> None:
        verdict = self._bound.requested(arrival, now_s)
        if verdict is None:
            return
        *route, payload = arrival.frames
        if not 1 <= len(route) < MOST_FRAMES:
            self._bound.cut(arrival.sender)
            return
        answer = self._reply(payload, busy=verdict == "refuse")
        self._bound.socket.send_multipart([*route, answer])

    def _reply(self, payload: bytes, *, busy: bool) -> bytes:
        try:
            return reply_to(payload, self._replies, busy=busy)
        except Exception as error:  # told to the caller; the socket must go on serving
            return _refusal(payload, f"{type(error).__name__}: {error}")
