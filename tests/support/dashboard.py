"""The dashboard's real window as an operator uses it, and the children beside it."""

import gc
import os
import signal
import time
from contextlib import contextmanager

import psutil
import pytest
from loop import Rtbold, free_ports
from PyQt6.QtCore import QEvent, Qt, QTimer
from PyQt6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QTableWidget,
    QWidget,
)

from rtbold.gui.state.address import on_this_machine
from rtbold.gui.state.preferences import Preferences
from rtbold.gui.views.app import AppOptions, build
from rtbold.gui.views.main_window import SESSION
from rtbold.gui.views.session.parts import StaleOverlay
from rtbold.gui.views.session.status import StatusPanel
from rtbold.gui.views.theme import Remembered

PATIENCE_S = 40.0  # for whatever has no bound of its own, on a busy machine
LEFT = Qt.MouseButton.LeftButton


class Dashboard:
    """One window; everything is read off it and done to it by name.

    Parameters
    ----------
    choices : what the operator chose the last time.
    options : of `AppOptions`.
    """

    def __init__(self, qtbot, qapp, folder, *, choices=None, **options):
        self.qtbot = qtbot
        file = str(folder / "dashboard.ini")
        if choices is not None:
            kept = Remembered(file)
            kept.keep(Preferences(choices=choices))
            kept.flush()
        options = {"offer": False, **options}
        self.window = build(qapp, AppOptions(settings_file=file, **options))
        self.faults = {}
        self.window.begin()

    # What is seen

    def find(self, name, kind=QWidget):
        """Return the widget of that name, of this window or of a dialog over it."""
        found = self.window.findChild(kind, name)
        assert found is not None, f"no {kind.__name__} {name!r} in the window"
        return found

    def text(self, name):
        """Return what a label says; empty if it is not seen."""
        label = self.find(name, QLabel)
        return label.text() if label.isVisible() else ""

    @property
    def state(self):
        return self.window.state

    @property
    def page(self):
        return self.window.stack.currentIndex()

    @property
    def word(self):
        """The word at the left of every page."""
        return self.text("side_status").partition("\n")[2]

    @property
    def status(self):
        """Word, why and what to do, as the session page shows them."""
        return self.find("status_panel", StatusPanel).accessibleName()

    @property
    def events(self):
        """The lines of the event log, newest first."""
        lines = self.find("event_log_lines", QListWidget)
        return [lines.item(row).text() for row in range(lines.count())]

    @property
    def notices(self):
        return " | ".join(self.window.notices.texts().values())

    @property
    def overlays(self):
        """What stands over the plots; empty: they are of now."""
        return [
            overlay.words
            for overlay in self.window.findChildren(StaleOverlay)
            if not overlay.isHidden()
        ]

    def said(self):
        """Return what the window says, for a test that failed."""
        return {
            "page": self.page,
            "word": self.word,
            "status": self.status,
            "notices": self.notices,
            "start": (self.text("why_not_start"), self.text("start_failure")),
            "check": self.text("check_words"),
            "events": self.events[:12],
            "faults": self.window.failures.counts,
        }

    # What is done

    def wait(self, condition, limit_s=PATIENCE_S):
        """Let the window live until `condition()`; return how long that took."""
        begun_s = time.monotonic()
        try:
            self.qtbot.waitUntil(
                lambda: bool(condition()), timeout=round(1000 * limit_s)
            )
        except Exception as error:
            raise AssertionError(f"{error}; the window says {self.said()}") from None
        return time.monotonic() - begun_s

    def click(self, name):
        """Click a button once it can be clicked."""
        button = self.find(name, QAbstractButton)
        self.wait(lambda: button.isVisible() and button.isEnabled())
        self.qtbot.mouseClick(button, LEFT)

    def type(self, name, text):
        self.qtbot.keyClicks(self.find(name, QLineEdit), text)

    def key(self, key):
        self.qtbot.keyClick(self.window, key)

    def choose(self, name, begins):
        """Choose from a list by typing how the entry begins."""
        field = self.find(name, QComboBox)
        self.wait(lambda: field.findText(begins, Qt.MatchFlag.MatchStartsWith) >= 0)
        self.qtbot.keyClicks(field, begins)
        assert field.currentText().startswith(begins), field.currentText()

    def take_stream(self, name):
        """Choose a stream from the table by a double click, once it is found."""
        table = self.find("streams", QTableWidget)
        self.wait(lambda: table.findItems(name, Qt.MatchFlag.MatchExactly))
        (item,) = table.findItems(name, Qt.MatchFlag.MatchExactly)
        table.scrollToItem(item)
        at = table.visualItemRect(item).center()
        port = table.viewport()
        self.qtbot.mouseClick(port, LEFT, pos=at)
        self.qtbot.mouseDClick(port, LEFT, pos=at)

    def join(self, publisher):
        """Join a session as --connect does."""
        self.window.join(on_this_machine(publisher.port, publisher.control_port))
        assert self.page == SESSION

    def in_dialog(self, name, act):
        """Do `act(dialog)` once that dialog is open; for those that hold up a click."""
        end_s = time.monotonic() + PATIENCE_S

        def look():
            dialog = self.window.findChild(QDialog, name)
            if dialog is not None and dialog.isVisible():
                act(dialog)
            elif time.monotonic() < end_s:
                QTimer.singleShot(20, look)

        QTimer.singleShot(0, look)

    def press_in(self, dialog, name):
        self.qtbot.mouseClick(dialog.findChild(QAbstractButton, name), LEFT)

    def close(self):
        """Close without a question and take the window's objects away."""
        if self.window is not None:
            window, self.window = self.window, None
            self.faults = window.failures.counts
            window.closing.without_asking()
            window.close()
            window.deleteLater()
            del window  # or its Python half stays
            for _ in range(3):  # widgets, what PyQt kept for their signals, the rest
                QApplication.processEvents()
                QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
                gc.collect()


class Publisher(Rtbold):
    """``rtbold fake`` on free ports."""

    def __init__(self, *options, ports=None):
        self.port, self.control_port = ports or free_ports()
        super().__init__(
            "fake", "--port", self.port, "--control-port", self.control_port, *options
        )

    @property
    def ports(self):
        return self.port, self.control_port

    @property
    def address(self):
        return f"tcp://127.0.0.1:{self.port}"


def answer(box, words):
    """Click the button of a message box whose words begin so."""
    (button,) = [b for b in box.buttons() if b.text().startswith(words)]
    button.click()


class Child:
    """A session that a window has started; killed if a test fails before its end."""

    def __init__(self, child):
        self._child, self._pid = child, child.pid

    def poll(self):
        return self._child.poll()

    def last_words(self):
        return self._child.last_words()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.poll() is None:
            os.kill(self._pid, signal.SIGKILL)


class Gui(Rtbold):
    """``rtbold gui`` as a child, drawn on no screen, with settings of its own."""

    def until_it_listens(self, port):
        """Wait until it is connected to the feed on that port."""
        end_s = time.monotonic() + PATIENCE_S
        process = psutil.Process(self.pid)
        while not any(
            c.raddr and c.raddr.port == port and c.status == "ESTABLISHED"
            for c in process.net_connections()
        ):
            assert self.running, self.said()
            assert time.monotonic() < end_s, self.said()
            time.sleep(0.05)


@contextmanager
def gui(folder, *options):
    """Run ``rtbold gui``; its settings and its log go into `folder`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QT_QPA_PLATFORM", "offscreen")
        for name in ("HOME", "XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA"):
            patch.setenv(name, str(folder))
        process = Gui("gui", *options)
    with process:
        yield process
