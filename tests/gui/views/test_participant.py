import pytest
from feed_messages import Played
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.participant import ParticipantView
from rtbold.gui.state.preferences import PARTICIPANT_FORMS, Preferences
from rtbold.gui.views.participant import BACKGROUND, FILL, LIT, UNLIT, ParticipantWindow


@pytest.fixture
def window(qtbot):
    made = ParticipantWindow(Preferences())
    qtbot.addWidget(made)
    made.resize(400, 300)
    made.show()
    return made


def count(window, colour):
    image = window.grab().toImage()
    wanted = QColor(colour).rgb()
    return sum(
        image.pixel(x, y) == wanted
        for x in range(0, image.width(), 2)
        for y in range(0, image.height(), 2)
    )


def show(window, level, *, lit=False, now_s=1.0):
    window._level.take(ShownAt(level), now_s)
    window._show(ParticipantView(level, lit), now_s)


def watch(window, state, from_s, seconds):
    """Let frames go by; more of them would change nothing."""
    for k in range(1 + round(seconds / 0.5)):
        window.refresh(state, from_s + 0.5 * k)


class ShownAt:
    flips = 0

    def __init__(self, level):
        self.kind = "neutral" if level is None else "value"
        self.z = None if level is None else 6 * level - 3


@pytest.mark.parametrize("form", ["thermometer", "circle"])
def test_a_higher_level_fills_more_and_neutral_fills_nothing(window, form):
    window.set_preferences(Preferences(participant=form))
    filled = []
    for level in (None, 0.1, 0.5, 0.9):
        show(window, level)
        filled.append(count(window, FILL))
    assert filled[0] == 0
    assert 0 < filled[1] < filled[2] < filled[3]


def test_the_trace_shows_the_last_minute_and_a_hole_where_it_was_neutral(window):
    window.set_preferences(Preferences(participant="trace"))
    for step in range(300):
        show(window, None if 100 < step < 200 else 0.7, now_s=0.2 * step)
    image = window.grab().toImage()
    y = int(150 + 0.35 * 300 - 0.7 * 0.7 * 300)
    row = [
        image.pixelColor(x, y + d).blue() > 150 for x in (40, 200, 330) for d in (0,)
    ]
    assert row == [True, False, True]


@pytest.mark.parametrize("form", PARTICIPANT_FORMS)
def test_without_a_session_it_is_neutral_and_has_no_text(window, form):
    window.set_preferences(Preferences(participant=form))
    window.refresh(DashboardState(), 1.0)
    assert window.view.level is None
    assert count(window, FILL) == 0
    assert window.findChildren(object) == []  # nothing that could hold words


def test_the_square_flips_with_each_update_and_can_be_left_out(window):
    state = DashboardState()
    played = Played(state)
    seen = []
    for _ in range(4):
        played.tick()
        window.refresh(state, played.now_s)
        image = window.grab().toImage()
        seen.append(image.pixelColor(5, image.height() - 5))
    assert seen in ([LIT, UNLIT] * 2, [UNLIT, LIT] * 2)
    window.set_preferences(Preferences(photodiode_px=0))
    image = window.grab().toImage()
    assert image.pixelColor(5, image.height() - 5) == BACKGROUND


def test_silence_makes_it_neutral(window):
    state = DashboardState()
    played = Played(state)
    played.tick()
    window.refresh(state, played.now_s)
    assert window.view.level is not None
    window.refresh(state, played.now_s + 2.5)
    assert window.view.level is None


def test_f11_fills_the_screen_and_esc_gives_the_window_back(qtbot, window):
    qtbot.keyClick(window, Qt.Key.Key_F11)
    assert window.isFullScreen()
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert not window.isFullScreen()


def test_with_one_screen_it_stays_a_window(qtbot, window):
    assert not window.go_to_second_screen()
    assert not window.isFullScreen()
    assert window.isVisible()


def test_nothing_is_repainted_while_nothing_changes(window, monkeypatch):
    state = DashboardState()
    played = Played(state)
    played.tick()
    window.refresh(state, played.now_s)
    updates = []
    monkeypatch.setattr(window, "update", lambda: updates.append(1))
    for frame in range(10):
        window.refresh(state, played.now_s + 0.03 * frame)
    assert updates == []


def test_the_past_is_grey_and_moves_on_while_nothing_may_be_shown(window):
    window.set_preferences(Preferences(participant="trace"))
    state = DashboardState()
    played = Played(state)
    played.tick()
    watch(window, state, played.now_s, 1.5)
    assert count(window, FILL) > 0
    watch(window, state, played.now_s, 2.5)
    assert window.view.level is None
    assert count(window, FILL) == 0
    before = window.grab().toImage()
    watch(window, state, played.now_s + 2.5, 10.0)
    assert window.grab().toImage() != before


def test_another_theme_changes_nothing_that_is_seen(window):
    window.set_preferences(Preferences(participant="trace"))
    state = DashboardState()
    played = Played(state)
    played.tick()
    watch(window, state, played.now_s, 1.5)
    before = window.grab().toImage()
    window.set_preferences(Preferences(participant="trace", theme="light"))
    window.refresh(state, played.now_s + 1.5)
    assert window.grab().toImage() == before
