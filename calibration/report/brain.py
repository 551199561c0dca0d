"""R of each ROI on a glass brain: dots at centres, not maps."""

import csv
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rtbold.bundle import RoiVerdict
from rtbold.calibration.report.charts import FAINT, INK, STEPS, sheet
from rtbold.calibration.report.content import Place
from rtbold.messages import FloatArray
from rtbold.sim import read_rois

# Seen from -> the two coordinates that are seen, and what stands at the sides.
VIEWS: Final = {
    "right": ((1, 2), ("back", "front")),
    "back": ((0, 2), ("left", "right")),
    "top": ((0, 1), ("left", "right")),
}
EDGES: Final = (0.0, 0.1, 0.2, 0.3, 0.5)  # of R, between the steps of colour
NAMED_UP_TO: Final = 10  # ROIs; the names of more would hide the dots


def known_centres(rois: Sequence[str]) -> dict[str, tuple[Place, ...]]:
    """Return the centres of those ROIs that DiFuMo's 64 regions name."""
    known = {
        roi.name.casefold(): roi.sources_mni_mm or (roi.centre_mni_mm,)
        for roi in read_rois()
    }
    named = ((roi, roi.replace("\u2019", "'").casefold()) for roi in rois)
    return {roi: known[name] for roi, name in named if name in known}


def glass_brain(
    rois: Sequence[RoiVerdict], centres: Mapping[str, tuple[Place, ...]], alpha: float
) -> Figure:
    """Return the brain from three sides; ROIs without a centre are left out."""
    placed = [roi for roi in rois if roi.roi in centres]
    figure = sheet(10, 3.5)
    for axes, (side, (kept, ends)) in zip(
        figure.subplots(1, len(VIEWS)), VIEWS.items(), strict=True
    ):
        _draw_outline(axes, side, ends)
        # The highest R last, so that no dot hides it.
        for roi in sorted(placed, key=lambda roi: roi.r):
            _draw_roi(axes, roi, centres[roi.roi], kept=kept, alpha=alpha)
    if len(placed) <= NAMED_UP_TO:
        _name(figure.axes[0], placed, centres)
    figure.legend(handles=_legend(), loc="outside lower center", ncols=len(STEPS))
    return figure


def step_of(r: float) -> int:
    """Return which step of colour an R has."""
    return int(np.searchsorted(EDGES, r, side="right"))


def _draw_outline(axes: Axes, side: str, ends: tuple[str, str]) -> None:
    line = _outlines()[side]
    axes.plot(*line.T, color=FAINT, linewidth=1)
    axes.set_aspect("equal")
    axes.axis("off")
    axes.set_title(f"from the {side}", loc="center")
    low, high = line.min(axis=0), line.max(axis=0)
    for x, word, align in ((low[0], ends[0], "left"), (high[0], ends[1], "right")):
        axes.text(x, low[1] - 6, word, ha=align, va="top", color=FAINT, fontsize=8)


def _draw_roi(
    axes: Axes,
    roi: RoiVerdict,
    places: Sequence[Place],
    *,
    kept: tuple[int, int],
    alpha: float,
) -> None:
    colour = STEPS[step_of(roi.r)]
    told = roi.p_max <= alpha and roi.r > 0
    xy = np.array(places)[:, kept]
    axes.plot(
        *xy.T,
        linestyle="none",
        marker="o",
        markersize=8,
        markerfacecolor=colour if told else "none",
        markeredgecolor=INK if told else colour,
        markeredgewidth=0.6 if told else 1.4,
    )


def _name(
    axes: Axes, rois: Sequence[RoiVerdict], centres: Mapping[str, tuple[Place, ...]]
) -> None:
    """Write names beside the dots, from above to below so that none overlap."""
    rows = sorted(rois, key=lambda roi: centres[roi.roi][0][2])
    top_mm = -np.inf
    for roi in rows:
        _, y_mm, z_mm = centres[roi.roi][0]
        top_mm = max(z_mm, top_mm + 9)
        axes.annotate(
            roi.roi,
            (y_mm, z_mm),
            (-125, top_mm),
            ha="right",
            va="center",
            fontsize=8,
            arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.5},
        )


def _legend() -> list[Line2D]:
    bounds = ["", *(f"{edge:g}" for edge in EDGES), ""]
    words = [
        "R below 0",
        *(f"{bounds[i]} to {bounds[i + 1]}" for i in range(1, len(EDGES))),
        f"{bounds[-2]} and more",
    ]
    return [
        Line2D([], [], linestyle="none", marker="o", color=colour, label=word)
        for colour, word in zip(STEPS, words, strict=True)
    ]


@cache
def _outlines() -> dict[str, FloatArray]:
    """Return side -> (points, 2) mm."""
    place = files("rtbold") / "brain_outline.csv"
    rows = csv.DictReader(place.read_text(encoding="utf-8").splitlines())
    points: dict[str, list[tuple[float, float]]] = {side: [] for side in VIEWS}
    for row in rows:
        points[row["seen_from"]].append((float(row["a_mm"]), float(row["b_mm"])))
    return {side: np.array(line) for side, line in points.items()}
