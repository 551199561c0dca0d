import pytest
from feed_messages import Played

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.session.status import TrClock


@pytest.fixture
def clock(qtbot):
    made = TrClock(DARK)
    qtbot.addWidget(made)
    made.resize(230, 130)
    return made


@pytest.fixture
def session():
    made = Played(DashboardState())
    made.hello()
    made.tick()
    return made


def picture(clock, session, later_s):
    clock.refresh(session.state, session.now_s + later_s)
    return clock.grab().toImage()


def test_the_ring_fills(clock, session):
    early, late = picture(clock, session, 0.1), picture(clock, session, 1.0)
    assert early != late
    assert clock.facts.share == pytest.approx(1.1 / 2.1)
    assert clock.facts.volume == "0"


def test_the_ring_alone_is_painted_while_the_words_stay(clock, session, qapp):
    painted, paint = [], clock.paintEvent
    clock.paintEvent = lambda event: (painted.append(event.rect()), paint(event))[1]
    clock.show()
    for later_s in (0.1, 0.2, 0.21, 2.9):
        clock.refresh(session.state, session.now_s + later_s)
        qapp.processEvents()
    whole = clock.rect()
    first, ring, overdue = painted[0], painted[-2], painted[-1]
    assert first == overdue == whole, "the words changed"
    assert ring.width() < whole.width() / 2
    assert len(painted) <= 4


def test_an_overdue_volume_is_said(clock, session):
    session.wait(2.9, silent_s=0.1)
    before, after = clock.facts, picture(clock, session, 0.0)
    assert clock.facts.share > 1.25
    assert before != clock.facts
    assert after != picture(clock, session, -0.9)


def test_a_silent_session_has_no_moving_ring(clock, session):
    first = picture(clock, session, 3.0)
    assert picture(clock, session, 3.9) == first


def test_before_anything_came(clock):
    empty = Played(DashboardState())
    assert not picture(clock, empty, 0.0).isNull()
    assert clock.facts.share is None


def test_it_draws_in_both_themes(clock, session):
    dark = picture(clock, session, 0.1)
    clock.set_colours(LIGHT)
    assert clock.grab().toImage() != dark
