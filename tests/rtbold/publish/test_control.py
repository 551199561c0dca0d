import json
from pathlib import Path

import pytest

from rtbold.errors import RtboldError
from rtbold.publish.control import ControlCommand, Replies, reply_to
from rtbold.publish.wire import decode

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


def refuse(command):
    raise RtboldError("not now. Wait.")


def ask(request, on_command=refuse, latest=lambda topic: None):
    answers = Replies(
        on_command=on_command,
        latest=latest,
        now_lsl_s=lambda: 12.5,
        now_unix_s=lambda: 1795348392.1234,
    )
    payload = request if isinstance(request, bytes) else json.dumps(request).encode()
    return json.loads(reply_to(payload, answers))


def golden(topic):
    return decode(topic, (GOLDEN / f"{topic}.1.json").read_bytes())


@pytest.mark.parametrize("op", ["START", "PAUSE", "RESUME", "STOP"])
def test_commands_reach_the_session(op):
    seen = []
    reply = ask({"op": op, "id": 3}, on_command=seen.append)
    assert reply == {"op": op, "id": 3, "ok": True}
    assert seen == [ControlCommand(op.lower())]


@pytest.mark.parametrize("op", ["MARK", "NOTE"])
def test_mark_and_note_carry_text(op):
    seen = []
    assert ask({"op": op, "id": "a", "text": "eyes open"}, seen.append)["ok"]
    assert seen == [ControlCommand(op.lower(), "eyes open")]


@pytest.mark.parametrize("request_", [{"op": "MARK"}, {"op": "NOTE", "text": " "}])
def test_mark_without_text_is_refused(request_):
    reply = ask(request_)
    assert not reply["ok"]
    assert 'expected "text"' in reply["error"]


def test_text_without_end_is_refused():
    assert "1000 at most" in ask({"op": "NOTE", "text": "x" * 1001})["error"]


def test_refusal_of_the_session_is_passed_on():
    reply = ask({"op": "START", "id": 1})
    assert reply == {"op": "START", "id": 1, "ok": False, "error": "not now. Wait."}


def test_time_maps_clocks():
    reply = ask({"op": "TIME", "id": 1})
    assert (reply["t_lsl"], reply["t_unix_ms"]) == (12.5, 1795348392123.4)


def test_hello_and_latest_hold_whole_messages():
    hello = ask({"op": "HELLO", "id": 1}, latest=golden)
    assert hello["message"]["schema"] == "rtbold.hello/1"
    latest = ask({"op": "LATEST", "id": 2}, latest=golden)
    assert latest["message"] == json.loads((GOLDEN / "pred.fb.1.json").read_text())
    phase = ask({"op": "LATEST", "id": 3, "topic": "phase"}, latest=golden)
    assert phase["message"]["name"] == "regulate"


def test_latest_with_nothing_fresh_says_so():
    reply = ask({"op": "LATEST", "id": 1})
    assert not reply["ok"]
    assert "message" not in reply
    assert "no pred.fb yet, or it is older than 1.5 TR" in reply["error"]


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff\xfe", b"{", b"[]", b"7", b'{"id": 4}', b'{"op": "DANCE", "id": 4}',
     b'{"op": "start"}', b'{"op": "LATEST", "topic": "pred"}', b'{"op": 3}',
     b'{"op": "NOTE", "text": 5}', b'{"op": "TIME", "id": [1]}', b'{"op":"\xff"}',
     b"[" * 5000, b'{"op": "TIME", "x": ' + b"[" * 5000],
)  # fmt: skip
def test_what_is_no_request_gets_an_answer_that_says_what_was_expected(payload):
    reply = ask(payload, on_command=lambda command: None)
    assert reply["ok"] is False
    assert "Expected JSON such as" in reply["error"]


def test_refusal_repeats_op_and_id():
    reply = ask({"op": "DANCE", "id": 4})
    assert (reply["op"], reply["id"]) == ("DANCE", 4)
