import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QWidget
from session_scene import Scene

from rtbold.gui.controllers.session import SessionController
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views import theme
from rtbold.gui.views.session.page import KEY_LINES, SessionPage
from rtbold.gui.views.session.parts import FAULT, StaleOverlay

PAGE = (1210, 690)  # what side bar and title leave of a screen of 1366 x 768


def answer(op, **fields):
    return {"ok": True}


@pytest.fixture
def controller():
    made = SessionController("tcp://127.0.0.1:1", request=answer)
    yield made
    made.close()


@pytest.fixture
def page(qtbot, qapp, controller):
    theme.apply(qapp, DARK, text_scale=1.0, base_points=10.0)
    made = SessionPage(DARK, controller, clock_s=lambda: 0.0, unix_s=lambda: 1.79e9)
    qtbot.addWidget(made)
    made.resize(*PAGE)
    made.show()
    return made


@pytest.fixture
def scene():
    return Scene().volumes(20)


def refresh(page, scene, later_s=0.1):
    page.refresh(scene.state, scene.now_s + later_s)


@pytest.mark.usefixtures("real_letters")
def test_everything_fits_a_small_screen_without_scrolling(page, scene, qapp):
    scene.send("phase")
    refresh(page, scene)
    assert page.width() == PAGE[0]
    assert page.minimumSizeHint().width() <= PAGE[0]
    assert page.minimumSizeHint().height() <= PAGE[1]
    assert page.recording.isVisible()
    parts = (
        page.status, page.target, page.clock, page.commands, page.plot, page.tabs,
        page.timing, page.gauges, page.log,
    )  # fmt: skip
    for part in parts:
        place = part.mapTo(page, part.rect().bottomRight())
        assert page.rect().contains(place), part.objectName()
        assert part.isVisible()


@pytest.mark.usefixtures("real_letters")
def test_larger_text_still_fits(page, qapp, scene):
    theme.apply(qapp, DARK, text_scale=1.15, base_points=10.0)
    refresh(page, scene)
    assert page.minimumSizeHint().width() <= 1366 - 120
    assert page.minimumSizeHint().height() <= 768


def test_every_part_has_a_name_and_a_tooltip(page, scene):
    refresh(page, scene)
    for name in (
        "status_panel", "target_panel", "tr_clock", "roi_plot", "scope_view",
        "event_log", "command_bar", "timing_panel", "phase_strip", "origin_banner",
        "session_tabs",
    ):  # fmt: skip
        assert page.findChild(QWidget, name) is not None, name
    assert page.status.toolTip()
    assert page.plot.graphics.toolTip()


def test_a_second_tells_whether_it_is_real(page, scene):
    scene.volumes(1)
    refresh(page, scene)
    assert page.status.headline.word == "OK"
    assert page.target.words.kind == "value"
    assert page.banner.isHidden()
    scene.volumes(1, status="invalid", reasons=("no_data",))
    refresh(page, scene)
    assert page.status.headline.word == "INVALID"
    assert "no EEG comes" in page.status.headline.why
    assert page.target.words.kind == "hold"


def test_silence_covers_every_plot_within_two_seconds(page, scene):
    refresh(page, scene)
    assert page._overlays[0].isHidden()
    refresh(page, scene, later_s=1.9)
    words = page._overlays[0].words
    assert words.startswith("NO HEARTBEAT for")
    assert "last prediction" in words
    assert page._overlays[0].isVisible()
    assert page._overlays[1].isVisible()
    covered = page._overlays[0].parentWidget()
    for plot in (page.plot, page.tabs):
        assert covered.isAncestorOf(plot)
    scene.volumes(1)
    refresh(page, scene)
    assert page._overlays[0].isHidden()


def test_an_empty_page_says_what_to_do(page):
    page.refresh(DashboardState(), 1.0)
    assert page.status.headline.word == "NO SESSION"
    assert "set-up page" in page.status.headline.do
    assert page._overlays[0].words == "NO SESSION"


def test_bad_channels_are_counted_on_their_tab(page, scene):
    refresh(page, scene)
    assert page.tabs.tabText(1) == "Electrodes"
    scene.quality(O1="flat", T7="line_noise")
    refresh(page, scene)
    assert page.tabs.tabText(1) == "Electrodes ▲ 2"
    assert page.tabs.tabToolTip(1) == "O1, T7"


def test_only_the_open_tab_is_refreshed(page, scene, monkeypatch):
    asked = []
    for name in ("scope", "heads", "powers", "brain"):
        part = getattr(page, name)
        monkeypatch.setattr(part, "refresh", lambda s, n, name=name: asked.append(name))
    refresh(page, scene)
    assert asked == ["scope"]
    page.tabs.setCurrentIndex(1)
    refresh(page, scene)
    assert asked[1:] == ["heads", "powers"]


@pytest.mark.parametrize("tab", [0, 1, 2])
def test_all_tabs_draw_in_both_themes(page, scene, tab):
    scene.fill_scope(1)
    page.tabs.setCurrentIndex(tab)
    refresh(page, scene)
    dark = page.grab().toImage()
    page.set_colours(LIGHT)
    refresh(page, scene)
    assert page.grab().toImage() != dark


def test_commands_go_to_the_session_and_answers_come_back(
    page, scene, controller, qtbot
):
    refresh(page, scene)
    qtbot.mouseClick(page.commands.buttons["mark"], Qt.MouseButton.LeftButton)

    def answered():
        refresh(page, scene)
        return page.commands.answer.text() == "✓ Marked: mark 1"

    qtbot.waitUntil(answered)


def test_signals_for_the_window(page, scene, qtbot):
    scene.send("bye")
    page.set_next_run("run 2")
    refresh(page, scene)
    with qtbot.waitSignal(page.start_requested):
        page.commands.buttons["start"].click()
    with qtbot.waitSignal(page.participant_requested):
        page.commands.buttons["participant"].click()


def test_the_alpha_check_opens_marks_and_closes(page, scene, controller, qtbot):
    refresh(page, scene)
    page.commands.buttons["alpha"].click()
    dialog = page.alpha
    assert dialog.isVisible()
    dialog.begin.click()
    refresh(page, scene)
    assert dialog.running
    page.set_colours(LIGHT)
    with qtbot.waitSignal(dialog.destroyed):
        dialog.close()
    assert page.alpha is None
    refresh(page, scene)


def test_leaving_the_page_stops_an_alpha_check(page, scene, qtbot):
    refresh(page, scene)
    page.commands.buttons["alpha"].click()
    page.alpha.begin.click()
    refresh(page, scene)
    page.hide()
    assert not page.alpha.running


def test_the_layout_is_remembered(page, scene, qtbot, controller):
    refresh(page, scene)
    page.upper.setSizes([300, 900])
    page.tabs.setCurrentIndex(2)
    page.plot.choose(["Cuneus", "ROI 20"])
    page.plot.head.span.setCurrentIndex(0)
    blob = page.save_layout()
    other = SessionPage(DARK, controller)
    qtbot.addWidget(other)
    other.resize(*PAGE)
    other.show()
    other.restore_layout(blob)
    refresh(other, scene)
    assert other.upper.sizes() == page.upper.sizes()
    assert other.tabs.currentIndex() == 2
    assert [lane.name for lane in other.plot.lanes] == ["Putamen", "Cuneus", "ROI 20"]
    assert other.save_layout() == page.save_layout()


@pytest.mark.parametrize(
    "blob",
    [b"", b"nonsense", b"[]", b"\xff\xfe", b'{"version": 1}', b'{"version": 9}',
     b'{"version": 1, "sizes": {"rows_splitter": "zz"}, "choices": {}}',
     b'{"version": 1, "sizes": {"rows_splitter": "00"}, "choices": {"tab": 77}}'],
)  # fmt: skip
def test_a_layout_that_cannot_be_read_changes_nothing(page, blob):
    before = page.upper.sizes(), page.tabs.currentIndex()
    page.restore_layout(blob)
    assert (page.upper.sizes(), page.tabs.currentIndex()) == before


def test_keys_are_listed_for_help():
    keys = [key for key, _ in KEY_LINES]
    assert len(set(keys)) == len(keys)
    assert "Space" not in keys


def test_a_fault_in_one_part_covers_it_and_stops_no_other(page, scene, monkeypatch):
    refresh(page, scene)

    def fails(state, now_s):
        raise ZeroDivisionError("float division by zero")

    with monkeypatch.context() as broken:
        broken.setattr(page.phase, "refresh", fails)
        broken.setattr(page.target, "refresh", fails)
        scene.volumes(1, status="invalid", reasons=("gap",))
        with pytest.raises(ZeroDivisionError):
            refresh(page, scene)
        assert page.status.headline.word == "INVALID"
        assert page.clock.facts.volume == "20"
        (overlay,) = page.target.findChildren(StaleOverlay)
        assert overlay.words == FAULT
        with pytest.raises(ZeroDivisionError):
            refresh(page, scene, later_s=5.0)
        assert any("NO HEARTBEAT" in v.words for v in page.findChildren(StaleOverlay))
    refresh(page, scene)
    assert overlay.words == ""
    assert not overlay.isVisible()
