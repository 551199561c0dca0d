"""Panels of the session page: status, origin, the value that is fed back, the TR."""

import math
import time
from collections.abc import Callable

from PyQt6.QtCore import QRect, QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QLabel, QSizePolicy, QWidget

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.headline import Headline
from rtbold.gui.state.preferences import Colours
from rtbold.gui.state.session_words import (
    TargetWords,
    TrFacts,
    model_words,
    origin_words,
    target_words,
    tr_facts,
)
from rtbold.gui.state.words import status_words
from rtbold.gui.views.drawing import (
    CENTRE,
    LEFT,
    RIGHT,
    WRAPPED,
    Painted,
    draw_ground,
    draw_line,
    fitted,
    scaled,
)

MARGIN = 8.0
WORD_SHARE = 0.46  # of the height
WORD_PX = 56.0
NOTHING = Headline("none", "NO SESSION")


class StatusPanel(Painted):
    """Symbol and word on the status's colour; below, why and what to do."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(colours, parent)
        self.setObjectName("status_panel")
        self.setMinimumSize(230, 128)
        self._headline, self._facts = NOTHING, ""

    @property
    def headline(self) -> Headline:
        """What is shown now."""
        return self._headline

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Show the headline at `now_s`."""
        facts = model_words(state)
        if facts != self._facts:
            self._facts = facts
            self.update()
        self.show_headline(state.headline(now_s))

    def show_headline(self, headline: Headline) -> None:
        """Show `headline`; does nothing while it stays the same."""
        if headline == self._headline:
            return
        self._headline = headline
        words = (headline.word, headline.why, headline.do)
        self.setAccessibleName(". ".join(part for part in words if part))
        self.setToolTip("\n".join(part for part in words if part))
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw the headline."""
        painter = QPainter(self)
        box = draw_ground(painter, self, self._colours)
        word = QRectF(box.left(), box.top(), box.width(), box.height() * WORD_SHARE)
        self._draw_word(painter, word)
        rest = QRectF(
            box.left(), word.bottom(), box.width(), box.bottom() - word.bottom()
        )
        self._draw_reasons(painter, rest.adjusted(MARGIN, 4, -MARGIN, -2))
        painter.end()

    def _draw_word(self, painter: QPainter, box: QRectF) -> None:
        colours, headline = self._colours, self._headline
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.of_level(headline.level)))
        painter.drawRoundedRect(box, 4, 4)
        inner = box.adjusted(MARGIN, 2, -MARGIN, -2)
        text = f"{status_words(headline.level).symbol} {headline.word}"
        painter.setFont(fitted(self.font(), text, inner, most_px=WORD_PX))
        on_fill = colours.panel if headline.level == "none" else colours.on_fill
        draw_line(painter, inner, text, colour=on_fill, align=LEFT)

    def _draw_reasons(self, painter: QPainter, box: QRectF) -> None:
        """Draw why and what to do; smaller, if it is long."""
        headline = self._headline
        told = [(headline.why, self._colours.text, False)]
        if headline.do:
            told.append((headline.do, self._colours.accent, True))
        elif self._facts:
            told.append((self._facts, self._colours.muted, False))
        factor = 1.0
        while factor > 0.75 and self._height(painter, told, box, factor) > box.height():
            factor -= 0.05
        left = QRectF(box)
        painter.setClipRect(box)
        for text, colour, bold in told:
            painter.setFont(scaled(self.font(), factor, bold=bold))
            painter.setPen(QColor(colour))
            used = painter.boundingRect(left, int(WRAPPED), text)
            painter.drawText(left, int(WRAPPED), text)
            left.setTop(used.bottom() + 1)

    def _height(
        self,
        painter: QPainter,
        told: list[tuple[str, str, bool]],
        box: QRectF,
        factor: float,
    ) -> float:
        total = 0.0
        for text, _, bold in told:
            painter.setFont(scaled(self.font(), factor, bold=bold))
            total += painter.boundingRect(box, int(WRAPPED), text).height() + 1
        return total


class OriginBanner(QLabel):
    """A full-width line over everything while stream or model is not real."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("origin_banner")
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setToolTip("From the session's own words about its stream and its model.")
        kept = self.sizePolicy()
        kept.setRetainSizeWhenHidden(True)  # the page does not move when it comes
        self.setSizePolicy(kept)
        self.set_colours(colours)
        self.hide()

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme: dark on light and light on dark, swapped."""
        self.setStyleSheet(
            f"background: {colours.text}; color: {colours.background};"
            "font-weight: bold; padding: 2px;"
        )
        self.setFixedHeight(self.fontMetrics().lineSpacing() + 4)

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Show what is not real, or nothing."""
        words = origin_words(state)
        if words != self.text():
            self.setText(words)
        if self.isHidden() is bool(words):
            self.setVisible(bool(words))


# The value that is fed back, to be read from two metres.

BIG_PX = 64.0  # text of 48 px and more is read from two metres
Z_PX = 16.0
USUAL = "+0.00+0.00"  # shorter ones are not drawn larger
HIDDEN_S = 0.5  # without a refresh: the page was not on the screen
TARGET_TIP = (
    "What is fed back now. Value: model units (the filtered BOLD, z-scored when the "
    "model was trained). z: against the model's own baseline. The interval is where "
    "the measured BOLD is expected to lie. HELD: the last value, shown for one TR "
    "more; a dash: nothing may be shown, and apps show their neutral screen."
)


class TargetPanel(Painted):
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
        super().__init__(colours, parent)
        self.setObjectName("target_panel")
        self.setToolTip(TARGET_TIP)
        self.setMinimumSize(320, 128)
        self._clock_s = clock_s
        self._words = TargetWords()
        self._timed: tuple[int, Callable[[int, float], None]] | None = None
        self._newest: tuple[str | None, int] | None = None
        self._refreshed_s = -math.inf

    @property
    def words(self) -> TargetWords:
        """What is shown now."""
        return self._words

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


# The TR clock: a ring that fills until the next volume is due.

RING_PX = 9.0
SMALLEST_RING_PX = 68.0
NAMED_RING_PX = 88.0
WORDS_SHARE = 0.9  # of the text's size
USUAL_WORDS = "trigger on time"  # kept free, so that the ring does not jump
OVERDUE = 1.25  # of the TR: a prediction follows its trigger by some 0.1 s
STEPS = 120  # of the ring; it is drawn again when it moves by one
CLOCK_TIP = (
    "The ring fills from one volume trigger to the next. In it: the newest volume "
    "(from 0, dummies not counted). Beside it: the TR; how the last trigger came "
    "against the one before it; triggers that were missed (the session goes on for two "
    "of them) and that came twice (left out)."
)


class TrClock(Painted):
    """Ring, volume number, lateness, missed and doubled triggers."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(colours, parent)
        self.setObjectName("tr_clock")
        self.setToolTip(CLOCK_TIP)
        self.setMinimumSize(200, 128)
        self._facts = TrFacts()
        self._stale = True
        self._step: int | None = None  # of the ring
        self._said: tuple[object, ...] = ()
        self._ring = QRect()  # where it was drawn

    @property
    def facts(self) -> TrFacts:
        """What is shown now."""
        return self._facts

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
