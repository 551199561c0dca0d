"""Predictions of chosen ROIs against time, the target first."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.history import HistoryView
from rtbold.gui.state.roi_traces import (
    RoiTrace,
    Span,
    roi_trace,
    score_words,
    target_trace,
)
from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.roi_choice import RoiChoice
from rtbold.gui.views.roi_head import RoiHead, legend
from rtbold.gui.views.roi_lane import RoiLane, TimeAxis

AHEAD_SHARE = 0.02  # of the span, free at the right edge
TIP = (
    "Each lane is one ROI, the target first. Line and dots: predictions; open circles: "
    "degraded; a hole: no valid prediction. Shaded: where measured BOLD is expected "
    "in 80 and in 95 of 100 volumes. Measured BOLD is brought to the mean and the "
    "spread of the prediction, for the scanner has no fixed unit; R does not change by "
    "that. Drag to look back, wheel to zoom; Follow comes back to the newest."
)


class RoiPlot(QWidget):
    """Up to nine lanes with one time axis; drawn again once per volume.

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
        drawn = (state.session, state.history.version, state.versions["truth"])
        if drawn == self._drawn and not self._moved:
            return
        self._drawn, self._moved = drawn, False
        self._make_lanes(state)
        view = state.history.view()
        lsl_s = state.lsl_now_s(now_s)
        unix_s = None if lsl_s is None else self._unix_s() - lsl_s
        self._draw(state, view, unix_s)

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

    def _make_lanes(self, state: DashboardState) -> None:
        target = (
            state.fb.target if state.fb else state.hello.target if state.hello else ""
        )
        others = [name for name in self.choice.chosen if name != target]
        names = (target, *others) if target else tuple(others)
        self.head.say_count(len(names), len(state.history.rois))
        if names == self._names:
            return
        self.graphics.clear()
        self._lanes, self._names = [], names
        for number, name in enumerate(names):
            axis = TimeAxis(labels=number == len(names) - 1)
            plot = self.graphics.addPlot(row=number, col=0, axisItems={"bottom": axis})
            lane = RoiLane(plot, self._colours, name=name, is_target=name == target)
            self._lanes.append(lane)
            box = plot.getViewBox()
            box.sigRangeChangedManually.connect(self._panned)
            box.sigXRangeChanged.connect(self._share_span)
            self._axis = axis

    def _draw(
        self, state: DashboardState, view: HistoryView, unix_s: float | None
    ) -> None:
        times = view.bold_time[np.isfinite(view.bold_time)]
        if not self._lanes:
            return
        if math.isnan(self._origin_s) and len(times):
            self._origin_s = float(times[0])
        origin_s = 0.0 if math.isnan(self._origin_s) else self._origin_s
        if self._axis is not None:
            clock = self.head.by_wall_clock and unix_s is not None
            self._axis.unix_s = origin_s + (unix_s or 0.0) if clock else None
            self._axis.picture = None  # draw its words again
            self._axis.update()
        newest_s = float(times[-1]) if len(times) else origin_s
        first_s, last_s = self._span(newest_s - origin_s)
        for lane in self._lanes:
            trace = self._trace(
                state, view, lane, (first_s + origin_s, last_s + origin_s)
            )
            lane.show(trace, origin_s, tr_s=state.tr_s)
            lane.say(score_words(state.truth, lane.name))
        self._moved = False  # by this drawing itself

    def _span(self, newest_s: float) -> Span:
        """Return what the time axis shows, after having moved it to the newest."""
        plot = self._lanes[0].plot
        if self.head.follows:
            span_s = self.head.span_s
            last_s = max(newest_s + AHEAD_SHARE * span_s, span_s * (1 - AHEAD_SHARE))
            plot.setXRange(last_s - span_s, last_s, padding=0)
        first_s, last_s = plot.viewRange()[0]
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
