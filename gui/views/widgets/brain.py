"""All ROIs on a glass brain, seen from three sides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
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
from rtbold.gui.state.preferences import Colours
from rtbold.gui.state.words import reason_words, status_words
from rtbold.gui.views.drawing import Drawn
from rtbold.gui.views.widgets.assets import Side, brain_outline, roi_dots
from rtbold.publish import PredRoi

# Three views of a brain on one sheet: what is seen from where.

FloatArray = NDArray[np.float64]
GAP_MM: Final = 14.0
# Seen from -> the two of x, y, z that are seen, and what stands left and right.
SEEN: Final[dict[Side, tuple[tuple[int, int], tuple[str, str]]]] = {
    "right": ((1, 2), ("back", "front")),
    "back": ((0, 2), ("left", "right")),
    "top": ((0, 1), ("left", "right")),
}
_SHEETS: Final[tuple[tuple[tuple[Side, ...], ...], ...]] = (
    (("right", "back", "top"),),
    (("right", "back"), ("top",)),
    (("right",), ("back",), ("top",)),
)


@dataclass(frozen=True, slots=True)
class BrainView:
    """One view; logical pixels."""

    side: Side
    middle: tuple[float, float]  # of the outline's box, pixels
    middle_mm: tuple[float, float]
    px_per_mm: float

    def on_sheet(self, seen_mm: FloatArray) -> FloatArray:
        """Return (n, 2) pixels of (n, 2) mm as seen from here."""
        moved = (seen_mm - np.array(self.middle_mm)) * self.px_per_mm
        return np.asarray(np.array(self.middle) + moved * [1, -1])

    def outline(self) -> FloatArray:
        """Return (points, 2) pixels."""
        return self.on_sheet(brain_outline(self.side))

    def dots(self, places_mm: FloatArray) -> FloatArray:
        """Return (n, 2) pixels of (n, 3) MNI coordinates."""
        return self.on_sheet(places_mm[:, SEEN[self.side][0]])


def views_in(width: float, height: float) -> list[BrainView]:
    """Return the three views, one scale for all, as large as fits."""
    sheets = [_laid_out(rows, width, height) for rows in _SHEETS]
    return max(sheets, key=lambda views: views[0].px_per_mm)


def _laid_out(
    rows: tuple[tuple[Side, ...], ...], width: float, height: float
) -> list[BrainView]:
    sizes = {side: np.ptp(brain_outline(side), axis=0) + GAP_MM for side in SEEN}
    widths_mm = [sum(float(sizes[side][0]) for side in row) for row in rows]
    heights_mm = [max(float(sizes[side][1]) for side in row) for row in rows]
    scale = max(0.01, min(width / max(widths_mm), height / sum(heights_mm)))
    views: list[BrainView] = []
    top = (height - scale * sum(heights_mm)) / 2
    for row, width_mm, height_mm in zip(rows, widths_mm, heights_mm, strict=True):
        left = (width - scale * width_mm) / 2
        for side in row:
            wide = scale * float(sizes[side][0])
            middle = (left + wide / 2, top + scale * height_mm / 2)
            views.append(BrainView(side, middle, _middle_mm(side), scale))
            left += wide
        top += scale * height_mm
    return views


def _middle_mm(side: Side) -> tuple[float, float]:
    line = brain_outline(side)
    middle = (line.min(axis=0) + line.max(axis=0)) / 2
    return float(middle[0]), float(middle[1])


# What the glass brain says of each ROI: place, z, value, in words.

LIMIT_Z: Final = 3.0
SIGN_FROM_Z: Final = 1.0  # dots further out carry a plus or a minus
MOST_NAMED: Final = 4
# Blue below, orange above the baseline (Okabe and Ito's, lighter on dark).
_ENDS: Final = {
    "dark": ("#56b4e9", "#6b7682", "#ff9a4d"),
    "light": ("#0072b2", "#aab3bc", "#d55e00"),
}
NO_SESSION: Final = "No predictions yet."
OLD: Final = "The newest values are old: hollow dots."
CAPTION: Final = "Dots at ROI centres, not maps; z against the model's own baseline."


@dataclass(frozen=True, slots=True, eq=False)
class RoiDot:
    """One ROI that has a place."""

    name: str
    places_mm: FloatArray  # (dots, 3)
    z: float | None  # None: nothing that may be shown as a value
    value: float | None  # model units
    is_target: bool

    @property
    def share(self) -> float | None:
        """Where z is on the colour scale, -1 to 1."""
        return None if self.z is None else max(-1.0, min(1.0, self.z / LIMIT_Z))

    def words(self) -> str:
        """Return name and value."""
        lines = [f"{self.name}, the target" if self.is_target else self.name]
        if self.value is None:
            return "\n".join([*lines, "no value now"])
        z = "not known" if self.z is None else f"{self.z:+.2f}"
        return "\n".join([*lines, f"z {z}, value {self.value:.3g} (model units)"])


@dataclass(frozen=True, slots=True, eq=False)
class BrainContent:
    """All that is drawn at one time."""

    dots: tuple[RoiDot, ...]  # the strongest last
    caption: str


def content_of(state: DashboardState, now_s: float) -> BrainContent:
    """Return what the newest prediction says, and in words what it does not."""
    if state.hello is None:
        return BrainContent((), NO_SESSION)
    rois, prediction = state.hello.rois, state.current_prediction(now_s)
    values = _column(prediction.values if prediction else None, len(rois))
    scores = _column(prediction.values_z if prediction else None, len(rois))
    found, lost = [], []
    for roi, value, z in zip(rois, values, scores, strict=True):
        places_mm = roi_dots(roi)
        if places_mm is None:
            lost.append(roi)
            continue
        # A z without a value would be a number that nobody may use.
        kept = None if value is None else z
        is_target = roi == state.hello.target
        found.append(RoiDot(roi, places_mm, kept, value, is_target))
    found.sort(key=lambda dot: (dot.is_target, abs(dot.z or 0.0)))
    notes = [CAPTION, *_lost_words(lost)]
    if prediction is None and state.prediction is not None:
        notes.append(OLD)
    else:
        notes += _status_words(prediction, scores)
    return BrainContent(tuple(found), " ".join(notes))


def dot_colour(share: float, colours: Colours) -> tuple[int, int, int]:
    """Return red, green, blue of a place on the scale, -1 to 1."""
    low, middle, high = (bytes.fromhex(end[1:]) for end in _ENDS[colours.name])
    red, green, blue = (
        round(near + (far - near) * abs(share))
        for near, far in zip(middle, high if share > 0 else low, strict=True)
    )
    return red, green, blue


def _column(
    values: tuple[float | None, ...] | None, n: int
) -> tuple[float | None, ...]:
    return (None,) * n if values is None or len(values) != n else values


def _lost_words(lost: Sequence[str]) -> list[str]:
    if not lost:
        return []
    more = len(lost) - MOST_NAMED
    named = ", ".join(lost[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return [f"Place not known: {named}."]


def _status_words(
    prediction: PredRoi | None, scores: Sequence[float | None]
) -> list[str]:
    if prediction is None:
        return ["No prediction yet: hollow dots."]
    if prediction.values is None:
        why = ", ".join(reason_words(reason).short for reason in prediction.reasons)
        word = status_words(prediction.status).word
        return [f"{word}, hollow dots: {why or 'no values'}."]
    if all(z is None for z in scores):
        return ["The model has no baseline for z: hollow dots."]
    return []


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
