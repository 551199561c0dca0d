import pytest
from feed_messages import Played
from msgspec import UNSET
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QKeySequence, QShortcut
from PyQt6.QtWidgets import QWidget

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.participant import ParticipantView
from rtbold.gui.state.preferences import PARTICIPANT_FORMS, Preferences
from rtbold.gui.views.participant import (
    BACKGROUND,
    FILL,
    LIT,
    LOOKS,
    UNLIT,
    ParticipantDialog,
    ParticipantWindow,
    chosen_screen,
    press,
)


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
    share = UNSET

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
    assert not window.go_to_screen(window.screen())
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


class Screen:
    def __init__(self, name):
        self._name = name

    def name(self):
        return self._name


def test_it_opens_on_the_chosen_screen_and_else_not_on_the_operators():
    laptop, beamer, third = Screen("laptop"), Screen("beamer"), Screen("third")
    assert chosen_screen("", [laptop], laptop) is None
    assert chosen_screen("laptop", [laptop], laptop) is None
    both = [laptop, beamer]
    assert chosen_screen("", both, laptop) is beamer
    assert chosen_screen("", both, beamer) is laptop  # wherever the operator sits
    assert chosen_screen("third", [*both, third], laptop) is third
    assert chosen_screen("unplugged", [*both, third], laptop) is beamer


def highest(window, colour):
    """Return the topmost row with this colour, as a share of the height."""
    image, wanted = window.grab().toImage(), QColor(colour).rgb()
    for y in range(image.height()):
        if any(image.pixel(x, y) == wanted for x in range(image.width())):
            return y / image.height()
    return None


def played(window, value):
    state = DashboardState()
    session = Played(state)
    session.hello()
    session.tick(value=value)
    window.refresh(state, session.now_s)
    return state, session


def test_a_higher_value_can_be_drawn_lower(window):
    played(window, 1.5)
    assert window.view.level == pytest.approx(0.75)
    window.set_preferences(Preferences(participant_down=True))
    played(window, 1.5)
    assert window.view.level == pytest.approx(0.25)


@pytest.mark.parametrize("look", LOOKS)
def test_its_colours_are_chosen(window, look):
    window.set_preferences(Preferences(participant_look=look))
    played(window, 1.5)
    assert count(window, LOOKS[look].background) > count(window, LOOKS[look].fill) > 0


@pytest.mark.parametrize("form", PARTICIPANT_FORMS)
def test_the_goal_is_a_line_where_its_z_is(window, form):
    goal = LOOKS["blue on black"].goal
    window.set_preferences(Preferences(participant=form, photodiode_px=0))
    played(window, 0.0)
    assert count(window, goal) == 0
    at = []
    for goal_z in (2.0, 1.0):
        window.set_preferences(
            Preferences(participant=form, participant_goal_z=goal_z, photodiode_px=0)
        )
        played(window, 0.0)
        at.append(highest(window, goal))
    assert at[0] < at[1] < 0.5  # a higher goal is drawn higher, or larger


def test_no_goal_is_drawn_while_nothing_may_be_shown(window):
    window.set_preferences(Preferences(participant_goal_z=2.0, photodiode_px=0))
    window.refresh(DashboardState(), 1.0)
    assert count(window, LOOKS["blue on black"].goal) == 0


def test_a_cross_at_rest_and_no_value(window):
    state, session = played(window, 1.5)
    assert count(window, FILL) > 0
    session.send("phase", run_type="rest", name="rest", t_on=session.lsl_s)
    window.refresh(state, session.now_s)
    assert window.view.rest
    assert window.view.level is None
    image = window.grab().toImage()
    cross = LOOKS["blue on black"].outline
    assert image.pixelColor(200, 150) == cross
    assert image.pixelColor(100, 150) == BACKGROUND
    window.set_preferences(Preferences(participant_cross=False))
    window.refresh(state, session.now_s)
    assert window.grab().toImage().pixelColor(200, 150) != cross
    session.wait(30.1)  # the block is over
    window.refresh(state, session.now_s)
    assert not window.view.rest


def test_keys_that_are_not_its_own_are_the_operators(qtbot, window):
    keys = []
    window.key_pressed.connect(lambda pressed: keys.append(pressed.toString()))
    qtbot.keyClick(window, Qt.Key.Key_F7)
    qtbot.keyClick(window, Qt.Key.Key_F5, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(window, Qt.Key.Key_F11)
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert keys == ["F7", "Shift+F5"]
    assert QKeySequence("Shift+F5").toString() == "Shift+F5"


def test_the_dialog_tells_every_choice(qtbot):
    dialog = ParticipantDialog(Preferences())
    qtbot.addWidget(dialog)
    told = []
    dialog.changed.connect(told.append)
    dialog.direction.setCurrentIndex(1)
    dialog.look.setCurrentText("black on white")
    dialog.cross.setChecked(False)
    dialog.goal.setChecked(True)
    dialog.goal_z.setValue(1.5)
    chosen = told[-1]
    assert chosen.participant_down
    assert chosen.participant_look == "black on white"
    assert not chosen.participant_cross
    assert chosen.participant_goal_z == 1.5
    assert chosen.participant_screen == ""
    assert dialog.screen_choice.itemData(0) == ""


def test_a_key_of_one_list_is_not_pressed_from_here(qtbot):
    """Del takes a run away while the plan has the keys; here nobody looks at it."""
    owner = QWidget()
    qtbot.addWidget(owner)
    owner.show()
    pressed = []
    keys = QKeySequence("Del")
    shortcut = QShortcut(keys, owner)
    shortcut.activated.connect(lambda: pressed.append("Del"))
    assert press(owner, keys)
    shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
    assert not press(owner, keys)
    assert pressed == ["Del"]
