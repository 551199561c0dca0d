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
from rtbold.gui.views.roi_head import RoiHead, legend
from rtbold.gui.views.roi_lane import RoiLane, TimeAxis
from rtbold.gui.views.session.roi_choice import RoiChoice

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
        drawn = (state.session, state.history.version, state.versions["truth"])
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
