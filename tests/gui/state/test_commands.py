import pytest
from feed_messages import Played

from rtbold.gui.state.commands import NO_CONTROL, command_rules
from rtbold.gui.state.dashboard import DashboardState


@pytest.fixture
def session():
    made = Played(DashboardState())
    made.hello()
    made.tick()
    return made


def rules(session, *, has_control=True, next_run="", later_s=0.1):
    now_s = session.now_s + later_s
    return command_rules(
        session.state, now_s, has_control=has_control, next_run=next_run
    )


def test_a_running_session_takes_all_but_start(session):
    session.send("bands")
    found = rules(session, next_run="run 2")
    assert (found.pause, found.stop, found.mark, found.note, found.alpha) == ("",) * 5
    assert "Stop it before" in found.start
    assert not found.resumes


def test_without_a_session_only_start_can_work():
    empty = Played(DashboardState())
    found = rules(empty, next_run="run 1")
    assert found.start == ""
    assert found.stop == found.pause == found.mark == "No session is heard."
    assert "Plan a run" in rules(empty).start


def test_an_ended_session_lets_the_next_run_start(session):
    session.send("bye")
    found = rules(session, next_run="run 2")
    assert found.start == ""
    assert found.stop == "No session is heard."


def test_a_silent_session_can_still_be_asked_to_stop(session):
    found = rules(session, later_s=5.0, next_run="run 2")
    assert found.stop == ""
    assert "A session runs" in found.start


def test_a_session_without_a_control_socket(session):
    found = rules(session, has_control=False, next_run="run 2")
    assert found.pause == found.stop == NO_CONTROL
    assert "A session runs" in found.start


def test_pause_becomes_resume_when_the_operator_paused(session):
    session.send("hb", state="paused")
    assert rules(session).resumes, "at once, before the next volume says why"
    session.tick("paused", ("operator_pause",))
    session.send("hb", state="paused")
    assert rules(session).resumes


def test_lost_triggers_are_not_resumed_by_a_button(session):
    session.tick("paused", ("triggers_lost",))
    session.send("hb", state="paused")
    assert not rules(session).resumes


def test_the_alpha_check_needs_channels_and_bands(session):
    assert "EEG must flow" in rules(session).alpha
    session.state.hello = None
    assert "channels" in rules(session).alpha
