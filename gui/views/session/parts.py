"""Parts of the session page: splitters, the phase, an overlay over old data."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, cast

from msgspec import UNSET
from PyQt6.QtCore import QByteArray, QEvent, QObject, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QSplitter,
    QWidget,
)

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import Colours
from rtbold.gui.state.session_words import phase_words
from rtbold.gui.state.words import span_words
from rtbold.gui.views.drawing import Painted, fitted
from rtbold.publish import Phase

VERSION = 1  # of the blob; another one is left alone


class Panel(Protocol):
    """What the page asks of each of its parts."""

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Draw the newest state."""


def split(
    name: str,
    parts: Sequence[QWidget],
    *,
    sizes: Sequence[int],
    way: Qt.Orientation = Qt.Orientation.Horizontal,
) -> QSplitter:
    """Return `parts` beside or above one another, none of which can be lost."""
    splitter = QSplitter(way)
    splitter.setObjectName(f"{name}_splitter")
    splitter.setChildrenCollapsible(False)
    for part in parts:
        splitter.addWidget(part)
    splitter.setSizes(list(sizes))
    return splitter


def row_of(parent: QWidget) -> QHBoxLayout:
    """Give `parent` a row without margins."""
    row = QHBoxLayout(parent)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(4)
    return row


def as_bytes(splitters: Sequence[QSplitter], choices: Mapping[str, object]) -> bytes:
    """Return sizes and choices, to be kept until another day."""
    sizes = {
        splitter.objectName(): splitter.saveState().data().hex()
        for splitter in splitters
    }
    kept = {"version": VERSION, "sizes": sizes, "choices": dict(choices)}
    return json.dumps(kept).encode()


def from_bytes(splitters: Sequence[QSplitter], blob: bytes) -> dict[str, object]:
    """Restore the sizes; return the choices. What cannot be read changes nothing."""
    try:
        kept = json.loads(blob)
        if kept["version"] != VERSION:
            return {}
        sizes = {str(k): bytes.fromhex(v) for k, v in kept["sizes"].items()}
        choices = dict(kept["choices"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}
    for splitter in splitters:
        if (state := sizes.get(splitter.objectName())) is not None:
            splitter.restoreState(QByteArray(state))
    return choices


# The protocol's phase with its time left; hidden while no protocol speaks: a run
# without blocks has its place in the bar of the recording.

PARTS = 1000  # of the bar


class PhaseStrip(QWidget):
    """Run, block and name; a bar that fills; the time left."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("phase_strip")
        self.setToolTip("Where the protocol is, and how long this phase still lasts.")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.name = QLabel()
        self.name.setObjectName("phase_name")
        self.name.setTextFormat(Qt.TextFormat.PlainText)
        self.left = QLabel()
        self.left.setObjectName("phase_left")
        self._bar = QProgressBar()
        self._bar.setRange(0, PARTS)
        self._bar.setTextVisible(False)
        self._bar.setMaximumHeight(10)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.name)
        row.addWidget(self._bar, 1)
        row.addWidget(self.left)
        self.set_colours(colours)
        self.hide()

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme; the style sheet has the rest."""
        for label in (self.name, self.left):
            label.setStyleSheet(f"color: {colours.text}; font-weight: bold;")

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Show the phase at `now_s`, if there is one."""
        phase, lsl_s = state.phase, state.lsl_now_s(now_s)
        if state.headline(now_s).stale:
            lsl_s = None  # what nobody confirms does not run on
        spoken = phase is not None and (phase.block > 0 or phase.protocol is not UNSET)
        if self.isHidden() is spoken:
            self.setVisible(spoken)
        if phase is None or not spoken:
            return
        _set(self.name, phase_words(phase))
        _set(self.left, time_left_words(phase, lsl_s))
        self._bar.setValue(round(PARTS * _share(phase, lsl_s)))


def time_left_words(phase: Phase, lsl_now_s: float | None) -> str:
    """Return how long the phase still lasts, in words."""
    if lsl_now_s is None:
        return ""
    if phase.t_off_planned is None:
        return f"for {span_words(lsl_now_s - phase.t_on)}, no planned end"
    left_s = phase.t_off_planned - lsl_now_s
    if left_s < 0:
        return f"{span_words(-left_s)} over its planned end"
    return f"{span_words(left_s)} left"


def _share(phase: Phase, lsl_now_s: float | None) -> float:
    if lsl_now_s is None or phase.t_off_planned is None:
        return 0.0
    whole_s = phase.t_off_planned - phase.t_on
    return (
        min(1.0, max(0.0, (lsl_now_s - phase.t_on) / whole_s)) if whole_s > 0 else 1.0
    )


def _set(label: QLabel, text: str) -> None:
    if label.text() != text:
        label.setText(text)


# The overlay over plots whose data are old: nothing that stands still may look alive.

OVERLAY_ALPHA = 190
TEXT_PX = 30.0
HEIGHT_SHARE = 0.7
WORDS = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)


class StaleOverlay(Painted):
    """Covers `over` and follows its size; hidden while there is nothing to say.

    Clicks go through to what is below, so that one may still look at the past.
    """

    def __init__(self, colours: Colours, over: QWidget) -> None:
        super().__init__(colours, over)
        self.setObjectName("stale_overlay")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._words = ""
        over.installEventFilter(self)
        self.hide()

    @property
    def words(self) -> str:
        """What it says; empty: it is hidden."""
        return self._words

    def say(self, words: str) -> None:
        """Cover everything with `words` over it; empty: show what is below."""
        if words == self._words:
            return
        self._words = words
        self.setAccessibleName(words)
        self.setVisible(bool(words))
        if words:
            self._follow()
            self.raise_()
            self.update()

    def eventFilter(  # noqa: N802 - Qt's name
        self, watched: QObject | None, event: QEvent | None
    ) -> bool:
        """Keep the size of what is covered."""
        kinds = (QEvent.Type.Resize, QEvent.Type.Show)
        if event is not None and event.type() in kinds:
            self._follow()
        return False

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw the overlay and the words in a box that stands out from any plot."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        overlay = QColor(self._colours.background)
        overlay.setAlpha(OVERLAY_ALPHA)
        painter.fillRect(self.rect(), overlay)
        painter.setFont(self._font())
        room = QRectF(self.rect()).adjusted(24, 16, -24, -16)
        room.setHeight(room.height() * HEIGHT_SHARE)  # plots say "no data" below it
        box = painter.boundingRect(room, WORDS, self._words).adjusted(-14, -8, 14, 8)
        painter.setPen(QColor(self._colours.silent))
        painter.setBrush(QColor(self._colours.panel))
        painter.drawRoundedRect(box, 6, 6)
        painter.drawText(room, WORDS, self._words)
        painter.end()

    def _font(self) -> QFont:
        longest = max(self._words.splitlines(), key=len, default="")
        room = QRectF(self.rect()).adjusted(40, 0, -40, 0)
        return fitted(self.font(), longest, room, most_px=TEXT_PX)

    def _follow(self) -> None:
        if (over := self.parentWidget()) is not None:
            self.setGeometry(over.rect())


# Refreshing the parts of a page so that a fault in one stops no other.

FAULT = "not drawn: a fault of the dashboard"


class PartsDrawn:
    """Refreshes parts one by one; covers one that fails, for it shows the past."""

    def __init__(self, colours: Colours) -> None:
        self._colours = colours
        self._overlays: dict[Panel, StaleOverlay] = {}

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        for overlay in self._overlays.values():
            overlay.set_colours(colours)

    def refresh(
        self, parts: Iterable[Panel], state: DashboardState, now_s: float
    ) -> Exception | None:
        """Draw the newest state; return the first fault, for whoever tells faults."""
        first = None
        for part in parts:
            try:
                part.refresh(state, now_s)
            except Exception as error:  # told by the caller once all others are drawn
                first = first or error
                self._overlay(part).say(FAULT)
            else:
                if part in self._overlays:
                    self._overlays[part].say("")
        return first

    def _overlay(self, part: Panel) -> StaleOverlay:
        if part not in self._overlays:
            self._overlays[part] = StaleOverlay(self._colours, cast(QWidget, part))
        return self._overlays[part]
