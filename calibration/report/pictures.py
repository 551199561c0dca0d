"""The pictures of a page: those that there is something to draw of."""

import math
from collections.abc import Iterator, Mapping

from markupsafe import Markup
from matplotlib.figure import Figure

from rtbold.calibration.explain.figure import draw
from rtbold.calibration.report.brain import glass_brain
from rtbold.calibration.report.charts import (
    PER_SHEET,
    all_traces,
    drawing,
    horizon_chart,
    lag_curve,
    learning_chart,
    null_histogram,
    own_other_matrix,
    svg,
    target_traces,
)
from rtbold.calibration.report.content import ReportContent
from rtbold.calibration.report.derived import TargetSeries

_Picture = tuple[str, Figure, str]  # name, figure, what it shows


def pictures_of(content: ReportContent, target: TargetSeries) -> Mapping[str, Markup]:
    """Return name -> SVG, in the order of the page."""
    found = dict[str, Markup]()
    with drawing():
        for name, figure, said in _drawn(content, target):
            found[name] = svg(figure, name, said=said, papered=name == "uses")
    return found


def _drawn(content: ReportContent, target: TargetSeries) -> Iterator[_Picture]:
    yield (
        "target",
        target_traces(target.traces, target.column, target.half_widths),
        f"Predicted and measured {content.verdict.gate.target} over the scan",
    )
    yield from _of_the_scores(content)
    if content.attributions:
        yield (
            "uses",
            draw(content.attributions, title="What predictions rest on"),
            "Share of channels, times and bands in the predictions",
        )
    yield from _of_the_fit(content)
    yield from _of_all_rois(content)


def _of_the_scores(content: ReportContent) -> Iterator[_Picture]:
    verdict, chance = content.verdict, content.chance
    gate, rois = verdict.gate, [roi.roi for roi in verdict.rois]
    if any(roi in content.centres for roi in rois):
        yield (
            "brain",
            glass_brain(verdict.rois, content.centres, gate.alpha),
            "R of each ROI at its centre, from three sides",
        )
    if chance is None:
        return
    told = f"R by chance, and the observed {gate.r:.2f}"
    yield "chance", null_histogram(chance, gate), told
    if verdict.specificity.n_rois >= 2:
        told = "R of each prediction with each measured ROI"
        yield "matrix", own_other_matrix(rois, chance.cross_r), told


def _of_the_fit(content: ReportContent) -> Iterator[_Picture]:
    horizons, lag, tr_s = content.horizons, content.lag, content.alignment.tr_s
    if len(horizons) >= 2:
        told = "R of the target for each number of volumes ahead"
        yield "horizons", horizon_chart(horizons, content.horizon_tr, tr_s), told
    if lag is not None and math.isfinite(lag.peak_s):
        told = f"R at each lag; the peak is at {lag.peak_s:.0f} s"
        yield "lag", lag_curve(lag), told
    if curves := [curve for curve in content.learning if len(curve.errors) > 1]:
        yield "learning", learning_chart(curves), "Error of each fit over epochs"


def _of_all_rois(content: ReportContent) -> Iterator[_Picture]:
    rois = content.traces.rois
    if len(rois) == 1:
        return  # the target
    for i, first in enumerate(range(0, len(rois), PER_SHEET)):
        columns = range(len(rois))[first : first + PER_SHEET]
        told = f"Predicted and measured {', '.join(rois[c] for c in columns)}"
        yield f"all{i}", all_traces(content.traces, columns), told
