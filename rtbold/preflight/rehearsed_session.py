"""A session that is rehearsed: a child process, and a subscriber that counts."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import msgspec
import psutil
import zmq

from rtbold import acquire
from rtbold.client import CurveKeys, Subscriber, request
from rtbold.clock import Clock
from rtbold.config import RunSettings
from rtbold.errors import ConfigError, RtboldError
from rtbold.preflight.count import RehearsalCount
from rtbold.publish import CLIENTS_FOLDER

START_S = 240.0  # for engine, streams and LabRecorder, beside the wait for streams
END_S = 60.0  # LabRecorder alone takes six seconds
POLL_S = 0.25
TAIL_BYTES = 4000  # of its log, for its last words
SAMPLE_EVERY_S = 1.0  # of the memory
ASK_S = 2.0  # as long as an operator's window waits for an answer
WATCHED = ("hello", "pred.", "trigger", "quality", "truth", "log", "bye")
_MB = 1e6


class RehearsedSession:
    """``rtbold run`` as a child; ended with the ``with`` block, politely first.

    It gets no Ctrl-C of the terminal: whoever rehearses ends it in order.

    Parameters
    ----------
    arguments : of ``rtbold run``.
    control : address of its control socket.

    Attributes
    ----------
    log_file : everything that it said; gone with the ``with`` block.
    """

    def __init__(self, arguments: Sequence[str], *, control: str) -> None:
        # Two open files: one would have one place for both to write and read at, and
        # looking for its last words would move the child's.
        self._folder = tempfile.TemporaryDirectory(
            prefix="rtbold-rehearsed-", ignore_cleanup_errors=True
        )
        self.log_file = Path(self._folder.name) / "session.log"
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":  # not run here
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rtbold", "run", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **apart,
            )
        self._control = control
        self._asked = self._killed = False

    @property
    def running(self) -> bool:
        """Whether it is there."""
        return self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """Its exit code; None: it runs, or had to be killed."""
        return None if self._killed else self._process.poll()

    def last_words(self) -> str:
        """Return its last line."""
        with self.log_file.open("rb") as log:
            log.seek(max(0, self.log_file.stat().st_size - TAIL_BYTES))
            lines = log.read().decode(errors="replace").strip().splitlines()
        return lines[-1].removeprefix("rtbold: ") if lines else ""

    def memory_mb(self) -> float | None:
        """Return what session and inlets hold; LabRecorder is not ours."""
        with suppress(psutil.Error):
            session = psutil.Process(self._process.pid)
            inlets = [
                child
                for child in session.children()
                if acquire.__name__ in child.cmdline()
            ]
            return float(sum(p.memory_info().rss for p in (session, *inlets))) / _MB
        return None

    def ask_to_end(self) -> None:
        """Ask it to end in order; returns at once."""
        if self.running and not self._asked:
            self._asked = True
            if sys.platform == "win32":  # which has no polite signal; not run here
                with suppress(Exception):  # it may not have come so far
                    request("STOP", address=self._control)
            else:
                self._process.terminate()

    def wait(self, timeout_s: float = END_S) -> None:
        """Wait for its end; kill it if it does not come."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._killed = True
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.ask_to_end()
        self.wait()
        self._folder.cleanup()


def address_here(run: RunSettings, port: int) -> str:
    """Return where a client on this machine finds a port of the session."""
    anywhere = run.bind in ("0.0.0.0", "*", "::")
    host = "127.0.0.1" if anywhere else run.bind
    return f"tcp://{host}:{port}"


def open_subscriber(run: RunSettings) -> Subscriber:
    """Subscribe as an app would.

    Raises
    ------
    ConfigError : the feed is encrypted, and no client's secret key is at hand.
    """
    decode = msgspec.msgpack.decode if run.encoding == "msgpack" else None
    where = address_here(run, run.port)
    return Subscriber(where, WATCHED, keys=_client_keys(run), decode=decode)


def ask_control(
    run: RunSettings, session: str | None, clock: Clock
) -> tuple[float | None, str]:
    """Ask the control socket who it is, which changes nothing in the session.

    Parameters
    ----------
    session : the one that the feed is of.

    Returns
    -------
    Milliseconds from the request, its connection too, to the answer, and why that is
    none of this session; with such words the time is None.
    """
    where, begun_s = address_here(run, run.control_port), clock.now_s()
    try:
        keys = _client_keys(run)
        reply = request("HELLO", address=where, timeout_s=ASK_S, keys=keys)
    except (TimeoutError, ValueError, zmq.ZMQError) as error:
        return None, str(error)
    took_ms = 1000 * (clock.now_s() - begun_s)
    problem = _no_reply(reply, session, where)
    return (None, problem) if problem else (took_ms, "")


def _no_reply(reply: object, session: str | None, where: str) -> str:
    """Return why a reply is not what this session would say; empty: it is."""
    if not isinstance(reply, dict) or not reply.get("ok"):
        said = reply.get("error") if isinstance(reply, dict) else reply
        return f"{where} refused a request: {said or 'it did not say why'}"
    message = reply.get("message")
    told = message.get("session") if isinstance(message, dict) else None
    if told != session:
        return f"{where} answers for session {told}, the feed is of session {session}"
    return ""


def _client_keys(run: RunSettings) -> CurveKeys | None:
    folder = run.curve_keys
    if folder is None:
        return None
    secrets = sorted((folder / CLIENTS_FOLDER).glob("*.key_secret"))
    if not secrets or not (folder / "server.key").is_file():
        raise ConfigError(
            f"a rehearsal subscribes to its session, and {folder} has no secret key of "
            f"a client ({CLIENTS_FOLDER}/NAME.key_secret) beside server.key. Put one "
            "there, or rehearse without --curve-keys on 127.0.0.1."
        )
    return CurveKeys.load(str(secrets[0]), str(folder / "server.key"))


def follow(
    session: RehearsedSession,
    feed: Subscriber,
    count: RehearsalCount,
    *,
    limit_s: float,
    clock: Clock,
) -> Iterator[None]:
    """Let `count` take what comes until the session ends; yield a few times a second.

    Parameters
    ----------
    limit_s : for the wait for streams and the loop; the rest has limits of its own.

    Raises
    ------
    RtboldError : it does not begin, or does not end.
    """
    begun_s = sample_due_s = clock.now_s()
    while session.running:
        for message in feed.poll(POLL_S):
            count.take(message, age_s=feed.age_s(message))
        yield
        now_s = clock.now_s()
        if now_s >= sample_due_s:
            sample_due_s = max(sample_due_s + SAMPLE_EVERY_S, now_s)
            mb = session.memory_mb()
            if count.ran_s and mb is not None:
                count.memory(mb)
        _check_time(count, now_s - begun_s, limit_s)
    for message in feed.poll(POLL_S):
        count.take(message, age_s=feed.age_s(message))


def _check_time(count: RehearsalCount, waited_s: float, limit_s: float) -> None:
    if waited_s < START_S + limit_s:
        return
    if count.ran_s == 0.0:
        raise RtboldError(
            f"it did not begin within {waited_s:.0f} s, expected heartbeats of its "
            "loop. Run rtbold doctor."
        )
    if waited_s > START_S + limit_s + END_S:
        raise RtboldError(
            f"it did not end within {waited_s:.0f} s, expected it after "
            f"{limit_s:.0f} s. Run rtbold doctor."
        )
