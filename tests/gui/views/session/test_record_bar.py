import pytest
from feed_messages import Played
from PyQt6.QtGui import QColor

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.session.record_bar import RecordBar
from rtbold.publish.wire import RecordingPart


@pytest.fixture
def bar(qtbot):
    made = RecordBar(DARK)
    qtbot.addWidget(made)
    made.resize(1100, made.sizeHint().height())
    made.show()
    return made


@pytest.fixture
def session():
    made = Played(DashboardState())
    made.hello()
    made.tick()
    return made


def chip(bar):
    return bar.grab().toImage().pixelColor(4, bar.height() // 2)


def test_not_recorded_is_amber_and_recorded_is_not(bar, session):
    session.send("quality", recording=None)
    bar.refresh(session.state, session.now_s)
    assert chip(bar) == QColor(DARK.degraded)
    assert "NOT RECORDED" in bar.accessibleName()
    part = RecordingPart(
        state="recording", file="x_eeg.xdf", n_bytes=10, t_begun=session.lsl_s
    )
    session.send("quality", recording=part)
    bar.refresh(session.state, session.now_s)
    assert chip(bar) == QColor(DARK.ok)
    assert "x_eeg.xdf" in bar.accessibleName()


def test_it_is_there_before_any_session_and_as_high_as_later(bar, session):
    before = bar.sizeHint()
    bar.refresh(DashboardState(), 1.0)
    assert bar.line.chip == "NO SESSION"
    assert bar.isVisible()
    bar.refresh(session.state, session.now_s)
    assert bar.sizeHint() == before


def test_a_long_name_leaves_room_for_time_and_address(bar, session):
    session.state.address = "tcp://127.0.0.1:5580"
    part = RecordingPart(
        state="recording", file="x" * 400, n_bytes=10, t_begun=session.lsl_s
    )
    session.send("quality", recording=part)
    bar.set_colours(LIGHT)
    bar.refresh(session.state, session.now_s)
    assert not bar.grab().isNull()
    assert bar.minimumSizeHint().width() <= 600
