import re

import pytest

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.event_log import MOST_LINES
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.session.timing import EventLogView


@pytest.fixture
def view(qtbot):
    made = EventLogView(DARK, unix_s=lambda: 1.79e9)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def state():
    return DashboardState()


def texts(view):
    items = [view.list.item(row) for row in range(view.list.count())]
    return [item.text() for item in items if not item.isHidden()]


def test_newest_first_with_time_and_a_sign_for_the_level(view, state):
    state.log.add("began", 5.0, t_unix_ms=1.79e12)
    state.log.add("odd", 6.0, level="warning", t_unix_ms=1.79e12)
    state.log.add("broken", 7.0, level="error")
    view.refresh(state, 8.0)
    first, second, third = texts(view)
    assert re.fullmatch(r"\d\d:\d\d:\d\d ✕ broken", first)
    assert "▲ odd" in second
    assert "began" in third
    view.refresh(state, 9.0)
    assert len(texts(view)) == 3


def test_the_dashboards_own_lines_get_the_time_they_came(view, state):
    state.log.add("session", 8.0, t_unix_ms=1000 * (1.79e9 - 60))
    state.log.add("own", 8.0 - 60 + 60)
    view.refresh(state, 68.0)
    own, session = texts(view)
    assert own.split()[0] == session.split()[0], "60 s ago by either clock"


def test_levels_can_be_chosen_also_for_what_comes_later(view, state):
    state.log.add("calm", 1.0)
    state.log.add("odd", 1.0, level="warning")
    view.refresh(state, 1.0)
    view.choice.setCurrentIndex(1)
    assert len(texts(view)) == 1
    state.log.add("calm again", 2.0)
    state.log.add("broken", 2.0, level="error")
    view.refresh(state, 2.0)
    assert len(texts(view)) == 2
    view.choice.setCurrentIndex(2)
    assert len(texts(view)) == 1
    view.choice.setCurrentIndex(0)
    assert len(texts(view)) == 4


def test_it_keeps_no_more_than_the_log(view, state):
    for number in range(3 * MOST_LINES):
        state.log.add(f"line {number}", 1.0)
        if number % 7 == 0:
            view.refresh(state, 1.0)
    view.refresh(state, 1.0)
    assert view.list.count() == MOST_LINES
    assert texts(view)[0].endswith(f"line {3 * MOST_LINES - 1}")


def test_another_state_begins_anew(view, state):
    state.log.add("old", 1.0)
    state.log.add("older", 1.0)
    view.refresh(state, 1.0)
    other = DashboardState()
    other.log.add("new", 1.0)
    view.refresh(other, 1.0)
    assert [text.split()[-1] for text in texts(view)] == ["new"]


def test_colours_of_a_theme(view, state):
    state.log.add("broken", 1.0, level="error")
    view.refresh(state, 1.0)
    view.set_colours(LIGHT)
    assert view.list.item(0).foreground().color().name() == LIGHT.invalid
