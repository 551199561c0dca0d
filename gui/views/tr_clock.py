"""The TR clock: a ring that fills until the next volume is due."""

from PyQt6.QtCore import QRect, QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QWidget

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.session_words import TrFacts, tr_facts
from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.drawing import CENTRE, draw_line, fitted, scaled
from rtbold.gui.views.panel_ground import draw_ground

MARGIN = 8.0
RING_PX = 9.0
SMALLEST_RING_PX = 68.0
NAMED_RING_PX = 88.0
WORDS_SHARE = 0.9  # of the text's size
USUAL_WORDS = "trigger on time"  # kept free, so that the ring does not jump
OVERDUE = 1.25  # of the TR: a prediction follows its trigger by some 0.1 s
STEPS = 120  # of the ring; it is drawn again when it moves by one
TIP = (
    "The ring fills from one volume trigger to the next. In it: the newest volume "
    "(from 0, dummies not counted). Beside it: the TR; how the last trigger came "
    "against the one before it; triggers that were missed (the session goes on for two "
    "of them) and that came twice (left out)."
)


class TrClock(QWidget):
    """Ring, volume number, lateness, missed and doubled triggers."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("tr_clock")
        self.setToolTip(TIP)
        self.setMinimumSize(200, 128)
        self._colours = colours
        self._facts = TrFacts()
        self._stale = True
        self._step: int | None = None  # of the ring
        self._said: tuple[object, ...] = ()
        self._ring = QRect()  # where it was drawn

    @property
    def facts(self) -> TrFacts:
        """What is shown now."""
        return self._facts

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        self.update()

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Show where the TR is at `now_s`; the ring is empty while nothing is alive."""
        facts = tr_facts(state, now_s)
        self._stale = state.headline(now_s).stale
        step = None if facts.share is None else int(min(facts.share, 2) * STEPS)
        self._facts = facts
        said = (facts.volume, self._stale, *self._lines())
        if said != self._said:
            self.update()
        elif step != self._step:
            self.update(self._ring)  # words take longer than the ring
        self._step, self._said = step, said

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw ring and words."""
        painter = QPainter(self)
        box = draw_ground(painter, self, self._colours)
        room = box.width() - 3 * MARGIN - self._words_width()
        side = max(SMALLEST_RING_PX, min(box.height() - 2 * MARGIN, room))
        ring = QRectF(box.left() + MARGIN, 0, side, side)
        ring.moveTop(box.center().y() - side / 2)
        self._draw_ring(painter, ring)
        self._ring = ring.toAlignedRect()
        if event is None or not self._ring.contains(event.rect()):
            words = QRectF(box)
            words.setLeft(ring.right() + MARGIN)
            self._draw_words(painter, words.adjusted(0, MARGIN, -4, -MARGIN))
        painter.end()

    def _draw_ring(self, painter: QPainter, ring: QRectF) -> None:
        colours, share = self._colours, self._facts.share
        inner = ring.adjusted(RING_PX / 2, RING_PX / 2, -RING_PX / 2, -RING_PX / 2)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(colours.grid), RING_PX))
        painter.drawEllipse(inner)
        overdue = share is not None and share > OVERDUE
        if share is not None and not self._stale:
            colour = colours.invalid if overdue else colours.accent
            cap = Qt.PenCapStyle.FlatCap
            style = Qt.PenStyle.DotLine if overdue else Qt.PenStyle.SolidLine
            painter.setPen(QPen(QColor(colour), RING_PX, style, cap))
            painter.drawArc(inner, 90 * 16, -round(min(share, 1.0) * 360 * 16))
        text = self._facts.volume or "\u2013"
        room = inner.adjusted(10, 10, -10, -10)
        painter.setFont(fitted(self.font(), text, room, most_px=34))
        colour = colours.muted if self._stale else colours.text
        draw_line(painter, room, text, colour=colour, align=CENTRE)
        if ring.height() < NAMED_RING_PX:
            return  # no room for the word
        painter.setFont(scaled(self.font(), 0.75))
        below = room.translated(0, room.height() * 0.32)
        draw_line(painter, below, "volume", colour=colours.muted, align=CENTRE)

    def _lines(self) -> list[tuple[str, str]]:
        """Return the words beside the ring with their colours."""
        facts, colours = self._facts, self._colours
        usual = colours.muted if self._stale else colours.text
        overdue = facts.share is not None and facts.share > OVERDUE and not self._stale
        step = (facts.step, usual)
        if overdue:
            step = ("next is overdue", colours.invalid)
        counts = [(part, colours.muted) for part in facts.counts.split(", ")]
        return [(facts.tr, usual), step, *counts]

    def _words_width(self) -> float:
        font = scaled(self.font(), WORDS_SHARE)
        width = QFontMetricsF(font).horizontalAdvance
        return max(
            width(text) for text in (USUAL_WORDS, *(t for t, _ in self._lines()))
        )

    def _draw_words(self, painter: QPainter, box: QRectF) -> None:
        lines = self._lines()
        height = box.height() / len(lines)
        for number, (text, colour) in enumerate(lines):
            line = QRectF(box.left(), box.top() + number * height, box.width(), height)
            painter.setFont(scaled(self.font(), WORDS_SHARE))
            draw_line(painter, line, text, colour=colour)
