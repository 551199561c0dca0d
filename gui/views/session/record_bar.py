"""The bar that is always there: recorded or not, which run, how long, from where."""

from PyQt6.QtCore import QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import Colours
from rtbold.gui.state.recording import RecordLine, record_line
from rtbold.gui.state.words import status_words
from rtbold.gui.views.drawing import LEFT, RIGHT, Painted, draw_line, scaled

MARGIN = 8.0
PADDING_PX = 6  # above and below the line, together
USUAL_CHIP = "● REC 00:00"  # kept free, so that the words beside it do not jump
TIP = (
    "Whether this run is recorded, and for how long; run, kind and subject; the file "
    "with its size; the time since the run began; the address of the feed."
)


class RecordBar(Painted):
    """One line over the whole page; it never goes away and never changes its height."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(colours, parent)
        self.setObjectName("record_bar")
        self.setToolTip(TIP)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._line = RecordLine()

    @property
    def line(self) -> RecordLine:
        """What is shown now."""
        return self._line

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Show what is known at `now_s`."""
        line = record_line(state, now_s)
        if line != self._line:
            self._line = line
            self.setAccessibleName(line.spoken)
            self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return one line of text and its margin."""
        return QSize(600, self.fontMetrics().height() + PADDING_PX)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw the chip, what it is about, and at the right time and address."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(self._colours.panel))
        room = QRectF(self.rect())
        chip = self._draw_chip(painter, room)
        painter.setFont(scaled(self.font(), 1.0))
        left = self._draw_right(painter, room)
        middle = room.adjusted(chip + MARGIN, 0, left - room.right() - MARGIN, 0)
        self._draw_middle(painter, middle)
        painter.end()

    def _draw_chip(self, painter: QPainter, room: QRectF) -> float:
        """Draw whether it is recorded; return where that ends."""
        line, colours = self._line, self._colours
        painter.setFont(scaled(self.font(), 1.0, bold=True))
        metrics = QFontMetricsF(painter.font())
        text = f"{status_words(line.level).symbol} {line.chip}"
        width = max(map(metrics.horizontalAdvance, (text, USUAL_CHIP))) + 2 * MARGIN
        box = QRectF(room.left(), room.top(), width, room.height())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.of_level(line.level)))
        painter.drawRoundedRect(box, 4, 4)
        on_fill = colours.panel if line.level == "none" else colours.on_fill
        inner = box.adjusted(MARGIN, 0, -MARGIN, 0)
        draw_line(painter, inner, text, colour=on_fill)
        return box.right()

    def _draw_right(self, painter: QPainter, room: QRectF) -> float:
        """Draw elapsed time and address; return where they begin."""
        line = self._line
        elapsed = f"elapsed {line.elapsed}  ·  " if line.elapsed else ""
        text = f"{elapsed}{line.address}"
        width = QFontMetricsF(painter.font()).horizontalAdvance(text) + MARGIN
        box = QRectF(room.right() - width, room.top(), width, room.height())
        inner = box.adjusted(0, 0, -MARGIN, 0)
        draw_line(painter, inner, text, colour=self._colours.text, align=RIGHT)
        return box.left()

    def _draw_middle(self, painter: QPainter, room: QRectF) -> None:
        """Draw the run, then the file; of a long name the middle is left out."""
        metrics = QFontMetricsF(painter.font())
        line = self._line
        draw_line(painter, room, line.run, colour=self._colours.text, align=LEFT)
        if not line.file:
            return
        used = metrics.horizontalAdvance(line.run) + 2 * MARGIN
        rest = room.adjusted(min(used, room.width()), 0, 0, 0)
        cut = metrics.elidedText(line.file, Qt.TextElideMode.ElideMiddle, rest.width())
        painter.setPen(QColor(self._colours.muted))
        painter.drawText(rest, int(LEFT), cut)
