import numpy as np
import pytest
from feed_messages import Played
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QComboBox, QLabel, QToolButton

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.widgets.scope import NO_EEG, ScopeView
from rtbold.gui.views.widgets.scope_traces import ScopeSettings
from rtbold.publish.wire import ChannelPart

CHANNELS = ("Fp1", "Cz", "O1", "O2")


class Scope:
    """A scope with a session that is played into it."""

    def __init__(self, qtbot):
        self.view = ScopeView(DARK)
        qtbot.addWidget(self.view)
        self.view.resize(420, 260)
        self.view.show()
        self.played = Played(DashboardState())
        self.k = 0

    def feed(self, seconds, *, draw=True):
        for _ in range(round(10 * seconds)):
            rng = np.random.default_rng(self.k)
            data_uv = 20 * rng.normal(size=(4, 20)).astype(np.float32)
            self.played.now_s += 0.1
            self.played.send(
                "eeg",
                sample_index=20 * self.k,
                t_first=self.played.lsl_s - 0.1,
                data_uv=data_uv,
            )
            self.k += 1
            if draw:
                self.refresh()

    def refresh(self, later_s=0.0):
        self.played.now_s += later_s
        self.view.refresh(self.played.state, self.played.now_s)

    def colours(self):
        """Return the set of colours on the canvas."""
        image = self.view.canvas.grab().toImage()
        rows, columns = range(0, image.height(), 2), range(image.width())
        seen = {image.pixel(x, y) for y in rows for x in columns}
        return {QColor.fromRgb(pixel).name() for pixel in seen}


@pytest.fixture
def scope(qtbot):
    return Scope(qtbot)


def test_without_a_session_it_says_so(scope):
    scope.refresh()

    assert scope.view.canvas.text == NO_EEG
    assert DARK.text in scope.colours()


def test_with_eeg_the_words_go_and_traces_come(scope):
    scope.played.hello()
    scope.feed(4)

    assert scope.view.canvas.text == ""
    assert {DARK.text, DARK.accent, DARK.panel} <= scope.colours()


def test_when_eeg_stops_it_says_so_within_two_seconds_and_greys(scope):
    scope.played.hello()
    scope.feed(4)

    scope.refresh(1.2)

    assert scope.view.canvas.text == "No EEG for 1 s"
    scope.refresh(2.0)
    assert scope.view.canvas.text == "No EEG for 3 s"
    scope.feed(0.5)
    assert scope.view.canvas.text == ""


def test_a_bad_channel_is_drawn_in_its_colour(scope):
    scope.played.hello()
    states = ("good", "line_noise", "good", "missing")
    scope.played.send(
        "quality",
        channels=tuple(
            ChannelPart(label=label, state=state)
            for label, state in zip(CHANNELS, states, strict=True)
        ),
    )
    scope.feed(4)

    assert {DARK.degraded, DARK.invalid} <= scope.colours()


def test_another_theme_and_another_size_draw_all_anew(scope):
    scope.played.hello()
    scope.feed(4)

    scope.view.set_colours(LIGHT)
    scope.view.resize(500, 300)
    scope.refresh(0.03)

    seen = scope.colours()
    assert {LIGHT.text, LIGHT.panel} <= seen
    assert not {DARK.text, DARK.panel} & seen


def test_another_session_begins_with_an_empty_screen(scope):
    scope.played.hello()
    scope.feed(3)
    session = "00000000-aaaa-bbbb-cccc-000000000000"
    scope.played.link(session=session)
    scope.refresh(0.1)

    assert scope.view.canvas.text == NO_EEG


def test_up_and_down_change_the_scale_and_tell(scope, qtbot):
    told = []
    scope.view.settings_changed.connect(told.append)

    qtbot.keyClick(scope.view, Qt.Key.Key_Up)
    qtbot.keyClick(scope.view, Qt.Key.Key_Down)
    qtbot.keyClick(scope.view, Qt.Key.Key_Down)

    assert [settings.uv for settings in told] == [70, 100, 150]
    caption = scope.view.findChild(QLabel, "scope_caption")
    assert caption.text() == "150 µV per row, 10 s across, as sent"


def test_buttons_do_what_the_keys_do(scope, qtbot):
    for name, uv in (("scope_larger", 70), ("scope_smaller", 100)):
        button = scope.view.findChild(QToolButton, name)
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert scope.view.settings.uv == uv


def test_length_and_filter_are_chosen(scope, qtbot):
    seconds = scope.view.findChild(QComboBox, "scope_seconds")
    eyes = scope.view.findChild(QComboBox, "scope_filter")

    seconds.setCurrentIndex(0)
    seconds.activated.emit(0)
    eyes.setCurrentIndex(1)
    eyes.activated.emit(1)

    assert scope.view.settings == ScopeSettings(100.0, 5.0, "1-40 Hz")
    scope.played.hello()
    scope.feed(3)
    assert DARK.text in scope.colours()


def test_what_is_remembered_is_taken_and_not_told_again(scope):
    told = []
    scope.view.settings_changed.connect(told.append)

    scope.view.set_settings(ScopeSettings(300.0, 20.0, "1-40 Hz"))

    assert told == []
    assert scope.view.findChild(QComboBox, "scope_seconds").currentText() == "20 s"
    assert scope.view.findChild(QComboBox, "scope_filter").currentText() == "1 to 40 Hz"


def test_eeg_before_the_hello_has_numbers_for_names(scope):
    scope.feed(1)

    assert scope.view.canvas.text == ""


def test_a_page_that_was_hidden_catches_up_at_once(scope):
    scope.played.hello()
    scope.feed(3)
    scope.feed(9, draw=False)

    scope.refresh(0.03)

    assert scope.view.canvas.text == ""
    assert DARK.text in scope.colours()
