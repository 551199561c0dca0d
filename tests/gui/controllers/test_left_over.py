import json

import pytest
from feed_messages import Played
from scripted_jobs import ScriptedJobs

from rtbold.gui.controllers.left_over import SILENT_S, LeftOverRecordings
from rtbold.gui.state.dashboard import DashboardState

FILE = "/data/run-02_training/sub-S01_run-02_eeg.xdf"


class Rig:
    def __init__(self):
        self.jobs, self.told = ScriptedJobs(), []
        self.session = Played(DashboardState())
        self.it = LeftOverRecordings(self.jobs, lambda: self.session.state)
        self.it.tell = self.told.append

    def tick(self):
        self.it.tick(self.session.now_s)

    def answer(self, *rows, **end):
        self.jobs.last.say(json.dumps(rows)).end(**end)
        self.tick()


@pytest.fixture
def rig():
    made = Rig()
    made.tick()
    return made


def test_it_looks_when_the_window_opens_and_says_nothing_of_nothing(rig):
    assert rig.jobs.last.arguments == ("recorders", "--json")
    rig.answer()
    rig.tick()
    assert (len(rig.jobs.started), rig.told) == (1, [])


def test_what_goes_on_is_told_and_closed_by_a_click(rig):
    rig.answer({"pid": 7, "file": FILE, "closed": False})
    (found,) = rig.told
    assert (found.kind, found.level) == ("left_over", "degraded")
    assert "sub-S01_run-02_eeg.xdf of a session that has died still goes" in found.text
    assert rig.it.files == (FILE,)
    rig.it.close_recordings()
    assert rig.jobs.last.arguments == ("recorders", "--end", "--json")
    rig.answer({"pid": 7, "file": FILE, "closed": True})
    assert (rig.told[-1].kind, rig.told[-1].level) == ("closed", "ok")
    assert rig.it.files == ()


def test_one_that_cannot_be_closed_stays_told(rig):
    rig.answer({"pid": 7, "file": FILE, "closed": False})
    rig.it.close_recordings()
    rig.answer({"pid": 7, "file": FILE, "closed": False}, code=1)
    assert (rig.told[-1].kind, rig.told[-1].level) == ("trouble", "invalid")
    assert rig.it.files == (FILE,)


def test_an_answer_that_is_none_is_told_where_something_was_to_be_closed(rig):
    rig.jobs.last.say("Traceback").end(1)
    rig.tick()
    assert rig.told == []
    rig.it.close_recordings()
    rig.jobs.last.say("[1]").end(1, problem="it ended with an error")
    rig.tick()
    assert "not closed. it ended with an error" in rig.told[-1].text


def test_it_looks_once_when_a_session_falls_silent(rig):
    rig.answer()
    rig.session.hello()
    rig.session.wait(1.0)
    rig.session.now_s += SILENT_S - 1
    rig.tick()
    assert len(rig.jobs.started) == 1  # it may only be held up
    rig.session.now_s += 2
    rig.tick()
    rig.tick()
    assert len(rig.jobs.started) == 2
    rig.answer({"pid": 7, "file": FILE, "closed": False})
    rig.tick()
    assert (len(rig.jobs.started), len(rig.told)) == (2, 1)


def test_a_session_that_said_goodbye_or_runs_elsewhere_is_not_looked_for(rig):
    rig.answer()
    rig.session.hello()
    rig.session.state.address = "tcp://192.168.0.5:5580"
    rig.session.wait(1.0)
    rig.session.now_s += 60
    rig.tick()
    rig.session.state.address = ""
    rig.session.send("bye")
    rig.tick()
    assert len(rig.jobs.started) == 1


def test_what_the_next_session_has_closed_is_not_told_any_more(rig):
    rig.answer({"pid": 7, "file": FILE, "closed": False})
    rig.it.look()
    rig.answer()
    assert (rig.told[-1].kind, rig.told[-1].level) == ("closed", "ok")
    rig.it.look()
    rig.answer()
    assert len(rig.told) == 2
