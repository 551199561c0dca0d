import json
from types import SimpleNamespace

import pytest
from PyQt6.QtWidgets import QPushButton
from scripted_jobs import ScriptedJobs

from rtbold.gui.controllers.dashboard import SessionNotice
from rtbold.gui.controllers.left_over import LeftOverRecordings
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.notices import MOST_NOTICES, LeftOverView, NoticeBar


def bar_of(qtbot):
    bar = NoticeBar(DARK)
    qtbot.addWidget(bar)
    return bar


def test_its_place_is_always_there_so_that_no_page_moves(qtbot):
    bar = bar_of(qtbot)
    bar.show()
    height = bar.height()
    assert height > 0
    bar.show_notice("died", "It ended.\nin two\nor three lines", level="invalid")
    bar.show_notice("offer", "Another runs.", action=("Join it", print))
    assert "It ended." in bar.texts()["died"]
    assert bar.height() == height
    for key in ("died", "offer"):
        bar.findChild(QPushButton, f"notice_{key}_hide").click()
    assert not bar.isHidden()
    assert bar.height() == height
    assert bar.texts() == {}


def test_the_newest_is_shown_and_a_button_leads_to_the_others(qtbot):
    bar = bar_of(qtbot)
    assert bar.shown == ""
    for key in ("a", "b", "c"):
        bar.show_notice(key, key)
    assert bar.shown == "c"
    assert bar.more.text() == "2 more ▸"
    seen = []
    for _ in range(3):
        bar.more.click()
        seen.append(bar.shown)
    assert seen == ["b", "a", "c"]
    bar.take_away("c")
    assert bar.shown == "b"
    bar.take_away("a")
    assert bar.shown == "b"
    assert bar.more.isHidden()


def test_a_notice_of_the_same_key_replaces_and_the_oldest_goes(qtbot):
    bar = bar_of(qtbot)
    bar.show_notice("a", "first")
    bar.show_notice("a", "second")
    assert [text[-6:] for text in bar.texts().values()] == ["second"]
    for number in range(10):
        bar.show_notice(f"n{number}", "more")
    assert list(bar.texts()) == [f"n{n}" for n in range(10 - MOST_NOTICES, 10)]
    bar.set_colours(LIGHT)


def test_its_button_acts_once_and_takes_the_notice_away(qtbot):
    bar, done = bar_of(qtbot), []
    bar.show_notice("offer", "Join?", action=("Join it", lambda: done.append(1)))
    button = bar.findChild(QPushButton, "notice_offer_action")
    assert button.text() == "Join it"
    button.click()
    assert done == [1]
    assert bar.texts() == {}


def test_a_long_story_is_cut_and_whole_in_the_tooltip(qtbot):
    bar = bar_of(qtbot)
    story = "\n".join(f"line {n}" for n in range(9))
    bar.show_notice("died", story)
    assert "line 1 …" in bar.texts()["died"]
    assert "line 2" not in bar.texts()["died"]
    assert bar._notices["died"].label.toolTip() == story


def test_words_from_elsewhere_are_no_markup(qtbot):
    bar = bar_of(qtbot)
    bar.show_notice("died", "<img src=x> <b>bold</b>")
    assert "<b>bold</b>" in bar.texts()["died"]


# Recordings that a dead session has left running


@pytest.fixture
def left_over(qtbot):
    bar, jobs = NoticeBar(DARK), ScriptedJobs()
    qtbot.addWidget(bar)
    controller = LeftOverRecordings(jobs, DashboardState)
    return SimpleNamespace(
        bar=bar, jobs=jobs, it=controller, view=LeftOverView(bar, controller)
    )


def finds(rig, *files):
    rows = [{"pid": 7, "file": file, "closed": False} for file in files]
    rig.jobs.last.say(json.dumps(rows)).end()
    rig.it.tick(1.0)


def test_a_recording_that_goes_on_has_a_button_that_closes_it(left_over):
    left_over.view.take(SessionNotice("died", "it died", "invalid"))
    finds(left_over, "/data/x_eeg.xdf")
    notice = left_over.bar._notices["left_over"]
    assert "x_eeg.xdf" in notice.label.text()
    assert notice.action.text() == "Close the recording"
    notice.action.click()
    assert left_over.jobs.last.arguments == ("recorders", "--end", "--json")


def test_it_looks_again_once_another_session_is_heard(left_over):
    left_over.view.take(SessionNotice("greeting", "a session is heard"))
    assert left_over.jobs.started == []  # nothing was left
    left_over.view.take(SessionNotice("died", "it died", "invalid"))
    finds(left_over, "/data/x_eeg.xdf")
    left_over.view.take(SessionNotice("greeting", "a session is heard"))
    finds(left_over)
    assert "is closed" in left_over.bar.texts()["left_over"]
    assert left_over.bar._notices["left_over"].action.isHidden()
