"""A bar over all pages: what the operator has to know, faults of the window too."""

import logging
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from PyQt6.QtCore import QEvent, Qt
from PyQt6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QWidget

from rtbold.gui.controllers.dashboard import SessionNotice
from rtbold.gui.controllers.left_over import LeftOverNotice, LeftOverRecordings
from rtbold.gui.state.address import Address
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import Colours
from rtbold.gui.state.words import Level, window_words
from rtbold.gui.views.forms import named_button, wrapped_label
from rtbold.publish import LogLevel

MOST_NOTICES = 3
MOST_LINES = 2  # of one notice
ROOM_LINES = 2
SYMBOLS: dict[Level, str] = {"ok": "●", "degraded": "▲", "invalid": "■", "silent": "✕"}


class Notice(QWidget):
    """One line with at most one action and a button to put it away."""

    def __init__(self, key: str, *, level: Level, colours: Colours) -> None:
        super().__init__()
        self.key, self._level = key, level
        self.setObjectName(f"notice_{key}")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.label = wrapped_label()
        self.action = named_button("", name=f"notice_{key}_action")
        self.action.hide()
        self.dismiss = named_button(
            "Hide",
            name=f"notice_{key}_hide",
            tip="Put this line away; it comes back if it happens again",
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 1, 6, 1)
        row.addWidget(self.label, stretch=1)
        row.addWidget(self.action)
        row.addWidget(self.dismiss)
        self.set_colours(colours)

    def say(self, text: str) -> None:
        """Show the first lines of `text`, with the symbol of its level."""
        text = window_words(text)
        lines = text.splitlines()
        shown = "\n".join(lines[:MOST_LINES])
        more = " … (all of it: Events, on the Session page)" * (len(lines) > MOST_LINES)
        self.label.setText(f"{SYMBOLS.get(self._level, '●')}  {shown}{more}")
        self.label.setToolTip(text)

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        edge = colours.of_level(self._level)
        self.setStyleSheet(
            f"Notice {{ background: {colours.panel}; border-left: 6px solid {edge}; }}"
        )


class NoticeBar(QWidget):
    """A place that is always there, so that no page moves; one notice at a time.

    At most three are kept, one for each key. The newest is shown; a button leads to
    the others.
    """

    def __init__(self, colours: Colours) -> None:
        super().__init__()
        self.setObjectName("notice_bar")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._colours = colours
        self._notices: dict[str, Notice] = {}
        self._shown = ""  # key
        self.more = named_button(
            "", name="notice_more", tip="Show the next of the notices"
        )
        self.more.clicked.connect(self._turn)
        self._places = QStackedWidget()
        self._places.addWidget(QWidget())  # nothing to say
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 4, 0)
        row.setSpacing(1)
        row.addWidget(self._places, stretch=1)
        row.addWidget(self.more)
        self._hold()
        self._show("")

    def show_notice(
        self,
        key: str,
        text: str,
        *,
        level: Level = "degraded",
        action: tuple[str, Callable[[], None]] | None = None,
    ) -> None:
        """Show or renew the notice `key`.

        Parameters
        ----------
        action : words of a button, and what it does; the notice goes with it.
        """
        self._remove(key)
        notice = Notice(key, level=level, colours=self._colours)
        notice.say(text)
        if action is not None:
            words, do = action
            notice.action.setText(words)
            notice.action.clicked.connect(lambda: self.take_away(key))
            notice.action.clicked.connect(lambda: do())
            notice.action.show()
        notice.dismiss.clicked.connect(lambda: self.take_away(key))
        self._notices[key] = notice
        self._places.addWidget(notice)
        for old in list(self._notices)[:-MOST_NOTICES]:
            self._remove(old)
        self._show(key)

    def take_away(self, key: str) -> None:
        """Remove the notice `key`; nothing if there is none."""
        self._remove(key)
        self._show(self._shown if self._shown in self._notices else self._newest())

    @property
    def shown(self) -> str:
        """The key of the notice that is seen; empty: there is none."""
        return self._shown

    def texts(self) -> dict[str, str]:
        """Return what there is to say, by key, the newest last."""
        return {key: notice.label.text() for key, notice in self._notices.items()}

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        for notice in self._notices.values():
            notice.set_colours(colours)

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802 - Qt's name
        """Keep as much room in another text size."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.FontChange:
            self._hold()

    def _hold(self) -> None:
        self.setFixedHeight(ROOM_LINES * self.fontMetrics().lineSpacing() + 8)

    def _newest(self) -> str:
        return next(reversed(self._notices), "")

    def _turn(self) -> None:
        keys = list(self._notices)
        if keys:
            self._show(keys[keys.index(self._shown) - 1])

    def _show(self, key: str) -> None:
        self._shown = key
        notice = self._notices.get(key)
        self._places.setCurrentWidget(notice or self._places.widget(0))
        n_others = len(self._notices) - 1
        self.more.setText(f"{n_others} more ▸")
        self.more.setVisible(n_others > 0)

    def _remove(self, key: str) -> None:
        notice = self._notices.pop(key, None)
        if notice is not None:
            self._places.removeWidget(notice)
            notice.hide()
            notice.deleteLater()


# Faults of the dashboard itself: caught in one place, said in words, logged.

LOG = logging.getLogger("rtbold.gui")
MOST_KINDS = 50  # of different faults that are remembered


class Failures:
    """Keeps a fault in one widget from stopping the others.

    Parameters
    ----------
    tell : called with a line in words the first time that a fault happens.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._counts: OrderedDict[str, int] = OrderedDict()

    def guard(self, what: str, call: Callable[[], object]) -> bool:
        """Do `call`; a fault in it becomes a line. Return whether it went well."""
        try:
            call()
        except Exception as error:
            self.note(what, error)
            return False
        return True

    def note(self, what: str, error: BaseException) -> None:
        """Log a fault; say it the first time, then count it."""
        text = (
            f"The dashboard has a fault in {what}: {type(error).__name__}: {error}. "
            "The session does not depend on the dashboard and goes on."
        )
        n = self._counts.get(text, 0) + 1
        self._counts[text] = n
        if len(self._counts) > MOST_KINDS:
            self._counts.popitem(last=False)
        if n == 1:
            LOG.error("fault in %s", what, exc_info=error)
            self._tell(text)

    @property
    def counts(self) -> dict[str, int]:
        """How often each fault happened."""
        return dict(self._counts)

    def install(self) -> Callable[[], None]:
        """Take what no slot and no thread caught; return how to undo that."""
        before = sys.excepthook, threading.excepthook

        def of_slot(
            kind: type[BaseException],
            error: BaseException,
            trace: TracebackType | None,
        ) -> None:
            self.note("an action", error)

        def of_thread(args: threading.ExceptHookArgs) -> None:
            # The window belongs to another thread: logged only, not told.
            LOG.error("fault in thread %s", args.thread, exc_info=args.exc_value)

        def undo() -> None:
            sys.excepthook, threading.excepthook = before

        sys.excepthook, threading.excepthook = of_slot, of_thread
        return undo


# What the controller tells, as notices and as lines of the log.

QUIET = ("joined", "started", "greeting")  # in the log only


class Window(Protocol):
    """What a notice's button can ask of the operator's window."""

    @property
    def state(self) -> DashboardState:
        """What is known now."""

    def join(self, address: Address) -> None:
        """Watch the session at `address`."""

    def session_ended(self) -> None:
        """Show what it came to."""


class NoticeView:
    """Shows notices; the newest of a kind replaces the one before."""

    def __init__(
        self, notices: NoticeBar, window: Window, *, now_s: Callable[[], float]
    ) -> None:
        self._notices, self._window, self._now_s = notices, window, now_s

    def show(self, notice: SessionNotice) -> None:
        """Log it; show it, unless it is only for the log."""
        level: LogLevel = "error" if notice.level == "invalid" else "info"
        # the state itself logs whom it hears, and the session's own words
        if notice.kind not in ("greeting", "recording"):
            self._window.state.log.add(notice.text, self._now_s(), level=level)
        if notice.kind in ("joined", "started"):
            for kind in ("offer", "died", "trouble", "ended", "stale"):
                self._notices.take_away(kind)
        elif notice.kind == "ended":
            self._window.session_ended()
        if notice.kind == "greeting":
            self._notices.take_away("stale")
        if notice.kind in QUIET:
            return
        action = None
        if (where := notice.where) is not None:
            action = ("Join it", lambda: self._window.join(where))
        self._notices.show_notice(
            notice.kind, notice.text, level=notice.level, action=action
        )


# Recordings that a dead session has left running.

CLOSE_WORDS = "Close the recording"


class LeftOverView:
    """Shows what was left running, with a button that closes it."""

    def __init__(self, notices: NoticeBar, left_over: LeftOverRecordings) -> None:
        self._notices, self._left_over = notices, left_over
        left_over.tell = self.show

    def take(self, notice: SessionNotice) -> None:
        """Look once a session has died, and once the next one has closed it."""
        closed = notice.kind == "greeting" and self._left_over.files
        if notice.kind == "died" or closed:
            self._left_over.look()

    def show(self, notice: LeftOverNotice) -> None:
        """Show it in the place of the one before."""
        action = None
        if self._left_over.files:
            action = (CLOSE_WORDS, self._left_over.close_recordings)
        self._notices.show_notice(
            "left_over", notice.text, level=notice.level, action=action
        )
