"""The participant's window: one drawing, no words, its own screen."""

from collections.abc import Callable

from PyQt6.QtCore import QRectF, Qt, pyqtSignal
from PyQt6.QtGui import (
    QCloseEvent,
    QGuiApplication,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QScreen,
)
from PyQt6.QtWidgets import QWidget

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.participant import TRACE_STEP_S, ParticipantLevel, ParticipantView
from rtbold.gui.state.preferences import Preferences
from rtbold.gui.views.participant_drawings import BACKGROUND, DRAWINGS, LIT, UNLIT

NOTHING = ParticipantView(level=None, lit=False)
Key = Qt.Key


class ParticipantWindow(QWidget):
    """A top-level window; F11 makes it fill its screen, Esc gives the window back.

    Parameters
    ----------
    preferences : form of the drawing, range of z, smoothing, the photodiode's square.
    """

    closed = pyqtSignal()

    def __init__(self, preferences: Preferences) -> None:
        super().__init__(None)
        self.setObjectName("participant_window")
        self.setWindowTitle("Participant")
        self.setMinimumSize(320, 240)
        self.resize(800, 600)
        self.setCursor(Qt.CursorShape.BlankCursor)
        self._view, self._now_s = NOTHING, 0.0
        self._level = ParticipantLevel()
        self.set_preferences(preferences)

    def set_preferences(self, preferences: Preferences) -> None:
        """Take another form, range or square."""
        self.preferences = preferences
        self._level.set_scale(
            preferences.participant_limit_z, smooth=preferences.participant_smooth
        )
        self.update()

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Draw what the rule for apps allows at `now_s`."""
        self._show(self._level.take(state.shown(now_s), now_s), now_s)

    def neutral(self) -> None:
        """Show nothing; for when the dashboard itself has a fault."""
        self._show(self._level.neutral(), self._now_s)

    @property
    def view(self) -> ParticipantView:
        """What is drawn now."""
        return self._view

    def _show(self, view: ParticipantView, now_s: float) -> None:
        moves = self.preferences.participant == "trace"
        due = moves and now_s - self._now_s >= TRACE_STEP_S
        if view != self._view or due:
            self._view, self._now_s = view, now_s
            self.update()

    def go_to_second_screen(self) -> bool:
        """Fill the second screen if there is one; else stay a window."""
        second = _other_screen(self.screen())
        if second is None:
            self.show()
            return False
        self.setGeometry(second.geometry())
        self.show()
        if (handle := self.windowHandle()) is not None:
            handle.setScreen(second)
        self.showFullScreen()
        return True

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw the newest view."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), BACKGROUND)
        form = self.preferences.participant
        trace = self._level.trace(self._now_s) if form == "trace" else ()
        DRAWINGS[form](painter, QRectF(self.rect()), self._view.level, trace)
        side = self.preferences.photodiode_px
        if side:
            corner = QRectF(0, self.height() - side, side, side)
            painter.fillRect(corner, LIT if self._view.lit else UNLIT)
        painter.end()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 - Qt's name
        """Enter and leave full screen."""
        actions: dict[int, Callable[[], None]] = {
            Key.Key_F11: self.showNormal
            if self.isFullScreen()
            else self.showFullScreen,
            Key.Key_Escape: self.showNormal,
        }
        if event is not None and event.key() in actions:
            actions[event.key()]()

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Tell the dashboard."""
        self.closed.emit()
        super().closeEvent(event)


def _other_screen(current: QScreen | None) -> QScreen | None:
    others = [s for s in QGuiApplication.screens() if s is not current]
    return others[0] if others else None
