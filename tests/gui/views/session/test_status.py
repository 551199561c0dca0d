import pytest
from feed_messages import Played

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.session.status import OriginBanner, StatusPanel

STATUSES = (
    ("ok", ()), ("degraded", ("interpolated",)), ("invalid", ("gap",)),
    ("warmup", ("warmup",)), ("paused", ("operator_pause",)),
)  # fmt: skip


@pytest.fixture
def session():
    made = Played(DashboardState())
    made.hello()
    return made


@pytest.fixture
def panel(qtbot):
    made = StatusPanel(DARK)
    qtbot.addWidget(made)
    made.resize(300, 130)
    return made


@pytest.mark.parametrize(("status", "reasons"), STATUSES)
def test_word_why_and_what_to_do(panel, session, status, reasons):
    session.tick(status, reasons)
    panel.refresh(session.state, session.now_s + 0.1)
    assert panel.headline.level == status
    assert panel.headline.word in panel.accessibleName()
    if reasons:
        assert panel.headline.why in panel.toolTip()
        assert panel.headline.do in panel.toolTip()


def test_every_status_looks_different_even_without_colour(panel, session):
    grey = set()
    for status, reasons in STATUSES:
        session.tick(status, reasons)
        panel.refresh(session.state, session.now_s + 0.1)
        image = (
            panel.grab()
            .toImage()
            .convertToFormat(panel.grab().toImage().Format.Format_Mono)
        )
        grey.add(bytes(image.constBits().asstring(image.sizeInBytes())))
    assert len(grey) == len(STATUSES)


def test_silence_is_shown_within_two_seconds(panel, session):
    session.tick()
    panel.refresh(session.state, session.now_s + 0.1)
    assert panel.headline.word == "OK"
    panel.refresh(session.state, session.now_s + 1.9)
    assert panel.headline.word.startswith("NO HEARTBEAT for")


def test_a_long_list_of_reasons_stays_inside(panel, session):
    session.tick("invalid", ("late", "short_baseline", "unlike_calibration", "gap"))
    panel.refresh(session.state, session.now_s + 0.1)
    assert not panel.grab().isNull()
    assert panel.headline.why.count(";") == 3


def test_it_draws_in_both_themes(panel, session):
    session.tick()
    panel.refresh(session.state, session.now_s + 0.1)
    dark = panel.grab().toImage()
    panel.set_colours(LIGHT)
    assert panel.grab().toImage() != dark


def test_the_banner_is_there_while_something_is_not_real(qtbot):
    banner = OriginBanner(LIGHT)
    qtbot.addWidget(banner)
    assert banner.isHidden()
    simulated = Played(DashboardState())
    simulated.hello(simulated_stream=True)
    banner.refresh(simulated.state, simulated.now_s)
    assert not banner.isHidden()
    assert "SIMULATED EEG" in banner.text()
    real = Played(DashboardState())
    real.hello()
    banner.refresh(real.state, real.now_s)
    assert banner.isHidden()
    banner.set_colours(DARK)
    assert DARK.text in banner.styleSheet()
