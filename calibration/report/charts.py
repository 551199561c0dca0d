"""The report's small charts: lag, chance, horizons, learning, the matrix of ROIs."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator

from rtbold.calibration.inputs.lag_scan import USUAL_S, LagScan
from rtbold.calibration.report.content import Chance, LearningCurve
from rtbold.calibration.report.theme import (
    FAINT,
    INK,
    NETWORK,
    sheet,
    zero_line,
)
from rtbold.calibration.result import TargetScore
from rtbold.verdict import Gate

NAMED_UP_TO: Final = 16  # ROIs beside the matrix
# Opaque where R is 1 and clear where it is 0, so that the page's ground is "nothing".
_CLEAR: Final = np.linspace(1, 0, 64)[:, None]
SIGNED: Final = ListedColormap(
    np.concatenate(
        [
            np.concatenate([np.tile((0.80, 0.36, 0.13), (64, 1)), _CLEAR], axis=1),
            np.concatenate([np.tile((0.15, 0.43, 0.72), (64, 1)), _CLEAR[::-1]], 1),
        ]
    )
)


def lag_curve(lag: LagScan) -> Figure:
    """Return R at each lag, with the peak, its interval and the usual range."""
    figure = sheet(7, 2.6)
    axes = figure.add_subplot()
    axes.axvspan(*USUAL_S, color=FAINT, alpha=0.15, linewidth=0)
    zero_line(axes)
    zero_line(axes, upright=True)
    axes.plot(lag.lags_s, lag.r, color=NETWORK, linewidth=1.5)
    height = lag.peak_r
    axes.plot(lag.interval_s, (height, height), color=INK, linewidth=0.9)
    axes.plot([lag.peak_s], [height], "o", color=INK, markersize=5)
    axes.set_xlabel("seconds by which BOLD follows EEG")
    axes.set_ylabel("R, mean over ROIs")
    axes.set_xlim(lag.lags_s[0], lag.lags_s[-1])
    axes.xaxis.set_major_locator(MultipleLocator(5))
    return figure


def null_histogram(chance: Chance, gate: Gate) -> Figure:
    """Return how often chance gives which R, and the R that was observed."""
    figure = sheet(7, 2.6)
    axes = figure.add_subplot()
    axes.hist(chance.null_r, bins=40, color=FAINT, alpha=0.55)
    limit = float(np.quantile(chance.null_r, 1 - gate.alpha))
    zero_line(axes, limit, upright=True)
    axes.axvline(gate.r, color=NETWORK, linewidth=2)
    top = axes.get_ylim()[1]
    axes.set_ylim(0, 1.15 * top)
    for r, side, word, colour in (
        (gate.r, 1 if gate.r > limit else -1, "observed", NETWORK),
        (
            limit,
            -1 if gate.r > limit else 1,
            f"{100 * (1 - gate.alpha):.4g} % of chance",
            INK,
        ),
    ):
        axes.annotate(
            word,
            (r, 1.13 * top),
            (4 * side, 0),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            va="top",
            color=colour,
            fontsize=8,
        )
    axes.set_xlabel("R of the target")
    axes.set_ylabel("surrogates")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    return figure


def horizon_chart(
    scores: Mapping[int, TargetScore], chosen_tr: int, tr_s: float
) -> Figure:
    """Return R with its interval for each number of volumes ahead."""
    figure = sheet(5, 2.6)
    axes = figure.add_subplot()
    for horizon_tr, score in scores.items():
        chosen = horizon_tr == chosen_tr
        axes.plot([horizon_tr] * 2, (score.low, score.high), color=NETWORK, lw=1.2)
        axes.plot(
            [horizon_tr],
            [score.r],
            "o",
            color=NETWORK,
            markerfacecolor=NETWORK if chosen else "none",
            markersize=7,
        )
    zero_line(axes)
    places = list(scores)
    axes.set_xticks(places, [f"{n}\n{n * tr_s:.1f} s" for n in places])
    axes.set_xlim(min(places) - 0.5, max(places) + 0.5)
    axes.set_xlabel("volumes ahead")
    axes.set_ylabel("R of the target")
    return figure


def learning_chart(curves: Sequence[LearningCurve]) -> Figure:
    """Return the error of each fit over its epochs, with the one that was kept."""
    figure = sheet(7, 2.8)
    axes = figure.add_subplot()
    for curve in curves:
        last = curve.name == "final"
        colour, width = (NETWORK, 1.8) if last else (FAINT, 1.0)
        axes.plot(curve.errors, color=colour, linewidth=width)
        axes.plot([curve.best], [curve.errors[curve.best]], "o", color=colour, ms=5)
        axes.annotate(
            curve.name,
            (len(curve.errors) - 1, curve.errors[-1]),
            (4, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=8,
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch (0: before the first)")
    axes.set_ylabel("error, stopping part")
    return figure


def own_other_matrix(rois: Sequence[str], cross_r: np.ndarray) -> Figure:
    """Return R of each prediction (rows) with each measured ROI (columns)."""
    side_in = min(2.2 + 0.35 * len(rois), 5.4)
    figure = sheet(side_in + 1.6, side_in, square=True)
    axes = figure.add_subplot()
    most = max(float(np.abs(cross_r).max()), 0.1)
    image = axes.imshow(
        cross_r, cmap=SIGNED, vmin=-most, vmax=most, interpolation="nearest"
    )
    places = np.arange(len(rois))
    if len(rois) <= NAMED_UP_TO:
        short = [roi if len(roi) <= 28 else f"{roi[:26]}..." for roi in rois]
        axes.set_yticks(places, short)
        axes.set_xticks(places, short, rotation=40, ha="right")
    else:
        axes.yaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.set_xlabel("measured ROI")
    axes.set_ylabel("predicted ROI")
    bar = figure.colorbar(image, ax=axes, shrink=0.6)
    bar.set_label("R")
    bar.outline.set_visible(False)
    return figure
