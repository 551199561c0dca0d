"""The control socket: requests of operators and apps, one reply each.

A ROUTER in a thread of its own that serves plain REQ sockets. A request is JSON,
``{"op": "MARK", "id": 7, "text": "eyes open"}``; the reply repeats op and id and says
``"ok": true``, or ``"ok": false`` with an ``error`` that says what was expected.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self, get_args

import msgspec
import zmq

from rtbold.errors import RtboldError
from rtbold.publish.sockets import FeedSettings, bind_socket
from rtbold.publish.wire import TOPICS, Message, Topic

Op = Literal[
    "START", "PAUSE", "RESUME", "STOP", "MARK", "NOTE", "HELLO", "LATEST", "TIME"
]
CommandOp = Literal["start", "pause", "resume", "stop", "mark", "note"]
LATEST_BY_DEFAULT: Topic = "pred.fb"
LONGEST_TEXT = 1000
WAKE_MS = 100  # how soon `close` is noticed
JOIN_S = 2.0
# RecursionError: brackets nested thousands deep
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class ControlCommand:
    """What an operator asks of the session."""

    op: CommandOp
    text: str = ""  # of a mark or a note


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
    """

    on_command: Callable[[ControlCommand], None]
    latest: Callable[[Topic], Message | None]
    now_lsl_s: Callable[[], float]
    now_unix_s: Callable[[], float]


def reply_to(payload: bytes, replies: Replies) -> bytes:
    """Return the reply to one request, whatever it holds. Never raises RtboldError."""
    try:
        request = msgspec.json.decode(payload, type=Request)
    except UNREADABLE as error:
        return _refusal(payload, str(error))
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
    if request.op in ("MARK", "NOTE") and not request.text.strip():
        raise RtboldError(f'{request.op} came without text, expected "text": "...".')
    if len(request.text) > LONGEST_TEXT:
        raise RtboldError(
            f"text has {len(request.text)} characters, expected {LONGEST_TEXT} at most."
        )
    command: CommandOp = request.op.lower()  # type: ignore[assignment]
    return ControlCommand(command, request.text)


def _refusal(payload: bytes, why: str) -> bytes:
    """Return the reply to what is no request; keep op and id if they can be read."""
    try:
        given = msgspec.json.decode(payload)
    except UNREADABLE:
        given = None
    given = given if isinstance(given, dict) else {}
    id_ = given.get("id")
    error = (
        f'cannot serve this request: {why}. Expected JSON such as {{"op": "TIME", '
        f'"id": 1}} with op one of {", ".join(get_args(Op))}, and topic, where given, '
        f"one of {', '.join(TOPICS)}."
    )
    known_id = id_ if isinstance(id_, int | str) else None
    return msgspec.json.encode(Reply(str(given.get("op", "")), known_id, False, error))


class Control:
    """The control socket; open from construction to `close`.

    Raises
    ------
    PortInUse, ConfigError : as for the feed.
    """

    def __init__(self, settings: FeedSettings, replies: Replies) -> None:
        self._replies = replies
        self._bound = bind_socket(zmq.ROUTER, settings)
        self.port = self._bound.port
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
        socket = self._bound.socket
        while not self._closing.is_set():
            if socket.poll(WAKE_MS):
                *route, payload = socket.recv_multipart()
                socket.send_multipart([*route, self._reply(payload)])
        socket.close(linger=200)

    def _reply(self, payload: bytes) -> bytes:
        try:
            return reply_to(payload, self._replies)
        except Exception as error:  # told to the caller; the socket must go on serving
            return _refusal(payload, f"{type(error).__name__}: {error}")
