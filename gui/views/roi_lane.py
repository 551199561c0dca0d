"""One lane of the ROI plot: a ROI's prediction, intervals and measurement."""

import html

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import QPointF, Qt
from PyQt6.QtGui import QColor, QPainterPath, QPolygonF
from PyQt6.QtWidgets import QGraphicsPathItem

from rtbold.gui.state.clock_words import span_words, wall_words
from rtbold.gui.state.received_kinds import FloatArray
from rtbold.gui.state.roi_traces import BoolArray, RoiTrace, stable_range, stretches
from rtbold.gui.state.theme_colours import Colours

AXIS_WIDTH = 44
STEPS_S = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200,
)  # fmt: skip
LABEL_PX = 90  # that a time on the axis needs
END_TRS = 0.4  # an interval reaches so far beyond its stretch: a lone one is seen
DOTS_MOST = 200  # more volumes on the screen would run into one another


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
        self._measured = self._curve(colours.measured, 1.5)
        self._value = self._curve(colours.prediction, 2.0)
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
        for band, low, high in (
            (self._bands[0], trace.low, trace.high),
            (self._bands[1], trace.low_80, trace.high_80),
        ):
            band.setPath(band_path(x_s, low, high, end_s=END_TRS * tr_s))
        self._value.setData(x_s, trace.value, connect="finite")
        self._measured.setData(x_s, trace.measured, connect="finite")
        valid = np.isfinite(trace.value)
        plain = valid & ~trace.degraded
        if np.count_nonzero(plain) > DOTS_MOST:
            plain = lonely(valid) & plain
        self._dots.setData(x_s[plain], trace.value[plain])
        marked = valid & trace.degraded
        self._open.setData(x_s[marked], trace.value[marked])
        y_range = stable_range(self._range, trace.limits())
        if y_range != self._range:
            self._range = y_range
            self.plot.setYRange(*y_range, padding=0.04)

    def say(self, score: str) -> None:
        """Show name and R above the lane."""
        called = f"{self.name} (target)" if self.is_target else self.name
        title = "   ".join(part for part in (called, score) if part)
        if title != self._title:
            self._title = title
            name = html.escape(called)
            self.plot.setTitle(
                f"<b>{name}</b>&nbsp;&nbsp; {html.escape(score)}",
                color=self._colours.text,
                size="9pt",
                justify="left",
            )

    def _band(self, colour: str) -> QGraphicsPathItem:
        item = QGraphicsPathItem()
        item.setPen(pg.mkPen(None))
        item.setBrush(QColor(colour))
        self.plot.addItem(item)
        return item

    def _curve(self, colour: str, width: float) -> pg.PlotCurveItem:
        curve = pg.PlotCurveItem(
            pen=pg.mkPen(colour, width=width), antialias=True, connect="finite"
        )
        self.plot.addItem(curve)
        return curve

    def _dress(self) -> None:
        plot, colours = self.plot, self._colours
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(x=True, y=False)
        plot.enableAutoRange(x=False, y=False)
        plot.setYRange(-1, 1, padding=0.04)
        plot.getViewBox().setBackgroundColor(colours.panel)
        plot.addLine(y=0, pen=pg.mkPen(colours.grid, width=1))
        for side in ("left", "bottom"):
            axis = plot.getAxis(side)
            axis.setPen(colours.grid)
            axis.setTextPen(colours.muted)
        left = plot.getAxis("left")
        left.setWidth(AXIS_WIDTH)
        left.setStyle(tickLength=-4, maxTickLevel=0)
        plot.layout.setContentsMargins(0, 0, 4, 0)


def band_path(
    x_s: FloatArray, low: FloatArray, high: FloatArray, *, end_s: float
) -> QPainterPath:
    """Return the area between `low` and `high`, in one piece per stretch."""
    path = QPainterPath()
    for stretch in stretches(np.isfinite(low) & np.isfinite(high) & np.isfinite(x_s)):
        x = x_s[stretch]
        x = np.concatenate(([x[0] - end_s], x, [x[-1] + end_s]))
        lower, upper = _held(low[stretch]), _held(high[stretch])
        around = zip(
            np.concatenate((x, x[::-1])).tolist(),
            np.concatenate((lower, upper[::-1])).tolist(),
            strict=True,
        )
        path.addPolygon(QPolygonF([QPointF(*point) for point in around]))
        path.closeSubpath()
    path.setFillRule(Qt.FillRule.WindingFill)
    return path


def lonely(valid: BoolArray) -> BoolArray:
    """Return which valid ones have no valid neighbour, so no line shows them."""
    padded = np.concatenate(([False], valid, [False]))
    return valid & ~padded[:-2] & ~padded[2:]


def _held(edge: FloatArray) -> FloatArray:
    """Return `edge` with its first and last value once more."""
    return np.concatenate((edge[:1], edge, edge[-1:]))
