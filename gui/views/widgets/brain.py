"""All ROIs on a glass brain, seen from three sides."""

from typing import Final

import numpy as np
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from PyQt6.QtWidgets import QWidget

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.widgets.brain_layout import SEEN, BrainView, views_in
from rtbold.gui.views.widgets.drawn import Drawn
from rtbold.gui.views.widgets.roi_dots import (
    LIMIT_Z,
    NO_SESSION,
    SIGN_FROM_Z,
    BrainContent,
    RoiDot,
    content_of,
    dot_colour,
)

TIP: Final = (
    "Predicted BOLD of every ROI as z. A dot stands at the ROI's centre in MNI space "
    "and does not show what the ROI covers; a ROI of both hemispheres has a dot in "
    "each. Left and right places are approximate (8 mm). Blue with a minus is below, "
    "orange with a plus above the baseline; larger dots are further away; the target "
    "has a ring."
)
NEAR_PX: Final = 10.0
SMALL: Final = 0.85  # of the usual letters


class GlassBrain(Drawn):
    """Outlines, dots, a colour scale and what the dots are."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(colours, parent)
        self.setObjectName("glass_brain")
        self.setMinimumSize(200, 130)
        self._seen: tuple[object, ...] = ()
        self.content = BrainContent((), NO_SESSION)

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Show the newest prediction."""
        current = state.current_prediction(now_s) is not None
        seen = (state.hello, state.prediction, current)
        if seen != self._seen:
            self._seen = seen
            self.content = content_of(state, now_s)
            self.update()

    def words_at(self, position: QPointF) -> str:
        """Return what there is to say of the dot at `position`."""
        nearest, words = NEAR_PX, TIP
        # The last one drawn is on top.
        for dot in self.content.dots:
            for view in self.views():
                for x, y in view.dots(dot.places_mm):
                    distance = (QPointF(x, y) - position).manhattanLength()
                    if distance <= nearest:
                        nearest, words = distance, dot.words()
        return words

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's)
        """Draw everything: it changes once per volume."""
        painter = self.painter()
        font = QFont(self.font())
        font.setPointSizeF(SMALL * font.pointSizeF())
        painter.setFont(font)
        views = self.views()
        for view in views:
            self._draw_outline(painter, view)
        # Dot by dot, not view by view: the strongest is on top in all of them.
        for dot in self.content.dots:
            for view in views:
                for x, y in view.dots(dot.places_mm):
                    self._draw_dot(painter, QPointF(x, y), dot, scale=view.px_per_mm)
        self._draw_scale(painter)
        self._draw_caption(painter)

    def _line_height(self) -> float:
        return SMALL * QFontMetricsF(self.font()).height()

    def views(self) -> list[BrainView]:
        """Return where the three views are."""
        below = 3.4 * self._line_height()  # scale, and two lines of caption
        return views_in(self.width(), max(40.0, self.height() - below))

    def _draw_outline(self, painter: QPainter, view: BrainView) -> None:
        painter.setPen(QPen(QColor(self._colours.muted), 1.2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        points = view.outline()
        painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in points]))
        left, right = points[:, 0].min() + 2, points[:, 0].max() - 2
        low = points[:, 1].max() - self._line_height()
        box = QRectF(left, low, right - left, self._line_height())
        first, second = SEEN[view.side][1]
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft.value, first)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight.value, second)

    def _draw_dot(
        self, painter: QPainter, at: QPointF, dot: RoiDot, *, scale: float
    ) -> None:
        unit = min(1.6, max(0.6, scale))
        share = dot.share
        radius = unit * (3.0 if share is None else 2.6 + 3.4 * abs(share))
        if share is None:
            painter.setPen(QPen(QColor(self._colours.muted), 1.2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
        else:
            painter.setPen(QPen(QColor(self._colours.panel), 0.8))
            painter.setBrush(QColor(*dot_colour(share, self._colours)))
        painter.drawEllipse(at, radius, radius)
        if dot.z is not None and abs(dot.z) >= SIGN_FROM_Z:
            self._draw_sign(painter, at, 0.55 * radius, plus=dot.z > 0)
        if dot.is_target:
            painter.setPen(QPen(QColor(self._colours.text), 1.8))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(at, radius + 3.5, radius + 3.5)

    def _draw_sign(
        self, painter: QPainter, at: QPointF, reach: float, *, plus: bool
    ) -> None:
        painter.setPen(QPen(QColor(self._colours.on_fill), 1.3))
        painter.drawLine(at - QPointF(reach, 0), at + QPointF(reach, 0))
        if plus:
            painter.drawLine(at - QPointF(0, reach), at + QPointF(0, reach))

    def _draw_scale(self, painter: QPainter) -> None:
        """Draw dots of the scale in one line: what colour and size mean."""
        if not self.content.dots:
            return
        height = self._line_height()
        y = self.height() - 2.7 * height
        metrics = QFontMetricsF(painter.font())
        steps = [-LIMIT_Z, -1.5, 0.0, 1.5, LIMIT_Z]
        words = [f"z {z:g}" if z == -LIMIT_Z else f"{z:+g}" for z in steps]
        words[2] = "0"
        shown = [
            (RoiDot("", np.empty((0, 3)), z, 0.0, False), text)
            for z, text in zip(steps, words, strict=True)
        ]
        shown.append((RoiDot("", np.empty((0, 3)), None, None, False), "no value"))
        shown.append((RoiDot("", np.empty((0, 3)), 0.0, 0.0, True), "target"))
        widths = [metrics.horizontalAdvance(text) + 26 for _, text in shown]
        x = max(10.0, (self.width() - sum(widths)) / 2)
        for (dot, text), width in zip(shown, widths, strict=True):
            self._draw_dot(painter, QPointF(x, y), dot, scale=0.9)
            painter.setPen(QColor(self._colours.text))
            box = QRectF(x + 10, y - height / 2, width, height)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter.value, text)
            x += width

    def _draw_caption(self, painter: QPainter) -> None:
        height = self._line_height()
        painter.setPen(QColor(self._colours.text))
        box = QRectF(6, self.height() - 2.1 * height, self.width() - 12, 2.1 * height)
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(box, flags.value, self.content.caption)
