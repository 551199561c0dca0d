import pytest
from feed_messages import Played
from PyQt6.QtGui import QFontMetricsF

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.drawing import fitted
from rtbold.gui.views.session.status import BIG_PX, USUAL, Z_PX, TargetPanel


@pytest.fixture
def session():
    made = Played(DashboardState())
    made.hello()
    made.tick()
    return made


@pytest.fixture
def panel(qtbot):
    made = TargetPanel(DARK, clock_s=lambda: 99.0)
    qtbot.addWidget(made)
    made.resize(380, 130)
    return made


def refresh(panel, session, later_s=0.1):
    panel.refresh(session.state, session.now_s + later_s)


def test_value_hold_and_dash(panel, session):
    refresh(panel, session)
    assert (panel.words.kind, panel.words.value) == ("value", "+0.42")
    assert "+0.42" in panel.accessibleName()
    session.tick("invalid", ("gap",))
    refresh(panel, session)
    assert panel.words.kind == "hold"
    session.tick("invalid", ("gap",))
    refresh(panel, session)
    assert panel.words.kind == "neutral"


def test_silence_takes_the_value_away(panel, session):
    refresh(panel, session, later_s=2.1)
    assert panel.words.kind == "neutral"


def test_the_numbers_are_48_pixels_tall_at_the_smallest_screen(panel):
    """Its share of a page on a screen of 1366 x 768 is 380 wide."""
    box = panel.rect().toRectF().adjusted(8, 20, -8 - Z_PX - 16, -40)
    font = fitted(panel.font(), USUAL, box, most_px=BIG_PX)
    assert font.pixelSize() >= 48
    assert QFontMetricsF(font).horizontalAdvance(USUAL) <= box.width()


def test_it_draws_kinds_differently_in_both_themes(panel, session):
    pictures = set()
    for colours in (DARK, LIGHT):
        panel.set_colours(colours)
        for status in ("ok", "invalid", "invalid"):
            session.tick(status)
            refresh(panel, session)
            image = panel.grab().toImage()
            pictures.add(bytes(image.constBits().asstring(image.sizeInBytes())))
    assert len(pictures) == 6


def test_what_came_while_another_page_was_open_is_not_timed(panel, session):
    refresh(panel, session)
    session.tick()  # 2 s without a refresh
    refresh(panel, session)
    panel.grab()
    refresh(panel, session, later_s=0.13)
    panel.grab()
    assert session.state.latency.times("draw").n == 0


def test_drawing_is_timed_while_the_page_is_open(panel, session):
    refresh(panel, session)
    panel.grab()
    session.now_s += 0.2  # frames go on
    refresh(panel, session, later_s=0.0)
    session.send("pred.fb", volume=1)
    refresh(panel, session, later_s=0.03)
    panel.grab()
    times = session.state.latency.times("draw")
    assert times.n == 1
    assert times.last == pytest.approx(1000 * (99.0 - session.now_s))
    panel.grab()
    assert session.state.latency.times("draw").n == 1, "only the first time counts"


def test_it_says_what_its_numbers_are(panel):
    assert "z:" in panel.toolTip()
    assert panel.objectName() == "target_panel"
