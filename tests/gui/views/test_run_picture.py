import base64

import pytest
from feed_messages import Played
from PyQt6.QtGui import QColor

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.state.run_picture import run_picture
from rtbold.gui.views.run_picture import RunPictureView, as_base64


@pytest.fixture
def view(qtbot):
    made = RunPictureView(DARK)
    qtbot.addWidget(made)
    made.resize(800, 320)
    made.show()
    return made


def a_run():
    played = Played(DashboardState())
    played.hello()
    for _ in range(10):
        played.tick(value=0.4)
    for _ in range(5):
        played.tick("invalid", ("gap",))
    return played


def of(played):
    state = played.state
    return run_picture(state.history, state.story, target="dmn", tr_s=state.tr_s)


def pixels(view):
    image = view.grab().toImage()
    return [
        image.pixelColor(x, y).name()
        for x in range(0, image.width(), 2)
        for y in range(0, image.height(), 2)
    ]


def test_nothing_yet_is_said_and_not_drawn(view):
    view.show_picture(None)
    found = pixels(view)
    assert DARK.prediction not in found
    assert view.accessibleName().startswith("no volume")


def test_target_intervals_and_status_are_drawn(view):
    view.show_picture(of(a_run()))
    found = pixels(view)
    for colour in (DARK.band95, DARK.ok, DARK.invalid):
        assert colour in found, colour


def test_marks_and_gaps_are_drawn_where_they_are(view):
    played = a_run()
    view.show_picture(of(played))
    before = pixels(view)
    played.send("log", text="operator: mark x")
    view.show_picture(of(played))
    with_mark = pixels(view)
    assert with_mark != before
    played.send("quality", n_gaps=1, lost_s=4.0)
    view.show_picture(of(played))
    assert pixels(view) != with_mark


def test_another_theme_draws_it_anew(view):
    view.show_picture(of(a_run()))
    view.set_colours(LIGHT)
    image = view.grab().toImage()
    assert image.pixelColor(1, 1) == QColor(LIGHT.panel)


def test_a_page_gets_it_as_a_png(qapp):
    content = base64.b64decode(as_base64(of(a_run())))
    assert content.startswith(b"\x89PNG")
