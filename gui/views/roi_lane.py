"""One lane of the ROI plot: a ROI's prediction, intervals and measurement."""

import html

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QPainterPath
from PyQt6.QtWidgets import QGraphicsPathItem, QGraphicsTextItem

from rtbold.gui.state.received_kinds import FloatArray
from rtbold.gui.state.roi_traces import BoolArray, RoiTrace, stable_range, stretches
from rtbold.gui.state.session_words import span_words, wall_words
from rtbold.gui.state.theme_colours import Colours

AXIS_WIDTH = 44
STEPS_S = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200,
)  # fmt: skip
LABEL_PX = 90  # that a time on the axis needs
END_TRS = 0.4  # an interval reaches so far beyond its stretch: a lone one is seen
PADDING = 0.16  # of the heights: room for the words above and for the ends of the axis
SMOOTH_MOST = 400  # volumes; smooth lines of more take too long to draw
DOTS_MOST = 90  # more volumes on the screen would run into one another
BAND_MOST = 400  # corners of each edge of an interval; with more they are too slow


class TimeAxis(pg.AxisItem):  # type: ignore[misc] # pyqtgraph has no types
    """Minutes since the first volume, or the time on the wall."""

    def __init__(self, *, labels: bool) -> None:
        super().__init__("bottom")
        self.unix_s: float | None = None  # of x = 0; None: minutes since it
        self.setStyle(showValues=labels, tickLength=-4)
        self.setHeight(None if labels else 6)

    def tickSpacing(  # noqa: N802 - pyqtgraph's name
        self, low: float, high: float, size: float
    ) -> list[tuple[float, float]]:
        """Return steps that people count in."""
        least_s = (high - low) * LABEL_PX / max(size, LABEL_PX)
        step_s = next((step for step in STEPS_S if step >= least_s), STEPS_S[-1])
        return [(float(step_s), 0.0)]

    def tickStrings(  # noqa: N802 - pyqtgraph's name
        self, values: list[float], scale: float, spacing: float
    ) -> list[str]:
        """Return times in words."""
        if self.unix_s is None:
            return [span_words(value) if value >= 0 else "" for value in values]
        return [wall_words(1000 * (self.unix_s + value)) for value in values]


class RoiLane:
    """Draws one trace into one plot.

    Parameters
    ----------
    plot : a plot of its own.
    name : of the ROI, or of a contrast of several.
    is_target : whether it is what is fed back.
    """

    def __init__(
        self, plot: pg.PlotItem, colours: Colours, *, name: str, is_target: bool = False
    ) -> None:
        self.plot, self.name, self.is_target = plot, name, is_target
        self._colours = colours
        self._range: tuple[float, float] | None = None
        self._title = ""
        self._bands = [self._band(colours.band95), self._band(colours.band80)]
        self._value, self._measured = self._curve(), self._curve()
        self._dots = pg.ScatterPlotItem(
            size=5, pen=None, brush=colours.prediction, antialias=True
        )
        self._open = pg.ScatterPlotItem(
            size=8,
            pen=pg.mkPen(colours.degraded, width=1.6),
            brush=colours.panel,
            antialias=True,
        )
        for item in (self._dots, self._open):
            plot.addItem(item)
        self._words = QGraphicsTextItem()
        self._dress()

    @property
    def y_range(self) -> tuple[float, float] | None:
        """The heights that are shown."""
        return self._range

    @property
    def title(self) -> str:
        """Name and R, in words."""
        return self._title

    def fit(self) -> None:
        """Choose the heights afresh with the next trace."""
        self._range = None

    def show(self, trace: RoiTrace, origin_s: float, *, tr_s: float) -> None:
        """Draw `trace`; x is seconds since `origin_s`."""
        x_s = trace.t_s - origin_s
        self._words.setTextWidth(self.plot.getViewBox().width() - 4)
        for band, low, high in (
            (self._bands[0], trace.low, trace.high),
            (self._bands[1], trace.low_80, trace.high_80),
        ):
            band.setPath(band_path(x_s, low, high, end_s=END_TRS * tr_s))
        self._draw_lines(x_s, trace)
        valid = np.isfinite(trace.value) & np.isfinite(x_s)
        plain = valid & ~trace.degraded
        if np.count_nonzero(plain) > DOTS_MOST:
            plain = lonely(valid) & plain
        self._dots.setData(x_s[plain], trace.value[plain])
        marked = valid & trace.degraded
        self._open.setData(x_s[marked], trace.value[marked])
        y_range = stable_range(self._range, trace.limits())
        if y_range != self._range:
            self._range = y_range
            self.plot.setYRange(*y_range, padding=PADDING)
            self.plot.getAxis("left").setTicks([_ticks(*y_range)])

    def say(self, score: str) -> None:
        """Show name and R at the top of the lane."""
        called = f"{self.name} (target)" if self.is_target else self.name
        title = "   ".join(part for part in (called, score) if part)
        if title != self._title:
            self._title = title
            ground = QColor(self._colours.panel)
            shade = f"rgba({ground.red()},{ground.green()},{ground.blue()},0.7)"
            self._words.setHtml(
                f"<span style='background-color: {shade}'>"
                f"<b>{html.escape(called)}</b> &nbsp; {html.escape(score)}</span>"
            )

    def _band(self, colour: str) -> QGraphicsPathItem:
        item = QGraphicsPathItem()
        item.setPen(pg.mkPen(None))
        item.setBrush(QColor(colour))
        self.plot.addItem(item)
        return item

    def _curve(self) -> pg.PlotCurveItem:
        curve = pg.PlotCurveItem(connect="finite")
        curve.setSegmentedLineMode("on")  # one wide path takes twice as long to paint
        self.plot.addItem(curve)
        return curve

    def _draw_lines(self, x_s: FloatArray, trace: RoiTrace) -> None:
        """Draw prediction and measurement; thin and plain where there are many."""
        smooth = len(x_s) <= SMOOTH_MOST
        colours = self._colours
        for curve, y, colour, width in (
            (self._value, trace.value, colours.prediction, 2.0),
            (self._measured, trace.measured, colours.measured, 1.5),
        ):
            pen = pg.mkPen(colour, width=width if smooth else 1)
            curve.setData(x_s, y, pen=pen, connect="finite", antialias=smooth)

    def _dress(self) -> None:
        plot, colours = self.plot, self._colours
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(x=True, y=False)
        plot.enableAutoRange(x=False, y=False)
        plot.setYRange(-1, 1, padding=PADDING)
        plot.getViewBox().setBackgroundColor(colours.panel)
        plot.addLine(y=0, pen=pg.mkPen(colours.grid, width=1))
        for side in ("left", "bottom"):
            axis = plot.getAxis(side)
            axis.setPen(colours.grid)
            axis.setTextPen(colours.muted)
        left = plot.getAxis("left")
        left.setWidth(AXIS_WIDTH)
        left.setStyle(tickLength=-4)
        left.setTicks([_ticks(-1, 1)])
        plot.layout.setContentsMargins(0, 0, 4, 0)
        self._words.setParentItem(plot.getViewBox())  # stays while the data move
        self._words.setPos(2, -3)
        self._words.setDefaultTextColor(QColor(colours.text))
        self._words.setZValue(100)


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    return [(low, f"{low:g}"), (0.0, "0"), (high, f"{high:g}")]


def band_path(
    x_s: FloatArray, low: FloatArray, high: FloatArray, *, end_s: float
) -> QPainterPath:
    """Return the area between `low` and `high`, in one piece per stretch."""
    path = QPainterPath()
    for stretch in stretches(np.isfinite(low) & np.isfinite(high) & np.isfinite(x_s)):
        x, lower, upper = outline(x_s[stretch], low[stretch], high[stretch])
        x = np.concatenate(([x[0] - end_s], x, [x[-1] + end_s]))
        around = np.concatenate((_held(lower), _held(upper)[::-1]))
        path.addPolygon(
            pg.functions.arrayToQPolygonF(np.concatenate((x, x[::-1])), around)
        )
        path.closeSubpath()
    path.setFillRule(Qt.FillRule.WindingFill)
    return path


def outline(
    x_s: FloatArray, low: FloatArray, high: FloatArray, most: int = BAND_MOST
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return at most `most` corners of an area, (n,) each, that holds all of it."""
    n = len(x_s)
    if n <= most:
        return x_s, low, high
    starts = np.arange(most) * n // most
    thinner = np.append(x_s[starts[:-1]], x_s[-1])
    return thinner, np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)


def lonely(valid: BoolArray) -> BoolArray:
    """Return which valid ones have no valid neighbour, so no line shows them."""
    padded = np.concatenate(([False], valid, [False]))
    return valid & ~padded[:-2] & ~padded[2:]


def _held(edge: FloatArray) -> FloatArray:
    """Return `edge` with its first and last value once more."""
    return np.concatenate((edge[:1], edge, edge[-1:]))
