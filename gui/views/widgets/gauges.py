"""Two bars: is the participant awake, is the EEG like that of the calibration."""

import math
from dataclasses import dataclass
from typing import Final, Literal

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import (
    QBrush,
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
from rtbold.gui.state.signals import FALL, Vigilance
from rtbold.gui.state.words import ood_words
from rtbold.gui.views.drawing import Drawn

# What the two gauges show: where the mark is, the limit, a word and why.

Role = Literal["ok", "degraded", "invalid", "muted"]
VIGILANCE_REACH: Final = math.log(4)  # of the log-ratio, at the ends of the bar
OOD_REACH: Final = 2.0
SYMBOLS: Final[dict[Role, str]] = {
    "ok": "●", "degraded": "▲", "invalid": "■", "muted": "◌",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GaugeReading:
    """One gauge; places are shares of the bar's length."""

    title: str
    word: str
    why: str
    role: Role
    mark: float | None  # None: not known
    limit: float
    beyond: Literal["left", "right"]  # on which side of the limit it is not well
    ends: tuple[str, str]


def vigilance_gauge(vigilance: Vigilance) -> GaugeReading:
    """Return the gauge of the indicator of drowsiness."""
    roles: dict[str, Role] = {"awake": "ok", "drowsy?": "degraded"}
    value, limit = vigilance.value, vigilance.limit
    return GaugeReading(
        title="Vigilance",
        word=vigilance.word,
        why=vigilance.why,
        role=roles.get(vigilance.word, "muted"),
        mark=None if value is None else _share(value, VIGILANCE_REACH),
        limit=_share(-FALL if limit is None else limit, VIGILANCE_REACH),
        beyond="left",
        ends=("¼ of the start", "4 times"),
    )


def ood_gauge(unlikeness: float | None) -> GaugeReading:
    """Return the gauge of how unlike the calibration's EEG the newest EEG is."""
    roles: dict[str, Role] = {"ok": "ok", "near": "degraded", "beyond": "invalid"}
    words = ood_words(unlikeness)
    mark = None
    if unlikeness is not None:
        mark = min(1.0, max(0.0, unlikeness / OOD_REACH))
    return GaugeReading(
        title="OOD score",
        word=words.word,
        why=words.why,
        role=roles.get(words.level, "muted"),
        mark=mark,
        limit=1 / OOD_REACH,
        beyond="right",
        ends=("like it", "twice the limit"),
    )


def _share(value: float, reach: float) -> float:
    return min(1.0, max(0.0, 0.5 + value / (2 * reach)))


TIPS: Final = (
    "Alpha against slow waves at the back of the head, compared with the first two "
    "minutes. An indicator, not a sleep stage: look at the participant, ask them.",
    "How unlike the newest window of EEG is to the EEG that the model was calibrated "
    "with; 1 is the limit. Beyond it the predictions are marked.",
)
BAR_PX: Final = 8.0
MARGIN_PX: Final = 6.0


class Gauges(Drawn):
    """Each bar with its limit, a sign and a word."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(colours, parent)
        self.setObjectName("gauges")
        unknown = Vigilance("unknown", None, "no session yet")
        self.readings = (vigilance_gauge(unknown), ood_gauge(None))

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Show the newest of both; a silent session says nothing."""
        newest = state.fb or state.prediction
        silent = state.headline(now_s).level in ("silent", "none")
        unlikeness = None if newest is None or silent else newest.unlikeness
        found = (
            vigilance_gauge(state.vigilance_now(now_s)),
            ood_gauge(unlikeness),
        )
        if found != self.readings:
            self.readings = found
            self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's)
        """Return room for two bars, one below the other."""
        return QSize(260, round(2 * self._needed()))

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's)
        """Return room for two bars without the words of their ends."""
        return QSize(160, round(2 * (self._needed() - self._line_height())))

    def words_at(self, position: QPointF) -> str:
        """Return what there is to say of the bar at `position`."""
        boxes = self._boxes()
        k = 0 if boxes[0].contains(position) else 1
        reading = self.readings[k]
        return f"{reading.title}: {reading.word}\n{reading.why}\n\n{TIPS[k]}"

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's)
        """Draw both."""
        painter = self.painter()
        for reading, box in zip(self.readings, self._boxes(), strict=True):
            self._draw(painter, reading, box)

    def _line_height(self) -> float:
        return QFontMetricsF(self.font()).height()

    def _needed(self) -> float:
        """Return the height of one bar with all its words."""
        return 2 * self._line_height() + BAR_PX + 3 * MARGIN_PX

    def _boxes(self) -> tuple[QRectF, QRectF]:
        """Return where the bars are: side by side where it is wide and low."""
        box = QRectF(self.rect()).adjusted(MARGIN_PX, 2, -MARGIN_PX, -2)
        if box.width() > 5 * box.height():
            half = (box.width() - 3 * MARGIN_PX) / 2
            right = box.adjusted(box.width() - half, 0, 0, 0)
            return QRectF(box.left(), box.top(), half, box.height()), right
        half = box.height() / 2
        lower = QRectF(box.left(), box.top() + half, box.width(), half)
        return QRectF(box.left(), box.top(), box.width(), half), lower

    def _draw(self, painter: QPainter, reading: GaugeReading, box: QRectF) -> None:
        height = self._line_height()
        head = QRectF(box.left(), box.top() + 1, box.width(), height)
        self._draw_words(painter, reading, head)
        top = head.bottom() + MARGIN_PX
        bar = QRectF(box.left(), top, box.width(), BAR_PX)
        self._draw_bar(painter, reading, bar)
        below = QRectF(box.left(), bar.bottom() + 3, box.width(), height)
        if below.bottom() > box.bottom() + 3:
            return  # too low for the words of the ends
        small = QFont(self.font())
        small.setPointSizeF(0.85 * small.pointSizeF())
        painter.setFont(small)
        painter.setPen(QColor(self._colours.muted))
        for words, flag in zip(reading.ends, _SIDES, strict=True):
            painter.drawText(below, flag.value, words)
        self._name_limit(painter, reading, below)

    def _draw_words(
        self, painter: QPainter, reading: GaugeReading, box: QRectF
    ) -> None:
        painter.setFont(self.font())
        painter.setPen(QColor(self._colours.muted))
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft.value, reading.title)
        used = QFontMetricsF(self.font()).horizontalAdvance(reading.title) + 10
        strong = QFont(self.font())
        strong.setBold(True)
        painter.setFont(strong)
        painter.setPen(QColor(getattr(self._colours, reading.role)))
        word = f"{SYMBOLS[reading.role]} {reading.word}"
        room = box.width() - used
        kept = QFontMetricsF(strong).elidedText(word, Qt.TextElideMode.ElideRight, room)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight.value, kept)

    def _draw_bar(self, painter: QPainter, reading: GaugeReading, bar: QRectF) -> None:
        """Draw the bar, hatched where it is not well, the limit and the mark."""
        painter.setPen(QPen(QColor(self._colours.border), 1))
        painter.setBrush(QColor(self._colours.background))
        painter.drawRect(bar)
        limit = bar.left() + reading.limit * bar.width()
        bad = QRectF(bar)
        if reading.beyond == "right":
            bad.setLeft(limit)
        else:
            bad.setRight(limit)
        hatching = QBrush(QColor(self._colours.muted), Qt.BrushStyle.BDiagPattern)
        painter.fillRect(bad, hatching)
        painter.setPen(QPen(QColor(self._colours.text), 2))
        ends = QPointF(limit, bar.top() - 3), QPointF(limit, bar.bottom() + 3)
        painter.drawLine(*ends)
        if reading.mark is None:
            return
        x, y = bar.left() + reading.mark * bar.width(), bar.center().y()
        painter.setPen(QPen(QColor(self._colours.panel), 1.2))
        painter.setBrush(QColor(getattr(self._colours, reading.role)))
        r = BAR_PX
        points = ((x, y - r), (x + 0.7 * r, y), (x, y + r), (x - 0.7 * r, y))
        painter.drawPolygon(QPolygonF([QPointF(a, b) for a, b in points]))

    def _name_limit(
        self, painter: QPainter, reading: GaugeReading, below: QRectF
    ) -> None:
        """Write "limit" below its line, if the words of the ends leave room."""
        metrics = QFontMetricsF(painter.font())
        half = metrics.horizontalAdvance("limit") / 2
        x = below.left() + reading.limit * below.width()
        first, last = (metrics.horizontalAdvance(words) for words in reading.ends)
        left, right = below.left() + first + 6, below.right() - last - 6
        if left <= x - half and x + half <= right:
            room = QRectF(x - half - 2, below.top(), 2 * half + 4, below.height())
            painter.drawText(room, Qt.AlignmentFlag.AlignHCenter.value, "limit")


_SIDES: Final = (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight)
