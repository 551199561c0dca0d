"""The participant's window: one drawing, no words, its own screen."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from PyQt6.QtCore import QPointF, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import (
    QCloseEvent,
    QColor,
    QGuiApplication,
    QKeyEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QScreen,
)
from PyQt6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.participant import (
    TRACE_S,
    TRACE_STEP_S,
    ParticipantLevel,
    ParticipantView,
)
from rtbold.gui.state.preferences import PARTICIPANT_FORMS, ParticipantForm, Preferences
from rtbold.gui.views.forms import wrapped_label

# What the participant's window shows, chosen by the operator.

WORDS = (
    "The participant sees one shape and no words. It is neutral whenever the value may "
    "not be shown. F11 on that window fills its screen, Esc gives the window back."
)


class ParticipantDialog(QDialog):
    """Form, range, smoothing and the square for a photodiode; changes show at once."""

    changed = pyqtSignal(object)  # Preferences

    def __init__(self, preferences: Preferences, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Participant's window")
        self.setObjectName("participant_dialog")
        self._preferences = preferences
        self._make_fields(preferences)
        self._lay_out()
        self.form.currentTextChanged.connect(self._tell)
        self.limit.valueChanged.connect(self._tell)
        self.smooth.toggled.connect(self._tell)
        self.square.valueChanged.connect(self._tell)

    def _make_fields(self, preferences: Preferences) -> None:
        self.form = QComboBox()
        self.form.setObjectName("participant_form")
        self.form.addItems(PARTICIPANT_FORMS)
        self.form.setCurrentText(preferences.participant)
        self.limit = QDoubleSpinBox()
        self.limit.setObjectName("participant_limit")
        self.limit.setRange(0.5, 10)
        self.limit.setSingleStep(0.5)
        self.limit.setValue(preferences.participant_limit_z)
        self.limit.setToolTip("z at the upper end; the lower end is minus that")
        self.smooth = QCheckBox("glide to a new value")
        self.smooth.setObjectName("participant_smooth")
        self.smooth.setChecked(preferences.participant_smooth)
        self.square = QSpinBox()
        self.square.setObjectName("participant_square")
        self.square.setRange(0, 400)
        self.square.setSuffix(" px")
        self.square.setSpecialValueText("none")
        self.square.setValue(preferences.photodiode_px)
        self.square.setToolTip("A square that flips with each update, lower left")

        for box in (self.limit, self.square):  # the style's arrows are not drawn well
            box.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.PlusMinus)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("&Drawing", self.form)
        form.addRow("Ends of the scale, &z", self.limit)
        form.addRow("&Smoothing", self.smooth)
        form.addRow("S&quare for a photodiode", self.square)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(wrapped_label(WORDS))
        column.addLayout(form)
        column.addWidget(buttons)

    def _tell(self) -> None:
        form = next(f for f in PARTICIPANT_FORMS if f == self.form.currentText())
        self._preferences = replace(
            self._preferences,
            participant=form,
            participant_limit_z=self.limit.value(),
            participant_smooth=self.smooth.isChecked(),
            photodiode_px=self.square.value(),
        )
        self.changed.emit(self._preferences)


# The three drawings for the participant: thermometer, circle and trace.
#
# No text on any of them, and colours of their own: what the participant sees does not
# change with the operator's theme. One hue, so that up is not "good" by its colour.

BACKGROUND = QColor("#101214")
OUTLINE = QColor("#6b7580")
NEUTRAL = QColor("#4a525b")
CALM = QColor("#2c3238")
FILL = QColor("#56b4e9")
LEAST = 0.04  # of the tube: the lowest level is not an empty one
LIT, UNLIT = QColor("#ffffff"), QColor("#000000")
Trace = Sequence[tuple[float, float | None]]
Drawing = Callable[[QPainter, QRectF, float | None, Trace], None]


def draw_thermometer(
    painter: QPainter, area: QRectF, level: float | None, trace: Trace
) -> None:
    """Draw a tube that fills from below; neutral: the whole tube grey."""
    width = 0.16 * min(area.width(), area.height())
    tube = _centred(area, width, 0.8 * area.height())
    outline = QPainterPath()
    outline.addRoundedRect(tube, width / 2, width / 2)
    painter.fillPath(outline, CALM if level is None else BACKGROUND)
    if level is not None:
        painter.save()
        painter.setClipPath(outline)
        filled = QRectF(tube)
        filled.setTop(tube.bottom() - (LEAST + (1 - LEAST) * level) * tube.height())
        painter.fillRect(filled, FILL)
        painter.restore()
    _pen(painter, NEUTRAL if level is None else OUTLINE, 0.006 * area.height())
    painter.drawRoundedRect(tube, width / 2, width / 2)
    _middle_marks(painter, tube, level)


def draw_circle(
    painter: QPainter, area: QRectF, level: float | None, trace: Trace
) -> None:
    """Draw a disc that grows; neutral: a grey one of middle size."""
    largest = 0.8 * min(area.width(), area.height())
    side = largest * (0.08 + 0.92 * (0.5 if level is None else level))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(CALM if level is None else FILL)
    painter.drawEllipse(_centred(area, side, side))
    middle = largest * 0.54  # what level 0.5 is drawn at
    _pen(painter, NEUTRAL if level is None else OUTLINE, 0.006 * area.height())
    painter.drawEllipse(_centred(area, middle, middle))


def draw_trace(
    painter: QPainter, area: QRectF, level: float | None, trace: Trace
) -> None:
    """Draw the last minute from left to right; neutral times stay empty.

    While nothing may be shown the past is grey, and moves on out of sight.
    """
    box = _centred(area, 0.86 * area.width(), 0.7 * area.height())
    _pen(painter, NEUTRAL, 0.004 * area.height())
    painter.drawLine(
        QPointF(box.left(), box.center().y()), QPointF(box.right(), box.center().y())
    )
    _pen(painter, NEUTRAL if level is None else FILL, 0.008 * area.height())
    painter.drawPath(_path(trace, box))
    if level is not None:
        painter.setBrush(FILL)
        painter.drawEllipse(
            QPointF(box.right(), _y(level, box)),
            0.012 * area.height(),
            0.012 * area.height(),
        )


DRAWINGS: dict[ParticipantForm, Drawing] = {
    "thermometer": draw_thermometer,
    "circle": draw_circle,
    "trace": draw_trace,
}


def _path(trace: Trace, box: QRectF) -> QPainterPath:
    path, joined = QPainterPath(), False
    for seconds_ago, level in trace:
        if level is None:
            joined = False
            continue
        x = box.right() - seconds_ago / TRACE_S * box.width()
        point = QPointF(x, _y(level, box))
        path.lineTo(point) if joined else path.moveTo(point)
        joined = True
    return path


def _middle_marks(painter: QPainter, tube: QRectF, level: float | None) -> None:
    """Mark the baseline beside the tube."""
    y, gap = tube.center().y(), 0.25 * tube.width()
    for x0, x1 in (
        (tube.left() - 2 * gap, tube.left() - gap),
        (tube.right() + gap, tube.right() + 2 * gap),
    ):
        painter.drawLine(QPointF(x0, y), QPointF(x1, y))


def _y(level: float, box: QRectF) -> float:
    return box.bottom() - level * box.height()


def _centred(area: QRectF, width: float, height: float) -> QRectF:
    centre = area.center()
    return QRectF(centre.x() - width / 2, centre.y() - height / 2, width, height)


def _pen(painter: QPainter, colour: QColor, width: float) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    pen = QPen(colour, max(1.5, width))
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)


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


# Opens, feeds and closes the participant's window for the operator's.


class Owner(Protocol):
    """The operator's window."""

    preferences: Preferences

    def set_preferences(self, preferences: Preferences) -> None:
        """Take and keep other preferences."""


class ParticipantHost:
    """At most one participant's window, and the dialog of its choices."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.window: ParticipantWindow | None = None
        self.dialog: ParticipantDialog | None = None

    def toggle(self) -> None:
        """Open the window and its choices, or close both."""
        if self.window is not None:
            self.close()
            return
        self.open()
        parent = self._owner if isinstance(self._owner, QWidget) else None
        self.dialog = ParticipantDialog(self._owner.preferences, parent)
        self.dialog.changed.connect(self._owner.set_preferences)
        self.dialog.show()

    def open(self) -> None:
        """Open the window, on the second screen if there is one."""
        self.window = ParticipantWindow(self._owner.preferences)
        self.window.closed.connect(self._forget)
        self.window.go_to_second_screen()

    def close(self) -> None:
        """Close the window and the dialog; nothing if there is none."""
        if self.window is not None:
            self.window.close()

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Draw the newest state."""
        if self.window is not None:
            self.window.refresh(state, now_s)

    def neutral(self) -> None:
        """Show nothing; for when the dashboard itself has a fault."""
        if self.window is not None:
            self.window.neutral()

    def set_preferences(self, preferences: Preferences) -> None:
        """Take another drawing, range or square."""
        if self.window is not None and self.window.preferences != preferences:
            self.window.set_preferences(preferences)

    def _forget(self) -> None:
        window, self.window = self.window, None
        dialog, self.dialog = self.dialog, None
        if window is not None:
            window.deleteLater()
        if dialog is not None:
            dialog.close()
            dialog.deleteLater()
