"""The EEG scope: traces, and how to look at them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final, cast

import numpy as np
from PyQt6.QtCore import QPointF, QRect, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import Colours
from rtbold.gui.views.widgets.heads import is_filled, look_of, path_of
from rtbold.gui.views.widgets.scope_traces import (
    FILTER_WORDS,
    FILTERS,
    SECONDS,
    Canvas,
    ScopeSettings,
    ScopeTraces,
)
from rtbold.gui.views.widgets.sweep import Pixels, SweepInk, rgb

# Names of the channels beside their traces, with the sign of their state.

SMALLEST_PX: Final = 9
MOST_COLUMNS: Final = 3
GAP_PX: Final = 4.0


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """How names fit: rows lower than a letter share a height in several columns."""

    font: QFont
    columns: int
    every: int  # name each n-th good channel only
    column_width: float

    @property
    def width(self) -> float:
        """Of all columns."""
        return self.columns * self.column_width


def plan_labels(labels: Sequence[str], row_height: float, font: QFont) -> LabelPlan:
    """Return how `labels` fit beside rows of `row_height`, logical pixels."""
    usual_px = QFontMetricsF(font).height() * 0.8
    size_px = round(min(usual_px, max(SMALLEST_PX, row_height * 0.8)))
    small = QFont(font)
    small.setPixelSize(max(1, size_px))
    metrics = QFontMetricsF(small)
    needed = metrics.height() * 0.85
    columns = min(MOST_COLUMNS, max(1, ceil(needed / max(row_height, 0.1))))
    every = max(1, ceil(needed / max(row_height * columns, 0.1)))
    widest = max((metrics.horizontalAdvance(label) for label in labels), default=0.0)
    return LabelPlan(small, columns, every, widest + size_px + 2 * GAP_PX)


def draw_labels(
    painter: QPainter,
    plan_labels: LabelPlan,
    rows: Sequence[tuple[str, str | None]],
    *,
    row_height: float,
    top: float,
    colours: Colours,
) -> None:
    """Draw names and signs; `rows` are label and state, the first one below `top`."""
    painter.setFont(plan_labels.font)
    size = QFontMetricsF(plan_labels.font).height() * 0.85
    for index, (label, state) in enumerate(rows):
        look = look_of(state)
        if index % plan_labels.every and look.role == "ok":
            continue  # a bad one is named though the names may overlap
        column = (index // plan_labels.every) % plan_labels.columns
        x, y = (
            column * plan_labels.column_width + GAP_PX,
            top + (index + 0.5) * row_height,
        )
        ink = QColor(look.colour(colours))
        painter.setPen(QPen(ink, 1.4))
        painter.setBrush(ink if is_filled(look.shape) else Qt.BrushStyle.NoBrush)
        painter.drawPath(path_of(look.shape, QPointF(x + size / 3, y), size * 0.27))
        painter.setPen(
            QColor(colours.text if look.role == "ok" else look.colour(colours))
        )
        box = QRectF(x + size * 0.8, y - size, plan_labels.column_width, 2 * size)
        painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), label)


# The traces of the scope: an image that grows by a few columns at a time.

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
            self._plan = plan_labels(labels, row_height, self.font())

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
        draw_labels(
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
        overlay = QColor(self._colours.panel)
        overlay.setAlpha(150)
        painter.fillRect(self.rect(), overlay)
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


TIP: Final = (
    "Conditioned EEG as the session sends it, all channels. Up and Down change the "
    "scale. Names carry the sign of the channel's state; the head map has the legend. "
    "A blank piece is EEG that never came."
)
FILTER_TIP: Final = (
    "For the eyes only: the model's EEG is not touched. The band-pass is causal "
    "(second order), so it delays slow waves a little."
)


class ScopeView(QWidget):
    """All channels as a sweep.

    Signals
    -------
    settings_changed : a `ScopeSettings`, to be remembered.
    """

    settings_changed = pyqtSignal(object)

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scope_view")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setToolTip(TIP)
        self.settings = ScopeSettings()
        self.canvas = ScopeCanvas(colours, self)
        self._caption = QLabel(self)
        self._caption.setObjectName("scope_caption")
        # Of a long caption the end is cut, or the page could not be made narrow.
        self._caption.setMinimumWidth(1)
        self._seconds = _choice("scope_seconds", [f"{s:g} s" for s in SECONDS], self)
        self._seconds.setToolTip("Seconds across the screen")
        self._filter = _choice("scope_filter", [FILTER_WORDS[f] for f in FILTERS], self)
        self._filter.setToolTip(FILTER_TIP)
        self._seconds.activated.connect(self._choose_seconds)
        self._filter.activated.connect(self._choose_filter)
        self._lay_out()
        self.set_colours(colours)
        self.set_settings(self.settings)

    def set_colours(self, colours: Colours) -> None:
        """Draw in another theme."""
        self.canvas.set_colours(colours)
        self._caption.setStyleSheet(f"color: {colours.muted}")

    def set_settings(self, settings: ScopeSettings) -> None:
        """Look in another way; tells nobody."""
        self.settings = settings
        self.canvas.set_settings(settings)
        nearest = min(SECONDS, key=lambda s: abs(s - settings.seconds))
        self._seconds.setCurrentIndex(SECONDS.index(nearest))
        self._filter.setCurrentIndex(FILTERS.index(settings.filter))
        self._caption.setText(settings.caption())
        self._caption.setToolTip(settings.caption())

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Draw what is new."""
        self.canvas.refresh(state, now_s)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 (Qt's)
        """Up makes traces larger, Down smaller."""
        if event is not None and event.key() == Qt.Key.Key_Up:
            self.enlarge()
        elif event is not None and event.key() == Qt.Key.Key_Down:
            self.reduce()
        else:
            super().keyPressEvent(event)

    def enlarge(self) -> None:
        """Make the traces larger by one step."""
        self._change(self.settings.larger())

    def reduce(self) -> None:
        """Make the traces smaller by one step."""
        self._change(self.settings.smaller())

    def _choose_seconds(self, index: int) -> None:
        self._change(replace(self.settings, seconds=SECONDS[index]))

    def _choose_filter(self, index: int) -> None:
        self._change(replace(self.settings, filter=FILTERS[index]))

    def _change(self, settings: ScopeSettings) -> None:
        if settings != self.settings:
            self.set_settings(settings)
            self.settings_changed.emit(settings)

    def _lay_out(self) -> None:
        larger = _button("scope_larger", "+", self)
        larger.setToolTip("Larger traces (Up)")
        larger.clicked.connect(self.enlarge)
        smaller = _button("scope_smaller", "\u2212", self)
        smaller.setToolTip("Smaller traces (Down)")
        smaller.clicked.connect(self.reduce)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._caption, 1)
        for part in (smaller, larger, self._seconds, self._filter):
            row.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self.canvas, 1)


def _button(name: str, words: str, parent: QWidget) -> QToolButton:
    button = QToolButton(parent)
    button.setObjectName(name)
    button.setText(words)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys stay with the traces
    return button


def _choice(name: str, words: list[str], parent: QWidget) -> QComboBox:
    choice = QComboBox(parent)
    choice.setObjectName(name)
    choice.addItems(words)
    choice.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return choice
