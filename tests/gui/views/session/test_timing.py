import pytest
from feed_messages import Played
from PyQt6.QtCore import QEvent, QPoint
from PyQt6.QtGui import QHelpEvent
from PyQt6.QtWidgets import QToolTip

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.session.timing import TimingPanel


@pytest.fixture
def panel(qtbot):
    made = TimingPanel(DARK)
    qtbot.addWidget(made)
    made.resize(420, 130)
    return made


@pytest.fixture
def session():
    made = Played(DashboardState())
    made.hello()
    made.tick()
    return made


def test_each_stage_and_the_sum_with_what_is_unknown(panel, session):
    panel.refresh(session.state, session.now_s)
    words = panel.accessibleName()
    assert "model: 13 ms" in words
    assert "publication: 0.5 ms" in words
    assert "cleaning software: unknown" in words
    assert "sum: at least" in words
    assert "BOLD itself: not a delay" in words


def test_before_a_prediction_nothing_is_known(panel):
    panel.refresh(DashboardState(), 1.0)
    assert "sum: unknown" in panel.accessibleName()


def test_it_is_drawn_again_only_when_a_volume_came(panel, session):
    panel.refresh(session.state, session.now_s)
    rows = panel.rows
    panel.refresh(session.state, session.now_s + 1)
    assert panel.rows is rows
    session.tick()
    panel.refresh(session.state, session.now_s)
    assert panel.rows is not rows


def test_every_cell_explains_itself(panel, session, monkeypatch):
    told = []
    monkeypatch.setattr(
        QToolTip, "showText", lambda place, text, widget: told.append(text)
    )
    panel.refresh(session.state, session.now_s)
    for cell in panel._cells():
        place = cell.center().toPoint()
        event = QHelpEvent(QEvent.Type.ToolTip, place, panel.mapToGlobal(place))
        assert panel.event(event)
    assert len(set(told)) == len(panel.rows)
    assert any("75 ms" in text for text in told)
    panel.event(QHelpEvent(QEvent.Type.ToolTip, QPoint(2, 2), QPoint(2, 2)))
    assert "brain event" in told[-1]


def test_it_draws_in_both_themes(panel, session):
    panel.refresh(session.state, session.now_s)
    dark = panel.grab().toImage()
    panel.set_colours(LIGHT)
    assert panel.grab().toImage() != dark


def test_it_says_how_late_triggers_come_and_what_was_lost(panel, session):
    panel.refresh(session.state, session.now_s)
    assert "trigger: unknown" in panel.accessibleName()
    assert "lost" not in panel.accessibleName()
    before = panel.grab().toImage()
    session.send("quality", trigger_lag_ms=35.2)
    session.send("hb", n_encode_errors=2)
    panel.refresh(session.state, session.now_s)
    assert "trigger: 35 ms" in panel.accessibleName()
    assert "lost: 2 messages not encoded" in panel.accessibleName()
    assert panel.grab().toImage() != before
