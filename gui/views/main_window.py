"""The operator's window: four pages, the status on each, one timer that drives all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from PyQt6.QtCore import QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PyQt6.QtWidgets import (
    QApplication,
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.controllers.dashboard import DashboardController
from rtbold.gui.state.address import Address
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.headline import Headline
from rtbold.gui.state.preferences import Colours, Preferences, ThemeName, colours
from rtbold.gui.state.words import status_words
from rtbold.gui.views import theme
from rtbold.gui.views.closing import Closing
from rtbold.gui.views.dialogs import ConnectDialog, HelpDialog
from rtbold.gui.views.forms import named_button, wrapped_label
from rtbold.gui.views.notices import Failures, LeftOverView, NoticeBar, NoticeView
from rtbold.gui.views.participant import ParticipantHost
from rtbold.gui.views.summary_page import SummaryPage
from rtbold.gui.views.theme import Remembered

# The slim bar at the left: pages, and the session's status on every page.

PAGES = ("Set-up", "Rehearse", "Session", "Summary")
SHORTEST_WIDTH = 104


class SideBar(QWidget):
    """Buttons of the pages, and below them status and settings.

    Parameters
    ----------
    actions : (object name, words, tooltip) of further buttons; `pressed` tells which.
    """

    chosen = pyqtSignal(int)  # index of a page
    pressed = pyqtSignal(str)  # object name of an action

    def __init__(
        self, colours: Colours, actions: Sequence[tuple[str, str, str]] = ()
    ) -> None:
        super().__init__()
        self.setObjectName("side_bar")
        self._colours = colours
        self._shown: tuple[str, str, str] | None = None
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Expanding)
        self.setMinimumWidth(SHORTEST_WIDTH)
        self.status = wrapped_label(name="side_status")
        self.status.setAlignment(Qt.AlignmentFlag.AlignCenter)
        ignored = QSizePolicy.Policy.Ignored  # its words make the bar no wider
        self.status.setSizePolicy(ignored, QSizePolicy.Policy.Preferred)
        self._group = QButtonGroup(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        for index, name in enumerate(PAGES):
            column.addWidget(self._page_button(index, name))
        column.addSpacing(12)
        column.addWidget(self.status)
        column.addStretch(1)
        for object_name, words, tip in actions:
            column.addWidget(self._action_button(object_name, words, tip))
        self._group.idClicked.connect(self.chosen)

    def _page_button(self, index: int, name: str) -> QPushButton:
        slug = name.lower().replace("-", "")
        button = named_button(
            name, name=f"page_{slug}", tip=f"{name} (Ctrl+{index + 1})"
        )
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._group.addButton(button, index)
        return button

    def _action_button(self, object_name: str, words: str, tip: str) -> QPushButton:
        button = named_button(words, name=object_name, tip=tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda: self.pressed.emit(object_name))
        return button

    def mark(self, index: int) -> None:
        """Show which page is open."""
        button = self._group.button(index)
        if button is not None:
            button.setChecked(True)

    def show_headline(self, headline: Headline) -> None:
        """Show the session's status; does nothing while it stays the same."""
        now = (headline.level, headline.word, headline.why)
        if now == self._shown:
            return
        self._shown = now
        colour = self._colours.of_level(headline.level)
        self.status.setText(f"{status_words(headline.level).symbol}\n{headline.word}")
        self.status.setToolTip(f"{headline.why}\n{headline.do}".strip())
        self.status.setStyleSheet(
            f"border: 2px solid {colour}; border-radius: 4px; padding: 6px 0px;"
            f"color: {colour}; font-weight: bold;"
        )

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours, self._shown = colours, None


# What the operator's window is made of, and the keys that it knows.

SETUP, REHEARSE, SESSION, SUMMARY = range(len(PAGES))
SIDE_ACTIONS = (
    ("join", "Join…", "Watch a session that runs, here or elsewhere (Ctrl+J)"),
    ("participant", "Participant", "The participant's window (Ctrl+P)"),
    ("theme", "Light / dark", "Other colours (Ctrl+T)"),
    ("help", "Keys", "What the keys do (F1)"),
)
KEYS: tuple[tuple[str, str], ...] = (
    *((f"Ctrl+{n}", f"page {name}") for n, name in enumerate(PAGES, start=1)),
    ("Ctrl+J", "join a session that runs"),
    ("Ctrl+P", "open or close the participant's window"),
    ("F11, Esc", "on the participant's window: full screen, and back"),
    ("Ctrl+T", "dark or light"),
    ("Ctrl++, Ctrl+-, Ctrl+0", "larger, smaller, usual text"),
    ("Ctrl+Q", "close the dashboard; a session goes on unless you say otherwise"),
    ("F1", "this list"),
)


class Page(Protocol):
    """What the window asks of a page, which is a QWidget too."""

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Draw the newest state; called 30 times a second while it is seen."""

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""


class Ticking(Protocol):
    """A controller that is called once per frame."""

    def tick(self, now_s: float) -> None:
        """Take what has come."""

    def close(self) -> None:
        """End its children and threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the window is made of.

    Parameters
    ----------
    pages : of set-up, rehearsal, session and summary, in this order.
    workers : further controllers, ended with the window.
    keys : lines for F1 beside the window's own.
    gathered : adds what the pages want to be remembered.
    base_points : text size of the system, before any scaling.
    now_s : a monotonic clock.
    """

    controller: DashboardController
    pages: tuple[Page, Page, Page, SummaryPage]
    workers: tuple[Ticking, ...]
    remembered: Remembered
    preferences: Preferences
    base_points: float
    now_s: Callable[[], float]
    keys: tuple[tuple[str, str], ...] = ()
    gathered: Callable[[Preferences], Preferences] = lambda preferences: preferences


FRAME_MS = 33
MOST_LEFT_OUT = 2  # frames in a row, while a prediction is made
FIRST_SIZE = QSize(1366, 728)  # with the desktop's bar: a 1366 x 768 screen
FRAME = QSize(0, 28)  # of a title bar
TEXT_STEP = 1.1
SUMMARY_EVERY_S = 5.0


class MainWindow(QMainWindow):
    """Pages in a stack, a side bar, a bar of notices; the timer starts with `begin`."""

    told = pyqtSignal(object)  # SessionNotice

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.setObjectName("main_window")
        self.setWindowTitle("rtbold")
        self._parts, self.controller = parts, parts.controller
        self.preferences = parts.preferences
        self.failures = Failures(self._tell_fault)
        shown = colours(self.preferences.theme)
        self.side = SideBar(shown, SIDE_ACTIONS)
        self.notices = NoticeBar(shown)
        self.notice_view = NoticeView(self.notices, self, now_s=parts.now_s)
        self.left_over: LeftOverView | None = None
        self.participant = ParticipantHost(self)
        self.closing = Closing(self, self.controller, parts.now_s)
        self.stack = QStackedWidget()
        self._summary_s = parts.now_s()
        self._lay_out()
        self._connect()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_timer)
        self._n_left_out = 0  # frames in a row
        self._dress()

    @property
    def remembered(self) -> Remembered:
        """Where preferences are kept."""
        return self._parts.remembered

    @property
    def state(self) -> DashboardState:
        """What is known now."""
        return self.controller.state

    def begin(self) -> None:
        """Restore place and size, show the window, start the timer."""
        geometry = self._parts.remembered.geometry()
        if geometry is None or not self.restoreGeometry(geometry):
            self._fit_the_screen()
        self.show()
        self.stack.setFocus()  # no button is one press of Space away
        self._timer.start(FRAME_MS)

    def _on_timer(self) -> None:
        """Draw a frame, unless a prediction is about to be made."""
        if self._n_left_out < MOST_LEFT_OUT and self.state.gives_way(
            self._parts.now_s()
        ):
            self._n_left_out += 1
            return
        self._n_left_out = 0
        self.tick()

    def _fit_the_screen(self) -> None:
        """Take a usual size, or what the screen has: at 150 % that is less."""
        screen = self.screen()
        room = screen.availableSize() if screen is not None else FIRST_SIZE
        self.resize(FIRST_SIZE.boundedTo(room - FRAME))

    def tick(self) -> None:
        """Take what has come and draw; a fault in one part stops no other."""
        now_s, guard = self._parts.now_s(), self.failures.guard
        guard("the feed", lambda: self.controller.tick(now_s))
        for worker in self._parts.workers:
            guard("a worker", partial(worker.tick, now_s))
        guard("the notices", self._show_notices)
        guard(
            "the status",
            lambda: self.side.show_headline(self.state.headline(now_s)),
        )
        shown = self.stack.currentIndex()
        page: Page = self._parts.pages[shown]
        guard(f"the page {PAGES[shown]}", lambda: page.refresh(self.state, now_s))
        guard("the summary", lambda: self._keep_summary(now_s))
        if not guard(
            "the participant's window",
            lambda: self.participant.refresh(self.state, now_s),
        ):
            self.participant.neutral()
        guard("closing", lambda: self.closing.tick(now_s))

    def _show_notices(self) -> None:
        for notice in self.controller.notices():
            self.notice_view.show(notice)
            self.told.emit(notice)

    def _keep_summary(self, now_s: float) -> None:
        """Keep the numbers of a session that may be followed by another at any time."""
        if now_s - self._summary_s > SUMMARY_EVERY_S:
            self._summary_s = now_s
            self._parts.pages[-1].take(self.state)

    def go_to(self, page: int) -> None:
        """Open a page."""
        self.stack.setCurrentIndex(page)
        self.side.mark(page)
        if (shown := self.stack.currentWidget()) is not None:
            shown.setFocus()  # else the first button of the side bar looks chosen

    def join(self, address: Address) -> None:
        """Watch the session at `address`."""
        if self.controller.join(address):
            self.go_to(SESSION)

    def start_session(self, arguments: tuple[str, ...]) -> bool:
        """Start a session, and watch it."""
        if not self.controller.start(arguments):
            return False
        self.go_to(SESSION)
        return True

    def session_ended(self) -> None:
        """Show what the session came to, unless the operator is preparing the next."""
        self._parts.pages[-1].take(self.state)
        if self.stack.currentIndex() == SESSION:
            self.go_to(SUMMARY)

    def ask_to_join(self) -> None:
        """Ask for an address; join it."""
        dialog = ConnectDialog(self.controller.address or Address(), self)
        if dialog.exec():
            self.join(dialog.address)

    def set_preferences(self, preferences: Preferences) -> None:
        """Take and keep other preferences."""
        before, self.preferences = self.preferences, preferences
        if (before.theme, before.text_scale) != (
            preferences.theme,
            preferences.text_scale,
        ):
            self._dress()
        self.participant.set_preferences(preferences)
        self._parts.remembered.keep(preferences)

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Ask about a session that runs; end threads and children, never it."""
        if event is None:
            return
        if not self.closing.may_close():
            event.ignore()
            return
        self._timer.stop()
        self.participant.close()
        self.keep_preferences()
        self._parts.remembered.keep_geometry(self.saveGeometry())
        self._parts.remembered.flush()
        self.hide()  # children may take seconds to end in order
        for worker in self._parts.workers:
            self.failures.guard("a worker's end", worker.close)
        self.failures.guard("the link's end", self.controller.close)
        event.accept()

    def keep_preferences(self) -> None:
        """Keep them with what the pages add; without that if a page has a fault."""
        kept = self._parts.remembered.keep
        self.failures.guard(
            "what is remembered", lambda: kept(self._parts.gathered(self.preferences))
        )

    def _lay_out(self) -> None:
        for page in self._parts.pages:
            assert isinstance(page, QWidget)
            self.stack.addWidget(page)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addWidget(self.notices)
        right.addWidget(self._roomy(), stretch=1)
        whole = QWidget()
        row = QHBoxLayout(whole)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.side)
        row.addLayout(right, stretch=1)
        self.setCentralWidget(whole)
        self.go_to(SETUP)

    def _roomy(self) -> QScrollArea:
        """Return the pages so that a screen that is too small scrolls over them."""
        area = QScrollArea()
        area.setObjectName("pages")
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(self.stack)
        return area

    def _connect(self) -> None:
        self.side.chosen.connect(self.go_to)
        actions: dict[str, Callable[[], None]] = {
            "join": self.ask_to_join,
            "participant": self.participant.toggle,
            "theme": self._other_theme,
            "help": self._show_help,
        }
        self.side.pressed.connect(lambda name: actions[name]())
        shortcuts: dict[str, Callable[[], object]] = {
            **{f"Ctrl+{n + 1}": partial(self.go_to, n) for n in range(len(PAGES))},
            "Ctrl+J": self.ask_to_join,
            "Ctrl+P": self.participant.toggle,
            "F10": self.controller.commands.participant_stop,
            "Ctrl+T": self._other_theme,
            "F1": self._show_help,
            "Ctrl++": lambda: self._scale_text(TEXT_STEP),
            "Ctrl+=": lambda: self._scale_text(TEXT_STEP),
            "Ctrl+-": lambda: self._scale_text(1 / TEXT_STEP),
            "Ctrl+0": lambda: self._scale_text(1 / self.preferences.text_scale),
            "Ctrl+Q": self.close,
        }
        for keys, action in shortcuts.items():
            QShortcut(QKeySequence(keys), self).activated.connect(action)

    def _other_theme(self) -> None:
        other: ThemeName = "light" if self.preferences.theme == "dark" else "dark"
        self.set_preferences(replace(self.preferences, theme=other))

    def _scale_text(self, factor: float) -> None:
        self.set_preferences(self.preferences.with_text_scale(factor))

    def _dress(self) -> None:
        """Give everything the colours and the text size of the preferences."""
        shown = colours(self.preferences.theme)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            theme.apply(
                app,
                shown,
                text_scale=self.preferences.text_scale,
                base_points=self._parts.base_points,
            )
        for part in (self.side, self.notices, *self._parts.pages):
            part.set_colours(shown)

    def _show_help(self) -> None:
        HelpDialog((*KEYS, *self._parts.keys), self).exec()

    def _tell_fault(self, text: str) -> None:
        self.state.log.add(text, self._parts.now_s(), level="error")
        self.notices.show_notice("fault", text, level="invalid")
