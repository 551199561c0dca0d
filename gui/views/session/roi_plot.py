"""Predictions of chosen ROIs against time, the target first."""

import html
import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QPainterPath
from PyQt6.QtWidgets import (
    QGraphicsPathItem,
    QGraphicsTextItem,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.history import HistoryView
from rtbold.gui.state.preferences import Colours
from rtbold.gui.state.roi_traces import (
    BoolArray,
    RoiTrace,
    Span,
    roi_trace,
    score_words,
    stable_range,
    stretches,
    target_trace,
)
from rtbold.gui.state.words import span_words, wall_words
from rtbold.gui.views.session.roi_choice import RoiChoice, RoiHead, legend
from rtbold.messages import FloatArray

# One lane of the ROI plot: a ROI's prediction, intervals and measurement.

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


BLOCK_ALPHA = 40
BlockSpan = tuple[float, float, str]


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
        self._moments: list[pg.GraphicsObject] = []
        self._moments_shown: tuple[object, object] = ((), ())
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

    def show_moments(
        self, marks: Sequence[tuple[float, str]], blocks: Sequence[BlockSpan]
    ) -> None:
        """Draw marks as lines and blocks as bands; x as in `show`.

        Parameters
        ----------
        marks : (x, what it says).
        blocks : (begin, end, name).
        """
        if (marks, blocks) == self._moments_shown:
            return
        self._moments_shown = (marks, blocks)
        for item in self._moments:
            self.plot.removeItem(item)
        self._moments = [self._block(*block) for block in blocks]
        self._moments += [self._mark(*mark) for mark in marks]
        for item in self._moments:
            self.plot.addItem(item, ignoreBounds=True)

    def _mark(self, x_s: float, words: str) -> pg.InfiniteLine:
        dashed = pg.mkPen(self._colours.accent, width=1.5, style=Qt.PenStyle.DashLine)
        line = pg.InfiniteLine(x_s, pen=dashed)
        line.setToolTip(words)
        line.setZValue(50)
        return line

    def _block(self, begin_s: float, end_s: float, words: str) -> pg.LinearRegionItem:
        tint = QColor(self._colours.muted)
        tint.setAlpha(BLOCK_ALPHA)
        band = pg.LinearRegionItem(
            (begin_s, end_s),
            brush=tint,
            pen=pg.mkPen(self._colours.border, width=1),
            movable=False,
        )
        band.setToolTip(words)
        band.setZValue(-50)  # behind the intervals
        return band

    def _band(self, colour: str) -> QGraphicsPathItem:
        item = QGraphicsPathItem()
        item.setPen(pg.mkPen(self._colours.band_edge, width=1))
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
            axis.setPen(colours.border)
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


def _moments(
    state: DashboardState, origin_s: float, newest_s: float
) -> tuple[tuple[tuple[float, str], ...], tuple[BlockSpan, ...]]:
    """Return marks and blocks in seconds since `origin_s`, with their words."""
    found = state.story
    marks = tuple(
        (mark.t_s - origin_s, f"{mark.kind}: {mark.text}".removesuffix(": "))
        for mark in found.marks
    )
    blocks = tuple(
        (begin_s - origin_s, end_s - origin_s, f"{block.name} ({block.run_type})")
        for begin_s, end_s, block in found.bands(newest_s)
    )
    return marks, blocks


SHORTEST_S = 180.0  # is shown from the beginning; then it grows to what was chosen
GROWS_BY = 1.3
AHEAD_SHARE = 0.02  # of the span, free at the right edge
LANES_A_FRAME = 1  # all of nine would take most of a frame
TIP = (
    "Each lane is one ROI, the target first. Line and dots: predictions; open circles: "
    "degraded; a hole: no valid prediction. Shaded: where measured BOLD is expected "
    "in 80 and in 95 of 100 volumes. Measured BOLD is brought to the mean and the "
    "spread of the prediction, for the scanner has no fixed unit; R does not change by "
    "that. n: how many independent volumes they are worth, of how many with both. "
    "Drag to look back, wheel to zoom; Follow comes back to the newest."
)


class RoiPlot(QWidget):
    """Up to nine lanes with one time axis; drawn again once per volume.

    What comes is drawn lane by lane over the next frames, the target first; what the
    operator does, at once.

    Parameters
    ----------
    unix_s : this computer's wall clock, for the axis.
    """

    def __init__(
        self,
        colours: Colours,
        parent: QWidget | None = None,
        *,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("roi_plot")
        self._colours, self._unix_s = colours, unix_s
        self._lanes: list[RoiLane] = []
        self._waiting: list[RoiLane] = []  # to be drawn again
        self._names: tuple[str, ...] = ()  # of the lanes
        self._axis: TimeAxis | None = None
        self._origin_s = math.nan  # LSL clock
        self._drawn: tuple[object, ...] = ()
        self._session: str | None = None
        self._wish: tuple[str, ...] = ()  # remembered from another session
        self._moved, self._sharing = False, False
        self.choice = RoiChoice(self)
        self.choice.changed.connect(self._look_again)
        self.graphics = pg.GraphicsLayoutWidget()
        self.graphics.setObjectName("roi_lanes")
        self.graphics.ci.layout.setSpacing(0)
        self.graphics.ci.layout.setContentsMargins(0, 0, 0, 0)
        self.graphics.setToolTip(TIP)
        self.head = RoiHead()
        self.head.rois.clicked.connect(self._open_choice)
        self.head.fit.clicked.connect(self._fit)
        self.head.changed.connect(self._look_again)
        self._caption = QLabel()
        self._caption.setObjectName("roi_caption")
        self._caption.setWordWrap(True)
        self._caption.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.head)
        column.addWidget(self.graphics, 1)
        column.addWidget(self._caption)
        self.set_colours(colours)

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme; the lanes are made anew."""
        self._colours = colours
        self.graphics.setBackground(colours.panel)
        self._caption.setText(legend(colours))
        self._names = ()
        self._look_again()

    @property
    def lanes(self) -> Sequence[RoiLane]:
        """What is plotted, from the top."""
        return tuple(self._lanes)

    @property
    def chosen(self) -> tuple[str, ...]:
        """ROIs beside the target; what was wished for, before a session names any."""
        return self.choice.chosen or self._wish

    def choose(self, names: Sequence[str]) -> None:
        """Plot `names` beside the target, as soon as a session has them."""
        self._wish = tuple(names)
        self.choice.choose(names)

    def choices(self) -> dict[str, object]:
        """Return what the operator chose, to be kept."""
        return {"rois": list(self.chosen), **self.head.choices()}

    def take_choices(self, choices: Mapping[str, object]) -> None:
        """Take choices that were kept; what does not fit is left out."""
        rois = choices.get("rois")
        if isinstance(rois, list):
            self.choose([name for name in rois if isinstance(name, str)])
        self.head.take_choices(choices)

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Draw what has changed since the last time."""
        self._meet(state)
        due = self._due(state)
        if not due:
            return
        lsl_s = state.lsl_now_s(now_s)
        unix_s = None if lsl_s is None else self._unix_s() - lsl_s
        self._draw(state, due, unix_s)

    # What is drawn

    def _meet(self, state: DashboardState) -> None:
        """Begin anew with another session, or other ROIs."""
        rois = state.history.rois
        offered = self.choice.list.count()
        if state.session != self._session:
            self._session, self._origin_s = state.session, math.nan
            self._fit()
        elif offered == len(rois):
            return
        kept = self.chosen
        self.choice.set_rois(rois)
        self.choice.choose(kept)
        self._look_again()

    def _due(self, state: DashboardState) -> list[RoiLane]:
        """Return the lanes to draw now; the others keep their place in the queue."""
        drawn = (
            state.session,
            state.history.version,
            state.versions["truth"],
            state.story.version,
        )
        at_once = self._moved
        if drawn != self._drawn or self._moved:
            self._drawn, self._moved = drawn, False
            at_once |= self._make_lanes(state)
            waiting = self._waiting
            waiting += [lane for lane in self._lanes if lane not in waiting]
        n = len(self._waiting) if at_once else LANES_A_FRAME
        due, self._waiting = self._waiting[:n], self._waiting[n:]
        return due

    def _make_lanes(self, state: DashboardState) -> bool:
        """Return whether the lanes are others than before, and empty."""
        target = (
            state.fb.target if state.fb else state.hello.target if state.hello else ""
        )
        others = [name for name in self.choice.chosen if name != target]
        names = (target, *others) if target else tuple(others)
        self.head.say_count(len(names), len(state.history.rois))
        if names == self._names:
            return False
        self.graphics.clear()
        self._lanes, self._waiting, self._names = [], [], names
        for number, name in enumerate(names):
            axis = TimeAxis(labels=number == len(names) - 1)
            plot = self.graphics.addPlot(row=number, col=0, axisItems={"bottom": axis})
            lane = RoiLane(plot, self._colours, name=name, is_target=name == target)
            self._lanes.append(lane)
            box = plot.getViewBox()
            box.sigRangeChangedManually.connect(self._panned)
            box.sigXRangeChanged.connect(self._share_span)
            self._axis = axis
        return True

    def _draw(
        self, state: DashboardState, due: Sequence[RoiLane], unix_s: float | None
    ) -> None:
        view = state.history.view()
        times = view.bold_time[np.isfinite(view.bold_time)]
        if math.isnan(self._origin_s) and len(times):
            self._origin_s = float(times[0])
        origin_s = 0.0 if math.isnan(self._origin_s) else self._origin_s
        if self._axis is not None:
            clock = self.head.by_wall_clock and unix_s is not None
            self._axis.unix_s = origin_s + (unix_s or 0.0) if clock else None
            self._axis.picture = None  # draw its words again
            self._axis.update()
        newest_s = float(times[-1]) if len(times) else origin_s
        for lane in due:
            first_s, last_s = self._span(lane, newest_s - origin_s)
            trace = self._trace(
                state, view, lane, (first_s + origin_s, last_s + origin_s)
            )
            lane.show(trace, origin_s, tr_s=state.tr_s)
            if not math.isnan(self._origin_s):
                lane.show_moments(*_moments(state, origin_s, newest_s))
            lane.say(score_words(state.truth, lane.name))
        # else items move while they are painted, and all is painted a second time
        self.graphics.scene().prepareForPaint()

    def _span(self, lane: RoiLane, newest_s: float) -> Span:
        """Return what the time axis shows, after having moved it to the newest."""
        if self.head.follows:
            span_s = min(self.head.span_s, max(SHORTEST_S, GROWS_BY * newest_s))
            last_s = max(newest_s + AHEAD_SHARE * span_s, span_s * (1 - AHEAD_SHARE))
            self._sharing = True  # each lane moves when its turn comes
            lane.plot.setXRange(last_s - span_s, last_s, padding=0)
            self._sharing = False
        first_s, last_s = lane.plot.viewRange()[0]
        return first_s, last_s

    def _trace(
        self,
        state: DashboardState,
        view: HistoryView,
        lane: RoiLane,
        span_s: Span,
    ) -> RoiTrace:
        rois = state.history.rois
        column = rois.index(lane.name) if lane.name in rois else None
        if column is None or lane.is_target:
            return target_trace(view, column, span_s)
        return roi_trace(view, column, span_s)

    # What the operator does

    def _open_choice(self) -> None:
        self.choice.show()
        self.choice.raise_()
        self.choice.search.setFocus(Qt.FocusReason.OtherFocusReason)

    def _panned(self) -> None:
        self.head.follow.setChecked(False)

    def _share_span(self, moved: object, span: Span) -> None:
        """Give all lanes the time axis of one; pyqtgraph's link needs equal sizes."""
        if self._sharing:
            return
        self._sharing = True
        for lane in self._lanes:
            if lane.plot.getViewBox() is not moved:
                lane.plot.setXRange(*span, padding=0)
        self._sharing = False
        self._look_again()

    def _fit(self) -> None:
        for lane in self._lanes:
            lane.fit()
        self._look_again()

    def _look_again(self) -> None:
        self._moved = True
