"""The EEG scope: traces, and how to look at them."""

from dataclasses import replace
from typing import Final

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.widgets.scope_canvas import ScopeCanvas
from rtbold.gui.views.widgets.scope_settings import (
    FILTER_WORDS,
    FILTERS,
    SECONDS,
    ScopeSettings,
)

TIP: Final = (
    "Conditioned EEG as the session sends it, all channels. Up and Down change the "
    "scale. Names carry the sign of the channel's state; the head map has the legend. "
    "A blank piece is EEG that never came."
)
FILTER_TIP: Final = (
    "For the eyes only: the model's EEG is not touched. The band-pass is causal "
    "(second order), so it delays slow waves a little."
)


class ScopeView(QWidget):
    """All channels as a sweep.

    Signals
    -------
    settings_changed : a `ScopeSettings`, to be remembered.
    """

    settings_changed = pyqtSignal(object)

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scope_view")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setToolTip(TIP)
        self.settings = ScopeSettings()
        self.canvas = ScopeCanvas(colours, self)
        self._caption = QLabel(self)
        self._caption.setObjectName("scope_caption")
        # Of a long caption the end is cut, or the page could not be made narrow.
        self._caption.setMinimumWidth(1)
        self._seconds = _choice("scope_seconds", [f"{s:g} s" for s in SECONDS], self)
        self._seconds.setToolTip("Seconds across the screen")
        self._filter = _choice("scope_filter", [FILTER_WORDS[f] for f in FILTERS], self)
        self._filter.setToolTip(FILTER_TIP)
        self._seconds.activated.connect(self._choose_seconds)
        self._filter.activated.connect(self._choose_filter)
        self._lay_out()
        self.set_colours(colours)
        self.set_settings(self.settings)

    def set_colours(self, colours: Colours) -> None:
        """Draw in another theme."""
        self.canvas.set_colours(colours)
        self._caption.setStyleSheet(f"color: {colours.muted}")

    def set_settings(self, settings: ScopeSettings) -> None:
        """Look in another way; tells nobody."""
        self.settings = settings
        self.canvas.set_settings(settings)
        nearest = min(SECONDS, key=lambda s: abs(s - settings.seconds))
        self._seconds.setCurrentIndex(SECONDS.index(nearest))
        self._filter.setCurrentIndex(FILTERS.index(settings.filter))
        self._caption.setText(settings.caption())
        self._caption.setToolTip(settings.caption())

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Draw what is new."""
        self.canvas.refresh(state, now_s)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 (Qt's)
        """Up makes traces larger, Down smaller."""
        if event is not None and event.key() == Qt.Key.Key_Up:
            self.enlarge()
        elif event is not None and event.key() == Qt.Key.Key_Down:
            self.reduce()
        else:
            super().keyPressEvent(event)

    def enlarge(self) -> None:
        """Make the traces larger by one step."""
        self._change(self.settings.larger())

    def reduce(self) -> None:
        """Make the traces smaller by one step."""
        self._change(self.settings.smaller())

    def _choose_seconds(self, index: int) -> None:
        self._change(replace(self.settings, seconds=SECONDS[index]))

    def _choose_filter(self, index: int) -> None:
        self._change(replace(self.settings, filter=FILTERS[index]))

    def _change(self, settings: ScopeSettings) -> None:
        if settings != self.settings:
            self.set_settings(settings)
            self.settings_changed.emit(settings)

    def _lay_out(self) -> None:
        larger = _button("scope_larger", "+", self)
        larger.setToolTip("Larger traces (Up)")
        larger.clicked.connect(self.enlarge)
        smaller = _button("scope_smaller", "\u2212", self)
        smaller.setToolTip("Smaller traces (Down)")
        smaller.clicked.connect(self.reduce)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._caption, 1)
        for part in (smaller, larger, self._seconds, self._filter):
            row.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self.canvas, 1)


def _button(name: str, words: str, parent: QWidget) -> QToolButton:
    button = QToolButton(parent)
    button.setObjectName(name)
    button.setText(words)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys stay with the traces
    return button


def _choice(name: str, words: list[str], parent: QWidget) -> QComboBox:
    choice = QComboBox(parent)
    choice.setObjectName(name)
    choice.addItems(words)
    choice.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return choice
