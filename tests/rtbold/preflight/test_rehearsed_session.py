import subprocess
import sys

import pytest

from rtbold.client import Message
from rtbold.clock import HandCrankedClock
from rtbold.config import RunSettings
from rtbold.errors import ConfigError, RtboldError
from rtbold.preflight import rehearsed_session as rehearsal
from rtbold.preflight.count import RehearsalCount
from rtbold.preflight.rehearsed_session import (
    RehearsedSession,
    address_here,
    ask_control,
    follow,
    open_subscriber,
)
from rtbold.publish.keys import create_keys


def stand_in(monkeypatch, code):
    """Let a session be a few lines of Python."""
    really = subprocess.Popen

    def start(command, **options):
        assert command[1:4] == ["-m", "rtbold", "run"]
        return really([sys.executable, "-c", code], **options)

    monkeypatch.setattr(rehearsal.subprocess, "Popen", start)
    return RehearsedSession(["--model", "m"], control="tcp://127.0.0.1:1")


@pytest.mark.integration
def test_its_end_and_last_words_are_known(monkeypatch):
    code = "import sys; print('first'); sys.exit('rtbold: no stream')"
    with stand_in(monkeypatch, code) as session:
        session.wait()
        assert not session.running
        assert session.returncode == 1
        assert session.last_words() == "no stream"
        assert session.memory_mb() is None


@pytest.mark.integration
def test_looking_at_its_words_while_it_speaks_changes_none(monkeypatch):
    code = "for k in range(3000): print(k, flush=True)"
    with stand_in(monkeypatch, code) as session:
        seen = []
        while session.running:
            seen.append(session.last_words())
        assert session.last_words() == "2999"
        assert session.log_file.read_text().split() == [str(k) for k in range(3000)]
    assert len(seen) > 1


@pytest.mark.integration
def test_it_is_asked_to_end_and_ends(monkeypatch):
    code = "import time; print('up', flush=True); time.sleep(60)"
    with stand_in(monkeypatch, code) as session:
        while session.last_words() != "up":  # what has just been forked has no memory
            assert session.running
        assert session.running
        assert session.memory_mb() > 1
    assert session.returncode not in (0, None)


@pytest.mark.integration
def test_one_that_does_not_end_is_killed(monkeypatch):
    code = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('deaf', flush=True); time.sleep(60)"
    )
    with stand_in(monkeypatch, code) as session:
        while session.last_words() != "deaf":
            assert session.running
        session.ask_to_end()
        session.wait(timeout_s=0.1)
        assert session.returncode is None
        assert not session.running


class Session:
    def __init__(self, turns):
        self._turns = iter(range(turns))

    @property
    def running(self):
        return next(self._turns, None) is not None

    def memory_mb(self):
        return 100.0


class Feed:
    def __init__(self, topics=()):
        self._topics = iter(topics)

    def poll(self, timeout_s):
        topic = next(self._topics, None)
        body = {"t_lsl": 1.0, "state": "running"}
        return [Message(topic, body, 1.0)] if topic else []

    def age_s(self, message):
        return 0.001


def test_it_is_followed_to_its_end():
    count = RehearsalCount()
    turns = list(
        follow(Session(5), Feed(["hb"]), count, limit_s=10, clock=HandCrankedClock())
    )
    assert len(turns) == 5
    assert count.ran_s == 0.0


@pytest.mark.parametrize(
    ("topics", "steps_s", "text"),
    [((), 100.0, "did not begin"), (("hb", "pred.roi"), 100.0, "did not end")],
)
def test_one_that_hangs_is_given_up(topics, steps_s, text):
    clock, count = HandCrankedClock(), RehearsalCount()
    feed, seconds = Feed(topics), iter(range(1, 100))

    def poll(timeout_s):
        clock.advance(steps_s)
        found = Feed.poll(feed, timeout_s)
        for message in found:
            message.body["t_lsl"] = float(next(seconds))
        return found

    feed.poll = poll
    with pytest.raises(RtboldError, match=text):
        list(follow(Session(100), feed, count, limit_s=10, clock=clock))


def test_the_address_of_a_session_that_listens_everywhere():
    run = RunSettings(bind="0.0.0.0", port=5590, control_port=5591)
    assert address_here(run, run.port) == "tcp://127.0.0.1:5590"
    assert address_here(RunSettings(bind="10.0.0.2"), 7) == "tcp://10.0.0.2:7"


HELLO = {"ok": True, "message": {"session": "s1"}}


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (HELLO, ""),
        (HELLO | {"message": {"session": "s2"}}, "answers for session s2"),
        ({"ok": False, "error": "there is no hello yet"}, "there is no hello yet"),
        ({"ok": True}, "session None"),
        (["nonsense"], "nonsense"),
        (TimeoutError("no answer to HELLO"), "no answer to HELLO"),
    ],
)
def test_the_answer_of_the_control_socket_is_judged(monkeypatch, reply, problem):
    asked = []

    clock = HandCrankedClock()

    def request(op, **options):
        clock.advance(0.25)
        asked.append((op, options["address"]))
        if isinstance(reply, Exception):
            raise reply
        return reply

    monkeypatch.setattr(rehearsal, "request", request)
    took_ms, said = ask_control(RunSettings(control_port=5591), "s1", clock)
    assert asked == [("HELLO", "tcp://127.0.0.1:5591")]
    assert problem in said
    assert took_ms == (None if problem else 250.0)
    assert (said != "") == bool(problem)


def test_an_encrypted_feed_needs_a_clients_key(tmp_path):
    keys = tmp_path / "keys"
    with pytest.raises(ConfigError, match=r"NAME\.key_secret"):
        open_subscriber(RunSettings(curve_keys=keys))
    create_keys(keys)
    with open_subscriber(RunSettings(curve_keys=keys, encoding="msgpack")) as feed:
        assert feed.session is None
