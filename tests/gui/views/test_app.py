import gc
import threading

import pytest
from dashboard_window import ScriptedFeed
from PyQt6.QtWidgets import QApplication
from scripted_jobs import ScriptedJobs

from rtbold.gui.state.address import Address
from rtbold.gui.state.preferences import Preferences
from rtbold.gui.views import app as dashboard
from rtbold.gui.views.app import AppOptions, build, log_file, overridden
from rtbold.gui.views.main_window import SESSION
from rtbold.gui.views.theme import Remembered


@pytest.fixture
def file(tmp_path):
    return str(tmp_path / "dashboard.ini")


@pytest.fixture
def window(qtbot, qapp, file):
    options = AppOptions(settings_file=file, offer=False)
    made = build(qapp, options, jobs=ScriptedJobs())
    qtbot.addWidget(made)
    return made


def test_every_page_draws_in_both_themes_with_no_session_and_no_fault(qtbot, window):
    window.begin()
    for _ in range(2):
        for page in range(4):
            window.go_to(page)
            window.tick()
            assert not window.grab().isNull()
        window.side.pressed.emit("theme")
    assert window.failures.counts == {}
    assert "NO SESSION" in window.side.status.text()


@pytest.mark.usefixtures("real_letters")
def test_at_1366_by_768_no_page_wants_more_room(qtbot, window):
    window.resize(1366, 728)
    window.show()
    for page in range(4):
        window.go_to(page)
        window.tick()
        assert window.width() <= 1366, page
        assert window.height() <= 768, page
        wanted = window.minimumSizeHint()
        assert (wanted.width() <= 1366, wanted.height() <= 768) == (True, True), page


def test_what_the_command_line_says_goes_over_what_is_remembered(file):
    kept = Preferences(theme="light", text_scale=1.4, participant="trace")
    said = AppOptions(theme="dark", participant="circle", settings_file=file)
    assert overridden(kept, said) == Preferences(
        theme="dark", text_scale=1.4, participant="circle"
    )
    assert overridden(kept, AppOptions()) == kept


def test_choices_and_sizes_are_kept_for_the_next_time(window, file):
    window.begin()
    window.go_to(SESSION)
    window.tick()
    assert window.close()
    kept = Remembered(file).preferences()
    assert bytes.fromhex(kept.layout["session"])
    assert isinstance(kept.choices, dict)


@pytest.mark.parametrize("blob", ["zz", "00", "ff" * 100, ""])
def test_kept_sizes_that_cannot_be_read_are_left_out(qtbot, qapp, file, blob):
    Remembered(file).keep(Preferences(layout={"session": blob}))
    options = AppOptions(settings_file=file, offer=False)
    window = build(qapp, options, jobs=ScriptedJobs())
    qtbot.addWidget(window)
    window.go_to(SESSION)
    window.tick()
    assert window.failures.counts == {}


def test_a_session_outputs_beside_its_recording_or_into_a_temporary_folder(tmp_path):
    folder = tmp_path / "run-01_training"
    beside = log_file(("run", "--record", str(folder), "--port", "1"), "now")
    assert beside == folder / "rtbold-run-now.log"
    assert log_file(("run", "--record"), "now").name == "rtbold-run-now.log"
    assert log_file(("run",), "now").parent != folder


def test_a_window_that_was_closed_leaves_no_thread_and_no_widget(qapp, file):
    before = set(threading.enumerate())
    n_before = len(QApplication.allWidgets())
    options = AppOptions(address=Address("tcp://127.0.0.1:9"), settings_file=file)
    window = build(qapp, options, jobs=ScriptedJobs())
    window.begin()
    window.join(options.address)
    window.participant.open()
    for page in range(4):
        window.go_to(page)
        window.tick()
    assert window.close()
    assert len(QApplication.allWidgets()) > n_before + 100
    window.deleteLater()
    qapp.processEvents()
    qapp.sendPostedEvents(None, 52)  # DeferredDelete, which only a loop delivers
    gc.collect()
    assert set(threading.enumerate()) <= before
    assert len(QApplication.allWidgets()) <= n_before


def test_a_session_is_looked_for_on_the_port_that_was_chosen_last(
    qtbot, qapp, file, monkeypatch
):
    feeds = []

    def open_feed(address, topics, keys):
        feeds.append(ScriptedFeed(address))
        return feeds[-1]

    monkeypatch.setattr(dashboard, "_open_feed", open_feed)
    Remembered(file).keep(Preferences(choices={"port": "6100"}))
    qtbot.addWidget(build(qapp, AppOptions(settings_file=file), jobs=ScriptedJobs()))
    assert [feed.address for feed in feeds] == ["tcp://127.0.0.1:6100"]


def test_a_quiet_window_asks_nothing_when_it_is_closed(qtbot, qapp, file):
    options = AppOptions(settings_file=file, offer=False, close_quietly=True)
    window = build(qapp, options, jobs=ScriptedJobs())
    qtbot.addWidget(window)
    window.closing.ask = pytest.fail
    assert window.closing.may_close()


def test_qt_is_styled_once_and_the_one_application_is_used(qapp):
    assert dashboard.application() is qapp
