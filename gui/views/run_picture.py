"""The run as a picture: target with its intervals, status, marks, blocks, gaps."""

import math

import numpy as np
from PyQt6.QtCore import QBuffer, QByteArray, QIODevice, QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF
from PyQt6.QtWidgets import QWidget

from rtbold.gui.state.preferences import LIGHT, Colours
from rtbold.gui.state.roi_traces import signed, stretches
from rtbold.gui.state.run_picture import RunPicture, block_words, spoken
from rtbold.gui.state.story import Block
from rtbold.gui.state.words import STATUS_WORDS, span_words
from rtbold.gui.views.drawing import CENTRE, LEFT, RIGHT, Painted, draw_line, scaled
from rtbold.messages import FloatArray

LEFT_PX, MARGIN_PX = 52.0, 8.0
MOST_TICKS = 8
STEPS_S = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
GAP_ALPHA = 90
PAGE_PX = (1100, 420)  # of the picture on a saved page
EMPTY = "The run is drawn here as soon as a volume was predicted."
LEGEND: tuple[str, ...] = ("ok", "degraded", "invalid", "warmup", "paused")
TIP = (
    "The whole run. Line: the target, with where BOLD is expected (80 and 95 %); dots: "
    "measured BOLD, scaled. Strip: the status of each prediction. Hatched: EEG that is "
    "missing. Lines: marks and notes (numbers as in the list); bands above: blocks."
)


class RunPictureView(Painted):
    """Draws one `RunPicture`; at the left, values in model units; below, minutes."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(colours, parent)
        self.setObjectName("run_picture")
        self.setToolTip(TIP)
        self.setMinimumSize(320, 200)
        self._picture: RunPicture | None = None

    @property
    def picture(self) -> RunPicture | None:
        """What is drawn."""
        return self._picture

    def show_picture(self, picture: RunPicture | None) -> None:
        """Draw another one; None: nothing was predicted yet."""
        self._picture = picture
        self.setAccessibleName(spoken(picture))
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw it, or say why there is nothing."""
        painter = QPainter(self)
        painter.setFont(self.font())
        draw(painter, QRectF(self.rect()), self._picture, self._colours)
        painter.end()


def draw(
    painter: QPainter, room: QRectF, picture: RunPicture | None, colours: Colours
) -> None:
    """Draw `picture` into `room`."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillRect(room, QColor(colours.panel))
    if picture is None:
        draw_line(painter, room, EMPTY, colour=colours.muted, align=CENTRE)
        return
    _Drawing(painter, room, picture, colours).all()


def as_base64(picture: RunPicture, colours: Colours = LIGHT) -> str:
    """Return the picture as a PNG for a page, in base64."""
    from PyQt6.QtGui import QPixmap

    pixmap = QPixmap(*PAGE_PX)
    painter = QPainter(pixmap)
    draw(painter, QRectF(pixmap.rect()), picture, colours)
    painter.end()
    content = QByteArray()
    buffer = QBuffer(content)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    pixmap.save(buffer, "PNG")
    return bytes(content.toBase64().data()).decode("ascii")


class _Drawing:
    """One drawing of one picture; its parts from the back to the front."""

    def __init__(
        self, painter: QPainter, room: QRectF, picture: RunPicture, colours: Colours
    ) -> None:
        self._painter, self._picture, self._colours = painter, picture, colours
        self._font = painter.font()
        self._line_px = QFontMetricsF(self._font).height()
        inner = room.adjusted(LEFT_PX, MARGIN_PX, -MARGIN_PX, -MARGIN_PX)
        line = self._line_px
        self._title = QRectF(inner.left(), inner.top(), inner.width(), line)
        self._blocks = self._title.translated(0, line + 2)
        foot = 2.6 * line  # status strip, times
        self._plot = QRectF(inner)
        self._plot.setTop(self._blocks.bottom() + line + 2)  # numbers of marks above it
        self._plot.setBottom(inner.bottom() - foot - 4)
        self._strip = QRectF(inner)
        self._strip.setTop(self._plot.bottom() + 4)
        self._strip.setHeight(0.8 * line)
        self._times = QRectF(inner)
        self._times.setTop(self._strip.bottom() + 2)

    def all(self) -> None:
        """Draw everything."""
        self._draw_title()
        self._draw_blocks()
        self._draw_axes()
        self._draw_gaps()
        self._draw_trace()
        self._draw_statuses()
        self._draw_marks()

    # Places

    def _x(self, t_s: float) -> float:
        return self._plot.left() + self._picture.share(t_s) * self._plot.width()

    def _y(self, value: float) -> float:
        low, high = self._picture.range
        return self._plot.bottom() - (value - low) / (high - low) * self._plot.height()

    def _colour(self, status: str) -> str:
        known: dict[str, str] = {
            level: self._colours.of_level(level) for level in STATUS_WORDS
        }
        return known.get(status, self._colours.muted)

    # Parts

    def _draw_title(self) -> None:
        painter, colours = self._painter, self._colours
        painter.setFont(scaled(self._font, 1.0, bold=True))
        draw_line(painter, self._title, self._picture.target, colour=colours.text)
        painter.setFont(scaled(self._font, 0.85))
        metrics = QFontMetricsF(painter.font())
        x = self._title.right()
        known = {span.status for span in self._picture.statuses}
        for status in reversed([word for word in LEGEND if word in known]):
            words = STATUS_WORDS[status]  # type: ignore[index]  # all are levels
            text = f"{words.symbol} {words.word.lower()}"
            x -= metrics.horizontalAdvance(text) + 12
            box = QRectF(x, self._title.top(), 400, self._title.height())
            draw_line(painter, box, text, colour=self._colour(status))
        painter.setFont(self._font)

    def _draw_blocks(self) -> None:
        """Draw a band for each block, up to the next one."""
        blocks = self._picture.blocks
        for k, block in enumerate(blocks):
            last = k + 1 == len(blocks)
            end_s = self._picture.t_to_s if last else blocks[k + 1].t_on_s
            self._draw_block(block, end_s, odd=bool(k % 2))

    def _draw_block(self, block: Block, end_s: float, *, odd: bool) -> None:
        colours, painter = self._colours, self._painter
        left, right = self._x(block.t_on_s), self._x(end_s)
        box = QRectF(
            left, self._blocks.top(), max(right - left, 1), self._blocks.height()
        )
        painter.setPen(QPen(QColor(colours.border), 1))
        painter.setBrush(QColor(colours.grid if odd else colours.background))
        painter.drawRect(box)
        painter.setFont(scaled(self._font, 0.85))
        inner = box.adjusted(4, 0, -4, 0)
        draw_line(painter, inner, block_words(block), colour=colours.text)
        painter.setFont(self._font)

    def _draw_axes(self) -> None:
        painter, colours = self._painter, self._colours
        painter.setPen(QPen(QColor(colours.border), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(self._plot)
        low, high = self._picture.range
        for value in (low, 0.0 if low < 0 < high else (low + high) / 2, high):
            y = self._y(value)
            painter.setPen(QPen(QColor(colours.grid), 1))
            painter.drawLine(
                QPointF(self._plot.left(), y), QPointF(self._plot.right(), y)
            )
            half = self._line_px / 2
            top = min(max(y - half, self._plot.top()), self._plot.bottom() - 2 * half)
            box = QRectF(self._plot.left() - LEFT_PX, top, LEFT_PX - 4, 2 * half)
            draw_line(painter, box, signed(value), colour=colours.muted, align=RIGHT)
        self._draw_times()

    def _draw_times(self) -> None:
        painter, picture = self._painter, self._picture
        whole_s = picture.t_to_s - picture.t_from_s
        step_s = next((s for s in STEPS_S if whole_s / s <= MOST_TICKS), STEPS_S[-1])
        for k in range(math.floor(whole_s / step_s) + 1):
            x = self._x(picture.t_from_s + k * step_s)
            box = QRectF(x - 40, self._times.top(), 80, self._line_px)
            if box.right() > self._times.right() + 40:
                continue
            text = span_words(k * step_s)
            draw_line(painter, box, text, colour=self._colours.muted, align=CENTRE)

    def _draw_gaps(self) -> None:
        """Hatch what is missing; a short gap is a line that is still seen."""
        colour = QColor(self._colours.invalid)
        for gap in self._picture.gaps:
            left, right = self._x(gap.t_from_s), self._x(gap.t_to_s)
            box = QRectF(
                left, self._plot.top(), max(right - left, 2.0), self._plot.height()
            )
            ground = QColor(colour)
            ground.setAlpha(GAP_ALPHA)
            self._painter.fillRect(box, ground)
            self._painter.setPen(Qt.PenStyle.NoPen)
            self._painter.setBrush(colour)
            self._painter.setBrush(Qt.BrushStyle.BDiagPattern)
            self._painter.drawRect(box)

    def _draw_trace(self) -> None:
        trace, colours = self._picture.trace, self._colours
        self._painter.save()
        self._painter.setClipRect(self._plot)
        self._draw_band(trace.low, trace.high, colours.band95)
        self._draw_band(trace.low_80, trace.high_80, colours.band80)
        known = np.isfinite(trace.value)
        for part in stretches(known):
            points = self._points(trace.t_s[part], trace.value[part])
            self._painter.setPen(QPen(QColor(colours.prediction), 1.8))
            self._painter.drawPolyline(QPolygonF(points))
            if len(points) == 1:
                self._painter.drawEllipse(points[0], 1.5, 1.5)
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(QColor(colours.measured))
        both = np.isfinite(trace.measured)
        for point in self._points(trace.t_s[both], trace.measured[both]):
            self._painter.drawEllipse(point, 1.6, 1.6)
        self._painter.restore()

    def _draw_band(self, low: FloatArray, high: FloatArray, colour: str) -> None:
        t_s = self._picture.trace.t_s
        known = np.isfinite(low) & np.isfinite(high) & np.isfinite(t_s)
        self._painter.setPen(QPen(QColor(colour), 1))
        self._painter.setBrush(QColor(colour))
        for part in stretches(known):
            corners = self._points(t_s[part], low[part])
            corners += reversed(self._points(t_s[part], high[part]))
            self._painter.drawPolygon(QPolygonF(corners))

    def _points(self, t_s: FloatArray, values: FloatArray) -> list[QPointF]:
        pairs = zip(t_s.tolist(), values.tolist(), strict=True)
        return [QPointF(self._x(at_s), self._y(value)) for at_s, value in pairs]

    def _draw_statuses(self) -> None:
        self._painter.setPen(Qt.PenStyle.NoPen)
        for span in self._picture.statuses:
            left, right = self._x(span.t_from_s), self._x(span.t_to_s)
            box = QRectF(
                left, self._strip.top(), max(right - left, 1.0), self._strip.height()
            )
            self._painter.fillRect(box, QColor(self._colour(span.status)))
        self._painter.setFont(scaled(self._font, 0.8))
        beside = self._strip.adjusted(-LEFT_PX, 0, -self._strip.width() - 4, 0)
        draw_line(
            self._painter, beside, "status", colour=self._colours.muted, align=RIGHT
        )
        self._painter.setFont(self._font)

    def _draw_marks(self) -> None:
        """Draw a line for each mark, and its number in the list where there is room."""
        painter, colours, free = self._painter, self._colours, -math.inf
        painter.setFont(scaled(self._font, 0.8))
        for number, mark in enumerate(self._picture.marks, start=1):
            x = self._x(mark.t_s)
            style = (
                Qt.PenStyle.SolidLine
                if mark.kind in ("mark", "note")
                else Qt.PenStyle.DashLine
            )
            painter.setPen(QPen(QColor(colours.text), 1.2, style))
            painter.drawLine(
                QPointF(x, self._plot.top() - 2), QPointF(x, self._plot.bottom())
            )
            text = str(number)
            width = QFontMetricsF(painter.font()).horizontalAdvance(text)
            if x - width / 2 > free:
                above = QRectF(
                    x - width / 2,
                    self._plot.top() - self._line_px,
                    width + 4,
                    self._line_px,
                )
                draw_line(painter, above, text, colour=colours.text, align=LEFT)
                free = x + width / 2 + 4
        painter.setFont(self._font)
