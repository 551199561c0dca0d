"""The veil over plots whose data are old: nothing that stands still may look alive."""

from PyQt6.QtCore import QEvent, QObject, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PyQt6.QtWidgets import QWidget

from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.drawing import fitted

VEIL_ALPHA = 190
TEXT_PX = 30.0
HEIGHT_SHARE = 0.7
WORDS = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)


class StaleOverlay(QWidget):
    """Covers `over` and follows its size; hidden while there is nothing to say.

    Clicks go through to what is below, so that one may still look at the past.
    """

    def __init__(self, colours: Colours, over: QWidget) -> None:
        super().__init__(over)
        self.setObjectName("stale_overlay")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._colours, self._words = colours, ""
        over.installEventFilter(self)
        self.hide()

    @property
    def words(self) -> str:
        """What it says; empty: it is hidden."""
        return self._words

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        self.update()

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
        """Draw the veil and the words in a box that stands out from any plot."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = QColor(self._colours.background)
        veil.setAlpha(VEIL_ALPHA)
        painter.fillRect(self.rect(), veil)
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
