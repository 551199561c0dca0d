import math

import pytest
from feed_messages import received

from rtbold.gui.controllers.dashboard import DashboardController
from rtbold.gui.controllers.session import SessionController
from rtbold.gui.state.address import Address
from rtbold.gui.state.received import Link
from rtbold.publish.wire import Bye, Log, Ports


class FakeFeed:
    def __init__(self, address, topics, keys):
        self.address, self.topics, self.keys = address, topics, keys
        self.waiting, self.started, self.closed = [], False, False

    def start(self):
        self.started = True

    def drain(self):
        taken, self.waiting = self.waiting, []
        return taken

    def close(self):
        self.closed = True


class FakeChild:
    def __init__(self, problem=""):
        self.problem, self.code, self.words, self.left = problem, None, "", False

    def poll(self):
        return self.code

    def last_words(self):
        return self.words

    def let_go(self):
        self.left = True


class Rig:
    def __init__(self, offer_at=None):
        self.feeds, self.children, self.next_child = [], [], FakeChild()
        self.commands = SessionController(request=None)
        self.controller = DashboardController(
            open_feed=self.open_feed,
            start_session=self.start_session,
            commands=self.commands,
            offer_at=offer_at,
        )

    def open_feed(self, address, topics, keys):
        if "bad" in address:
            raise ValueError("no such address")
        self.feeds.append(FakeFeed(address, topics, keys))
        return self.feeds[-1]

    def start_session(self, arguments):
        self.children.append((tuple(arguments), self.next_child))
        return self.next_child

    def hear(self, *received, now_s=1.0):
        self.feeds[-1].waiting.extend(received)
        self.controller.tick(now_s)
        return self.notices()

    def notices(self):
        return [(notices.kind, notices.text) for notices in self.controller.notices()]

    def kinds(self):
        return [kind for kind, _ in self.notices()]


def link(**fields):
    known = {"t_s": 1.0, "heard": True, "alive": True, "silent_s": 0.1, "offset_s": 0.0}
    return Link(**{**known, **fields})


def hello(session="s1", control_port=5581):
    return received(
        "hello", session=session, subject=None, model_name="demo", rois=("A",),
        model_origin="simulated", simulated_stream=True, channels=("Cz",),
        ports=Ports(feed=5580, control=control_port),
    )  # fmt: skip


def bye(reason="end"):
    return Bye(reason=reason)


def test_joining_reads_everything_and_sends_commands_there():
    rig = Rig()
    assert rig.controller.join(Address("tcp://10.0.0.5:6000"))
    assert (rig.feeds[0].address, rig.feeds[0].topics) == ("tcp://10.0.0.5:6000", ("",))
    assert rig.feeds[0].started
    assert rig.commands.address is None  # the usual port may be another session's
    kinds = [kind for kind, _ in rig.hear(link(session="s1"), hello(control_port=7001))]
    assert kinds == ["joined", "greeting"]
    assert rig.commands.address == "tcp://10.0.0.5:7001"
    assert rig.controller.session_alive
    assert not rig.controller.own


def test_what_is_wrong_with_the_recording_is_told_over_all_pages():
    rig = Rig()
    rig.controller.join(Address())
    rig.hear(link(session="s1"), hello())
    text = "RECORDING: the disk is full: nothing is recorded any more. Make room"
    told = rig.hear(Log(level="error", text=text), Log(level="info", text="status ok"))
    assert told == [("recording", text)]


def test_a_session_without_control_port_takes_no_commands():
    rig = Rig()
    rig.controller.join(Address())
    rig.hear(link(session="s1"), hello(control_port=None))
    assert rig.commands.address is None


def test_a_bad_address_is_said_and_the_old_one_stays():
    rig = Rig()
    rig.controller.join(Address())
    rig.notices()
    assert not rig.controller.join(Address("tcp://bad:1"))
    [(kind, text)] = rig.notices()
    assert kind == "trouble"
    assert "tcp://bad:1 cannot be joined" in text
    assert not rig.feeds[0].closed


def test_missing_key_files_are_said(tmp_path):
    rig = Rig()
    lost = str(tmp_path / "no.key_secret")
    address = Address("tcp://a:5580", secret_file=lost, server_file=lost)
    assert not rig.controller.join(address)
    assert "no.key_secret" in rig.notices()[0][1]


def test_a_session_on_the_usual_port_is_offered_once():
    rig = Rig(offer_at=Address())
    assert rig.feeds[0].topics == ("hello",)
    assert rig.hear(link(alive=False, heard=False, silent_s=math.inf)) == []
    [(kind, text)] = rig.hear(hello())
    assert kind == "offer"
    assert "demo" in text
    assert rig.feeds[0].closed
    rig.controller.tick(2.0)
    assert rig.notices() == []
    assert not rig.controller.session_alive


def test_nothing_is_offered_any_more_if_it_is_not_wanted():
    rig = Rig(offer_at=Address())
    rig.controller.offer_nothing()
    assert rig.feeds[0].closed
    assert rig.hear(hello()) == []


def test_a_started_session_is_joined_on_its_own_ports():
    rig = Rig(offer_at=Address())
    arguments = ("run", "--model", "demo", "--port", "6000", "--control-port", "6001")
    assert rig.controller.start(arguments)
    assert rig.feeds[0].closed
    assert rig.children[0][0] == arguments
    assert rig.feeds[1].address == "tcp://127.0.0.1:6000"
    assert rig.commands.address == "tcp://127.0.0.1:6001"
    assert rig.kinds() == ["joined", "started"]
    assert rig.controller.own
    assert rig.controller.session_alive


def test_two_sessions_are_not_started_from_one_window():
    rig = Rig()
    rig.controller.start(("run",))
    rig.notices()
    assert not rig.controller.start(("run",))
    assert "still runs" in rig.notices()[0][1]
    assert len(rig.children) == 1


def test_a_session_that_cannot_start_is_said():
    rig = Rig()
    rig.next_child = FakeChild(problem="no such folder")
    assert not rig.controller.start(("run",))
    assert rig.notices() == [("trouble", "no such folder")]
    assert not rig.controller.own


def test_the_last_words_of_a_dead_session_are_said_once():
    rig = Rig()
    rig.controller.start(("run",))
    rig.notices()
    rig.next_child.code, rig.next_child.words = 2, "no stream 'X'"
    [(kind, text)] = rig.hear()
    assert kind == "died"
    assert "no stream 'X'" in text
    assert "another session" not in text
    rig.controller.tick(2.0)
    assert rig.notices() == []
    assert not rig.controller.session_alive


def test_another_session_on_the_port_is_not_taken_for_ones_own():
    rig = Rig()
    rig.controller.start(("run",))
    rig.next_child.code = 1
    assert [kind for kind, _ in rig.hear(link(session="s9"), hello())][-1] == "died"
    assert rig.hear(link(session="s9"), now_s=3.0) == []
    [(_, text)] = rig.hear(link(session="s9"), now_s=4.1)
    assert "another session on the same port" in text
    assert rig.hear(now_s=9.0) == []


def test_a_killed_session_is_not_taken_for_another():
    rig = Rig()
    rig.controller.start(("run",))
    rig.hear(link(session="s1"), hello())
    rig.next_child.code = -9
    [(_, text)] = rig.hear(now_s=2.0)
    assert "was killed (signal 9)" in text
    assert rig.hear(link(alive=False, silent_s=3.1), now_s=5.1) == []


def test_the_end_is_told_once_by_the_goodbye_or_by_the_exit():
    rig = Rig()
    rig.controller.start(("run",))
    rig.hear(link(session="s1"), hello())
    assert [kind for kind, _ in rig.hear(bye())] == ["ended"]
    rig.next_child.code = 0
    assert rig.hear() == []
    silent = Rig()
    silent.controller.start(("run",))
    silent.next_child.code = 0
    assert [kind for kind, _ in silent.hear()][-1] == "ended"


def test_the_goodbye_of_the_last_session_is_not_the_next_ones():
    rig = Rig()
    rig.controller.start(("run",))
    rig.hear(link(session="s1"), hello(), bye())
    rig.next_child.code = 0
    rig.hear()
    assert rig.controller.bye_received
    first, rig.next_child = rig.next_child, FakeChild()
    rig.controller.start(("run",))
    assert first.left
    assert not rig.controller.bye_received
    assert rig.controller.session_alive
    told = rig.hear(link(session="s2"), hello("s2"))
    assert told[-1] == ("greeting", "Another session is heard: demo.")
    assert [kind for kind, _ in rig.hear(bye())] == ["ended"]


def test_closing_ends_the_reader_and_leaves_the_session():
    rig = Rig()
    rig.controller.start(("run",))
    rig.controller.close()
    assert rig.feeds[-1].closed
    assert rig.next_child.left
    assert rig.next_child.code is None


def test_an_address_where_nothing_speaks_is_doubted_once():
    rig = Rig()
    rig.controller.join(Address("tcp://10.0.0.5:5580"))
    nothing = link(heard=False, alive=False, silent_s=math.inf)
    rig.hear(nothing, now_s=1.0)
    assert rig.hear(nothing, now_s=3.9) == []
    [(kind, text)] = rig.hear(nothing, now_s=4.1)
    assert kind == "stale"
    assert "Nothing is heard from tcp://10.0.0.5:5580" in text
    assert rig.hear(nothing, now_s=99.0) == []


def test_a_session_that_is_heard_is_not_doubted_when_it_falls_silent():
    rig = Rig()
    rig.controller.join(Address())
    rig.hear(link(session="s1"), hello(), now_s=1.0)
    assert rig.hear(link(alive=False, silent_s=30.0), now_s=31.0) == []


def test_a_session_that_is_starting_here_is_not_doubted():
    rig = Rig()
    rig.controller.start(("run",))
    rig.hear(now_s=1.0)
    assert rig.hear(now_s=30.0) == []


def test_commands_go_to_nobody_until_the_next_session_has_said_where():
    rig = Rig()
    rig.controller.join(Address())
    rig.hear(link(session="s1"), hello(control_port=7001))
    rig.hear(link(session="s2"))
    assert rig.commands.address is None
    rig.hear(link(session="s2"), hello("s2", control_port=7002))
    assert rig.commands.address == "tcp://127.0.0.1:7002"


def test_what_was_heard_elsewhere_is_not_said_of_the_next_address():
    rig = Rig()
    rig.controller.join(Address())
    rig.hear(link(session="s1"), hello(control_port=7001))
    rig.controller.join(Address("tcp://10.0.0.5:6000"))
    rig.controller.tick(1.1)
    assert rig.commands.address is None
    assert rig.controller.state.headline(1.1).word == "NO SESSION"
    rig.controller.join(Address())
    rig.hear(link(session="s1"), hello(control_port=7001))
    assert rig.commands.address == "tcp://127.0.0.1:7001"


def test_a_run_that_ended_before_it_was_heard_has_ended():
    rig = Rig()
    rig.controller.start(("run",))
    rig.hear(link(session="s1"), bye())
    rig.next_child.code = 0
    assert [kind for kind, _ in rig.hear()] == ["ended"]
    assert rig.hear() == []


def test_a_fault_in_one_message_loses_no_other():
    rig = Rig()
    rig.controller.join(Address())
    rig.hear(link(session="s1"))
    with pytest.raises(KeyError):
        rig.hear("no message", hello(), link(session="s1", t_s=1.2))
    assert rig.controller.state.hello is not None
    assert rig.controller.state.link.t_s == 1.2
