"""The status: symbol and word, why and what to do; the banner of what is not real."""

from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent
from PyQt6.QtWidgets import QLabel, QSizePolicy, QWidget

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.headline import Headline
from rtbold.gui.state.origin_words import model_words, origin_words
from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.state.words import status_words
from rtbold.gui.views.drawing import LEFT, WRAPPED, draw_line, fitted, scaled
from rtbold.gui.views.panel_ground import draw_ground

MARGIN = 8.0
WORD_SHARE = 0.46  # of the height
WORD_PX = 56.0
NOTHING = Headline("none", "NO SESSION")


class StatusPanel(QWidget):
    """Symbol and word on the status's colour; below, why and what to do."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("status_panel")
        self.setMinimumSize(230, 128)
        self._colours = colours
        self._headline, self._facts = NOTHING, ""

    @property
    def headline(self) -> Headline:
        """What is shown now."""
        return self._headline

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        self.update()

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
        self.set_colours(colours)
        self.hide()

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme: dark on light and light on dark, swapped."""
        self.setStyleSheet(
            f"background: {colours.text}; color: {colours.background};"
            "font-weight: bold; padding: 2px;"
        )

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Show what is not real, or nothing."""
        words = origin_words(state)
        if words != self.text():
            self.setText(words)
        if self.isHidden() is bool(words):
            self.setVisible(bool(words))
