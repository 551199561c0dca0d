"""The session page: status, value, TR and commands; below, what they rest on."""

import time
from collections.abc import Callable

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QHideEvent
from PyQt6.QtWidgets import QHBoxLayout, QSplitter, QTabWidget, QVBoxLayout, QWidget

from rtbold.gui.controllers.session import SessionController
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import Colours
from rtbold.gui.state.session_words import stale_words
from rtbold.gui.views.session.alpha import AlphaDialog
from rtbold.gui.views.session.commands import KEYS, CommandBar
from rtbold.gui.views.session.parts import (
    Panel,
    PartsDrawn,
    PhaseStrip,
    StaleOverlay,
    as_bytes,
    from_bytes,
    row_of,
    split,
)
from rtbold.gui.views.session.questions import QuestionBox
from rtbold.gui.views.session.record_bar import RecordBar
from rtbold.gui.views.session.roi_plot import RoiPlot
from rtbold.gui.views.session.status import (
    OriginBanner,
    StatusPanel,
    TargetPanel,
    TrClock,
)
from rtbold.gui.views.session.timing import EventLogView, TimingPanel
from rtbold.gui.views.widgets.brain import GlassBrain
from rtbold.gui.views.widgets.gauges import Gauges
from rtbold.gui.views.widgets.heads import HeadMap
from rtbold.gui.views.widgets.scope import ScopeView
from rtbold.gui.views.widgets.topography import Topography

KEY_LINES: tuple[tuple[str, str], ...] = (
    *(
        (key, f"session: {tip[0].lower()}{tip[1:]}")
        for key, tip in KEYS.values()
        if key != "Ctrl+P"  # the window's own
    ),
    ("Ctrl+F", "session: choose the ROIs of the plot"),
    ("Up, Down", "session: larger and smaller traces, on the EEG"),
)
TABS = ("EEG", "Electrodes", "Brain")
TOP_STRETCH = (30, 38, 23, 32)  # status, value, clock, commands
UPPER, BOTTOM, ROWS = (620, 580), (700, 500), (420, 130)  # first sizes, then kept


class SessionPage(QWidget):
    """Composes the panels; refreshes only what can be seen.

    Parameters
    ----------
    controller : sends the commands; this page takes its results.
    clock_s, unix_s : monotonic and wall clock, for what is drawn.
    """

    start_requested = pyqtSignal()
    participant_requested = pyqtSignal()
    answered = pyqtSignal(object)  # CommandResult

    def __init__(
        self,
        colours: Colours,
        controller: SessionController,
        parent: QWidget | None = None,
        *,
        clock_s: Callable[[], float] = time.monotonic,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("session_page")
        self._colours, self._controller = colours, controller
        self.alpha: AlphaDialog | None = None
        self.banner, self.phase = OriginBanner(colours), PhaseStrip(colours)
        self.questions = QuestionBox(controller.answer)
        self.recording = RecordBar(colours)
        self.status, self.clock = StatusPanel(colours), TrClock(colours)
        self.target = TargetPanel(colours, clock_s=clock_s)
        self.commands = CommandBar(colours, controller)
        self.plot = RoiPlot(colours, unix_s=unix_s)
        self.scope, self.brain = ScopeView(colours), GlassBrain(colours)
        self.heads, self.powers = HeadMap(colours), Topography(colours)
        self.timing, self.gauges = TimingPanel(colours), Gauges(colours)
        self.log = EventLogView(colours, unix_s=unix_s)
        self._drawn = PartsDrawn(colours)
        self._lay_out(colours)
        self.commands.start_requested.connect(self.start_requested)
        self.commands.participant_requested.connect(self.participant_requested)
        self.commands.alpha_requested.connect(self._open_alpha)
        self.commands.answered.connect(self.answered)

    def set_next_run(self, words: str) -> None:
        """Say which run Start starts; empty: none is planned."""
        self.commands.set_next_run(words)

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        for part in (*self._always(), *self._parts_of_tabs()):
            part.set_colours(colours)
        for overlay in (*self._overlays, self._drawn):
            overlay.set_colours(colours)
        if self.alpha is not None:
            self.alpha.set_colours(colours)

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Draw the newest state."""
        parts = (*self._always(), *self._tab_parts[self.tabs.currentIndex()])
        fault = self._drawn.refresh(parts, state, now_s)
        words = stale_words(state, now_s)
        self._overlays[0].say(words)
        self._overlays[1].say(words and ("old" if state.fb else "no data"))
        self._name_tabs(state)
        if self.alpha is not None:
            self.alpha.refresh(state, now_s)
        if fault is not None:
            raise fault

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802 - Qt's name
        """Stop an alpha check: without refreshes it would miss what it measures."""
        if self.alpha is not None and event is not None and not event.spontaneous():
            self.alpha.stop("another page was opened")
        super().hideEvent(event)

    def save_layout(self) -> bytes:
        """Return sizes and choices, for `restore_layout` another day."""
        choices = {"tab": self.tabs.currentIndex(), **self.plot.choices()}
        return as_bytes(self._splitters(), choices)

    def restore_layout(self, blob: bytes) -> None:
        """Take sizes and choices that were saved; what cannot be read is left out."""
        choices = from_bytes(self._splitters(), blob)
        tab = choices.get("tab")
        if isinstance(tab, int) and 0 <= tab < self.tabs.count():
            self.tabs.setCurrentIndex(tab)
        self.plot.take_choices(choices)

    # Layout

    def _splitters(self) -> tuple[QSplitter, ...]:
        return (self.rows, self.upper, self.bottom, self.electrodes)

    def _lay_out(self, colours: Colours) -> None:
        top = QHBoxLayout()
        parts = (self.status, self.target, self.clock, self.commands)
        for part, share in zip(parts, TOP_STRETCH, strict=True):
            top.addWidget(part, share)
        self._make_tabs()
        self.upper = split("upper", (self.plot, self.tabs), sizes=UPPER)
        below = QWidget()
        row = row_of(below)
        row.addWidget(self.timing, 3)
        row.addWidget(self.gauges, 2)
        self.bottom = split("bottom", (below, self.log), sizes=BOTTOM)
        above = QWidget()
        row_of(above).addWidget(self.upper)
        self.rows = split(
            "rows", (above, self.bottom), sizes=ROWS, way=Qt.Orientation.Vertical
        )
        self.rows.setStretchFactor(0, 1)
        self.rows.setStretchFactor(1, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.setSpacing(4)
        column.addWidget(self.recording)
        column.addWidget(self.banner)
        column.addWidget(self.phase)
        column.addWidget(self.questions)
        column.addLayout(top)
        column.addWidget(self.rows, 1)
        self._overlays = (StaleOverlay(colours, above), StaleOverlay(colours, below))

    def _make_tabs(self) -> None:
        self.tabs = QTabWidget()
        self.tabs.setObjectName("session_tabs")
        self.electrodes = split("electrodes", (self.heads, self.powers), sizes=(1, 1))
        self._tab_parts: tuple[tuple[Panel, ...], ...] = (
            (self.scope,),
            (self.heads, self.powers),
            (self.brain,),
        )
        pages = (self.scope, self.electrodes, self.brain)
        for name, page in zip(TABS, pages, strict=True):
            self.tabs.addTab(page, name)

    def _name_tabs(self, state: DashboardState) -> None:
        """Say how many channels are not good, whichever tab is open."""
        n_bad = len(state.bad_channels())
        words = f"{TABS[1]} ▲ {n_bad}" if n_bad else TABS[1]
        if self.tabs.tabText(1) != words:
            self.tabs.setTabText(1, words)
            self.tabs.setTabToolTip(1, ", ".join(sorted(state.bad_channels())))

    def _always(self) -> tuple[Panel, ...]:
        return (
            self.recording, self.banner, self.phase, self.questions, self.status,
            self.target, self.clock, self.commands, self.plot, self.timing,
            self.gauges, self.log,
        )  # fmt: skip

    def _parts_of_tabs(self) -> tuple[Panel, ...]:
        return tuple(part for parts in self._tab_parts for part in parts)

    def _open_alpha(self) -> None:
        if self.alpha is None:
            self.alpha = AlphaDialog(self._colours, self._controller.mark, self)
            self.alpha.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            self.alpha.destroyed.connect(self._forget_alpha)
        self.alpha.show()
        self.alpha.raise_()

    def _forget_alpha(self) -> None:
        self.alpha = None
