"""The participant's window: one drawing, on its own screen; words of a protocol."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from PyQt6.QtCore import QPointF, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import (
    QCloseEvent,
    QColor,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QScreen,
    QShortcut,
)
from PyQt6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
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
    instruction,
    rests,
)
from rtbold.gui.state.preferences import (
    PARTICIPANT_FORMS,
    PARTICIPANT_LOOKS,
    ParticipantForm,
    ParticipantLook,
    Preferences,
)
from rtbold.gui.views.drawing import fitted
from rtbold.gui.views.forms import wrapped_label

# What the participant's window shows, chosen by the operator.

WORDS = (
    "The participant sees one shape and no words but a protocol's instructions. It is "
    "neutral whenever the value may not be shown. F11 on that window fills its screen, "
    "Esc gives the window back; all other keys work there as they do here."
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
        for box in (self.direction, self.look, self.screen_choice):
            box.currentIndexChanged.connect(self._tell)
        self.cross.toggled.connect(self._tell)
        self.goal.toggled.connect(self._tell)
        self.goal_z.valueChanged.connect(self._tell)

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

        self._make_more_fields(preferences)
        for box in (
            self.limit,
            self.square,
            self.goal_z,
        ):  # the style's arrows are not drawn well
            box.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.PlusMinus)

    def _make_more_fields(self, preferences: Preferences) -> None:
        self.screen_choice = _choice(
            "participant_screen", "Where the window opens and fills the screen"
        )
        self.screen_choice.addItem("the one that is not yours", "")
        for screen in QGuiApplication.screens():
            size = screen.size()
            words = f"{screen.name()}, {size.width()} x {size.height()}"
            self.screen_choice.addItem(words, screen.name())
        place = self.screen_choice.findData(preferences.participant_screen)
        self.screen_choice.setCurrentIndex(max(0, place))
        self.direction = _choice("participant_direction", "Which way a higher value is")
        self.direction.addItem("a higher value is higher, or larger", False)
        self.direction.addItem("a higher value is lower, or smaller", True)
        self.direction.setCurrentIndex(int(preferences.participant_down))
        self.look = _choice("participant_look", "Colours of this window alone")
        self.look.addItems(PARTICIPANT_LOOKS)
        self.look.setCurrentText(preferences.participant_look)
        self.cross = QCheckBox("a cross to look at")
        self.cross.setObjectName("participant_cross")
        self.cross.setChecked(preferences.participant_cross)
        goal_z = preferences.participant_goal_z
        self.goal = QCheckBox("a line at z")
        self.goal.setObjectName("participant_goal")
        self.goal.setChecked(goal_z is not None)
        self.goal_z = QDoubleSpinBox()
        self.goal_z.setObjectName("participant_goal_z")
        self.goal_z.setRange(-10, 10)
        self.goal_z.setSingleStep(0.5)
        self.goal_z.setValue(1.0 if goal_z is None else goal_z)
        self.goal_z.setEnabled(goal_z is not None)
        self.goal.toggled.connect(self.goal_z.setEnabled)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("S&creen", self.screen_choice)
        form.addRow("&Drawing", self.form)
        form.addRow("D&irection", self.direction)
        form.addRow("C&olours", self.look)
        goal = QHBoxLayout()
        goal.addWidget(self.goal)
        goal.addWidget(self.goal_z, stretch=1)
        form.addRow("Goal", goal)
        form.addRow("While it &rests", self.cross)
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
        look = next(n for n in PARTICIPANT_LOOKS if n == self.look.currentText())
        self._preferences = replace(
            self._preferences,
            participant=form,
            participant_limit_z=self.limit.value(),
            participant_smooth=self.smooth.isChecked(),
            photodiode_px=self.square.value(),
            participant_down=bool(self.direction.currentData()),
            participant_look=look,
            participant_cross=self.cross.isChecked(),
            participant_goal_z=self.goal_z.value() if self.goal.isChecked() else None,
            participant_screen=str(self.screen_choice.currentData() or ""),
        )
        self.changed.emit(self._preferences)


def _choice(name: str, tip: str) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.setToolTip(tip)
    return box


# The three drawings for the participant: thermometer, circle and trace.
#
# No text on any of them, and colours of their own: what the participant sees does not
# change with the operator's theme. One hue, so that up is not "good" by its colour.


@dataclass(frozen=True, slots=True)
class Look:
    """Colours of one drawing."""

    background: QColor
    outline: QColor
    neutral: QColor
    calm: QColor  # inside of a neutral shape
    fill: QColor
    goal: QColor


LOOKS: dict[ParticipantLook, Look] = {
    "blue on black": Look(
        *map(QColor, ("#101214", "#6b7580", "#4a525b", "#2c3238", "#56b4e9", "#ffffff"))
    ),
    "white on black": Look(
        *map(QColor, ("#000000", "#7a7a7a", "#4d4d4d", "#2b2b2b", "#ffffff", "#b0b0b0"))
    ),
    "black on white": Look(
        *map(QColor, ("#ffffff", "#6f6f6f", "#9c9c9c", "#d9d9d9", "#101010", "#5a5a5a"))
    ),
}
BACKGROUND = LOOKS["blue on black"].background
FILL = LOOKS["blue on black"].fill
LEAST = 0.04  # of the tube: the lowest level is not an empty one
LIT, UNLIT = QColor("#ffffff"), QColor("#000000")
Trace = Sequence[tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn now."""

    level: float | None  # 0 to 1; None: neutral
    goal: float | None  # 0 to 1; None: there is none
    trace: Trace
    look: Look


Drawing = Callable[[QPainter, QRectF, Picture], None]


def draw_thermometer(painter: QPainter, area: QRectF, picture: Picture) -> None:
    """Draw a tube that fills from below; neutral: the whole tube grey."""
    level, look = picture.level, picture.look
    width = 0.16 * min(area.width(), area.height())
    tube = _centred(area, width, 0.8 * area.height())
    outline = QPainterPath()
    outline.addRoundedRect(tube, width / 2, width / 2)
    painter.fillPath(outline, look.calm if level is None else look.background)
    if level is not None:
        painter.save()
        painter.setClipPath(outline)
        filled = QRectF(tube)
        filled.setTop(_tube_y(level, tube))
        painter.fillRect(filled, look.fill)
        painter.restore()
    _pen(painter, look.neutral if level is None else look.outline, area)
    painter.drawRoundedRect(tube, width / 2, width / 2)
    _beside(painter, tube, tube.center().y())  # the baseline
    if picture.goal is not None and level is not None:
        _pen(painter, look.goal, area, share=0.01)
        _beside(painter, tube, _tube_y(picture.goal, tube), reach=4.0)


def draw_circle(painter: QPainter, area: QRectF, picture: Picture) -> None:
    """Draw a disc that grows; neutral: a grey one of middle size."""
    level, look = picture.level, picture.look
    largest = 0.8 * min(area.width(), area.height())
    side = _disc(0.5 if level is None else level, largest)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(look.calm if level is None else look.fill)
    painter.drawEllipse(_centred(area, side, side))
    middle = _disc(0.5, largest)
    _pen(painter, look.neutral if level is None else look.outline, area)
    painter.drawEllipse(_centred(area, middle, middle))
    if picture.goal is not None and level is not None:
        goal = _disc(picture.goal, largest)
        _pen(painter, look.goal, area, share=0.01)
        painter.drawEllipse(_centred(area, goal, goal))


def draw_trace(painter: QPainter, area: QRectF, picture: Picture) -> None:
    """Draw the last minute from left to right; neutral times stay empty.

    While nothing may be shown the past is grey, and moves on out of sight.
    """
    level, look = picture.level, picture.look
    box = _centred(area, 0.86 * area.width(), 0.7 * area.height())
    _pen(painter, look.neutral, area, share=0.004)
    _across(painter, box, box.center().y())
    if picture.goal is not None and level is not None:
        _pen(painter, look.goal, area, share=0.01)
        _across(painter, box, _y(picture.goal, box))
    _pen(painter, look.neutral if level is None else look.fill, area, share=0.008)
    painter.drawPath(_path(picture.trace, box))
    if level is not None:
        painter.setBrush(look.fill)
        size = 0.012 * area.height()
        painter.drawEllipse(QPointF(box.right(), _y(level, box)), size, size)


def draw_cross(painter: QPainter, area: QRectF, look: Look) -> None:
    """Draw a cross to look at, for rest."""
    arm = 0.05 * min(area.width(), area.height())
    _pen(painter, look.outline, area, share=0.012)
    x, y = area.center().x(), area.center().y()
    painter.drawLine(QPointF(x - arm, y), QPointF(x + arm, y))
    painter.drawLine(QPointF(x, y - arm), QPointF(x, y + arm))


WORDS_SHARE = 0.1  # of the window's height
WORDS_FLAGS = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)


def draw_words(painter: QPainter, area: QRectF, words: str, look: Look) -> None:
    """Draw an instruction over the upper edge, as large as fits."""
    if not words:
        return
    room = QRectF(area.left(), area.top(), area.width(), WORDS_SHARE * area.height())
    room.adjust(0.05 * area.width(), 0.02 * area.height(), -0.05 * area.width(), 0)
    painter.setFont(fitted(painter.font(), words, room, most_px=0.5 * room.height()))
    painter.setPen(look.outline)
    painter.drawText(room, WORDS_FLAGS, words)


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


def _beside(painter: QPainter, tube: QRectF, y: float, *, reach: float = 2.0) -> None:
    """Draw two short lines beside the tube."""
    gap = 0.25 * tube.width()
    for x0, x1 in (
        (tube.left() - reach * gap, tube.left() - gap),
        (tube.right() + gap, tube.right() + reach * gap),
    ):
        painter.drawLine(QPointF(x0, y), QPointF(x1, y))


def _across(painter: QPainter, box: QRectF, y: float) -> None:
    painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))


def _tube_y(level: float, tube: QRectF) -> float:
    return tube.bottom() - (LEAST + (1 - LEAST) * level) * tube.height()


def _disc(level: float, largest: float) -> float:
    return largest * (0.08 + 0.92 * level)


def _y(level: float, box: QRectF) -> float:
    return box.bottom() - level * box.height()


def _centred(area: QRectF, width: float, height: float) -> QRectF:
    centre = area.center()
    return QRectF(centre.x() - width / 2, centre.y() - height / 2, width, height)


def _pen(
    painter: QPainter, colour: QColor, area: QRectF, *, share: float = 0.006
) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    pen = QPen(colour, max(1.5, share * area.height()))
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)


NOTHING = ParticipantView(level=None, lit=False)
Key = Qt.Key
MODIFIERS = (
    Key.Key_Shift, Key.Key_Control, Key.Key_Alt, Key.Key_AltGr, Key.Key_Meta,
)  # fmt: skip


class ParticipantWindow(QWidget):
    """A top-level window; F11 makes it fill its screen, Esc gives the window back.

    Parameters
    ----------
    preferences : form of the drawing, range of z, smoothing, the photodiode's square.
    """

    closed = pyqtSignal()
    key_pressed = pyqtSignal(QKeySequence)  # one that is not its own

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
            preferences.participant_limit_z,
            smooth=preferences.participant_smooth,
            down=preferences.participant_down,
        )
        self.update()

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Draw what the rule for apps allows at `now_s`."""
        rest = rests(state.phase, state.lsl_now_s(now_s))
        stale = state.headline(now_s).stale  # an old instruction is none
        words = "" if stale else instruction(state.phase)
        view = self._level.take(state.shown(now_s), now_s, rest=rest, words=words)
        self._show(view, now_s)

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

    def go_to_screen(self, operators: QScreen | None) -> bool:
        """Fill the screen that was chosen; without a second one stay a window.

        Parameters
        ----------
        operators : the screen of the operator's window.
        """
        screens = QGuiApplication.screens()
        wanted = chosen_screen(self.preferences.participant_screen, screens, operators)
        if wanted is None:
            self.show()
            return False
        self.showNormal()  # a full screen does not move to another one
        self.setGeometry(wanted.geometry())
        if (handle := self.windowHandle()) is not None:
            handle.setScreen(wanted)
        self.showFullScreen()
        return True

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw the newest view."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        chosen, area = self.preferences, QRectF(self.rect())
        look = LOOKS[chosen.participant_look]
        painter.fillRect(self.rect(), look.background)
        if self._view.rest and chosen.participant_cross:
            draw_cross(painter, area, look)
        else:
            DRAWINGS[chosen.participant](painter, area, self._picture(look))
        draw_words(painter, area, self._view.words, look)
        side = self.preferences.photodiode_px
        if side:
            corner = QRectF(0, self.height() - side, side, side)
            painter.fillRect(corner, LIT if self._view.lit else UNLIT)
        painter.end()

    def _picture(self, look: Look) -> Picture:
        chosen = self.preferences
        goal_z = None if self._level.ranged else chosen.participant_goal_z
        return Picture(
            self._view.level,
            None if goal_z is None else self._level.level_of(goal_z),
            self._level.trace(self._now_s) if chosen.participant == "trace" else (),
            look,
        )

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 - Qt's name
        """Enter and leave full screen; hand on what is the operator's."""
        actions: dict[int, Callable[[], None]] = {
            Key.Key_F11: self.showNormal
            if self.isFullScreen()
            else self.showFullScreen,
            Key.Key_Escape: self.showNormal,
        }
        if event is None:
            return
        if event.key() in actions:
            actions[event.key()]()
        elif event.key() not in MODIFIERS:  # one alone is no key yet
            self.key_pressed.emit(QKeySequence(event.keyCombination()))

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Tell the dashboard."""
        self.closed.emit()
        super().closeEvent(event)


def chosen_screen(
    name: str, screens: Sequence[QScreen], operators: QScreen | None
) -> QScreen | None:
    """Return the screen of that name; else one that is not the operator's, if any.

    The operator's own is taken only where it was chosen and there is another one.
    """
    others = [screen for screen in screens if screen is not operators]
    named = [screen for screen in screens if screen.name() == name]
    if not others:
        return None
    return named[0] if named else others[0]


def press(window: QWidget, keys: QKeySequence) -> bool:
    """Do in `window` what a key does there; return whether it does anything.

    Qt gives a key to the shortcuts of the window that has it, and to no other. What a
    key does in one list alone, while that list has the keys, is not done from here.
    """
    alone = Qt.ShortcutContext.WidgetShortcut
    for shortcut in window.findChildren(QShortcut):
        of = shortcut.parent()
        seen = isinstance(of, QWidget) and of.isVisible()
        if (
            seen
            and shortcut.context() != alone
            and shortcut.isEnabled()
            and shortcut.key() == keys
        ):
            shortcut.activated.emit()
            return True
    return False


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
        """Open the window, on the screen that was chosen if there are two."""
        self.window = ParticipantWindow(self._owner.preferences)
        self.window.closed.connect(self._forget)
        self.window.key_pressed.connect(self._press)
        self.window.go_to_screen(self._screen())

    def _screen(self) -> QScreen | None:
        """Return the operator's own screen."""
        owner = self._owner
        return owner.screen() if isinstance(owner, QWidget) else None

    def _press(self, keys: QKeySequence) -> None:
        if isinstance(self._owner, QWidget):
            press(self._owner, keys)

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
        """Take another drawing, range, square or screen."""
        window = self.window
        if window is None or window.preferences == preferences:
            return
        moves = window.preferences.participant_screen != preferences.participant_screen
        window.set_preferences(preferences)
        if moves:
            window.go_to_screen(self._screen())

    def _forget(self) -> None:
        window, self.window = self.window, None
        dialog, self.dialog = self.dialog, None
        if window is not None:
            window.deleteLater()
        if dialog is not None:
            dialog.close()
            dialog.deleteLater()
