"""The operator's window with plain pages, scripted feeds and a hand-cranked clock."""

from PyQt6.QtWidgets import QApplication, QLabel

from rtbold.gui.controllers.dashboard import DashboardController
from rtbold.gui.controllers.session import SessionController
from rtbold.gui.state.preferences import DARK, Preferences
from rtbold.gui.views.main_window import MainWindow, Parts
from rtbold.gui.views.summary_page import SummaryPage
from rtbold.gui.views.theme import Remembered


class PlainPage(QLabel):
    """A page that notes what it was asked."""

    def __init__(self, name):
        super().__init__(name)
        self.seen, self.colours, self.fault = [], None, None

    def refresh(self, state, now_s):
        if self.fault is not None:
            raise self.fault
        self.seen.append(now_s)

    def set_colours(self, colours):
        self.colours = colours


class ScriptedFeed:
    """What a reader of a feed hears."""

    def __init__(self, address):
        self.address, self.waiting, self.closed = address, [], False

    def start(self):
        pass

    def drain(self):
        taken, self.waiting = self.waiting, []
        return taken

    def close(self):
        self.closed = True


class ScriptedChild:
    """A session that was started from here."""

    def __init__(self):
        self.problem, self.code, self.words = "", None, ""

    def poll(self):
        return self.code

    def last_words(self):
        return self.words

    def let_go(self):
        pass


class WindowRig:
    """Everything around one window."""

    def __init__(self, folder, preferences=None, *, offer_at=None, keep=None):
        self.now_s, self.feeds, self.asked, self.started = 5.0, [], [], []
        self.child = ScriptedChild()
        self.commands = SessionController(
            "tcp://127.0.0.1:5581", request=lambda op, **_: self.answer(op)
        )
        self.controller = DashboardController(
            open_feed=self.open_feed,
            start_session=self.start_session,
            commands=self.commands,
            offer_at=offer_at,
        )
        self.remembered = Remembered(str(folder / "dashboard.ini"))
        self.pages = tuple(
            PlainPage(name) for name in ("set-up", "rehearse", "session")
        )
        self.summary = SummaryPage(DARK)
        self.window = MainWindow(
            Parts(
                controller=self.controller,
                pages=(*self.pages, self.summary),
                workers=(),
                remembered=self.remembered,
                preferences=preferences or Preferences(),
                base_points=QApplication.font().pointSizeF(),
                now_s=lambda: self.now_s,
            )
        )

        # a dialog that nobody answers would hold up a test that failed
        self.window.closing.ask = lambda: "leave"

    def answer(self, op):
        self.asked.append(op)
        return {"ok": True}

    def start_session(self, arguments):
        self.started.append(tuple(arguments))
        return self.child

    def open_feed(self, address, topics, keys):
        self.feeds.append(ScriptedFeed(address))
        return self.feeds[-1]

    def hear(self, *received, after_s=0.1):
        self.feeds[-1].waiting.extend(received)
        self.now_s += after_s
        self.window.tick()
