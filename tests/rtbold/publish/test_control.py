import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from rtbold.errors import RtboldError
from rtbold.publish.control import (
    LONGEST_TEXT,
    MOST_URGENT,
    MOST_WAITING,
    TAKEN_AT_ONCE,
    TAKEN_PER_S,
    CommandQueue,
    ControlCommand,
    Replies,
    TooManyCommands,
    reply_to,
)
from rtbold.publish.wire import TOPICS, decode

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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\n12:00:00 status ok", r"one\n12:00:00 status ok"),
        ("\x1b[2J\x00", r"\x1b[2J\x00"),
        ("abc\u202egnp.exe", r"abc\u202egnp.exe"),
        ("Größe 5 µV", "Größe 5 µV"),
    ],
)
def test_a_mark_is_one_line_that_only_shows(text, shown):
    seen = []
    assert ask({"op": "MARK", "id": 1, "text": text}, seen.append)["ok"]
    assert seen == [ControlCommand("mark", shown)]


def test_a_mark_of_escapes_is_no_longer_than_another():
    seen = []
    assert ask({"op": "MARK", "text": "x" + "\x1b" * 999}, seen.append)["ok"]
    assert len(seen[0].text) == LONGEST_TEXT


def test_a_refusal_repeats_only_what_can_be_shown():
    reply = ask({"op": "\x1b" * 5000, "id": "\n" * 5000})
    assert reply["op"].isprintable()
    assert reply["id"].isprintable()
    assert len(json.dumps(reply)) < 2000


numbers = st.integers() | st.floats() | st.integers(-(10**400), 10**400)
anything = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda some: st.lists(some) | st.dictionaries(st.text(), some),
    max_leaves=20,
)
asked_for = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["MARK", "NOTE", "STOP", "HELLO", "LATEST", "TIME"])
        | anything,
        "id": anything,
        "text": st.text(st.characters(codec=None)) | anything,
        "topic": st.sampled_from(TOPICS) | anything,
    },
)


def check_answer(payload):
    seen = []
    reply = ask(payload, seen.append, golden)
    assert isinstance(reply["ok"], bool)
    assert reply["ok"] or reply["error"]
    for command in seen:
        assert command.text.isprintable()
        assert len(command.text) <= LONGEST_TEXT


@given(st.binary(max_size=2000))
def test_any_bytes_get_an_answer(payload):
    check_answer(payload)


@given(asked_for)
def test_any_request_gets_an_answer(request_):
    check_answer(json.dumps(request_).encode())


@given(st.integers(1, 8000), st.sampled_from([b"[", b'{"op":', b'{"id":[', b'"']))
def test_any_depth_gets_an_answer(depth, opened):
    check_answer(opened * depth)
    check_answer(b'{"op": "TIME", "id": ' + opened * depth)


def mark(k):
    return ControlCommand("mark", str(k))


def test_commands_are_taken_in_order_and_a_few_at_a_time():
    queue = CommandQueue()
    for k in range(10):
        queue.put(mark(k))
    taken = queue.take(100.0)
    assert taken == [mark(k) for k in range(TAKEN_AT_ONCE)]
    assert queue.take(100.0) == []
    assert queue.take(100.0 + 2.5 / TAKEN_PER_S) == [mark(4), mark(5)]
    assert len(queue) == 4


def test_a_flood_of_marks_is_refused_and_counted():
    queue = CommandQueue()
    for k in range(MOST_WAITING):
        queue.put(mark(k))
    with pytest.raises(TooManyCommands, match=r"too many commands: 64 wait.*again"):
        queue.put(mark(64))
    assert (len(queue), queue.n_refused) == (MOST_WAITING, 1)


def test_who_wants_to_pause_or_stop_gets_through_a_flood_of_marks():
    queue = CommandQueue()
    for k in range(MOST_WAITING):
        queue.put(mark(k))
    for _ in range(MOST_URGENT):
        queue.put(ControlCommand("pause"))
    with pytest.raises(TooManyCommands):
        queue.put(ControlCommand("resume"))
    for _ in range(1000):
        queue.put(ControlCommand("stop"))
    assert len(queue) == MOST_WAITING + MOST_URGENT + 1


def test_what_was_taken_before_the_end_is_not_lost():
    queue = CommandQueue()
    for k in range(10):
        queue.put(mark(k))
    assert queue.close() == [mark(k) for k in range(10)]
    with pytest.raises(RtboldError, match=r"session has ended"):
        queue.put(mark(10))
    assert queue.close() == []
