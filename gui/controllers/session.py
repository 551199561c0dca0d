"""Commands to the session, sent from a thread so that the window never waits."""

import queue
import threading
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from rtbold.client import CurveKeys, request

Command = Literal[
    "pause", "resume", "stop", "mark", "note", "participant_stop", "adverse_event",
    "answer",
]  # fmt: skip

DEFAULT_CONTROL = "tcp://127.0.0.1:5581"
ANSWER_WITHIN_S = 2.0
MOST_WAITING = 20  # more commands than anybody gives in the 2 s of an answer
LONGEST_TEXT = 1000  # characters the control socket takes
NO_REPLY = (
    f"No answer to {{}} from {{}} within {ANSWER_WITHIN_S:g} s. It may have arrived "
    "all the same: watch the status before you repeat it."
)
DONE_WORDS: dict[Command, str] = {
    "pause": "Paused: predictions stop until Resume.",
    "resume": "Resumed.",
    "stop": "Stop accepted: the session ends.",
    "mark": "Marked",
    "note": "Noted",
    "participant_stop": "The participant has stopped: nothing is shown until Resume.",
    "adverse_event": "Adverse event noted",
    "answer": "Answer kept",
}


_A: dict[Command, str] = {
    "mark": "a mark", "note": "a note", "adverse_event": "an adverse event",
}  # fmt: skip


class Request(Protocol):
    """`rtbold.client.request`, or what stands in for it."""

    def __call__(
        self,
        op: str,
        *,
        address: str,
        timeout_s: float,
        keys: CurveKeys | None,
        **fields: str,
    ) -> dict[str, Any]:
        """Send one request and return its reply."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What became of one command."""

    command: Command
    text: str  # of a mark or a note
    ok: bool
    words: str  # for the operator


@dataclass(frozen=True, slots=True)
class _Order:
    command: Command
    text: str
    address: str
    keys: CurveKeys | None


class SessionController:
    """Sends commands one after the other; `results` tells what became of them.

    Parameters
    ----------
    address : of the control socket; None: the session has none, or none is known.
    request : waits for the answer for up to `ANSWER_WITHIN_S`.
    keys : CURVE keys, for a session on another machine.
    """

    def __init__(
        self,
        address: str | None = DEFAULT_CONTROL,
        *,
        request: Request = request,
        keys: CurveKeys | None = None,
    ) -> None:
        self._request, self._keys = request, keys
        self._address = address
        self._orders: queue.Queue[_Order | None] = queue.Queue()
        self._results: queue.SimpleQueue[CommandResult] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._n_pending = 0
        self.stop_reply: CommandResult | None = None  # to the newest stop
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str | None:
        """Where commands go; None: nowhere."""
        return self._address

    @property
    def n_pending(self) -> int:
        """Commands without an answer yet."""
        return self._n_pending

    def connect_to(self, address: str | None, *, keys: CurveKeys | None = None) -> None:
        """Send what comes from now on to another session."""
        self._address, self._keys = address, keys

    def pause(self) -> None:
        """Ask for no more predictions until `resume`."""
        self._send("pause")

    def resume(self) -> None:
        """Ask for predictions again."""
        self._send("resume")

    def stop(self) -> None:
        """Ask the session to end."""
        self.stop_reply = None
        self._send("stop")

    def mark(self, text: str) -> None:
        """Put a mark into the recording, now."""
        self._send("mark", text)

    def note(self, text: str) -> None:
        """Put the operator's remark into the recording."""
        self._send("note", text)

    def participant_stop(self) -> None:
        """Say that the participant stops: feedback is neutral at once."""
        self._send("participant_stop")

    def adverse_event(self, text: str) -> None:
        """Put an adverse event into the recording."""
        self._send("adverse_event", text)

    def answer(self, question: str, answer: str) -> None:
        """Put the participant's answer to a question into the recording."""
        self._send("answer", f"{question}: {answer}")

    def results(self) -> list[CommandResult]:
        """Return what has been answered since the last call; never waits."""
        found: list[CommandResult] = []
        while True:
            try:
                found.append(self._results.get_nowait())
            except queue.Empty:
                return found

    def close(self, wait_s: float = ANSWER_WITHIN_S + 1.0) -> None:
        """Send what waits, then end the thread. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._orders.put(None)
        if self._thread is not None:
            self._thread.join(wait_s)

    def _send(self, command: Command, text: str = "") -> None:
        why_not = self._refusal(command, text)
        if why_not:
            self._tell(CommandResult(command, text, ok=False, words=why_not))
            return
        assert self._address is not None
        with self._lock:
            self._n_pending += 1
        self._orders.put(_Order(command, text, self._address, self._keys))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.name = "rtbold-gui-commands"
            self._thread.start()

    def _refusal(self, command: Command, text: str) -> str:
        """Return why the command cannot go out at all; empty: it can."""
        if self._closed:
            return "Not sent: the dashboard is closing."
        if self._address is None:
            return "Not sent: this session has no control socket ."
        if self._n_pending >= MOST_WAITING:
            return f"Not sent: {self._n_pending} commands still wait for an answer."
        if command in ("mark", "note", "adverse_event") and not text.strip():
            return f"Not sent: {_A[command]} needs a text."
        if len(text) > LONGEST_TEXT:
            return f"Not sent: {len(text)} characters, {LONGEST_TEXT} at most."
        return ""

    def _run(self) -> None:
        while (order := self._orders.get()) is not None:
            result = self._ask(order)
            with self._lock:
                self._n_pending -= 1
            self._tell(result)

    def _tell(self, result: CommandResult) -> None:
        if result.command == "stop":
            self.stop_reply = result
        self._results.put(result)

    def _ask(self, order: _Order) -> CommandResult:
        fields = {"text": order.text} if order.text else {}
        try:
            reply = self._request(
                order.command.upper(),
                address=order.address,
                timeout_s=ANSWER_WITHIN_S,
                keys=order.keys,
                **fields,
            )
        except TimeoutError:
            return _failed(order, NO_REPLY.format(order.command, order.address))
        except Exception as error:  # told to the operator; the thread goes on
            return _failed(order, f"{order.command} did not go through: {error}")
        return _result(order, reply)


def _failed(order: _Order, words: str) -> CommandResult:
    return CommandResult(order.command, order.text, ok=False, words=words)


def _result(order: _Order, reply: object) -> CommandResult:
    """Return whether the session agreed, and what to tell."""
    if not isinstance(reply, dict):
        return _failed(order, f"{order.address} gave an answer that is not rtbold's.")
    if reply.get("ok") is not True:
        why = str(reply.get("error") or "it does not say why")
        return _failed(order, f"The session refused {order.command}: {why}")
    words = DONE_WORDS[order.command]
    words = f"{words}: {order.text}" if order.text else words
    return CommandResult(order.command, order.text, ok=True, words=words)
