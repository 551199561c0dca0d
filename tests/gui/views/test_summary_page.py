import numpy as np
from feed_messages import Played, received

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.history import target_pairs
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.summary_page import REDRAW_S, SummaryPage


def page_of(qtbot, state, now_s=100.0):
    page = SummaryPage(DARK)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.refresh(state, now_s)
    return page


def a_session(n_volumes=40):
    state = DashboardState()
    played = Played(state)
    played.hello()
    rng = np.random.default_rng(0)
    for volume in range(n_volumes):
        value = float(rng.normal())
        played.tick(value=value)
        played.send(
            "truth",
            volume=volume,
            rois=played.rois,
            values=(value + 1,) * 3,
            filtered=(100 + 2 * value,) * 3,
            predicted=(value,) * 3,
            t_volume=played.lsl_s - 0.1,
        )
    return state, played


def test_before_any_session_it_says_where_to_begin(qtbot):
    page = page_of(qtbot, DashboardState())
    assert "No session yet" in page.text.toPlainText()
    assert not page.save.isEnabled()


def test_the_numbers_of_the_session_are_there(qtbot):
    state, _ = a_session()
    page = page_of(qtbot, state)
    text = page.text.toPlainText()
    assert "late predictions" in text
    assert "40" in text
    assert "it is running" in text


def test_the_end_is_told_as_it_was(qtbot):
    state, played = a_session(3)
    page = page_of(qtbot, state)
    played.send("bye")
    page.take(state)
    assert "running" not in page.text.toPlainText()
    assert "goodbye" not in page.text.toPlainText()


def test_it_is_drawn_every_two_seconds_and_not_each_frame(qtbot):
    state, played = a_session(3)
    page = page_of(qtbot, state)
    before = page.text.toPlainText()
    played.tick()
    page.refresh(state, 100.0 + 0.5 * REDRAW_S)
    assert page.text.toPlainText() == before
    page.refresh(state, 100.0 + 1.1 * REDRAW_S)
    assert page.text.toPlainText() != before


def test_a_session_before_stays_to_be_looked_at(qtbot):
    state, _ = a_session(5)
    page = page_of(qtbot, state)
    state.take(received("hello", session="another", model_name="S02"), 200.0)
    page.refresh(state, 200.0)
    assert page.which.count() == 2
    assert "S02" in page.text.toPlainText()
    page.which.setCurrentIndex(1)
    assert "S02" not in page.text.toPlainText()
    assert "no goodbye" in page.text.toPlainText()
    page.refresh(state, 300.0)
    assert page.which.currentIndex() == 1


def test_it_is_saved_as_a_page(qtbot, tmp_path):
    state, _ = a_session(5)
    page = page_of(qtbot, state)
    file = tmp_path / "summary.html"
    assert page.save_to(file)
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert str(file) in page.said.text()


def test_a_folder_that_is_not_there_is_said(qtbot, tmp_path):
    state, _ = a_session(5)
    page = page_of(qtbot, state)
    assert not page.save_to(tmp_path / "no" / "summary.html")
    assert "Not saved" in page.said.text()


def test_the_scatter_has_a_dot_per_measured_volume(qtbot):
    state, _ = a_session(30)
    pairs = target_pairs(state.history, state.hello.target)
    page = page_of(qtbot, state)
    page.set_colours(LIGHT)
    picture = page.scatter.grab().toImage()
    assert picture.pixelColor(2, 2).name() == LIGHT.panel
    assert len(pairs.predicted) == len(pairs.measured) == 30
    np.testing.assert_allclose(pairs.measured, 100 + 2 * pairs.predicted, rtol=1e-5)
    drawn = page.scatter.grab().toImage()
    page.scatter.show_pairs(None)
    assert page.scatter.grab().toImage() != drawn


def test_a_target_that_is_no_roi_has_no_pairs():
    state, _ = a_session(3)
    assert target_pairs(state.history, "a - b") is None
