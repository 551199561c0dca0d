import pytest
from feed_messages import Played

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.session.parts import PhaseStrip, time_left_words


@pytest.fixture
def strip(qtbot):
    made = PhaseStrip(DARK)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def session():
    made = Played(DashboardState())
    made.hello()
    return made


def test_it_is_hidden_while_no_protocol_speaks(strip, session):
    strip.refresh(session.state, session.now_s)
    assert strip.isHidden()


def test_name_and_time_left(strip, session):
    session.send("phase")
    session.wait(8)
    strip.refresh(session.state, session.now_s)
    assert not strip.isHidden()
    assert strip.name.text() == "Run 2 (training), block 5: regulate"
    assert strip.left.text() == "0:22 left"
    assert strip._bar.value() == round(1000 * 8 / 30)
    strip.set_colours(LIGHT)
    assert LIGHT.text in strip.name.styleSheet()


def test_a_phase_over_its_time_and_one_without_an_end(session):
    phase = session.send("phase")
    assert time_left_words(phase, phase.t_on + 95) == "1:05 over its planned end"
    endless = session.send("phase", t_off_planned=None)
    words = time_left_words(endless, endless.t_on + 61)
    assert words == "for 1:01, no planned end"
    assert time_left_words(endless, None) == ""


def test_an_endless_phase_has_an_empty_bar(strip, session):
    session.send("phase", t_off_planned=None)
    strip.refresh(session.state, session.now_s + 8)
    assert strip._bar.value() == 0


def test_a_silent_session_counts_no_phase_down(strip, session):
    session.send("phase")
    strip.refresh(session.state, session.now_s + 8)
    assert not strip.isHidden()
    assert strip.left.text() == ""
