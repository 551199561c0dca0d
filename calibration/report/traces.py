"""Predicted and measured series over the scan, with their intervals."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rtbold.calibration.report.content import Traces
from rtbold.calibration.report.theme import FAINT, INK, NETWORK, sheet, zero_line
from rtbold.conformal import Intervals

PER_SHEET: Final = 8  # ROIs in one figure of all
BAND_ALPHA: Final = (0.26, 0.14)  # from the narrowest; wider ones lie around it


def weighted(traces: Traces, weights: dict[str, float]) -> Traces:
    """Return one column: the ROIs' weighted sum, as feedback adds them."""
    column = np.array([weights.get(roi, 0.0) for roi in traces.rois])[:, None]
    return Traces(
        rois=("target",),
        onsets_s=traces.onsets_s,
        predicted=traces.predicted @ column,
        measured=traces.measured @ column,
        fold=traces.fold,
    )


def target_traces(
    traces: Traces, column: int, half_widths: Mapping[float, float]
) -> Figure:
    """Return one ROI over the whole scan, with a band for each level."""
    figure = sheet(10, 3)
    axes = figure.add_subplot()
    _draw(axes, traces, column, half_widths=half_widths)
    axes.set_xlabel("minutes")
    axes.set_ylabel("model units")
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0, fontsize=8.5
    )
    return figure


def all_traces(traces: Traces, columns: Sequence[int]) -> Figure:
    """Return some ROIs, one below the other."""
    figure = sheet(10, 0.95 * len(columns) + 0.5)
    grid = figure.subplots(len(columns), 1, sharex=True, squeeze=False)[:, 0]
    for axes, column in zip(grid, columns, strict=True):
        _draw(axes, traces, column, half_widths={})
        axes.set_title(traces.rois[column], fontsize=8.5, pad=2)
        axes.tick_params(labelsize=7.5)
    grid[-1].set_xlabel("minutes")
    return figure


def half_widths_of(intervals: Intervals | None, column: int) -> dict[float, float]:
    """Return level -> half-width, of the levels that have one."""
    if intervals is None:
        return {}
    pairs = zip(intervals.levels, intervals.half_width[column], strict=True)
    return {level: width for level, width in pairs if width is not None}


def _draw(
    axes: Axes, traces: Traces, column: int, *, half_widths: Mapping[float, float]
) -> None:
    minutes = traces.onsets_s / 60
    predicted, measured = traces.predicted[:, column], traces.measured[:, column]
    for place in _edges(traces):
        axes.axvline(minutes[place], color=FAINT, linewidth=1, linestyle=(0, (2, 3)))
    zero_line(axes)
    for alpha, (level, half) in zip(BAND_ALPHA, half_widths.items(), strict=False):
        axes.fill_between(
            minutes,
            predicted - half,
            predicted + half,
            color=NETWORK,
            alpha=alpha,
            linewidth=0,
            label=f"{100 * level:g} % interval",
        )
    axes.plot(minutes, measured, color=INK, linewidth=0.8, label="measured")
    axes.plot(minutes, predicted, color=NETWORK, linewidth=1.5, label="predicted")
    axes.set_xlim(minutes[0], minutes[-1])


def _edges(traces: Traces) -> list[int]:
    """Return the first volume of each test fold but the first."""
    known = np.flatnonzero(traces.fold >= 0)
    changes = np.flatnonzero(np.diff(traces.fold[known]) != 0)
    return [int(known[place + 1]) for place in changes]
