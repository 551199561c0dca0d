"""The traces of the scope: an image that grows by a few columns at a time."""

from math import ceil
from typing import Final, cast

import numpy as np
from PyQt6.QtCore import QPointF, QRect, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QWidget

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.widgets import scope_labels
from rtbold.gui.views.widgets.channel_looks import look_of
from rtbold.gui.views.widgets.scope_labels import LabelPlan
from rtbold.gui.views.widgets.scope_settings import ScopeSettings
from rtbold.gui.views.widgets.scope_traces import Canvas, ScopeTraces
from rtbold.gui.views.widgets.sweep import Pixels
from rtbold.gui.views.widgets.sweep_picture import SweepInk, rgb

Rows = tuple[tuple[str, str | None], ...]

SILENT_AFTER_S: Final = 1.0
NO_EEG: Final = "No EEG yet. It is drawn here as soon as a session sends it."
STROKE_PX: Final = 1.2
MARGIN_PX: Final = 6.0  # half a name above the first row
BAR_FROM_PX: Final = 24.0


class ScopeCanvas(QWidget):
    """Draws the EEG of `DashboardState.scope`.

    Only new columns are computed and painted; another size, theme, stream or way to
    look draws everything once, with the next refresh.
    """

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scope_canvas")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 80)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._colours = colours
        self._settings = ScopeSettings()
        self._traces = ScopeTraces()
        self._n_shown = -1  # the picture that the image is of
        self._image: QImage | None = None
        self._pixels: Pixels | None = None  # keeps the image's memory
        self._rows: Rows = ()
        self._inks = np.empty(0, np.uint32)  # (channels,)
        self._plan: LabelPlan | None = None
        self._planned: tuple[object, ...] = ()
        self.text = NO_EEG  # over the traces; empty while EEG comes

    def set_colours(self, colours: Colours) -> None:
        """Draw in another theme."""
        self._colours = colours
        self._rows = ()
        self.update()

    def set_settings(self, settings: ScopeSettings) -> None:
        """Draw at another scale, length or filter."""
        self._settings = settings
        self.update()

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Draw what is new."""
        scope = state.scope
        self._know_rows(_rows(state))
        if self._rows:
            self._plan_labels()
            self._traces.lay_out(self._canvas())
        spans = self._traces.follow(scope, now_s, self._inks)
        if self._n_shown != self._traces.n_pictures:
            self._show_picture()
        for first, end in spans:
            self._update_columns(first, end)
        silent_s = self._traces.silent_s(scope, now_s)
        silent = f"No EEG for {silent_s:.0f} s" if silent_s >= SILENT_AFTER_S else ""
        self._say(silent if self._rows else NO_EEG)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's)
        """Copy the part of the image that changed."""
        if event is None:
            return
        painter = QPainter(self)
        left, first = self._left(), event.rect().left()
        if self._image is None:
            painter.fillRect(self.rect(), QColor(self._colours.panel))
        else:
            painter.drawImage(left, 0, self._image)
        if first < left:
            self._draw_labels(painter)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_scale_bar(painter)
        if self.text:
            self._draw_text(painter)

    def _know_rows(self, rows: Rows) -> None:
        """Take in names and states; a state's colour shows from the next column on."""
        if rows == self._rows:
            return
        self._rows = rows
        self._inks = np.array(
            [_ink(part, self._colours) for _, part in rows], np.uint32
        )
        self.update(0, 0, self._left(), self.height())

    def _plan_labels(self) -> None:
        labels = tuple(label for label, _ in self._rows)
        needed = (labels, self.height(), self.font().key())
        if needed != self._planned:
            self._planned = needed
            row_height = self._row_height()
            self._plan = scope_labels.plan(labels, row_height, self.font())

    def _canvas(self) -> Canvas:
        ratio = self.devicePixelRatioF()
        return Canvas(
            width=int((self.width() - self._left()) * ratio),
            height=ceil(self.height() * ratio),
            margin=MARGIN_PX * ratio,
            stroke=STROKE_PX * ratio,
            settings=self._settings,
            ink=SweepInk.of(self._colours),
        )

    def _show_picture(self) -> None:
        self._n_shown = self._traces.n_pictures
        self._image = None
        if (picture := self._traces.picture) is not None:
            height, width = picture.pixels.shape
            # A view of the picture's pixels: what is drawn there shows here. The stubs
            # know bytes only; every buffer will do.
            self._pixels = picture.pixels
            buffer = cast(bytes, self._pixels.data)
            self._image = QImage(buffer, width, height, QImage.Format.Format_RGB32)
            self._image.setDevicePixelRatio(self.devicePixelRatioF())
        self.update()

    def _say(self, text: str) -> None:
        if text != self.text:
            self.text = text
            self.update()

    def _row_height(self) -> float:
        return (self.height() - 2 * MARGIN_PX) / max(1, len(self._rows))

    def _left(self) -> int:
        """Return the width of the names; a whole number of device pixels."""
        if self._plan is None or not self._rows:
            return 0
        left, ratio = ceil(self._plan.width), self.devicePixelRatioF()
        return next((x for x in range(left, left + 8) if (x * ratio) % 1 == 0), left)

    def _update_columns(self, first: int, end: int) -> None:
        ratio = self.devicePixelRatioF()
        begin, stop = int(first / ratio), ceil(end / ratio)
        self.update(QRect(self._left() + begin, 0, stop - begin, self.height()))

    def _draw_labels(self, painter: QPainter) -> None:
        painter.fillRect(0, 0, self._left(), self.height(), QColor(self._colours.panel))
        if self._plan is None or not self._rows:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        scope_labels.draw(
            painter,
            self._plan,
            self._rows,
            row_height=self._row_height(),
            top=MARGIN_PX,
            colours=self._colours,
        )

    def _draw_scale_bar(self, painter: QPainter) -> None:
        """Draw how high some rows are, in microvolt."""
        if self._image is None or not self._rows:
            return
        row_height = self._row_height()
        n_rows = next((n for n in (1, 2, 5, 10) if n * row_height >= BAR_FROM_PX), 1)
        x, length = self.width() - 6.0, n_rows * row_height
        top = self.height() - length - 8
        painter.setPen(QPen(QColor(self._colours.accent), 2))
        painter.drawLine(QPointF(x, top), QPointF(x, top + length))
        box = QRectF(x - 130, top, 122, length)
        painter.setFont(self.font())
        words = f"{n_rows * self._settings.uv:g} µV"
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        self._write(painter, box, words, flags=right.value)

    def _draw_text(self, painter: QPainter) -> None:
        """Grey the traces and say why they stand still."""
        veil = QColor(self._colours.panel)
        veil.setAlpha(150)
        painter.fillRect(self.rect(), veil)
        middle = Qt.AlignmentFlag.AlignCenter.value | Qt.TextFlag.TextWordWrap.value
        box = QRectF(self.rect()).adjusted(12, 4, -12, -4)
        font = QFont(self.font())
        font.setPointSizeF(1.4 * font.pointSizeF())
        painter.setFont(font)
        self._write(painter, box, self.text, flags=middle)

    def _write(self, painter: QPainter, box: QRectF, text: str, *, flags: int) -> None:
        """Write on a piece of panel, so that traces behind it do not disturb."""
        where = painter.boundingRect(box, flags, text)
        painter.fillRect(where.adjusted(-3, -1, 3, 1), QColor(self._colours.panel))
        painter.setPen(QColor(self._colours.text))
        painter.drawText(box, flags, text)


def _rows(state: DashboardState) -> Rows:
    """Return label and state of each trace, in the order of the samples."""
    n = state.scope.n_channels
    parts = state.quality.channels if state.quality else ()
    states = {part.label: part.state for part in parts}
    labels = state.hello.channels if state.hello else ()
    if len(labels) != n:
        labels = tuple(f"{k + 1}" for k in range(n))
    return tuple((label, states.get(label)) for label in labels)


def _ink(state: str | None, colours: Colours) -> int:
    """Return the colour of a trace; a good one is not green but easy to see."""
    if state is None or state == "good":
        return rgb(colours.text)
    return rgb(look_of(state).colour(colours))
