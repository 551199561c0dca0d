"""The value that is fed back, to be read from two metres."""

import math
import time
from collections.abc import Callable

from PyQt6.QtCore import QRectF
from PyQt6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PyQt6.QtWidgets import QWidget

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.target_words import TargetWords, target_words
from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.drawing import RIGHT, draw_line, fitted, scaled
from rtbold.gui.views.panel_ground import draw_ground

BIG_PX = 64.0  # text of 48 px and more is read from two metres
MARGIN = 8.0
Z_PX = 16.0
USUAL = "+0.00+0.00"  # shorter ones are not drawn larger
HIDDEN_S = 0.5  # without a refresh: the page was not on the screen
TIP = (
    "What is fed back now. Value: model units (the filtered BOLD, z-scored when the "
    "model was trained). z: against the model's own baseline. The interval is where "
    "the measured BOLD is expected to lie. HELD: the last value, shown for one TR "
    "more; a dash: nothing may be shown, and apps show their neutral screen."
)


class TargetPanel(QWidget):
    """Value and z, large; greyed when held, a dash when neutral.

    Parameters
    ----------
    clock_s : monotonic; asked when the pixels are drawn, to know how long that took.
    """

    def __init__(
        self,
        colours: Colours,
        parent: QWidget | None = None,
        *,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("target_panel")
        self.setToolTip(TIP)
        self.setMinimumSize(320, 128)
        self._colours, self._clock_s = colours, clock_s
        self._words = TargetWords()
        self._timed: tuple[int, Callable[[int, float], None]] | None = None
        self._newest: tuple[str | None, int] | None = None
        self._refreshed_s = -math.inf

    @property
    def words(self) -> TargetWords:
        """What is shown now."""
        return self._words

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        self.update()

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Show what the rule for apps allows at `now_s`."""
        words, is_new = target_words(state, now_s), self._watch(state, now_s)
        if is_new or words != self._words:
            self._words = words
            self.setAccessibleName(words.spoken)
            self.update()

    def _watch(self, state: DashboardState, now_s: float) -> bool:
        """Return whether a prediction is new; note it if its drawing is to be timed."""
        seen_lately = now_s - self._refreshed_s < HIDDEN_S
        self._refreshed_s = now_s
        key = None if state.fb is None else (state.session, state.fb.seq)
        if state.fb is None or key == self._newest:
            return False
        self._newest = key
        # one that came while another page was open was not drawn late
        self._timed = (state.fb.seq, state.latency.painted) if seen_lately else None
        return True

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw the words, and tell when that was done."""
        painter = QPainter(self)
        draw_ground(painter, self, self._colours)
        self._draw(painter)
        painter.end()
        if self._timed is not None:
            seq, painted = self._timed
            self._timed = None
            painted(seq, self._clock_s())

    def _draw(self, painter: QPainter) -> None:
        colours, words = self._colours, self._words
        inner = QRectF(self.rect()).adjusted(MARGIN, 4, -MARGIN, -4)
        small = scaled(self.font(), 1.0)
        line = painter.fontMetrics().height() + 2.0
        top = QRectF(inner.left(), inner.top(), inner.width(), line)
        painter.setFont(scaled(self.font(), 1.0, bold=True))
        draw_line(painter, top, words.name, colour=colours.text)
        mark = colours.text if words.kind == "hold" else colours.muted
        draw_line(painter, top, words.mark, colour=mark, align=RIGHT)
        painter.setFont(small)
        foot = QRectF(inner.left(), inner.bottom() - line, inner.width(), line)
        draw_line(painter, foot, words.volume, colour=colours.muted)
        foot.translate(0, -line)
        draw_line(painter, foot, words.interval, colour=colours.text)
        big = QRectF(
            inner.left(), top.bottom(), inner.width(), foot.top() - top.bottom()
        )
        self._draw_numbers(painter, big)

    def _draw_numbers(self, painter: QPainter, box: QRectF) -> None:
        """Draw value and z, equally large; they share the room as they need it."""
        words = self._words
        colour = self._colours.text if words.kind == "value" else self._colours.muted
        both = words.value + words.z
        room = box.adjusted(0, 0, -Z_PX - 2 * MARGIN, 0)
        font = fitted(self.font(), max(both, USUAL, key=len), room, most_px=BIG_PX)
        width = QFontMetricsF(font).horizontalAdvance
        value = QRectF(box.left(), box.top(), width(words.value) + 4, box.height())
        z = QRectF(value.right() + MARGIN, box.top(), Z_PX, box.height())
        number = QRectF(z.right(), box.top(), width(words.z) + 4, box.height())
        painter.setFont(font)
        draw_line(painter, value, words.value, colour=colour)
        draw_line(painter, number, words.z, colour=colour)
        if words.kind != "neutral":
            painter.setFont(scaled(self.font(), 1.2, bold=True))
            draw_line(painter, z, "z", colour=self._colours.muted)
