import threading

import pytest

from rtbold.gui.controllers.session import (
    LONGEST_TEXT,
    MOST_WAITING,
    CommandResult,
    SessionController,
)


class FakeSession:
    """Answers requests; holds them back until `release` if it is `slow`."""

    def __init__(self, reply=None, *, slow=False):
        self.asked = []
        self.reply = {"ok": True} if reply is None else reply
        self.release = threading.Event()
        if not slow:
            self.release.set()

    def __call__(self, op, *, address, timeout_s, keys, **fields):
        self.asked.append((op, address, fields))
        assert self.release.wait(10)
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


@pytest.fixture
def controller_of():
    opened = []

    def make(session, address="tcp://a:1"):
        opened.append(controller := SessionController(address, request=session))
        return controller

    yield make
    for controller in opened:
        controller.close()


def answers(controller):
    controller.close()
    return controller.results()


def test_commands_go_out_in_order_with_their_texts(controller_of):
    session = FakeSession()
    controller = controller_of(session)
    controller.mark("eyes open")
    controller.pause()
    controller.resume()
    controller.note("moved")
    controller.stop()
    results = answers(controller)
    assert session.asked == [
        ("MARK", "tcp://a:1", {"text": "eyes open"}),
        ("PAUSE", "tcp://a:1", {}),
        ("RESUME", "tcp://a:1", {}),
        ("NOTE", "tcp://a:1", {"text": "moved"}),
        ("STOP", "tcp://a:1", {}),
    ]
    assert [r.command for r in results] == ["mark", "pause", "resume", "note", "stop"]
    assert all(r.ok for r in results)
    assert results[0].words == "Marked: eyes open"


def test_the_caller_never_waits_and_sees_what_is_under_way(controller_of):
    session = FakeSession(slow=True)
    controller = controller_of(session)
    controller.pause()
    assert controller.n_pending == 1
    assert controller.results() == []
    session.release.set()
    assert answers(controller)[0].ok
    assert controller.n_pending == 0


def test_a_refusal_comes_back_in_the_sessions_words(controller_of):
    refusing = FakeSession({"ok": False, "error": "a fake session cannot pause"})
    controller = controller_of(refusing)
    controller.pause()
    assert answers(controller) == [
        CommandResult(
            "pause",
            "",
            ok=False,
            words="The session refused pause: a fake session cannot pause",
        )
    ]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (TimeoutError("no answer"), "may have arrived all the same"),
        (ValueError("'x' is no address"), "'x' is no address"),
        (RuntimeError("broken"), "stop did not go through: broken"),
        ({}, "does not say why"),
        ("hello", "not rtbold's"),
    ],
)
def test_what_goes_wrong_is_told_and_the_next_command_still_goes(
    controller_of, reply, words
):
    session = FakeSession(reply)
    controller = controller_of(session)
    controller.stop()
    controller.stop()
    first, second = answers(controller)
    assert not first.ok
    assert words in first.words
    assert second == first
    assert len(session.asked) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [("  ", "a note needs a text"), ("x" * (LONGEST_TEXT + 1), "characters")],
)
def test_texts_that_the_session_would_refuse_are_not_sent(controller_of, text, words):
    session = FakeSession()
    controller = controller_of(session)
    controller.note(text)
    (result,) = answers(controller)
    assert words in result.words
    assert session.asked == []


def test_without_a_control_socket_it_says_so(controller_of):
    session = FakeSession()
    controller = controller_of(session, address=None)
    controller.stop()
    (result,) = answers(controller)
    assert "no control socket" in result.words
    assert session.asked == []


def test_another_session_gets_what_comes_from_then_on(controller_of):
    session = FakeSession()
    controller = controller_of(session)
    controller.mark("a")
    controller.connect_to("tcp://b:2")
    controller.mark("b")
    assert controller.address == "tcp://b:2"
    answers(controller)
    assert [address for _, address, _ in session.asked] == ["tcp://a:1", "tcp://b:2"]


def test_impatience_is_bounded(controller_of):
    session = FakeSession(slow=True)
    controller = controller_of(session)
    for _ in range(MOST_WAITING + 3):
        controller.mark("x")
    refused = controller.results()
    assert len(refused) == 3
    assert "still wait" in refused[0].words
    session.release.set()
    assert len(answers(controller)) == MOST_WAITING


def test_closing_ends_the_thread_and_refuses_what_comes_later(controller_of):
    controller = controller_of(FakeSession())
    controller.mark("x")
    controller.close()
    controller.close()
    controller.pause()
    assert [r.ok for r in controller.results()] == [True, False]
    assert "rtbold-gui-commands" not in {t.name for t in threading.enumerate()}


def test_the_answer_to_the_newest_stop_is_kept(controller_of):
    session = FakeSession({"ok": False, "error": "not now"})
    controller = controller_of(session)
    controller.stop()
    controller.mark("a mark")
    controller.close()
    assert "not now" in controller.stop_reply.words
    deaf = controller_of(FakeSession())
    deaf.connect_to(None)
    deaf.stop()
    assert not deaf.stop_reply.ok
